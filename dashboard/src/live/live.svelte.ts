// The one event stream of the page. Stores and screens subscribe here; nothing polls.
// A page that nobody looks at lets go of its stream after a while and catches up, without a gap, when it is looked at again.
import type { CloudEvent } from '../api/types';
import { Stream, type StreamState } from './stream';

/** How long a hidden page keeps its stream: a browser gives one origin few connections. */
const HIDDEN_MS = 60_000;

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
  private stream: Stream | undefined;
  private losing: ReturnType<typeof setTimeout> | undefined;
  private hiding: ReturnType<typeof setTimeout> | undefined;
  private following: (() => void)[] = [];
  private wasOpen = false;

  /** Follows the events of the project signed in to, from now on. */
  start(): void {
    this.stop();
    const stream = new Stream('/v2/events', {
      frame: (frame) => {
        if (frame.event === 'gap') this.resync();
        else this.hear(frame.data);
      },
      state: (state) => this.stream === stream && this.changed(state),
    });
    this.stream = stream;
    this.wasOpen = false;
    stream.open();
    document.addEventListener('visibilitychange', this.seen);
    window.addEventListener('online', this.seen);
  }

  stop(): void {
    this.stream?.close();
    this.stream = undefined;
    document.removeEventListener('visibilitychange', this.seen);
    window.removeEventListener('online', this.seen);
  }

  /** Once events are heard, or cannot be: whatever is read from then on misses nothing that follows. */
  followed(): Promise<void> {
    if (this.state !== 'connecting') return Promise.resolve();
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
    if (state === 'open') this.lost = false;
    else if (state === 'refused') this.lost = true;
    // A hiccup of a moment is nobody's business.
    else if (state === 'lost' && !this.lost) this.losing = setTimeout(() => (this.lost = true), 600);
  }

  /** A stream that never heard an event cannot say where it was: what happened while it was away is read anew. */
  private opened(): void {
    if (this.wasOpen) this.resync(this.stream?.resumes ? 'back' : 'missed');
    this.wasOpen = true;
  }

  private readonly seen = (): void => {
    clearTimeout(this.hiding);
    if (document.visibilityState === 'hidden') {
      this.hiding = setTimeout(() => this.stream?.close(), HIDDEN_MS);
    } else {
      this.stream?.open();
      this.stream?.hurry();
    }
  };
}

export const live = new Live();
