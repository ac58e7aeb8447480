// `cargo xtask screenshots`: each screen with content that is plainly simulated, as the README and the documents show it.
// What is on them: lamps, gauges and gates of a harbour that does not exist, with sensors that are computed.
import { mkdirSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BrowserContext, Page } from 'playwright-core';
import type { Answer } from './stage/cloud.ts';
import { begin, type JourneyOptions } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';

const FOLDER = join(import.meta.dirname, '../../../docs/images');
const MAX_BYTES = 150 * 1024;
const DESK = { viewport: { width: 1280, height: 800 } };
const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };

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

beforeAll(async () => {
  mkdirSync(FOLDER, { recursive: true });
  // No report of the machine that takes the pictures comes in between.
  stage = await Stage.open({ 'liveness.report_every_s': '3600' });
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
  await cloud.command('POST', '/v2/boards/gauge-north-pier/plugins/thermometer/call', {});
  await cloud.command('PUT', '/v2/boards/gauge-north-pier/plugins/tide-watch', {});
  await cloud.command('POST', '/v2/boards/gauge-north-pier/plugins/tide-watch/start', {});
  await cloud.post('/v2/boards/lamp-slipway/restart-agent');
});
afterAll(async () => {
  local?.close();
  await stage?.close();
});

interface Picture {
  file: string;
  path: string;
  /** What stands on the screen once it is there. */
  ready: (page: Page) => Promise<unknown>;
  options: JourneyOptions;
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

const PICTURES: Picture[] = [
  { file: 'overview-light', path: '/ui/', ready: text('Recent operations'), options: { ...DESK, colorScheme: 'light' } },
  { file: 'overview-dark', path: '/ui/', ready: text('Recent operations'), options: { ...DESK, colorScheme: 'dark' } },
  { file: 'boards-light', path: '/ui/boards', ready: text('gauge-north-pier'), options: { ...DESK, colorScheme: 'light' } },
  { file: 'plugin-dark', path: '/ui/plugins/thermometer', ready: text('Try it'), options: { ...DESK, colorScheme: 'dark' } },
  { file: 'logs-dark', path: '/ui/boards/gauge-north-pier/logs?plugin=tide-watch', ready: log, options: { ...DESK, colorScheme: 'dark' } },
  { file: 'terminal-dark', path: '/ui/boards/gauge-north-pier/terminal', ready: shell, options: { ...DESK, colorScheme: 'dark' } },
  { file: 'operations-light', path: '/ui/operations', ready: text('Call plugin'), options: { ...DESK, colorScheme: 'light' } },
  { file: 'overview-phone', path: '/ui/', ready: text('Online'), options: { ...PHONE, colorScheme: 'light' } },
  { file: 'boards-phone', path: '/ui/boards', ready: text('gauge-north-pier'), options: { ...PHONE, colorScheme: 'dark' } },
  { file: 'board-light', path: '/ui/boards/gauge-north-pier', ready: chart, options: { ...DESK, colorScheme: 'light' } },
  { file: 'board-dark', path: '/ui/boards/gauge-north-pier', ready: chart, options: { ...DESK, colorScheme: 'dark' } },
];

for (const { file, path, ready, options } of PICTURES) {
  test(`picture ${file}`, async () => {
    const { page, context } = await begin(stage, options);
    await pretend(context);
    await page.goto(path);
    await ready(page);
    await page.getByText('Live', { exact: true }).waitFor({ state: 'attached' });
    await page.waitForLoadState('domcontentloaded');
    await page.evaluate(() => document.fonts.ready);
    await maps(page);
    await page.evaluate(() => document.querySelectorAll('.tab .user').forEach((one) => (one.textContent = 'as gauge')));
    const target = join(FOLDER, `${file}.png`);
    await page.screenshot({ path: target, animations: 'disabled' });
    await context.close();
    expect(statSync(target).size, `${file}.png is too large for the tree`).toBeLessThan(MAX_BYTES);
  });
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
}
