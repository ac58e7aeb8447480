// A shell on a board, in the page.
import { userInfo } from 'node:os';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Page } from 'playwright-core';
import { atMost, percentile } from './stage/figure.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const KEYS = 100;
/** Short, so that a session is renewed while one looks; a page has half of it to do so. */
const SESSION_S = 16;

let stage: Stage;
let rights: { user: string; project: string };
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  const { username, uid } = userInfo();
  await stage.board('harbour', { 'terminal.user': username, 'terminal.shell': '/bin/sh', 'terminal.allow_root': String(uid === 0) });
  await stage.board('market');
  rights = await stage.cloud.person('operator', 'correct horse', 'admin', 'manager_iot_project');
});
let short: Stage;

beforeAll(async () => {
  short = await Stage.open({ 'identity.token_s': String(SESSION_S) });
  const { username, uid } = userInfo();
  await short.board('harbour', { 'terminal.user': username, 'terminal.shell': '/bin/sh', 'terminal.allow_root': String(uid === 0) });
});
afterAll(() => Promise.all([stage?.close(), short?.close()]));

/** Opens a terminal and waits until its shell answers. */
async function open(page: Page): Promise<void> {
  await page.goto('/ui/boards/harbour/terminal');
  await page.getByRole('button', { name: 'New terminal' }).click();
  await page.getByText('as ' + userInfo().username).waitFor();
  await answers(page, 'echo $((6*7))-there', '42-there');
}

async function answers(page: Page, line: string, wanted: string | RegExp): Promise<void> {
  await page.keyboard.type(line);
  await page.keyboard.press('Enter');
  await screen(page).getByText(wanted).first().waitFor();
}

const screen = (page: Page) => page.locator('.terminal:not([hidden]) > .screen .xterm-rows');

journey('a terminal answers, follows the window, keeps Ctrl-C for the shell, and tells how it ended', there, async ({ page }) => {
  await open(page);
  await answers(page, 'stty size', /^\d+ \d+/);
  const size = async (): Promise<string> => (await screen(page).innerText()).match(/^\d+ \d+/gm)?.at(-1) ?? '';
  const before = await size();
  await page.setViewportSize({ width: 900, height: 600 });
  await until('the shell knows the new size', async () => {
    await page.keyboard.type('stty size\n');
    return (await size()) !== before;
  });
  await page.keyboard.type('sleep 1000\n');
  // The first one may come while the shell is about to start the command, which then does not hear it.
  await until('Ctrl-C has given the shell back', async () => {
    await page.keyboard.press('Control+c');
    await page.keyboard.type('echo still-$((1+1))\n');
    return screen(page).getByText('still-2').first().isVisible();
  });
  await page.keyboard.type('exit 3\n');
  await page.getByText('The shell ended with code 3.').waitFor();
  await page.getByRole('button', { name: 'Open again' }).click();
  await page.locator('.terminal > .word').waitFor({ state: 'detached' });
  await answers(page, 'echo again-$((1+2))', 'again-3');
});

journey('what a terminal shows is copied, and what was copied is pasted into its shell', there, async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await open(page);
  await answers(page, 'echo word-$((40+2))', 'word-42');
  const line = screen(page).getByText(/^word-42/).first();
  // The terminal's own layer takes the pointer.
  const { x, y } = (await line.boundingBox()) ?? { x: 0, y: 0 };
  await page.mouse.dblclick(x + 8, y + 6);
  await page.keyboard.press('Control+Shift+C');
  await until('the word is copied', async () => (await page.evaluate(() => navigator.clipboard.readText())).includes('word'));
  await page.evaluate(() => navigator.clipboard.writeText('echo pasted-$((1+4))'));
  await page.mouse.click(x + 300, y + 150);
  await page.keyboard.press('Control+Shift+V');
  await screen(page).getByText('echo pasted-$((1+4))').first().waitFor();
  await page.keyboard.press('Enter');
  await screen(page).getByText('pasted-5').first().waitFor();
});

journey('each key is soon on screen', there, async ({ page }) => {
  await open(page);
  await page.keyboard.type('cat > /dev/null\n');
  await page.evaluate(() => {
    const rows = document.querySelector('.xterm-rows');
    const marks = globalThis as unknown as { waits: number[]; pressed: number };
    const count = (): number => rows?.textContent?.match(/q/g)?.length ?? 0;
    let seen = count();
    marks.waits = [];
    addEventListener('keydown', () => (marks.pressed = performance.now()), true);
    new MutationObserver(() => {
      const now = count();
      if (now > seen) marks.waits.push(performance.now() - marks.pressed);
      seen = now;
    }).observe(rows!, { subtree: true, childList: true, characterData: true });
  });
  for (let key = 1; key <= KEYS; key += 1) {
    await page.keyboard.press('q');
    await page.waitForFunction((key) => (globalThis as unknown as { waits: number[] }).waits.length >= key, key);
  }
  const waits = await page.evaluate(() => (globalThis as unknown as { waits: number[] }).waits);
  atMost('a key echoes in the terminal, median', percentile(waits, 50), { unit: 'ms', goal: 50, bound: 1000 });
  atMost('a key echoes in the terminal, 99 of 100 within', percentile(waits, 99), { unit: 'ms', goal: 50, bound: 3000 });
});

journey('several terminals are open at once, and what a shell prints is text', there, async ({ page }) => {
  await open(page);
  await answers(page, `printf '<img src=x onerror="document.title=1">\\033]0;title\\007-first\\n'`, /onerror.*-first/);
  await page.getByRole('button', { name: 'New terminal' }).click();
  await page.getByRole('button', { name: /^Terminal 2\s*as / }).waitFor();
  await answers(page, 'echo second-$((2+2))', 'second-4');
  await page.getByRole('button', { name: /^Terminal 1\s*as / }).click();
  await screen(page).getByText('-first').first().waitFor();
  expect(await page.locator('main img').count()).toBe(0);
  expect(await page.title()).toContain('harbour');
  await page.getByRole('button', { name: 'Close terminal 2' }).click();
  await page.getByRole('button', { name: /^Terminal 2\s*as / }).waitFor({ state: 'detached' });
});

journey('a terminal closes when its person may no longer use it', there, async ({ page, cloud, watch }) => {
  watch.allow(/^40[13] /);
  await open(page);
  await cloud.ask('DELETE', `/identity/v3/projects/${rights.project}/users/${rights.user}/roles/manager_iot_project`);
  await page.locator('.terminal').getByRole('button', { name: 'Open again' }).or(page.getByRole('heading', { name: 'Sign in again' })).first().waitFor();
}, { as: { user: 'operator', password: 'correct horse', project: 'admin' } });

journey('a board that offers no terminal says how to set one up', there, async ({ page }) => {
  await page.goto('/ui/boards/market/terminal');
  await page.getByText('No terminal on this board').waitFor();
  await page.getByText('[terminal] user').waitFor();
});

journey('a terminal goes on after the sign-in it began with, as long as its page keeps the session', () => short, async ({ page, context, cloud }) => {
  await open(page);
  const end = async (): Promise<number> => (await context.cookies(cloud.url)).find((one) => one.name.startsWith('s4t_session'))?.expires ?? 0;
  const first = await end();
  await until('the first sign-in is over', async () => Date.now() / 1000 > first + 1 && (await end()) > first, 3 * SESSION_S * 1000);
  await page.locator('.terminal:not([hidden]) > .screen').click();
  await answers(page, 'echo still-$((20+3))', 'still-23');
});
