// What a page knows of a list: items as they were read, with what was told while they were being read. Pure: no network, no clock.
//
// Invariant: what was told is never lost to a list that was read before it, and what a list says is never lost to something
// told of an older item: events that come while the list is read are told again to the items that it brings.
import type { CloudEvent } from '../api/types';
import type { Verdict } from './reduce';

export type Reduce<T> = (known: T | undefined, event: CloudEvent) => Verdict<T>;

export class Known<T extends { id: string }> {
  private readonly byId = new Map<string, T>();
  /** Known from before the read that is under way, and not brought by it so far. */
  private readonly old = new Set<string>();
  /** Told or gone as a whole since that read began: newer than what it says. */
  private readonly whole = new Set<string>();
  /** Events since that read began; nothing while none is under way. */
  private told: Map<string, CloudEvent[]> | undefined;

  constructor(private readonly reduce: Reduce<T>) {}

  get size(): number {
    return this.byId.size;
  }

  get(id: string): T | undefined {
    return this.byId.get(id);
  }

  all(): T[] {
    return [...this.byId.values()];
  }

  /** A whole item, as an answer says it. */
  put(item: T): void {
    this.whole.add(item.id);
    this.old.delete(item.id);
    this.byId.set(item.id, item);
  }

  /** Whether it was there. */
  drop(id: string): boolean {
    this.whole.add(id);
    return this.byId.delete(id);
  }

  /** What an event does, done unless the item has to be read for it. */
  hear(event: CloudEvent): Verdict<T> {
    const id = event.subject_id;
    const verdict = this.reduce(this.byId.get(id), event);
    if (this.told) this.told.set(id, [...(this.told.get(id) ?? []), event]);
    if (verdict === 'drop') this.drop(id);
    else if (typeof verdict === 'object') this.byId.set(id, verdict.put);
    return verdict;
  }

  /** The list is read from here on; a read that was under way counts no more. */
  begin(): void {
    this.told = new Map();
    this.whole.clear();
    this.old.clear();
    for (const id of this.byId.keys()) this.old.add(id);
  }

  /** Some items of the list. */
  take(items: readonly T[]): void {
    for (const item of items) {
      if (this.whole.has(item.id)) continue;
      this.old.delete(item.id);
      this.byId.set(item.id, this.retold(item));
    }
  }

  /** All of the list was taken: what it does not have is gone. */
  end(): void {
    for (const id of this.old) this.byId.delete(id);
    this.giveUp();
  }

  /** The list could not be read to its end; what is known stays. */
  giveUp(): void {
    this.old.clear();
    this.told = undefined;
  }

  private retold(item: T): T {
    let now = item;
    for (const event of this.told?.get(item.id) ?? []) {
      const verdict = this.reduce(now, event);
      if (typeof verdict === 'object') now = verdict.put;
    }
    return now;
  }
}
