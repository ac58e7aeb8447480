// For everybody: the keyboard alone, a phone, Italian, dark and light, and what axe-core says about every screen.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AUDIT_TABS, BOARD_TABS, match, PEOPLE_TABS } from '../../src/app/routes.ts';
import type { Page } from 'playwright-core';
import { journey } from './stage/journey.ts';
import { record } from './stage/record.ts';
import { EVERY } from './stage/screens.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let stage: Stage;
let operation: string;
let recording: string;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  const { cloud } = stage;
  const { username, uid } = userInfo();
  const terminal = { 'terminal.user': username, 'terminal.shell': '/bin/sh', 'terminal.allow_root': String(uid === 0) };
  await stage.board('harbour', { 'position.latitude': '38.19', 'position.longitude': '15.55', ...terminal });
  await cloud.post('/v2/fleets', { name: 'coast', description: 'all along the shore' });
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { quay: '7' }, fleet: 'coast' });
  await cloud.post('/v2/services', { name: 'web', port: 80 });
  await cloud.command('PUT', '/v2/boards/harbour/services/web', {});
  await cloud.post('/v2/plugins', { name: 'hello', language: 'python', mode: 'sync', source: 'def main(params):\n    return "hello"\n' });
  await cloud.command('PUT', '/v2/boards/harbour/plugins/hello', {});
  operation = (await cloud.command('POST', '/v2/boards/harbour/plugins/hello/call', {})).id;
  await cloud.post('/v2/claims', { name: 'market' });
  await cloud.person('nina', 'by-the-river-1', 'river', 'user_iot');
  await cloud.person('otto', 'by-the-river-2', 'river', 'admin_iot_project');
  const offer = { rights: ['read'], projects: [], max_hours: 24 };
  await cloud.ask('PUT', '/v2/boards/harbour/contribution', { hours: { zone: 'UTC0', spans: ['daily 00:00-24:00'] }, caps: { cpu_s: 10 }, offer });
  const { user } = await cloud.get('/v2/session');
  await cloud.post(`/identity/v3/users/${user.id}/application_credentials`, { application_credential: { name: 'ci' } });
  await cloud.post('/v2/delegations', { resource: 'board:harbour', to: 'nina', rights: ['read'], until: '2999-01-01T00:00:00Z', depth: 1, hold: 'exclusive' });
  const { projects } = await cloud.get('/identity/v3/projects');
  await cloud.person('gina', 'by-the-river-3', 'shore', 'admin_iot_project');
  const theirs = await cloud.signIn('gina', 'by-the-river-3', 'shore');
  const { claim } = await cloud.askAs(theirs, 'POST', '/v2/claims', { name: 'gift' });
  const gift = stage.machine('gift');
  gift.enrol(claim);
  await cloud.askAs(theirs, 'POST', '/v2/boards/gift/transfer', { project: projects.find((one: { name: string }) => one.name === 'admin').id });
  recording = await record(stage, 'harbour', ['echo hello']);
});
afterAll(() => stage?.close());

/** Every screen and what stands on it once it is there. */
const screens = (): [string, string][] => [
  ['/ui/', 'Where they are'],
  ['/ui/boards', 'harbour'],
  ['/ui/boards/harbour', 'About this board'],
  ['/ui/boards/harbour/plugins', 'hello'],
  ['/ui/boards/harbour/services', 'web'],
  ['/ui/boards/harbour/logs', 'online'],
  ['/ui/boards/harbour/operations', 'Call plugin'],
  ['/ui/boards/harbour/lending', 'Who else may use this board'],
  ['/ui/boards/harbour/terminal', 'Terminal'],
  ['/ui/claims', 'Make the claim'],
  ['/ui/plugins', 'hello'],
  ['/ui/plugins/hello', 'Try it'],
  ['/ui/plugins/new', 'Create'],
  ['/ui/services', 'web'],
  ['/ui/fleets', 'coast'],
  ['/ui/fleets/coast', 'harbour'],
  ['/ui/lending', 'From whom to whom'],
  ['/ui/transfers', 'gift'],
  ['/ui/bookings', 'Boards that fit'],
  ['/ui/audit', 'Signed heads'],
  ['/ui/audit/reads', 'Looks, counted by the hour'],
  ['/ui/recordings', 'Replay'],
  [`/ui/recordings/${recording}`, 'About this recording'],
  ['/ui/people', 'admin_iot_project'],
  ['/ui/people/projects', 'river'],
  ['/ui/people/roles', 'Operates the cloud'],
  ['/ui/account', 'Application credentials'],
  ['/ui/operations', 'Call plugin'],
  [`/ui/operations/${operation}`, 'Steps'],
  ['/ui/system', 'Settings in force'],
  ['/ui/nowhere', 'There is no such page'],
];

test('every screen and every part of one is looked at', () => {
  const routes = screens().map(([path]) => match(path));
  expect(new Set(routes.map((route) => route.screen))).toEqual(new Set(Object.keys(EVERY)));
  const tabs = routes.flatMap((route) => (route.screen === 'board' ? [route.tab] : []));
  expect(new Set(tabs)).toEqual(new Set(BOARD_TABS));
  expect(new Set(routes.flatMap((route) => (route.screen === 'audit' ? [route.tab] : [])))).toEqual(new Set(AUDIT_TABS));
  expect(new Set(routes.flatMap((route) => (route.screen === 'people' ? [route.tab] : [])))).toEqual(new Set(PEOPLE_TABS));
});

async function show(page: Page, path: string, text: string): Promise<void> {
  await page.goto(path);
  await page.locator('main').getByText(text).first().waitFor();
  // What opens or fades in is looked at once it stands still.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((one) => one.effect?.getTiming().iterations !== Infinity).map((one) => one.finished.catch(() => {}))));
}

/** Serious and critical findings, with the elements. */
async function findings(page: Page): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(AXE);
  return page.evaluate(async () => {
    interface Node { target: unknown[]; failureSummary?: string }
    interface Violation { id: string; impact?: string; nodes: Node[] }
    const { axe } = globalThis as unknown as { axe: { run(where: unknown, how: unknown): Promise<{ violations: Violation[] }> } };
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    const bad = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
    return bad.flatMap((one) => one.nodes.map((node) => `${location.pathname}: ${one.id} ${node.target.join(' ')} ${node.failureSummary?.replaceAll(/\s+/g, ' ')}`));
  });
}

/** What axe finds in light and in dark. */
async function inBoth(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    found.push(...(await findings(page)).map((what) => `${colorScheme} ${what}`));
  }
  return found;
}

journey('axe finds nothing serious on any screen, in light and in dark', there, async ({ page }) => {
  const found: string[] = [];
  for (const [path, text] of screens()) {
    await show(page, path, text);
    found.push(...(await inBoth(page)));
  }
  expect(found).toEqual([]);
});

journey('axe finds nothing serious in menus, dialogs, the palette, longer forms, the player and the sign-in', there, async ({ page, context }) => {
  const found: string[] = [];
  await show(page, '/ui/boards/harbour', 'About this board');
  await page.getByRole('button', { name: 'Actions' }).click();
  found.push(...(await inBoth(page)));
  await page.getByRole('menuitem', { name: 'Edit board' }).click();
  await page.getByRole('dialog').getByLabel('Name').waitFor();
  found.push(...(await inBoth(page)));
  await page.keyboard.press('Escape');
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  found.push(...(await inBoth(page)));
  await page.keyboard.press('Escape');
  await page.goto(`/ui/recordings/${recording}`);
  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByRole('slider').waitFor();
  found.push(...(await inBoth(page)));
  await page.goto('/ui/claims');
  await page.getByLabel('Say what is given').check();
  await page.getByLabel('Who', { exact: true }).waitFor();
  found.push(...(await inBoth(page)));
  await page.getByRole('button', { name: 'An upstream board' }).click();
  await page.getByLabel('Latitude').waitFor();
  found.push(...(await inBoth(page)));
  await context.clearCookies();
  await page.goto('/ui/');
  await page.getByLabel('Password').waitFor();
  found.push(...(await inBoth(page)));
  expect(found).toEqual([]);
});

journey('on a phone no screen scrolls sideways', there, async ({ page }) => {
  const wide: string[] = [];
  for (const [path, text] of screens()) {
    await show(page, path, text);
    const { inside, outside } = await page.evaluate(() => ({ inside: document.documentElement.scrollWidth, outside: innerWidth }));
    if (inside > outside) wide.push(`${path}: ${inside} in ${outside}`);
  }
  expect(wide).toEqual([]);
}, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });

journey('on a phone the rarer screens are behind one button', there, async ({ page }) => {
  await show(page, '/ui/', 'Where they are');
  await page.getByRole('button', { name: 'More' }).tap();
  await page.getByRole('link', { name: 'Services' }).tap();
  await page.getByRole('heading', { name: 'Services' }).waitFor();
}, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });

journey('the keyboard alone signs in, opens a board by the palette, and leaves a dialog', there, async ({ page, cloud }) => {
  await page.goto('/ui/');
  await until('the first field has the focus', () => page.evaluate(() => document.activeElement?.tagName === 'INPUT'));
  await page.keyboard.type('admin');
  await page.keyboard.press('Tab');
  await page.keyboard.type(cloud.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').waitFor();
  await page.keyboard.type('harb');
  await page.getByRole('option', { name: /harbour/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'harbour' }).waitFor();
  const actions = page.getByRole('button', { name: 'Actions' });
  await tabTo(page, 'Actions');
  await page.keyboard.press('Enter');
  await page.getByRole('menuitem', { name: 'Edit board' }).waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await until('the focus is back where the dialog came from', () => actions.evaluate((one) => one === document.activeElement));
}, { as: 'nobody' });

journey('the list of boards is worked by arrows, Space and Enter', there, async ({ page }) => {
  await show(page, '/ui/boards?text=harbour', 'harbour');
  await page.getByRole('grid').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Space');
  await page.getByText('1 board chosen').waitFor();
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'harbour' }).waitFor();
});

journey('a person who reads Italian gets Italian, and may change it', there, async ({ page }) => {
  await page.goto('/ui/boards');
  await page.getByRole('heading', { name: 'Board', exact: true }).waitFor();
  expect(await page.evaluate(() => document.documentElement.lang)).toBe('it');
  await page.locator('.foot').getByRole('button').click();
  await page.getByRole('menuitemradio', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'Boards' }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Boards' }).waitFor();
}, { locale: 'it-IT' });

journey('dark and light are chosen, kept, and follow the system otherwise', there, async ({ page }) => {
  await show(page, '/ui/', 'Where they are');
  const background = (): Promise<string> => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await background();
  await page.locator('.foot').getByRole('button').click();
  await page.getByRole('menuitemradio', { name: 'Light' }).click();
  await until('the page is light', async () => (await background()) !== dark);
  const light = await background();
  await show(page, '/ui/', 'Where they are');
  expect(await background()).toBe(light);
}, { colorScheme: 'dark' });

/** Goes on by Tab until this has the focus. */
async function tabTo(page: Page, name: string): Promise<void> {
  for (let step = 0; step < 60; step += 1) {
    const has = await page.evaluate((name) => {
      const one = document.activeElement;
      return one?.getAttribute('aria-label') === name || one?.textContent?.trim() === name;
    }, name);
    if (has) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab never comes to ${name}`);
}
