// Each action of upstream's panels of boards, plugins, services and fleets, where no other journey plays it; and what is done
// to many boards at once.
import { afterAll, beforeAll, expect } from 'vitest';
import type { Page } from 'playwright-core';
import type { Answer } from './stage/cloud.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const TICKER = 'import time\n\ndef main(params, api):\n    while True:\n        print("tick", params.get("word", "none"), flush=True)\n        time.sleep(0.1)\n';

let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  for (const name of ['mole', 'pier', 'quay']) await stage.board(name);
  const { cloud } = stage;
  for (const name of ['mole', 'pier']) await cloud.ask('PATCH', `/v2/boards/${name}`, { labels: { kind: 'lamp' } });
  await cloud.post('/v2/plugins', { name: 'ticker', language: 'python', mode: 'async', source: TICKER });
  await cloud.post('/v2/plugins', { name: 'adder', language: 'python', mode: 'sync', source: 'def main(params, api):\n    return params.get("a", 0) + params.get("b", 0)\n' });
});
afterAll(() => stage?.close());

async function choose(page: Page, names: string[], act: string): Promise<void> {
  await page.goto('/ui/boards');
  for (const name of names) await page.getByRole('checkbox', { name: `Choose ${name}` }).check();
  await page.getByRole('toolbar').getByRole('button', { name: act }).click();
}

journey('a plugin is injected into the boards that a selector picks, which are named before', there, async ({ page, cloud }) => {
  await page.goto('/ui/plugins/adder');
  await page.getByRole('button', { name: 'Inject into boards' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Boards (label selector)').fill('kind=(lamp');
  await dialog.getByText('Not a selector').waitFor();
  expect(await dialog.getByRole('button', { name: 'Inject', exact: true }).isDisabled()).toBe(true);
  await dialog.getByLabel('Boards (label selector)').fill('kind=lamp');
  await dialog.getByText('Picks 2 boards now').waitFor();
  await dialog.getByText('mole, pier').waitFor();
  await dialog.getByRole('button', { name: 'Inject', exact: true }).click();
  for (const name of ['mole', 'pier']) await page.getByRole('row', { name: new RegExp(`Inject plugin adder.*${name}.*Succeeded`) }).waitFor();
  expect((await cloud.get('/v2/boards/quay/plugins')).items).toEqual([]);
});

journey('a plugin is tried on a board with parameters out of a form, and its answer is shown', there, async ({ page, cloud }) => {
  await cloud.command('PUT', '/v2/boards/mole/plugins/adder', {});
  await page.goto('/ui/plugins/adder');
  await page.getByLabel('Board', { exact: true }).fill('mole');
  await page.getByRole('button', { name: 'Call' }).click();
  const dialog = page.getByRole('dialog');
  for (const [name, value] of [['a', '40'], ['b', '2']]) {
    await dialog.getByRole('button', { name: 'Add a parameter' }).click();
    await dialog.getByLabel('Name').last().fill(name ?? '');
    await dialog.getByLabel('Value').last().fill(value ?? '');
  }
  await dialog.getByRole('button', { name: 'Call' }).click();
  await dialog.getByText('42').waitFor();
});

journey('a plugin that runs by itself is injected on a board, started with parameters, restarted, stopped, and removed', there, async ({ page, cloud, watch }) => {
  // The row asks the board what its plugin does, perhaps in the moment in which it is removed.
  watch.allow(/^404 GET \/v2\/boards\/[^/]+\/plugins\//);
  await page.goto('/ui/boards/pier/plugins');
  await page.getByRole('button', { name: 'Inject a plugin' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Plugin').selectOption({ label: 'ticker · Python' });
  await dialog.getByLabel('When the board starts').selectOption({ label: 'Start by itself' });
  await dialog.getByRole('button', { name: 'Inject a plugin' }).click();
  const row = page.getByRole('row', { name: /ticker/ });
  await row.getByText('When the board starts: Start by itself').waitFor();
  await row.getByRole('button', { name: 'Start' }).click();
  await dialog.getByRole('button', { name: 'As JSON' }).click();
  await dialog.getByLabel('Parameters').last().fill('{"word": "tock"}');
  await dialog.getByRole('button', { name: 'Start' }).click();
  await row.getByText('Running').waitFor();
  await page.goto('/ui/boards/pier/logs?plugin=ticker');
  await page.getByRole('log').getByText('tick tock').first().waitFor();
  await page.goto('/ui/boards/pier/plugins');
  for (const act of ['Restart', 'Remove']) {
    await row.getByRole('button', { name: 'Actions' }).click();
    await page.getByRole('menuitem', { name: act }).click();
    await dialog.locator('footer').getByRole('button', { name: act }).click();
    await until(`${act} was asked`, async () => {
      const { items } = await cloud.get('/v2/operations');
      const method = act === 'Restart' ? 'PluginReboot' : 'PluginRemove';
      return items.some((one: Answer) => one.method === method && one.state === 'succeeded');
    });
  }
  await row.waitFor({ state: 'detached' });
});

journey('many boards get a plugin, go into a fleet and restart their agents, each with its progress', there, async ({ page, cloud }) => {
  const dialog = page.getByRole('dialog');
  await cloud.post('/v2/fleets', { name: 'lights' });
  await choose(page, ['mole', 'pier'], 'Move to a fleet');
  await dialog.getByLabel('Fleet').selectOption({ label: 'lights' });
  await dialog.getByRole('button', { name: 'Apply' }).click();
  for (const name of ['mole', 'pier']) await page.getByRole('row', { name: new RegExp(`${name}.*lights`) }).waitFor();
  await choose(page, ['mole', 'quay'], 'Inject a plugin');
  await dialog.getByLabel('Plugin').selectOption({ label: 'adder' });
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await dialog.waitFor({ state: 'detached' });
  await until('both have it', async () => {
    const lists = await Promise.all(['mole', 'quay'].map((name) => cloud.get(`/v2/boards/${name}/plugins`)));
    return lists.every(({ items }) => items.some((one: Answer) => one.name === 'adder' && one.state === 'injected'));
  });
  await choose(page, ['mole', 'quay'], 'Restart agents');
  await dialog.getByText('The agents of 2 boards restart').waitFor();
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await page.goto('/ui/operations');
  for (const name of ['mole', 'quay']) await page.getByRole('row', { name: new RegExp(`Restart agent.*${name}`) }).first().waitFor();
});

journey('a reboot says what will happen before it is asked', there, async ({ page, cloud }) => {
  await page.goto('/ui/boards/quay');
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Reboot' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('The whole machine restarts; it is offline meanwhile').waitFor();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.waitFor({ state: 'detached' });
  expect((await cloud.get('/v2/operations')).items.map((one: Answer) => one.method)).not.toContain('DeviceReboot');
});

journey('the cloud tells its administrator how it is and which settings are in force', there, async ({ page }) => {
  await page.goto('/ui/system');
  for (const card of ['Health', 'Open now', 'Requests since the start', 'Database', 'Listeners', 'Encryption']) await page.getByRole('region', { name: card }).waitFor();
  await page.getByRole('row', { name: /api\.listen.*127\.0\.0\.1/ }).waitFor();
  const online = page.getByRole('region', { name: 'Boards and open operations' }).getByRole('listitem').filter({ hasText: 'Online' });
  await online.waitFor();
});

journey('many boards leave only when it is typed how many', there, async ({ page, cloud }) => {
  await choose(page, ['mole', 'quay'], 'Decommission');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('2 boards leave the cloud for good').waitFor();
  expect(await dialog.getByRole('button', { name: 'Apply' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type decommission 2 to confirm').fill('decommission 2');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  for (const name of ['mole', 'quay']) await page.getByRole('row', { name: new RegExp(name) }).waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /pier/ }).waitFor();
  const { items } = await cloud.get('/v2/boards');
  expect(items.filter((one: Answer) => one.status !== 'decommissioned').map((one: Answer) => one.name)).toEqual(['pier']);
});
