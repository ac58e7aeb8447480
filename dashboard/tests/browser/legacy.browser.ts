// Boards that speak upstream's dialect, beside one of ours: marked wherever they and what they do are shown.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { journey } from './stage/journey.ts';
import { freePorts } from './stage/ports.ts';
import { Stage } from './stage/stage.ts';

const ECHO = 'def main(name, params, api):\n    return params\n';

let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  const port = await freePorts();
  stage = await Stage.open({
    'legacy.enabled': 'true',
    'legacy.projects': '*',
    'wamp.listen': `127.0.0.1:${port}`,
    'wstun.listen': `127.0.0.1:${port + 1}`,
  });
  await Promise.all([stage.upstreamBoard('old'), stage.board('new')]);
  await stage.cloud.post('/v2/plugins', { name: 'echo', language: 'python', mode: 'sync', source: ECHO });
  for (const board of ['old', 'new']) {
    await stage.cloud.command('PUT', `/v2/boards/${board}/plugins/echo`, {});
  }
});
afterAll(async () => {
  await stage?.close();
});

journey('an upstream board is marked in the list of boards and on its own page, and ours are not', there, async ({ page }) => {
  await page.goto('/ui/boards');
  await page.getByRole('row', { name: /old/ }).filter({ hasText: 'Upstream board' }).waitFor();
  await page.getByRole('row', { name: /new/ }).waitFor();
  expect(await page.getByRole('row', { name: /new/ }).filter({ hasText: 'Upstream board' }).count()).toBe(0);
  await page.goto('/ui/boards/old');
  await page.getByText('Upstream board', { exact: true }).first().waitFor();
  await page.getByText("it knows only upstream's calls").waitFor();
  await page.goto('/ui/boards/new');
  await page.getByRole('heading', { name: 'new' }).first().waitFor();
  expect(await page.getByText('Upstream board', { exact: true }).count()).toBe(0);
});

journey('what an upstream board does is marked in the lists of operations and on the page of each', there, async ({ page, cloud }) => {
  await page.goto('/ui/operations');
  const marked = page.getByRole('row', { name: /old/ }).filter({ hasText: 'Upstream board' });
  await marked.first().waitFor();
  expect(await page.getByRole('row', { name: /new/ }).filter({ hasText: 'Upstream board' }).count()).toBe(0);
  await page.goto('/ui/boards/old/operations');
  await page.getByRole('row', { name: /Upstream board/ }).first().waitFor();
  const { items } = await cloud.get('/v2/operations?board=old');
  await page.goto(`/ui/operations/${items[0].id}`);
  await page.getByText('Upstream board', { exact: true }).first().waitFor();
});

journey('an upstream board is worked with like any other: a plugin is called, and its result is shown', there, async ({ page }) => {
  await page.goto('/ui/boards/old/plugins');
  await page.getByRole('row', { name: /echo/ }).getByRole('button', { name: 'Call' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Call' }).click();
  await dialog.getByRole('status').getByText('{}').first().waitFor();
});

journey('a board of upstream is registered by a code, and the page sees its agent connect', there, async ({ page, cloud, watch }) => {
  watch.allow(/^409 POST \/v1\/boards$/);
  await page.goto('/ui/claims');
  await page.getByRole('button', { name: 'An upstream board' }).click();
  await page.getByLabel('Name of the board').fill('older');
  await page.getByLabel('Code').fill('CODE-old');
  await page.getByLabel('Latitude').fill('38.2');
  await page.getByLabel('Longitude').fill('15.5');
  await page.getByRole('button', { name: 'Register the board' }).click();
  await page.getByText('A board with code CODE-old already exists.').waitFor();
  await page.getByLabel('Code').fill('CODE-older');
  await page.getByRole('button', { name: 'Register the board' }).click();
  await page.getByText('Waiting for the device').waitFor();
  const settings = await page.locator('code', { hasText: 'CODE-older' }).last().innerText();
  const older = stage.machine('older', { 'upstream.allow_anonymous': 'true' });
  writeFileSync(join(older.home, 'settings.json'), settings);
  older.start();
  await page.getByText('older is online').waitFor();
  await page.getByRole('link', { name: 'Open the board' }).click();
  await page.getByText('Upstream board', { exact: true }).first().waitFor();
  expect((await cloud.get('/v2/boards/older')).position).toMatchObject({ latitude: 38.2, longitude: 15.5 });
});

journey('a terminal on an upstream board is refused with what to do instead', there, async ({ page }) => {
  await page.goto('/ui/boards/old/terminal');
  await page.getByText('No terminal on this board').waitFor();
  await page.getByText('expose its SSH service instead').waitFor();
  expect(await page.getByRole('button', { name: 'New terminal' }).count()).toBe(0);
});
