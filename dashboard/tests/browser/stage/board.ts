// A real board agent in a folder of its own; it knows of the cloud only what its claim says.
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { variables, type Answer, type Cloud } from './cloud.ts';
import { Program, say } from './program.ts';
import { until } from './wait.ts';

export class Board {
  private agent: Program | undefined;
  readonly home: string;
  private readonly environment: Record<string, string> = {};

  constructor(
    private readonly cloud: Cloud,
    readonly name: string,
    private readonly settings: Record<string, string> = {},
    /** The machine, when a second one takes over the board. */
    private readonly machine = name,
  ) {
    this.home = join(cloud.folder, 'boards', machine);
    mkdirSync(this.home, { recursive: true });
  }

  /** A board that is claimed, enrolled, running and online. */
  static async online(cloud: Cloud, name: string, settings: Record<string, string> = {}): Promise<Board> {
    const { claim } = await cloud.post('/v2/claims', { name });
    const board = new Board(cloud, name, settings);
    board.enrol(claim);
    board.start();
    await board.isOnline();
    return board;
  }

  /** One that speaks upstream's dialect: it registers with its code, and is online. */
  static async upstream(cloud: Cloud, name: string, settings: Record<string, string> = {}): Promise<Board> {
    const location = [{ latitude: '38.2', longitude: '15.5', altitude: '3' }];
    const { config } = await cloud.post('/v1/boards', { name, code: `CODE-${name}`, location });
    const board = new Board(cloud, name, { 'upstream.allow_anonymous': 'true', ...settings });
    writeFileSync(join(board.home, 'settings.json'), JSON.stringify(config));
    board.start();
    await board.isOnline();
    return board;
  }

  /** Becomes an image of another machine's disk, key and all. */
  copy(other: Board): void {
    cpSync(other.home, this.home, { recursive: true });
  }

  /** What settings as variables cannot say: lists, in a file of its own; and where its commands are looked for first. */
  configure(toml: string, programs: string): void {
    writeFileSync(join(this.home, 'agent.toml'), toml);
    this.environment['PATH'] = [programs, process.env['PATH']].join(delimiter);
  }

  /** Presents a claim. */
  enrol(claim: string): void {
    say('lightning-rod', ['enrol', '--home', this.home, '--claim', claim], this.variables());
  }

  start(): void {
    const file = join(this.home, 'agent.toml');
    const words = ['run', '--home', this.home, ...(existsSync(file) ? ['--config', file] : [])];
    this.agent = Program.start('lightning-rod', words, { ...this.variables(), ...this.environment }, join(this.cloud.folder, `${this.machine}.log`));
  }

  async stop(): Promise<void> {
    await this.agent?.stop();
    this.agent = undefined;
  }

  /** As the cloud knows it. */
  show(): Promise<Answer> {
    return this.cloud.get(`/v2/boards/${this.name}`);
  }

  isOnline(): Promise<Answer> {
    return this.has('online');
  }

  /** Waits until the cloud sees it so. */
  has(status: string): Promise<Answer> {
    return until(`board ${this.name} is ${status}`, async () => {
      const board = await this.show();
      if (board.status === status) return board;
      throw new Error(`it is ${board.status}`);
    });
  }

  private variables(): Record<string, string> {
    return variables('LIGHTNING_ROD', { 'sensors.simulated': 'true', ...this.settings });
  }
}
