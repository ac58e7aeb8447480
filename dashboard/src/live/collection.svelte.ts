// A list that is on screen: read once, then kept true by events. Changes are shown together, a few times a second at most,
// so that ten thousand boards that come back at once do not stop the page.
import { asFailure, type Failure } from '../api/request';
import type { CloudEvent } from '../api/types';
import { Known, type Reduce } from './known';
import { live } from './live.svelte';

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
  reduce: Reduce<T>;
  order(a: T, b: T): number;
}

export class Collection<T extends { id: string }> {
  /** Where the first read stands. */
  state = $state<'idle' | 'loading' | 'ready' | 'failed'>('idle');
  failure = $state.raw<Failure | undefined>(undefined);
  /** The items in order. */
  items = $state.raw<readonly T[]>([]);
  private known: Known<T>;
  private wanted = new Set<string>();
  private showing: ReturnType<typeof setTimeout> | undefined;
  private reading: ReturnType<typeof setTimeout> | undefined;
  private shownAt = -Infinity;
  private generation = 0;
  /** Which read of the list it is: an earlier one that is still on its way counts no more. */
  private turn = 0;

  constructor(private readonly source: Source<T>) {
    this.known = new Known(source.reduce);
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
    this.known = new Known(this.source.reduce);
    this.items = [];
    this.state = 'idle';
    this.wanted.clear();
  }

  get(id: string): T | undefined {
    // Reading `items` makes whoever asks see later changes.
    return this.items.length >= 0 ? this.known.get(id) : undefined;
  }

  /** Puts down what an answer just told, ahead of its event. */
  put(item: T): void {
    this.known.put(item);
    this.show();
  }

  drop(id: string): void {
    if (this.known.drop(id)) this.show();
  }

  async read(): Promise<void> {
    const { generation, known } = this;
    const turn = (this.turn += 1);
    const goesOn = (): boolean => generation === this.generation && turn === this.turn;
    this.state = known.size > 0 ? 'ready' : 'loading';
    known.begin();
    try {
      await live.followed();
      await this.source.each((items) => {
        if (!goesOn()) return;
        known.take(items);
        this.state = 'ready';
        this.show();
      });
      if (!goesOn()) return;
      known.end();
      this.failure = undefined;
      this.state = 'ready';
      this.showNow();
    } catch (error) {
      if (!goesOn()) return;
      known.giveUp();
      this.failure = asFailure(error);
      this.state = 'failed';
    }
  }

  private hear(event: CloudEvent): void {
    if (event.subject_type !== this.source.noun || this.state === 'idle') return;
    const verdict = this.known.hear(event);
    if (verdict === 'keep') return;
    if (verdict === 'fetch') return this.want(event.subject_id);
    this.show();
    if (typeof verdict === 'object' && verdict.more === 'fetch') this.want(event.subject_id);
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
          const { kind, status } = asFailure(error).problem;
          if (kind === 'not_found') this.drop(id);
          // Nobody will tell of this change again.
          else if (status === 0 || status >= 500) this.readLater();
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
    this.items = this.known.all().sort(this.source.order);
  }
}
