// The one event stream of the page. Stores and screens subscribe here; nothing polls.
// Deliberately not here: how pages share it, and when it is let go of (see `hub`).
import { untrack } from 'svelte';
import type { CloudEvent } from '../api/types';
import type { Feed } from './hub';
import { feed } from './shared';
import type { StreamState } from './stream';

type Listener = (event: CloudEvent) => void;
/** Why a thing on screen is read anew: events were missed, or the cloud is back and only what failed need be. */
export type Why = 'missed' | 'back';
type Resync = (why: Why) => void;

class Live {
  /** How the stream does. */
  state = $state<StreamState>('closed');
  /** Whether it was lost long enough that a person should know. */
  lost = $state(false);
  private readonly listeners = new Set<Listener>();
  private readonly resyncs = new Set<Resync>();
  private stream: Feed | undefined;
  private who = '';
  private losing: ReturnType<typeof setTimeout> | undefined;
  private following: (() => void)[] = [];
  /** Whether anything may have been read since the start: what happens before the stream is open (again) may be missed. */
  private hasBegun = false;

  /** Follows the events of the project signed in to, from now on; `who` tells people and projects apart. */
  start(who = this.who): void {
    this.stop();
    this.who = who;
    this.state = 'connecting';
    const stream: Feed = feed(who, {
      frame: (frame) => {
        if (frame.event === 'gap') this.resync();
        else this.hear(frame.data);
      },
      state: (state) => this.stream === stream && this.changed(state),
    });
    this.stream = stream;
    this.hasBegun = false;
    stream.open();
    window.addEventListener('online', this.seen);
  }

  stop(): void {
    this.stream?.close();
    this.stream = undefined;
    window.removeEventListener('online', this.seen);
  }

  /** Once events are heard, or cannot be: whatever is read from then on misses nothing that follows. */
  followed(): Promise<void> {
    // Whoever asks does not want to be made anew when the stream is lost and found again.
    if (untrack(() => this.state) !== 'connecting') return Promise.resolve();
    return new Promise((done) => this.following.push(done));
  }

  /** Hears every event until the returned function is called. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Called when events were missed: whoever shows something reads it anew. */
  onResync(resync: Resync): () => void {
    this.resyncs.add(resync);
    return () => this.resyncs.delete(resync);
  }

  /** Tries again now. */
  hurry(): void {
    this.stream?.hurry();
  }

  private hear(data: string): void {
    let event: CloudEvent;
    try {
      event = JSON.parse(data) as CloudEvent;
    } catch {
      return;
    }
    for (const listener of this.listeners) listener(event);
  }

  /** Has everything on screen read anew. */
  resync(why: Why = 'missed'): void {
    for (const resync of this.resyncs) resync(why);
  }

  private changed(state: StreamState): void {
    this.state = state;
    if (state !== 'connecting') this.following.splice(0).forEach((done) => done());
    clearTimeout(this.losing);
    if (state === 'open') this.opened();
    if (state !== 'connecting') this.hasBegun = true;
    if (state === 'open') this.lost = false;
    else if (state === 'refused') this.lost = true;
    // A hiccup of a moment is nobody's business.
    else if (state === 'lost' && !this.lost) this.losing = setTimeout(() => (this.lost = true), 600);
  }

  /** A stream that never heard an event cannot say where it was: what happened while it was away is read anew. */
  private opened(): void {
    if (this.hasBegun) this.resync(this.stream?.resumes ? 'back' : 'missed');
  }

  private readonly seen = (): void => this.hurry();
}

export const live = new Live();
