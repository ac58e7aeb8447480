// One test in a browser: a fresh context, watched from its first request to its last. A failure comes with a picture of the
// page, what it logged and where the programs' logs are.
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { test } from 'vitest';
import type { Cloud } from './cloud.ts';
import type { Stage } from './stage.ts';
import { PATIENCE_MS } from './wait.ts';
import { Watch } from './watch.ts';

const PICTURES = join(tmpdir(), 's4t-pages-failed');

export interface Person {
  user: string;
  password: string;
  project?: string;
}

export interface Visit {
  page: Page;
  context: BrowserContext;
  cloud: Cloud;
  watch: Watch;
}

export interface JourneyOptions extends BrowserContextOptions {
  /** Who is signed in: the administrator, unless said otherwise. */
  as?: Person | 'nobody';
}

/** A test with a page; `stage` is asked for when the test runs. */
export function journey(name: string, stage: () => Stage, body: (visit: Visit) => Promise<void>, options: JourneyOptions = {}): void {
  const play = async (): Promise<Outcome> => {
    const visit = await begin(stage(), options);
    try {
      await body(visit);
      const wrong = visit.watch.complaints();
      if (wrong.length > 0) throw new Error(`the page did what no page may do:\n  ${wrong.join('\n  ')}`);
      return 'passed';
    } catch (error) {
      return { failure: await explained(error, name, visit, stage()), networkChanged: visit.watch.networkChanged };
    } finally {
      await visit.context.close();
    }
  };
  test(name, async () => {
    let outcome = await play();
    if (outcome !== 'passed' && outcome.networkChanged) {
      console.log(`once more, because the machine's network changed meanwhile: ${name}`);
      outcome = await play();
    }
    if (outcome !== 'passed') throw outcome.failure;
  });
}

type Outcome = 'passed' | { failure: Error; networkChanged: boolean };

export async function begin(stage: Stage, options: JourneyOptions = {}): Promise<Visit> {
  const { as, ...rest } = options;
  const context = await stage.browser.newContext({ baseURL: stage.cloud.url, locale: 'en-GB', viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce', ...rest });
  context.setDefaultTimeout(PATIENCE_MS);
  const watch = new Watch(stage.cloud.url);
  await watch.on(context);
  if (as !== 'nobody') await signIn(context, stage.cloud, as ?? { user: 'admin', password: stage.cloud.password });
  watch.secret(stage.cloud.password, ...(await context.cookies()).map((cookie) => cookie.value));
  return { page: await context.newPage(), context, cloud: stage.cloud, watch };
}

const cookies = new Map<string, Awaited<ReturnType<BrowserContext['cookies']>>>();

/** Signs in as the page does, once for each person of a cloud: passwords are slow to check on purpose. */
async function signIn(context: BrowserContext, cloud: Cloud, person: Person): Promise<void> {
  const key = JSON.stringify([cloud.url, person]);
  let known = cookies.get(key);
  if (!known) {
    const answer = await context.request.post('/v2/session', { data: person });
    if (!answer.ok()) throw new Error(`signing in as ${person.user}: ${answer.status()} ${await answer.text()}`);
    known = await context.cookies();
    cookies.set(key, known);
  }
  await context.addCookies(known);
}

async function explained(error: unknown, name: string, visit: Visit, stage: Stage): Promise<Error> {
  const said = error instanceof Error ? error : new Error(String(error));
  const path = join(PICTURES, `${name.replaceAll(/[^a-z0-9]+/gi, '-')}.png`);
  mkdirSync(PICTURES, { recursive: true });
  // The one that was opened last is the one that is looked at, if there are several.
  const page = visit.context.pages().at(-1) ?? visit.page;
  const picture = await page.screenshot({ path, timeout: 5_000 }).then(() => path, (why: Error) => `none: ${why.message}`);
  const lines = [said.message, `at: ${page.url()}`, `picture: ${picture}`, ...visit.watch.complaints().map((what) => `page: ${what}`), ...stage.lastWords()];
  said.message = lines.join('\n  ');
  return said;
}
