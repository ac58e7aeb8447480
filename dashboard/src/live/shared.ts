// The stream of events as a page has it: shared with the other pages of the browser where that is possible, its own otherwise.
import { signedOut } from '../api/request';
import { HIDDEN_MS, type Feed, type FromPage, type ToPage } from './hub';
import { Stream, type Handlers } from './stream';

/** A worker answers at once that it heard of a page; one that is silent for so long is gone. */
const ANSWER_MS = 5_000;

/** Events for this person and project. */
export function feed(who: string, handlers: Pick<Handlers, 'frame'> & { state(state: Parameters<Handlers['state']>[0]): void }): Feed {
  return typeof SharedWorker === 'undefined' ? new Alone(handlers) : new Shared(who, handlers);
}

type Told = Parameters<typeof feed>[1];

let worker: SharedWorker | undefined;

class Shared implements Feed {
  resumes = false;
  private alone: Alone | undefined;
  private listening = false;
  private answered = false;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly who: string,
    private readonly told: Told,
  ) {}

  open(): void {
    if (this.alone) return this.alone.open();
    if (!this.listening) this.listen();
    this.say({ say: 'start', who: this.who, seen: isSeen() });
    this.expect();
  }

  close(): void {
    if (this.alone) return this.alone.close();
    clearTimeout(this.silence);
    this.say({ say: 'stop' });
    this.listening = false;
    document.removeEventListener('visibilitychange', this.seen);
    window.removeEventListener('pagehide', this.left);
    window.removeEventListener('pageshow', this.back);
  }

  hurry(): void {
    if (this.alone) this.alone.hurry();
    else this.say({ say: 'hurry' });
  }

  private listen(): void {
    this.listening = true;
    worker ??= new SharedWorker(new URL('./hub.worker.ts', import.meta.url), { type: 'module' });
    worker.onerror = () => this.goAlone();
    worker.port.onmessage = ({ data }: MessageEvent<ToPage>) => this.heard(data);
    document.addEventListener('visibilitychange', this.seen);
    window.addEventListener('pagehide', this.left);
    window.addEventListener('pageshow', this.back);
  }

  private heard(message: ToPage): void {
    if (!this.listening) return;
    this.answered = true;
    clearTimeout(this.silence);
    if ('frame' in message) return this.told.frame(message.frame);
    this.resumes = message.resumes;
    // The page itself asked nothing and was refused nothing.
    if (message.status === 401) signedOut();
    this.told.state(message.state);
  }

  /** The worker could not be loaded, or does not answer: this page helps itself. */
  private goAlone(): void {
    if (this.alone || !this.listening) return;
    this.close();
    this.alone = new Alone(this.told);
    this.alone.open();
  }

  /** Nothing is opened for a page that nobody looks at, so nothing need be answered to it. */
  private expect(): void {
    clearTimeout(this.silence);
    if (!this.answered && isSeen()) this.silence = setTimeout(() => this.goAlone(), ANSWER_MS);
  }

  private say(message: FromPage): void {
    worker?.port.postMessage(message);
  }

  private readonly seen = (): void => {
    this.say({ say: isSeen() ? 'seen' : 'hidden' });
    this.expect();
  };
  private readonly left = (): void => this.say({ say: 'stop' });
  private readonly back = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) return;
    this.say({ say: 'start', who: this.who, seen: true });
    this.told.frame({ id: undefined, event: 'gap', data: '' });
  };
}

/** A stream of its own, let go of while nobody looks. */
class Alone implements Feed {
  private readonly stream: Stream;
  private hiding: ReturnType<typeof setTimeout> | undefined;

  constructor(told: Told) {
    this.stream = new Stream('/v2/events', told);
  }

  get resumes(): boolean {
    return this.stream.resumes;
  }

  open(): void {
    this.stream.open();
    document.addEventListener('visibilitychange', this.seen);
  }

  close(): void {
    clearTimeout(this.hiding);
    document.removeEventListener('visibilitychange', this.seen);
    this.stream.close();
  }

  hurry(): void {
    this.stream.hurry();
  }

  private readonly seen = (): void => {
    clearTimeout(this.hiding);
    if (!isSeen()) this.hiding = setTimeout(() => this.stream.close(), HIDDEN_MS);
    else this.stream.open();
  };
}

function isSeen(): boolean {
  return document.visibilityState === 'visible';
}
