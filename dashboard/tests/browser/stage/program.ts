// A program that stays up: its output kept in a file, ended by its number. None outlives the tests, however they end.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { within } from './wait.ts';

/** How long a program may take to end after SIGTERM: the cloud's own grace and a little. */
const GRACE_MS = 15_000;
/** Lines repeated when something went wrong. */
const LAST_WORDS = 15;

const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Where one of our programs lies. */
function programPath(name: string): string {
  const folder = process.env['S4T_BIN_DIR'] ?? join(import.meta.dirname, '../../../../target/debug');
  const path = join(folder, name);
  if (existsSync(path)) return path;
  throw new Error(`${path} is missing; build it with: cargo build -p iotronic -p lightning-rod -p s4t`);
}

/** The environment without settings of the person who runs the tests. */
function bareEnvironment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = /^(IOTRONIC|LIGHTNING_ROD|S4T|OS)_/;
  const kept = Object.entries(process.env).filter(([name]) => !own.test(name));
  return { ...Object.fromEntries(kept), ...more };
}

/** Runs one of our programs to its end and returns what it said. */
export function say(name: string, words: string[], settings: Record<string, string> = {}): string {
  const done = spawnSync(programPath(name), words, { env: bareEnvironment(settings), encoding: 'utf8' });
  if (done.status === 0) return done.stdout;
  throw new Error(`${name} ${words[0]} ended with ${done.status ?? done.signal}: ${done.stderr}`);
}

export class Program {
  private readonly seen: string[] = [];
  private readonly waiting = new Set<() => void>();
  private readonly end: Promise<void>;

  private constructor(
    private readonly name: string,
    private readonly child: ChildProcess,
    private readonly log: string,
  ) {
    running.add(child);
    const file = createWriteStream(log, { flags: 'a' });
    child.stderr?.pipe(file, { end: false });
    createInterface({ input: child.stdout! }).on('line', (line) => {
      file.write(`${line}\n`);
      this.seen.push(line);
      this.waiting.forEach((look) => look());
    });
    this.end = new Promise((done) => {
      child.once('exit', () => {
        running.delete(child);
        this.waiting.forEach((look) => look());
        done();
      });
    });
  }

  /** Starts it; its output goes on at the end of the file `log`. */
  static start(name: string, words: string[], settings: Record<string, string>, log: string): Program {
    const child = spawn(programPath(name), words, { env: bareEnvironment(settings), stdio: ['ignore', 'pipe', 'pipe'] });
    return new Program(name, child, log);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The first group of the first line that fits. */
  line(wanted: RegExp, ms = 30_000): Promise<string> {
    return new Promise((found, failed) => {
      const over = (act: () => void): void => {
        clearTimeout(late);
        this.waiting.delete(look);
        act();
      };
      const late = setTimeout(() => over(() => failed(this.complaint(`did not say ${wanted} within ${ms} ms`))), ms);
      const look = (): void => {
        const fit = this.seen.map((line) => wanted.exec(line)).find(Boolean);
        if (fit) over(() => found(fit[1] ?? fit[0]));
        else if (this.hasEnded()) over(() => failed(this.complaint(`ended before it said ${wanted}`)));
      };
      this.waiting.add(look);
      look();
    });
  }

  /** Asks it to end and waits. */
  async stop(): Promise<void> {
    if (!this.hasEnded()) this.child.kill('SIGTERM');
    try {
      await within(GRACE_MS, this.end, `${this.name} ends after SIGTERM`);
    } catch (error) {
      this.child.kill('SIGKILL');
      throw error;
    }
  }

  /** Cuts it. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.end;
  }

  private hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private complaint(what: string): Error {
    const words = readFileSync(this.log, 'utf8').trimEnd().split('\n').slice(-LAST_WORDS);
    return new Error([`${this.name} ${what}`, ...words].join('\n    | '));
  }
}
