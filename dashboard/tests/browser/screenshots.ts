// `cargo xtask screenshots`: each screen with content that is plainly simulated, as the README and the documents show it.
// What is on them: lamps, gauges and gates of a harbour that does not exist, with sensors that are computed.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BrowserContext, Page } from 'playwright-core';
import { BOARD_TABS, match } from '../../src/app/routes.ts';
import type { Answer } from './stage/cloud.ts';
import { begin, type JourneyOptions } from './stage/journey.ts';
import { record } from './stage/record.ts';
import { EVERY } from './stage/screens.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

/** All pictures, for who looks at the pages as a designer does; not part of the tree. */
const FOLDER = join(import.meta.dirname, '../../pictures');
/** Those that the README and the documents show. */
const SHOWN = join(import.meta.dirname, '../../../docs/images');
const MAX_BYTES = 150 * 1024;

const DESK = { viewport: { width: 1280, height: 800 } };
const HAND = { isMobile: true, hasTouch: true };
const LOOKS: Record<string, JourneyOptions> = {
  light: { ...DESK, colorScheme: 'light' },
  dark: { ...DESK, colorScheme: 'dark' },
  tablet: { viewport: { width: 820, height: 1100 }, hasTouch: true, colorScheme: 'light' },
  phone: { viewport: { width: 390, height: 780 }, ...HAND, colorScheme: 'light' },
  'phone-dark': { viewport: { width: 390, height: 780 }, ...HAND, colorScheme: 'dark' },
};

const THERMOMETER = `"""Reads the board's thermometer; warns when it is too warm."""


def main(params, api):
    limit = params.get("limit", 30)
    degrees = api.context["sensors"]["temperature"]
    if degrees > limit:
        api.log.warning("%.1f degrees are more than %s", degrees, limit)
    return {"degrees": round(degrees, 1), "warm": degrees > limit}
`;
const TIDE = `import math
import time


def main(params, api):
    step = 0
    while True:
        step += 1
        level = 1.2 + 0.8 * math.sin(step / 8)
        print("tide %.2f m, gate %s" % (level, "closed" if level > 1.6 else "open"), flush=True)
        time.sleep(0.4)
`;

/** Boards that run, and where the simulation puts them. */
const RUNNING: [string, string, string, Record<string, string>][] = [
  ['gauge-north-pier', '38.2005', '15.5560', { kind: 'gauge', quay: 'north' }],
  ['gate-dry-dock', '38.1890', '15.5610', { kind: 'gate', quay: 'dock' }],
  ['lamp-lighthouse', '38.1937', '15.5735', { kind: 'lamp', quay: 'outer' }],
  ['camera-ferry-ramp', '44.4040', '8.9200', { kind: 'camera', quay: 'ferry' }],
  ['weather-breakwater', '36.9300', '15.1350', { kind: 'weather', quay: 'outer' }],
];
const AWAY: [string, string, string, Record<string, string>][] = [
  ['lamp-slipway', '40.6300', '17.9400', { kind: 'lamp', quay: 'south' }],
  ['gauge-canal', '45.4300', '12.3300', { kind: 'gauge', quay: 'canal' }],
];

const { username, uid } = userInfo();
const TERMINAL = { 'terminal.user': username, 'terminal.shell': '/bin/sh', 'terminal.allow_root': String(uid === 0) };

let stage: Stage;
let local: Server;
let operation = '';
let recording = '';

beforeAll(async () => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  // No report of the machine that takes the pictures comes in between.
  stage = await Stage.open({ 'liveness.report_every_s': '3600', 'audit.head_s': '1' });
  const { cloud } = stage;
  await cloud.post('/v2/fleets', { name: 'harbour', description: 'A simulated harbour: gauges, gates and lamps.' });
  await cloud.post('/v2/fleets', { name: 'coast', description: 'Simulated weather stations along the coast.' });
  for (const [name, latitude, longitude, labels] of [...RUNNING, ...AWAY]) {
    const board = await stage.board(name, { ...TERMINAL, 'position.latitude': latitude, 'position.longitude': longitude });
    await cloud.ask('PATCH', `/v2/boards/${name}`, { labels, fleet: labels['kind'] === 'weather' ? 'coast' : 'harbour' });
    if (AWAY.some(([away]) => away === name)) await board.stop();
  }
  await cloud.post('/v2/claims', { name: 'lamp-quay', uses: 12 });
  local = createServer((_, answer) => answer.end('gate'));
  await new Promise<void>((done) => local.listen(0, '127.0.0.1', done));
  await cloud.post('/v2/services', { name: 'control-page', port: (local.address() as AddressInfo).port });
  await cloud.post('/v2/services', { name: 'ssh', port: 22 });
  await cloud.post('/v2/services', { name: 'node-red', port: 1880 });
  await cloud.command('PUT', '/v2/boards/gauge-north-pier/services/control-page', {});
  await cloud.post('/v2/plugins', { name: 'thermometer', language: 'python', mode: 'sync', source: THERMOMETER, parameters: { limit: 28 } });
  await cloud.post('/v2/plugins', { name: 'tide-watch', language: 'python', mode: 'async', source: TIDE });
  for (const [name] of RUNNING.slice(0, 3)) await cloud.command('PUT', `/v2/boards/${name}/plugins/thermometer`, {});
  operation = (await cloud.command('POST', '/v2/boards/gauge-north-pier/plugins/thermometer/call', {})).id;
  await cloud.command('PUT', '/v2/boards/gauge-north-pier/plugins/tide-watch', {});
  await cloud.command('POST', '/v2/boards/gauge-north-pier/plugins/tide-watch/start', {});
  await cloud.post('/v2/boards/lamp-slipway/restart-agent');
  await others();
});
afterAll(async () => {
  local?.close();
  await stage?.close();
});

/** The people next door: who lends, borrows, books, and what programs sign in with. */
async function others(): Promise<void> {
  const { cloud } = stage;
  await cloud.person('ferry-office', 'a-simulated-word', 'ferries', 'admin_iot_project');
  await cloud.person('harbour-lab', 'a-simulated-word', 'laboratory', 'manager_iot_project');
  await cloud.person('night-shift', 'a-simulated-word', 'admin', 'user_iot');
  const end = new Date(Date.now() + 90 * 3_600_000).toISOString();
  await cloud.post('/v2/delegations', { resource: 'board:camera-ferry-ramp', to: 'ferry-office', rights: ['write'], until: end, depth: 1, hold: 'shared' });
  await cloud.post('/v2/delegations', { resource: 'board:gauge-north-pier', to: 'harbour-lab', rights: ['read'], until: end, depth: 0, hold: 'exclusive' });
  const hours = { zone: 'CET-1CEST,M3.5.0,M10.5.0/3', spans: ['mon-fri 07:00-19:00', 'sat 08:00-13:00'] };
  const caps = { memory_bytes: 128 * 2 ** 20, cpu_s: 30, file_bytes: 16 * 2 ** 20, processes: 8 };
  const offer = { rights: ['read'], projects: [], max_hours: 12 };
  await cloud.ask('PUT', '/v2/boards/gauge-north-pier/contribution', { hours, caps, offer });
  await cloud.ask('PUT', '/v2/boards/weather-breakwater/contribution', { offer: { ...offer, max_hours: 48 } });
  // A board of theirs, which one may book.
  const theirs = await cloud.signIn('ferry-office', 'a-simulated-word', 'ferries');
  const { claim } = await cloud.askAs(theirs, 'POST', '/v2/claims', { name: 'ferry-beacon' });
  const beacon = stage.machine('ferry-beacon', { ...TERMINAL, 'position.latitude': '38.2300', 'position.longitude': '15.6000' });
  beacon.enrol(claim);
  beacon.start();
  await until('the board of theirs is online', async () => (await cloud.askAs(theirs, 'GET', '/v2/boards/ferry-beacon')).status === 'online');
  await cloud.askAs(theirs, 'PUT', '/v2/boards/ferry-beacon/contribution', { offer: { ...offer, rights: ['write'] } });
  await cloud.post('/v2/bookings', { near: '38.23,15.60', radius_m: 500, until: new Date(Date.now() + 6 * 3_600_000).toISOString() });
  const { user } = await cloud.get('/v2/session');
  const credential = { name: 'nightly-report', description: 'reads the gauges', access_rules: [{ method: 'GET', path: '/v2/boards', service: 'iot' }] };
  await cloud.post(`/identity/v3/users/${user.id}/application_credentials`, { application_credential: credential });
  await cloud.post('/v2/services', { name: 'modbus', port: 502 });
  await offers(theirs);
  recording = await record(stage, 'gauge-north-pier', [`PS1='gauge-north-pier:~$ '; readings() { ${READINGS}; }; clear`, 'readings', 'readings | tail -1']);
}

/** Boards that change hands, in both directions. */
async function offers(theirs: string): Promise<void> {
  const { cloud } = stage;
  const { projects } = await cloud.get('/identity/v3/projects');
  const idOf = (name: string): string => projects.find((one: Answer) => one.name === name).id;
  const { claim } = await cloud.askAs(theirs, 'POST', '/v2/claims', { name: 'ferry-landing' });
  stage.machine('ferry-landing').enrol(claim);
  await cloud.askAs(theirs, 'POST', '/v2/boards/ferry-landing/transfer', { project: idOf('admin') });
  // Who operates the cloud gives at once, so somebody else offers.
  await cloud.person('harbour-master', 'a-simulated-word', 'admin', 'admin_iot_project');
  const master = await cloud.signIn('harbour-master', 'a-simulated-word', 'admin');
  await cloud.askAs(master, 'POST', '/v2/boards/gauge-canal/transfer', { project: idOf('laboratory') });
}

interface Picture {
  file: string;
  path: string;
  /** What stands on the screen once it is there. */
  ready: (page: Page) => Promise<unknown>;
  as?: 'nobody';
  /** Changes what the page is told, as a machine that is not there would. */
  pretend?: (context: BrowserContext) => Promise<void>;
}

const text = (words: string) => (page: Page): Promise<void> => page.locator('main').getByText(words).first().waitFor();
const log = (page: Page): Promise<void> => page.getByRole('log').getByText('gate closed').first().waitFor();
const chart = (page: Page): Promise<void> => page.locator('canvas').first().waitFor();

/** A shell whose words are the simulation's; where it really runs is not shown. */
async function shell(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'New terminal' }).click();
  await page.getByRole('button', { name: /^Terminal 1\s*as / }).waitFor();
  await page.keyboard.type(`PS1='gauge-north-pier:~$ '; readings() { ${READINGS}; }; clear\n`);
  await page.waitForFunction(() => document.querySelector('.xterm-rows')?.textContent?.trim().match(/^gauge-north-pier:~\$$/));
  await page.keyboard.type('readings | tail -4\n');
  await page.locator('.xterm-rows').getByText('1.93').first().waitFor();
  await page.getByRole('button', { name: 'New terminal' }).click();
  await page.getByRole('button', { name: /^Terminal 2\s*as / }).waitFor();
  await page.getByRole('button', { name: /^Terminal 1\s*as / }).click();
}
const READINGS = "printf '%s\\n' '# simulated gauge, metres' '06:10  1.42' '06:20  1.61' '06:30  1.78' '06:40  1.93'";

/** Opens what stands behind a button, and waits for what it shows. */
const opened = (screen: string, button: string, words: string) => async (page: Page): Promise<void> => {
  await text(screen)(page);
  await page.locator('main').getByRole('button', { name: button }).first().click();
  await page.getByText(words).first().waitFor();
};

async function palette(page: Page): Promise<void> {
  await text('Recent operations')(page);
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('gau');
  await page.getByRole('option').first().waitFor();
}

async function claim(page: Page): Promise<void> {
  await page.getByLabel('Name of the board').fill('lamp-mole');
  await page.getByRole('button', { name: 'Make the claim' }).click();
  await page.getByText('Waiting for the device').waitFor();
  // A claim is secret, and one in a picture is seen by everybody.
  await page.evaluate(() => document.querySelectorAll('main code').forEach((one) => (one.textContent = one.textContent?.replace(/--claim \S+/, '--claim s4t…') ?? '')));
}

async function proved(page: Page): Promise<void> {
  await page.getByRole('region', { name: 'Signed heads' }).locator('li').first().waitFor();
  await page.getByRole('row', { name: /contribution:put/ }).first().getByRole('button').click();
  await page.getByRole('button', { name: 'Check it' }).click();
  await page.locator('li.good').nth(2).waitFor();
}

async function parked(context: BrowserContext): Promise<void> {
  await context.route(/\/v2\/boards\/gate-dry-dock$/, async (route) => {
    const answer = await route.fetch();
    const told = { since: new Date(Date.now() - 600_000).toISOString(), holder: '192.0.2.7', newcomer: '198.51.100.9' };
    const board = await answer.json();
    await route.fulfill({ response: answer, json: { ...board, parked: told, facts: facts(board.name, board.facts), load: sample(0) } });
  });
}

async function replayed(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByRole('slider').focus();
  await page.keyboard.press('End');
  await page.locator('.xterm-rows').getByText('1.93').first().waitFor();
}

/** Gives a board away, which a project other than one's own can be chosen for. */
async function giving(page: Page): Promise<void> {
  await text('About this board')(page);
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Give to another project' }).click();
  await page.getByText('Plugins are taken off').waitFor();
}

const upstream = async (page: Page): Promise<void> => {
  await page.getByRole('button', { name: 'An upstream board' }).click();
  await page.getByLabel('Code').fill('HARBOUR-7');
};

const BOARD = '/ui/boards/gauge-north-pier';
const PICTURES: Picture[] = [
  { file: 'signin', path: '/ui/', ready: (page) => page.getByLabel('Password').waitFor(), as: 'nobody' },
  { file: 'overview', path: '/ui/', ready: text('Recent operations') },
  { file: 'boards', path: '/ui/boards', ready: text('gauge-north-pier') },
  { file: 'board', path: BOARD, ready: chart },
  { file: 'board-plugins', path: `${BOARD}/plugins`, ready: text('Running') },
  { file: 'board-services', path: `${BOARD}/services`, ready: text('control-page') },
  { file: 'logs', path: `${BOARD}/logs?plugin=tide-watch`, ready: log },
  { file: 'board-operations', path: `${BOARD}/operations`, ready: text('Call plugin') },
  { file: 'contribution', path: `${BOARD}/lending`, ready: text('How much of it') },
  { file: 'terminal', path: `${BOARD}/terminal`, ready: shell },
  { file: 'parked', path: '/ui/boards/gate-dry-dock', ready: text('Two machines answer'), pretend: parked },
  { file: 'claims', path: '/ui/claims', ready: text('lamp-quay') },
  { file: 'claim-given', path: '/ui/claims', ready: (page) => page.getByLabel('Say what is given').check() },
  { file: 'claim-upstream', path: '/ui/claims', ready: upstream },
  { file: 'claim-made', path: '/ui/claims', ready: claim },
  { file: 'plugins', path: '/ui/plugins', ready: text('tide-watch') },
  { file: 'plugin', path: '/ui/plugins/thermometer', ready: text('Try it') },
  { file: 'plugin-new', path: '/ui/plugins/new', ready: text('Settings') },
  { file: 'services', path: '/ui/services', ready: text('node-red') },
  { file: 'fleets', path: '/ui/fleets', ready: text('harbour') },
  { file: 'fleet', path: '/ui/fleets/harbour', ready: text('gauge-north-pier') },
  { file: 'lending', path: '/ui/lending', ready: text('camera-ferry-ramp') },
  { file: 'transfers', path: '/ui/transfers', ready: text('ferry-landing') },
  { file: 'bookings', path: '/ui/bookings', ready: text('ferry-beacon') },
  { file: 'operations', path: '/ui/operations', ready: text('Call plugin') },
  { file: 'operation', path: '/ui/operations/OPERATION', ready: text('Steps') },
  { file: 'audit', path: '/ui/audit', ready: text('contribution:put') },
  { file: 'audit-row', path: '/ui/audit?what=contribution', ready: proved },
  { file: 'audit-reads', path: '/ui/audit/reads', ready: text('Looks, counted by the hour') },
  { file: 'recordings', path: '/ui/recordings', ready: text('Replay') },
  { file: 'recording', path: '/ui/recordings/RECORDING', ready: replayed },
  { file: 'people', path: '/ui/people', ready: text('ferry-office') },
  { file: 'projects', path: '/ui/people/projects', ready: text('laboratory') },
  { file: 'roles', path: '/ui/people/roles', ready: text('Operates the cloud') },
  { file: 'account', path: '/ui/account', ready: text('nightly-report') },
  { file: 'system', path: '/ui/system', ready: text('Settings in force') },
  { file: 'nowhere', path: '/ui/nowhere', ready: text('There is no such page') },
  { file: 'palette', path: '/ui/', ready: palette },
  { file: 'dialog-lend', path: '/ui/lending', ready: opened('camera-ferry-ramp', 'Lend', 'Passed on how often') },
  { file: 'dialog-contribution', path: `${BOARD}/lending`, ready: opened('How much of it', 'Edit', 'Hours of the week') },
  { file: 'dialog-credential', path: '/ui/account', ready: opened('nightly-report', 'New credential', 'Requests it may send') },
  { file: 'dialog-give', path: BOARD, ready: giving },
  { file: 'dialog-edit', path: BOARD, ready: opened('About this board', 'Set position', 'Altitude in metres') },
];

/** Which of them the documents show, and how. */
const FOR_DOCS = new Set([
  'overview-light', 'overview-dark', 'boards-light', 'plugin-dark', 'logs-dark', 'terminal-dark', 'operations-light', 'overview-phone', 'boards-phone-dark',
  'board-light', 'board-dark', 'board-phone', 'contribution-light', 'bookings-light', 'audit-row-dark', 'people-light', 'recording-dark', 'transfers-light',
]);

test('every screen and every part of a board has its picture', () => {
  const routes = PICTURES.map(({ path }) => match(path.split('?')[0] ?? ''));
  expect(new Set(routes.map((route) => route.screen))).toEqual(new Set(Object.keys(EVERY)));
  const tabs = routes.flatMap((route) => (route.screen === 'board' ? [route.tab] : []));
  expect(new Set(tabs)).toEqual(new Set(BOARD_TABS));
});

for (const { file, path, ready, as, pretend: more } of PICTURES) {
  test(`pictures of ${file}`, async () => {
    for (const [look, options] of Object.entries(LOOKS)) {
      const { page, context } = await begin(stage, as ? { ...options, as } : options);
      await pretend(context);
      await more?.(context);
      await page.goto(path.replace('OPERATION', operation).replace('RECORDING', recording));
      await ready(page);
      if (!as) await page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
      await page.evaluate(() => document.fonts.ready);
      await maps(page);
      await page.evaluate(() => document.querySelectorAll('.tab .user').forEach((one) => (one.textContent = 'as gauge')));
      const target = join(FOLDER, `${file}-${look}.png`);
      await page.screenshot({ path: target, animations: 'disabled' });
      await context.close();
      if (FOR_DOCS.has(`${file}-${look}`)) keep(target, `${file}-${look}.png`);
    }
  });
}

/** Into the tree, with as few colours as it takes where Debian's pngquant is there. */
function keep(from: string, name: string): void {
  const target = join(SHOWN, name);
  const made = spawnSync('pngquant', ['--force', '--strip', '--quality', '85-100', '--output', target, from]);
  if (made.status !== 0) copyFileSync(from, target);
  expect(statSync(target).size, `${name} is too large for the tree`).toBeLessThan(MAX_BYTES);
}

/** What boards say about their machine and its load is the simulation's, not that of the machine that takes the pictures. */
async function pretend(context: BrowserContext): Promise<void> {
  await context.route(/\/v2\/boards\/[^/?]+$/, async (route) => {
    const answer = await route.fetch();
    const board = await answer.json();
    await route.fulfill({ response: answer, json: { ...board, facts: facts(board.name, board.facts), load: sample(0), load_at: new Date().toISOString() } });
  });
  await context.route(/\/v2\/boards\/[^/?]+\/load\?/, (route) => {
    const items = Array.from({ length: SAMPLES }, (_, at) => sample(SAMPLES - 1 - at));
    return route.request().headers()['accept']?.includes('event-stream') ? route.continue() : route.fulfill({ json: { items } });
  });
}

const SAMPLES = 240;
const GIB = 2 ** 30;

function facts(name: string, told: Answer): Answer {
  return {
    position: told.position, model: 'Simulated board', system: 'Debian GNU/Linux 12 (bookworm)', kernel: '6.1.0-simulated', architecture: 'aarch64',
    processors: 4, memory_bytes: 4 * GIB, disk_bytes: 32 * GIB, hostname: name, link: { interface: 'eth0', address: '192.0.2.17' },
    interpreters: { python: '/usr/bin/python3', node: '/usr/bin/node' }, sandbox: told.sandbox,
  };
}

/** The load so many minutes and a half ago: waves. */
function sample(ago: number): Answer {
  const wave = (period: number, shift = 0): number => (1 + Math.sin(ago / period + shift)) / 2;
  return {
    at: new Date(Date.now() - ago * 90_000).toISOString(), cpu: 0.08 + 0.35 * wave(9) * wave(31), load_1m: 0.2 + wave(9), memory_used_bytes: (1.1 + 0.5 * wave(40, 1)) * GIB,
    disk_used_bytes: (9.5 - ago / 400) * GIB, temperature_c: 41 + 6 * wave(31), uptime_s: 912_345 - ago * 90, agent_memory_bytes: 18 * 2 ** 20,
    sensors: { co2: 447.3, humidity: 54.2, light: 166.5, pressure: 1007.8, temperature: 24.5 },
  };
}

/** Maps fetch their outlines once they are on screen. */
async function maps(page: Page): Promise<void> {
  if ((await page.locator('.leaflet-container, .map').count()) === 0) return;
  await page.locator('.leaflet-container .mark').first().waitFor();
  await page.locator('.leaflet-container canvas').first().waitFor();
}
