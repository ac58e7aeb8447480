// Where a file of tests plays: a cloud with its boards and a browser, all gone at the end.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { Board } from './board.ts';
import { launch } from './browser.ts';
import { Cloud } from './cloud.ts';

/** Lines of each program's log that a failed test repeats. */
const LAST_WORDS = 8;

export class Stage {
  private readonly boards: Board[] = [];

  private constructor(
    readonly folder: string,
    readonly cloud: Cloud,
    readonly browser: Browser,
  ) {}

  /** A cloud with these settings and a browser. */
  static async open(settings: Record<string, string> = {}, prepare: (cloud: Cloud) => Promise<void> = (cloud) => cloud.up()): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), 's4t-pages-'));
    const cloud = await Cloud.prepare(folder, settings);
    const [browser] = await Promise.all([launch(), prepare(cloud)]);
    return new Stage(folder, cloud, browser);
  }

  /** A board that is online. */
  async board(name: string, settings: Record<string, string> = {}): Promise<Board> {
    const board = await Board.online(this.cloud, name, settings);
    this.boards.push(board);
    return board;
  }

  /** A board in upstream's dialect that is online; the cloud must let such in. */
  async upstreamBoard(name: string, settings: Record<string, string> = {}): Promise<Board> {
    const board = await Board.upstream(this.cloud, name, settings);
    this.boards.push(board);
    return board;
  }

  /** A machine that is not enrolled. */
  machine(name: string, settings: Record<string, string> = {}, called = name): Board {
    const board = new Board(this.cloud, name, settings, called);
    this.boards.push(board);
    return board;
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.browser.close(), ...this.boards.map((board) => board.stop())]);
    await this.cloud.down();
    // A plugin's last process may still be leaving.
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  /** The end of each program's log, for a test that failed. */
  lastWords(): string[] {
    const logs = readdirSync(this.folder).filter((name) => name.endsWith('.log'));
    return logs.flatMap((name) => {
      const lines = readFileSync(join(this.folder, name), 'utf8').trimEnd().split('\n');
      return lines.slice(-LAST_WORDS).map((line) => `${name}: ${line}`);
    });
  }
}
