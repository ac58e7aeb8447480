// One stream of events for all pages of a browser: it gives one origin few connections, and each page that held one of its own
// would leave fewer for questions. Runs where the pages share it (hub.worker.ts); knows no page but its port.
//
// Invariant: a page hears only what belongs to whom it says it is signed in as; one that joins while the stream is open misses
// nothing that comes after it joined.
import type { Failure } from '../api/request';
import type { Frame } from './frames';
import type { Handlers, StreamState } from './stream';

/** How long pages that nobody looks at keep the stream; it resumes when one is seen again. */
export const HIDDEN_MS = 60_000;

/** What a page tells. `who` is the person and the project. */
export type FromPage = { say: 'start'; who: string; seen: boolean } | { say: 'seen' | 'hidden' | 'hurry' | 'stop' };
/** What it hears. */
export type ToPage = { frame: Frame } | { state: StreamState; resumes: boolean; status: number };

export interface Port {
  postMessage(message: ToPage): void;
}

/** What the hub needs of a stream. */
export interface Feed {
  open(): void;
  close(): void;
  hurry(): void;
  readonly resumes: boolean;
}

interface Page {
  who: string;
  seen: boolean;
}

export class Hub<P extends Port> {
  private readonly pages = new Map<P, Page>();
  private who: string | undefined;
  private feed: Feed | undefined;
  private told: ToPage | undefined;
  private state: StreamState = 'closed';
  private resting: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly make: (handlers: Handlers) => Feed) {}

  hear(port: P, message: FromPage): void {
    const page = this.pages.get(port);
    switch (message.say) {
      case 'start':
        this.pages.set(port, { who: message.who, seen: message.seen });
        this.start(port, message.who);
        break;
      case 'stop':
        this.pages.delete(port);
        break;
      case 'seen':
      case 'hidden':
        if (page) page.seen = message.say === 'seen';
        if (message.say === 'seen') this.feed?.hurry();
        break;
      case 'hurry':
        this.feed?.hurry();
    }
    this.settle();
  }

  private start(port: P, who: string): void {
    if (this.feed && this.who === who) {
      // Whoever signed in again has the stream tried again.
      if (this.state === 'refused') this.feed.open();
      else if (this.told && this.state !== 'closed') port.postMessage(this.told);
      return;
    }
    this.feed?.close();
    const feed: Feed = this.make({
      frame: (frame) => this.feed === feed && this.tell({ frame }),
      state: (state, failure) => this.feed === feed && this.changed(state, failure),
    });
    [this.who, this.feed, this.state, this.told] = [who, feed, 'closed', undefined];
    feed.open();
  }

  private changed(state: StreamState, failure: Failure | undefined): void {
    this.state = state;
    this.told = { state, resumes: this.feed?.resumes ?? false, status: failure?.problem.status ?? 0 };
    this.tell(this.told);
  }

  private tell(message: ToPage): void {
    for (const [port, page] of this.pages) if (page.who === this.who) port.postMessage(message);
  }

  /** Open while somebody looks; let go of when nobody does for a while, and at once when no page is left. */
  private settle(): void {
    clearTimeout(this.resting);
    const pages = [...this.pages.values()];
    if (pages.length === 0) this.feed?.close();
    else if (!pages.some((page) => page.seen)) this.resting = setTimeout(() => this.feed?.close(), HIDDEN_MS);
    else if (this.state === 'closed') this.feed?.open();
  }
}
