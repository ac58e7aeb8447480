// A list that is on screen: read once, then kept true by events. Changes are shown together, a few times a second at most,
// so that ten thousand boards that come back at once do not stop the page.
import { asFailure, type Failure } from '../api/request';
import type { CloudEvent } from '../api/types';
import { live } from './live.svelte';
import type { Verdict } from './reduce';

/** Changes within this time are shown together. */
const TOGETHER_MS = 60;
/** Items that events ask to read, one by one; above this the whole list is read anew. */
const MAX_SINGLE_READS = 40;
/** Between two reads of the whole list for that reason. */
const CROWD_MS = 1000;

export interface Source<T> {
  noun: string;
  each(seen: (items: T[]) => void): Promise<void>;
  one(id: string): Promise<T>;
  reduce(known: T | undefined, event: CloudEvent): Verdict<T>;
  order(a: T, b: T): number;
}

export class Collection<T extends { id: string }> {
  /** Where the first read stands. */
  state = $state<'idle' | 'loading' | 'ready' | 'failed'>('idle');
  failure = $state.raw<Failure | undefined>(undefined);
  /** The items in order. */
  items = $state.raw<readonly T[]>([]);
  private byId = new Map<string, T>();
  private wanted = new Set<string>();
  /** What events told while the list was being read: newer than what the list says. */
  private touched = new Set<string>();
  private showing: ReturnType<typeof setTimeout> | undefined;
  private reading: ReturnType<typeof setTimeout> | undefined;
  private shownAt = -Infinity;
  private generation = 0;

  constructor(private readonly source: Source<T>) {
    live.listen((event) => this.hear(event));
    live.onResync((why) => {
      if (this.state === 'failed' || (why === 'missed' && this.state !== 'idle')) void this.read();
    });
  }

  /** Reads the list unless that was done. */
  ensure(): this {
    if (this.state === 'idle' || this.state === 'failed') void this.read();
    return this;
  }

  /** Forgets everything, as when the project changes. */
  clear(): void {
    this.generation += 1;
    this.byId = new Map();
    this.items = [];
    this.state = 'idle';
    this.wanted.clear();
  }

  get(id: string): T | undefined {
    // Reading `items` makes whoever asks see later changes.
    return this.items.length >= 0 ? this.byId.get(id) : undefined;
  }

  /** Puts down what an answer just told, ahead of its event. */
  put(item: T): void {
    this.touched.add(item.id);
    this.byId.set(item.id, item);
    this.show();
  }

  drop(id: string): void {
    this.touched.add(id);
    if (this.byId.delete(id)) this.show();
  }

  async read(): Promise<void> {
    const generation = this.generation;
    this.state = this.byId.size > 0 ? 'ready' : 'loading';
    const fresh = new Map<string, T>();
    this.touched.clear();
    try {
      await live.followed();
      await this.source.each((items) => {
        if (generation !== this.generation) return;
        for (const item of items) {
          fresh.set(item.id, item);
          if (!this.touched.has(item.id)) this.byId.set(item.id, item);
        }
        this.state = 'ready';
        this.show();
      });
      if (generation !== this.generation) return;
      this.replace(fresh);
      this.failure = undefined;
      this.state = 'ready';
      this.showNow();
    } catch (error) {
      if (generation !== this.generation) return;
      this.failure = asFailure(error);
      this.state = 'failed';
    }
  }

  private replace(fresh: Map<string, T>): void {
    for (const id of this.touched) {
      const known = this.byId.get(id);
      if (known) fresh.set(id, known);
      else fresh.delete(id);
    }
    this.byId = fresh;
  }

  private hear(event: CloudEvent): void {
    if (event.subject_type !== this.source.noun || this.state === 'idle') return;
    const verdict = this.source.reduce(this.byId.get(event.subject_id), event);
    if (verdict === 'keep') return;
    if (verdict === 'drop') this.drop(event.subject_id);
    else if (verdict === 'fetch') this.want(event.subject_id);
    else {
      this.put(verdict.put);
      if (verdict.more === 'fetch') this.want(event.subject_id);
    }
  }

  private want(id: string): void {
    if (this.wanted.size === 0) setTimeout(() => void this.fetch(), this.pause());
    this.wanted.add(id);
  }

  private async fetch(): Promise<void> {
    const ids = [...this.wanted];
    this.wanted.clear();
    if (ids.length > MAX_SINGLE_READS) return this.readLater();
    const generation = this.generation;
    await Promise.all(
      ids.map(async (id) => {
        try {
          const item = await this.source.one(id);
          if (generation === this.generation) this.put(item);
        } catch (error) {
          if (asFailure(error).problem.kind === 'not_found') this.drop(id);
        }
      }),
    );
  }

  /** A crowd of changes goes on for a while; reading everything for each handful would cost more than it shows. */
  private readLater(): void {
    this.reading ??= setTimeout(() => {
      this.reading = undefined;
      void this.read();
    }, CROWD_MS);
  }

  private show(): void {
    this.showing ??= setTimeout(() => this.showNow(), this.pause());
  }

  /** The first change after some quiet is shown at once; a crowd of them together. */
  private pause(): number {
    return Math.max(0, this.shownAt + TOGETHER_MS - performance.now());
  }

  private showNow(): void {
    clearTimeout(this.showing);
    this.showing = undefined;
    this.shownAt = performance.now();
    this.items = [...this.byId.values()].sort(this.source.order);
  }
}
