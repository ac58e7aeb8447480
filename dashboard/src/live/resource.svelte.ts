// One thing that a screen shows (a board, its plugins ...): read when the screen opens, again when an event concerns it.
import { asFailure, type Failure } from '../api/request';
import type { CloudEvent } from '../api/types';
import { live } from './live.svelte';

/** Events within this time cause one read. */
const TOGETHER_MS = 30;

export class Resource<T> {
  value = $state.raw<T | undefined>(undefined);
  failure = $state.raw<Failure | undefined>(undefined);
  loading = $state(true);
  private waiting: ReturnType<typeof setTimeout> | undefined;
  private generation = 0;
  private readonly ends: (() => void)[] = [];

  constructor(
    private readonly read: () => Promise<T>,
    concerns: (event: CloudEvent) => boolean,
  ) {
    this.ends.push(live.listen((event) => concerns(event) && this.soon()));
    this.ends.push(live.onResync((why) => (why === 'missed' || this.failure) && this.soon()));
    void this.now();
  }

  /** Stops following; called when the screen goes. */
  end(): void {
    clearTimeout(this.waiting);
    this.generation += 1;
    for (const end of this.ends) end();
  }

  soon(): void {
    this.waiting ??= setTimeout(() => void this.now(), TOGETHER_MS);
  }

  async now(): Promise<void> {
    clearTimeout(this.waiting);
    this.waiting = undefined;
    this.generation += 1;
    const generation = this.generation;
    try {
      await live.followed();
      const value = await this.read();
      if (generation !== this.generation) return;
      this.value = value;
      this.failure = undefined;
    } catch (error) {
      if (generation !== this.generation) return;
      this.failure = asFailure(error);
    }
    this.loading = false;
  }
}

/** A resource for the life of the component that calls this, made anew when what `make` reads changes. */
export function follow<T>(make: () => Resource<T>): { readonly current: Resource<T> | undefined } {
  let current = $state.raw<Resource<T> | undefined>(undefined);
  $effect(() => {
    const made = make();
    current = made;
    return () => made.end();
  });
  return {
    get current() {
      return current;
    },
  };
}
