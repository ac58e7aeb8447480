// The key that a board is: changed when a person says so; and two machines with one key, which a person decides between.
import { afterAll, beforeAll, expect } from 'vitest';
import type { Board } from './stage/board.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

let stage: Stage;
let harbour: Board;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  harbour = await stage.board('harbour');
  await stage.cloud.person('otto', 'by-the-river-2', 'admin', 'manager_iot_project');
});
afterAll(() => stage?.close());

journey('a board is told to change its key, and the page shows the new one', there, async ({ page }) => {
  const { key } = await harbour.show();
  await page.goto('/ui/boards/harbour');
  await page.getByText(key).waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Change the key' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('the old one is refused for good').waitFor();
  await dialog.getByRole('button', { name: 'Change the key' }).click();
  await page.getByText(key).waitFor({ state: 'detached' });
  const changed = await until('the board has another key', async () => {
    const board = await harbour.show();
    return board.key !== key && board;
  });
  await page.getByText(changed.key).waitFor();
});

journey('two machines with one key are shown wherever the board stands, and go on as one when its name is typed', there, async ({ page, cloud }) => {
  await page.goto('/ui/');
  await page.getByText('Nothing needs attention').waitFor();
  const copy = stage.machine('harbour', {}, 'harbour-copy');
  copy.copy(harbour);
  copy.start();
  // The list and the overview say so by themselves.
  await page.getByRole('link', { name: /harbour · two machines, one key/ }).waitFor();
  await page.goto('/ui/boards');
  await page.getByRole('row', { name: /harbour.*Parked/ }).waitFor();
  await page.getByRole('link', { name: 'harbour' }).click();
  const parked = page.getByRole('region', { name: 'Two machines answer with this key' });
  await parked.getByText('127.0.0.1').first().waitFor();
  await parked.getByText('Both come from one address').waitFor();
  await copy.stop();
  await parked.getByRole('button', { name: 'Let whichever connects next go on' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('The other machine is refused for good').waitFor();
  expect(await dialog.getByRole('button', { name: 'Let it go on' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type harbour to confirm').fill('harbour');
  await dialog.getByRole('button', { name: 'Let it go on' }).click();
  await parked.waitFor({ state: 'detached' });
  // The agent knocks again some ten seconds after it was turned away.
  await page.getByText('Online').first().waitFor({ timeout: 45_000 });
  const { items } = await cloud.get('/v2/audit?verb=board:*');
  expect(items.map((row: { verb: string }) => row.verb)).toEqual(expect.arrayContaining(['board:park', 'board:unpark', 'board:rekey']));
});

journey('where two machines come from two addresses, each is named; who only works with boards does not decide', there, async ({ page, context, cloud }) => {
  // The cloud's answer, changed on its way: a second address needs a second machine.
  await context.route(/\/v2\/boards\/harbour$/, async (route) => {
    const answer = await route.fetch();
    const parked = { since: '2026-01-01T00:00:00Z', holder: '192.0.2.7', newcomer: '198.51.100.9' };
    await route.fulfill({ response: answer, json: { ...(await answer.json()), parked } });
  });
  let asked: unknown;
  await context.route(/\/unpark$/, async (route) => {
    asked = route.request().postDataJSON();
    await route.fulfill({ status: 200, json: await harbour.show() });
  });
  await page.goto('/ui/boards/harbour');
  await page.getByRole('button', { name: 'Let 198.51.100.9 go on' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('The machine that connects from 198.51.100.9 is the board').waitFor();
  await dialog.getByLabel('Type harbour to confirm').fill('harbour');
  await dialog.getByRole('button', { name: 'Let it go on' }).click();
  await until('the cloud is asked for that address', () => asked);
  expect(asked).toEqual({ from: '198.51.100.9' });
  await context.clearCookies();
  await context.request.post('/v2/session', { data: { user: 'otto', password: 'by-the-river-2', project: 'admin' } });
  await page.goto('/ui/boards/harbour');
  await page.getByText('Your role in this project does not allow this').waitFor();
  expect(await page.getByRole('button', { name: /go on/ }).count()).toBe(0);
  expect((await cloud.get('/v2/boards/harbour')).parked ?? null).toBe(null);
});
