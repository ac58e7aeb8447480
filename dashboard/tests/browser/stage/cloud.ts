// A real cloud in a folder of its own, and its REST side for what a test arranges or checks behind the pages' back.
import { join } from 'node:path';
import { freePorts, PORTS } from './ports.ts';
import { Program, say } from './program.ts';

/** What the cloud answers; tests know what they asked for. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Answer = any;

/** Most seconds that a request may wait for the end of its command. */
const WAIT_S = 60;

export class Cloud {
  password = '';
  private token = '';
  private program: Program | undefined;

  private constructor(
    readonly folder: string,
    readonly port: number,
    private readonly settings: Record<string, string>,
  ) {}

  /** A cloud that is ready, with these settings (`section.key`). */
  static async start(folder: string, settings: Record<string, string> = {}): Promise<Cloud> {
    const cloud = await Cloud.prepare(folder, settings);
    await cloud.up();
    return cloud;
  }

  /** A cloud that is not started yet. */
  static async prepare(folder: string, settings: Record<string, string> = {}): Promise<Cloud> {
    const port = await freePorts();
    return new Cloud(folder, port, {
      'api.listen': `127.0.0.1:${port}`,
      'services.ports': `${port + 1}-${port + PORTS - 1}`,
      ...settings,
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.program?.pid ?? 0;
  }

  private get data(): string {
    return join(this.folder, 'cloud');
  }

  /** Starts it, on the same folder and address as before. */
  async up(): Promise<void> {
    this.program = Program.start('iotronic', ['serve', '--data', this.data], this.variables(), join(this.folder, 'cloud.log'));
    // Only the first start prints it.
    this.password ||= await this.program.line(/password\D.* (\S+)$/);
    await this.program.line(/^ready /);
  }

  async down(): Promise<void> {
    await this.program?.stop();
  }

  /** Cut off without a word. */
  async kill(): Promise<void> {
    await this.program?.kill();
  }

  /** Boards out of a database dump, while it is down. */
  importDump(file: string): void {
    say('iotronic', ['import', '--data', this.data, '--from', file], this.variables());
  }

  /** Asks as the administrator; any answer but a good one is an error. */
  async ask(method: string, path: string, body?: unknown): Promise<Answer> {
    this.token ||= await this.signIn('admin', this.password);
    return this.askAs(this.token, method, path, body);
  }

  /** The same with somebody's token. */
  async askAs(token: string, method: string, path: string, body?: unknown): Promise<Answer> {
    const headers: Record<string, string> = { 'X-Auth-Token': token };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const init: RequestInit = { method, headers };
    if (body !== undefined) init.body = JSON.stringify(body);
    const answer = await fetch(this.url + path, init);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  get(path: string): Promise<Answer> {
    return this.ask('GET', path);
  }

  post(path: string, body?: unknown): Promise<Answer> {
    return this.ask('POST', path, body);
  }

  /** Gives a command and waits for its end, which must be a good one. */
  async command(method: string, path: string, body?: unknown): Promise<Answer> {
    const operation = await this.ask(method, `${path}?wait=${WAIT_S}`, body);
    if (operation.state !== 'succeeded') throw new Error(`${method} ${path}: ${JSON.stringify(operation)}`);
    return operation;
  }

  async signIn(user: string, password: string, project = 'admin'): Promise<string> {
    const domain = { id: 'default' };
    const identity = { methods: ['password'], password: { user: { name: user, domain, password } } };
    const auth = { identity, scope: { project: { name: project, domain } } };
    const answer = await fetch(`${this.url}/identity/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth }), headers: { 'Content-Type': 'application/json' } });
    const token = answer.headers.get('x-subject-token');
    if (!token) throw new Error(`signing in as ${user}: ${answer.status} ${await answer.text()}`);
    return token;
  }

  /** A program signs in by its application credential; gives its token. */
  async signInAs(id: string, secret: string): Promise<string> {
    const auth = { identity: { methods: ['application_credential'], application_credential: { id, secret } } };
    const answer = await fetch(`${this.url}/identity/v3/auth/tokens`, { method: 'POST', body: JSON.stringify({ auth }), headers: { 'Content-Type': 'application/json' } });
    const token = answer.headers.get('x-subject-token');
    if (!token) throw new Error(`signing in by a credential: ${answer.status} ${await answer.text()}`);
    return token;
  }

  /** Looks with a token, whatever comes of it. */
  fetchAs(token: string, path: string): Promise<Response> {
    return fetch(this.url + path, { headers: { 'X-Auth-Token': token } });
  }

  /** What `s4t` says of an export of the audit. */
  verifyAudit(file: string): string {
    return say('s4t', ['audit', 'verify', '--file', file], {});
  }

  /** A user with one role in one project, both made when they are new. */
  async person(name: string, password: string, project: string, role: string): Promise<{ user: string; project: string }> {
    const { projects } = await this.get('/identity/v3/projects');
    const known = projects.find((one: Answer) => one.name === project);
    const where = known ?? (await this.post('/identity/v3/projects', { project: { name: project } })).project;
    const { users } = await this.get('/identity/v3/users');
    const there = users.find((one: Answer) => one.name === name);
    const who = there ?? (await this.post('/identity/v3/users', { user: { name, password } })).user;
    await this.ask('PUT', `/identity/v3/projects/${where.id}/users/${who.id}/roles/${role}`);
    return { user: who.id, project: where.id };
  }

  private variables(): Record<string, string> {
    return variables('IOTRONIC', this.settings);
  }
}

/** Settings as variables of the environment. */
export function variables(program: string, settings: Record<string, string>): Record<string, string> {
  const named = Object.entries(settings).map(([key, value]) => [`${program}__${key.toUpperCase().replace('.', '__')}`, value]);
  return Object.fromEntries(named);
}
