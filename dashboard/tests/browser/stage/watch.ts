// What no page may do: log an error, break the content security policy, ask another origin, write a secret into an address, or be
// refused what nobody expected to be refused.
import type { BrowserContext, Page, Request } from 'playwright-core';
import { note } from './asked.ts';

/** Asking who is signed in is how a page finds out that nobody is. */
const USUAL = [/^401 GET \/v2\/session$/];

export class Watch {
  /** Chromium drops every request when an interface of the machine comes or goes, which is no doing of any page. */
  networkChanged = false;
  private readonly wrong: string[] = [];
  private readonly allowed: RegExp[] = [...USUAL];
  private readonly secrets: string[] = [];

  constructor(private readonly origin: string) {}

  /** Refusals and failed requests that belong to the test: `STATUS METHOD PATH`, or `failed METHOD PATH`. */
  allow(...patterns: RegExp[]): void {
    this.allowed.push(...patterns);
  }

  /** What stands in no address. */
  secret(...texts: string[]): void {
    this.secrets.push(...texts.filter(Boolean));
  }

  async on(context: BrowserContext): Promise<void> {
    await context.exposeBinding('s4tBroken', (_, what: string) => void this.wrong.push(`content security policy: ${what}`));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        const told = globalThis as unknown as { s4tBroken(what: string): void };
        told.s4tBroken(`${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
      });
    });
    context.on('page', (page) => this.watch(page));
    context.on('request', (request) => this.asked(request));
    context.on('requestfailed', (request) => this.failed(request));
    context.on('response', (answer) => {
      const { pathname } = new URL(answer.url());
      if (answer.ok()) note(answer.request().method(), pathname, answer.request().postData());
      if (answer.status() >= 400) this.saw(`${answer.status()} ${answer.request().method()} ${pathname}`);
    });
  }

  /** Everything that was wrong so far, oldest first. */
  complaints(): string[] {
    return this.wrong.filter((what) => !this.allowed.some((pattern) => pattern.test(what)));
  }

  private watch(page: Page): void {
    page.on('websocket', (socket) => {
      this.address(socket.url());
      note('GET', new URL(socket.url()).pathname);
    });
    // What is downloaded by a link has no answer that is told.
    page.on('download', (file) => file.url().startsWith(this.origin) && note('GET', new URL(file.url()).pathname));
    page.on('pageerror', (error) => this.saw(`error: ${error.stack ?? error.message}`));
    page.on('console', (message) => {
      // Refused and failed requests are looked at one by one, below.
      const isRequest = message.text().startsWith('Failed to load resource');
      if (['error', 'warning'].includes(message.type()) && !isRequest) this.saw(`console: ${message.text()}`);
    });
  }

  private asked(request: Request): void {
    this.address(request.url());
    const url = new URL(request.url());
    const inside = ['data:', 'blob:'].includes(url.protocol) || url.origin === this.origin;
    if (!inside) this.saw(`left the origin: ${request.url()}`);
  }

  private address(url: string): void {
    if (this.secrets.some((secret) => url.includes(secret))) this.saw(`a secret in an address: ${new URL(url).pathname}`);
  }

  private failed(request: Request): void {
    const why = request.failure()?.errorText ?? '';
    // A page that goes away, or a stream that it closes, aborts what it waits for.
    if (why === 'net::ERR_NETWORK_CHANGED') this.networkChanged = true;
    if (why !== 'net::ERR_ABORTED') this.saw(`failed ${request.method()} ${new URL(request.url()).pathname}: ${why}`);
  }

  private saw(what: string): void {
    this.wrong.push(what);
  }
}
