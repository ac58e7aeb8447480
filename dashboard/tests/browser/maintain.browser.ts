// Every act of maintenance: of one board whose owner allows them, with what each needs to know, and of a fleet as one.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Page } from 'playwright-core';
import type { Answer, Cloud } from './stage/cloud.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

let stage: Stage;
let near: Server;
let said: string;
const heard: string[] = [];
const there = () => stage;

beforeAll(async () => {
  near = createServer((request, answer) => {
    heard.push(`${request.method} ${request.url}`);
    answer.setHeader('Content-Type', 'application/json').end('{"depth": 4.2}');
  });
  await new Promise<void>((done) => near.listen(0, '127.0.0.1', done));
  stage = await Stage.open();
  const { claim } = await stage.cloud.post('/v2/claims', { name: 'crane' });
  const crane = stage.machine('crane');
  const programs = join(crane.home, 'programs');
  said = join(programs, 'said');
  mkdirSync(programs);
  // A program that only notes what it was told.
  writeFileSync(join(programs, 'npm'), `#!/bin/sh\necho "$@" >> '${said}'\n`);
  chmodSync(join(programs, 'npm'), 0o755);
  crane.configure(
    `[device]
rest_prefixes = ["http://127.0.0.1:${(near.address() as AddressInfo).port}/gauges"]
package_managers = ["npm"]
upgrade_command = "${join(programs, 'npm')} itself {version}"
mount_ro_command = "/bin/true"
reboot_command = "/bin/true"
factory_reset = true
`,
    programs,
  );
  crane.enrol(claim);
  crane.start();
  await crane.isOnline();
  await stage.board('pier');
  await stage.cloud.post('/v2/fleets', { name: 'dock' });
  await stage.cloud.ask('PATCH', '/v2/boards/pier', { fleet: 'dock' });
});
afterAll(async () => {
  near?.close();
  await stage?.close();
});

/** The newest operation of this sort on a board, once it stands so. */
function operation(cloud: Cloud, board: string, method: string, state: string): Promise<Answer> {
  return until(`${method} on ${board} is ${state}`, async () => {
    const { items } = await cloud.get(`/v2/operations?board=${board}&method=${method}&order=desc`);
    const [newest] = items;
    if (newest?.state === state) return cloud.get(`/v2/operations/${newest.id}`);
    throw new Error(`it is ${newest?.state}: ${newest?.fault?.message}`);
  });
}

/** Opens the dialog on the board's page and chooses an act. */
async function choose(page: Page, act: string) {
  await page.goto('/ui/boards/crane');
  await page.getByText('About this board').waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Maintain' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What to do').selectOption({ label: act });
  return dialog;
}

journey('an agent is upgraded to a version that is typed', there, async ({ page, cloud }) => {
  const dialog = await choose(page, 'Upgrade agent');
  await dialog.getByLabel('Version').fill('9.9.9');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await page.getByText('Upgrade agent · crane').first().waitFor();
  await operation(cloud, 'crane', 'DeviceUpgradeLR', 'succeeded');
  expect(readFileSync(said, 'utf8')).toBe('itself 9.9.9\n');
  // It restarts with what was installed.
  await until('it is back', async () => (await cloud.get('/v2/boards/crane')).status === 'online');
});

journey('packages are installed by the manager, and with the words, that were chosen', there, async ({ page, cloud }) => {
  const dialog = await choose(page, 'Packages');
  await dialog.getByLabel('Manager').selectOption('npm');
  await dialog.getByLabel('Command').selectOption('install');
  await dialog.getByLabel('Package').fill('left-tide');
  await dialog.getByLabel('Version').fill('1.2.3');
  await dialog.getByLabel('Options').fill('--no-save');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await operation(cloud, 'crane', 'DevicePkgOperation', 'succeeded');
  const words = readFileSync(said, 'utf8').split(/\s+/);
  for (const word of ['install', 'left-tide@1.2.3', '--no-save']) expect(words).toContain(word);
});

journey('the root file system is mounted, and what the owner did not allow is refused with the setting that would', there, async ({ page, cloud }) => {
  const dialog = await choose(page, 'Root file system');
  await dialog.getByLabel('Do', { exact: true }).selectOption('mount_ro');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await operation(cloud, 'crane', 'DeviceMountFs', 'succeeded');
  await choose(page, 'Root file system');
  await dialog.getByLabel('Do', { exact: true }).selectOption('mount_rw');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await page.goto(`/ui/operations/${(await operation(cloud, 'crane', 'DeviceMountFs', 'failed')).id}`);
  await page.getByText('device.mount_rw_command').first().waitFor();
});

journey('a request is sent to something near the board, and its answer is shown', there, async ({ page, cloud }) => {
  const dialog = await choose(page, 'Submit a request near the board');
  await dialog.getByRole('button', { name: 'As JSON' }).click();
  const { port } = near.address() as AddressInfo;
  await dialog.getByLabel('Request').last().fill(JSON.stringify({ url: `http://127.0.0.1:${port}/gauges/3`, method: 'GET', params: { unit: 'm' } }));
  await dialog.getByRole('button', { name: 'Apply' }).click();
  const done = await operation(cloud, 'crane', 'DeviceRestSubmit', 'succeeded');
  expect(heard).toEqual(['GET /gauges/3?unit=m']);
  await page.goto(`/ui/operations/${done.id}`);
  await page.getByText('4.2').first().waitFor();
});

journey('a reboot and a restart of the agent are asked from the menu of the board', there, async ({ page, cloud }) => {
  await page.goto('/ui/boards/crane');
  for (const [act, method] of [['Restart agent', 'DeviceRestartLR'], ['Reboot', 'DeviceReboot']] as const) {
    await page.getByRole('button', { name: 'Actions' }).click();
    await page.getByRole('menuitem', { name: act }).click();
    await page.getByRole('dialog').getByRole('button', { name: act }).click();
    await operation(cloud, 'crane', method, 'succeeded');
  }
});

journey('a factory reset is asked only when the name of the board is typed, and leaves the board nobody\'s', there, async ({ page, cloud }) => {
  await until('it is back from what was asked before', async () => (await cloud.get('/v2/boards/crane')).status === 'online');
  const dialog = await choose(page, 'Factory reset');
  expect(await dialog.getByRole('button', { name: 'Apply' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type crane to confirm').fill('crane');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await operation(cloud, 'crane', 'DeviceFactoryReset', 'succeeded');
});

const OF_FLEETS = [
  ['Restart agent', 'DeviceRestartLR'], ['Reboot', 'DeviceReboot'], ['Upgrade agent', 'DeviceUpgradeLR'], ['Packages', 'DevicePkgOperation'],
  ['Root file system', 'DeviceMountFs'], ['Submit a request near the board', 'DeviceRestSubmit'], ['Factory reset', 'DeviceFactoryReset'],
] as const;

journey('each act is asked of a fleet as one, and becomes an operation of each of its boards', there, async ({ page, cloud }) => {
  const dialog = page.getByRole('dialog');
  for (const [act, method] of OF_FLEETS) {
    await page.goto('/ui/fleets/dock');
    await page.getByRole('row', { name: /pier/ }).waitFor();
    await page.getByRole('button', { name: 'Maintain' }).click();
    await dialog.getByLabel('What to do').selectOption({ label: act });
    if (method === 'DeviceFactoryReset') await dialog.getByLabel('Type dock to confirm').fill('dock');
    await dialog.getByRole('button', { name: 'Apply' }).click();
    await page.waitForURL(/operations\?main=/);
    await page.getByRole('row', { name: /pier/ }).first().waitFor();
    const main = new URL(page.url()).searchParams.get('main');
    const { items } = await cloud.get(`/v2/operations?main=${main}`);
    expect(items.map((one: Answer) => one.method)).toEqual([method]);
  }
});
