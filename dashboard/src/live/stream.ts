// One stream of server-sent events that heals: it resumes after the last id it saw, with growing pauses while nobody answers.
// Deliberately not here: what the events mean.
import { Failure, asFailure, send } from '../api/request';
import { FrameReader, type Frame } from './frames';

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;
/** The cloud sends a comment after 15 s of silence; after this much the connection is dead. */
const SILENCE_MS = 40_000;

/** How long a page that nobody looks at keeps a stream of its own: a browser gives one origin few connections. */
const HIDDEN_MS = 10_000;

export type StreamState = 'connecting' | 'open' | 'lost' | 'refused' | 'closed';

export interface Handlers {
  frame(frame: Frame): void;
  state(state: StreamState, failure?: Failure): void;
}

export class Stream {
  private lastId: string | undefined;
  private abort: AbortController | undefined;
  private wake: (() => void) | undefined;
  private pause = FIRST_PAUSE_MS;
  private running = false;
  /** Which opening it is: an earlier one that is still on its way out must not go on. */
  private turn = 0;

  constructor(
    private readonly to: string,
    private readonly handlers: Handlers,
  ) {}

  open(): void {
    if (this.running) return;
    this.running = true;
    this.turn += 1;
    void this.run(this.turn);
  }

  /** Ends it; `open` resumes after the last id. */
  close(): void {
    this.running = false;
    this.abort?.abort();
    this.wake?.();
  }

  /** Whether it goes on after an event that it saw. */
  get resumes(): boolean {
    return this.lastId !== undefined;
  }

  /** Tries again now instead of after the pause. */
  hurry(): void {
    this.wake?.();
  }

  private async run(turn: number): Promise<void> {
    const goesOn = (): boolean => this.running && this.turn === turn;
    this.handlers.state('connecting');
    while (goesOn()) {
      const failure = await this.once();
      if (!goesOn()) break;
      if (failure && refuses(failure)) {
        this.running = false;
        this.handlers.state('refused', failure);
        return;
      }
      this.handlers.state('lost', failure);
      await this.rest();
    }
    // Whoever opened it again meanwhile hears of that one.
    if (this.turn === turn) this.handlers.state('closed');
  }

  /** One connection, from its opening to its end. */
  private async once(): Promise<Failure | undefined> {
    const abort = new AbortController();
    this.abort = abort;
    let silence: ReturnType<typeof setTimeout> | undefined;
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_MS);
    };
    try {
      heard();
      const answer = await send(this.to, {
        accept: 'text/event-stream',
        lastEventId: this.lastId,
        signal: abort.signal,
      });
      this.handlers.state('open');
      this.pause = FIRST_PAUSE_MS;
      await this.read(answer, heard);
      return undefined;
    } catch (error) {
      return asFailure(error);
    } finally {
      clearTimeout(silence);
      abort.abort();
    }
  }

  private async read(answer: Response, heard: () => void): Promise<void> {
    const frames = new FrameReader();
    const text = new TextDecoder();
    const body = answer.body?.getReader();
    while (body) {
      const { done, value } = await body.read();
      if (done) return;
      heard();
      for (const frame of frames.push(text.decode(value, { stream: true }))) {
        if (frame.id !== undefined) this.lastId = frame.id;
        this.handlers.frame(frame);
      }
    }
  }

  private async rest(): Promise<void> {
    const pause = this.pause;
    this.pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    await new Promise<void>((wake) => {
      this.wake = wake;
      setTimeout(wake, pause);
    });
    this.wake = undefined;
  }
}

/** Has a stream open while the page is looked at, until the returned function is called; `again` is told when it reopens. */
export function whileSeen(stream: Stream, again: () => void = () => {}): () => void {
  let hiding: ReturnType<typeof setTimeout> | undefined;
  let isLetGo = false;
  const seen = (): void => {
    clearTimeout(hiding);
    if (document.visibilityState === 'hidden') {
      hiding = setTimeout(() => {
        isLetGo = true;
        stream.close();
      }, HIDDEN_MS);
    } else if (isLetGo) {
      isLetGo = false;
      stream.open();
      again();
    }
  };
  stream.open();
  document.addEventListener('visibilitychange', seen);
  return () => {
    clearTimeout(hiding);
    document.removeEventListener('visibilitychange', seen);
    stream.close();
  };
}

/** Asking again would get the same answer. */
function refuses(failure: Failure): boolean {
  const { status } = failure.problem;
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}
