// Boards in other hands: lent, passed on, seen from both sides, taken back.
import { afterAll, beforeAll, expect } from 'vitest';
import { begin, journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';

const NINA = { user: 'nina', password: 'by-the-river-1', project: 'river' };
const OTTO = { user: 'otto', password: 'by-the-river-2', project: 'river' };
let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.board('harbour');
  for (const { user, password, project } of [NINA, OTTO]) await stage.cloud.person(user, password, project, 'user_iot');
});
afterAll(() => stage?.close());

journey('a board is lent, passed on by who has it, and taken back with all that rests on it', there, async ({ page, cloud, watch }) => {
  watch.allow(/^404 POST \/v2\/delegations/);
  await page.goto('/ui/boards/harbour/lending');
  await page.getByText('This board is not lent to anybody').waitFor();
  await page.getByRole('button', { name: 'Lend' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('To whom').fill('nobody-here');
  await dialog.getByRole('button', { name: 'Lend' }).click();
  await dialog.getByRole('alert').waitFor();
  await dialog.getByLabel('To whom').fill('nina');
  await dialog.getByLabel('Rights').selectOption({ label: 'Use' });
  await dialog.getByLabel('Passed on how often').fill('1');
  await dialog.getByLabel('At the same time').selectOption({ label: 'Nobody else: a booking' });
  await dialog.getByRole('button', { name: 'Lend' }).click();
  const lent = page.getByRole('row', { name: /harbour.*nina.*booked/ });
  await lent.waitFor();
  const { items } = await cloud.get('/v2/delegations');
  expect(items).toMatchObject([{ resource_name: 'harbour', delegated_name: 'nina', depth: 1, hold: 'exclusive' }]);

  // The other side.
  const nina = await begin(stage, { as: NINA });
  await nina.page.goto('/ui/lending');
  await nina.page.getByText('Lent to you').waitFor();
  await nina.page.getByRole('button', { name: 'Pass on' }).click();
  const theirs = nina.page.getByRole('dialog');
  await theirs.getByLabel('To whom').fill('otto');
  await theirs.getByRole('button', { name: 'Pass on' }).click();
  await nina.page.getByText('Passed on by you').waitFor();
  await nina.page.getByRole('row', { name: /harbour.*otto/ }).waitFor();
  await nina.page.getByRole('link', { name: 'harbour' }).first().click();
  await nina.page.getByText('About this board').waitFor();

  // It is seen at once on the page of who lent it.
  await page.getByRole('row', { name: /harbour.*nina.*otto.*passed on/ }).waitFor();
  await lent.getByRole('button', { name: 'Take back: harbour, nina' }).click();
  await dialog.getByText('nina can do nothing with harbour any more by this').waitFor();
  await dialog.getByText('1 more that rests on it ends too: otto.').waitFor();
  await dialog.getByRole('button', { name: 'Take back' }).click();
  await page.getByText('This board is not lent to anybody').waitFor();
  await nina.page.goto('/ui/lending');
  await nina.page.getByText('Nothing is lent to you').waitFor();
  expect(nina.watch.complaints()).toEqual([]);
  await nina.context.close();
});

journey('a plugin is lent on one board alone, and taken back', there, async ({ page, cloud }) => {
  await cloud.post('/v2/plugins', { name: 'hello', language: 'python', mode: 'sync', source: 'def main(params, api):\n    return "hello"\n' });
  await cloud.command('PUT', '/v2/boards/harbour/plugins/hello', {});
  await page.goto('/ui/lending');
  await page.getByRole('button', { name: 'Lend' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What').selectOption({ label: 'plugin' });
  await dialog.getByLabel('Its name').fill('hello');
  await dialog.getByLabel('On one board alone').fill('harbour');
  await dialog.getByLabel('To whom').fill('nina');
  await dialog.getByLabel('Rights', { exact: true }).selectOption({ label: 'Use' });
  await dialog.getByRole('button', { name: 'Lend' }).click();
  const row = page.getByRole('row', { name: /hello.*nina/ });
  await row.waitFor();
  const { items } = await cloud.get('/v2/delegations');
  expect(items.map((one: { resource: string }) => one.resource)).toContainEqual(expect.stringMatching(/^plugin:.+@.+$/));
  await row.getByRole('button', { name: /^Take back: hello/ }).click();
  await dialog.getByRole('button', { name: 'Take back' }).click();
  await row.waitFor({ state: 'detached' });
});

journey('a fleet is lent by name for some rights, and its holder gives it back', there, async ({ page, cloud }) => {
  await cloud.post('/v2/fleets', { name: 'coast', rule: '!inland' });
  await page.goto('/ui/lending');
  await page.getByRole('button', { name: 'Lend' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What').selectOption({ label: 'fleet' });
  await dialog.getByLabel('Its name').fill('coast');
  await dialog.getByLabel('To whom').fill('otto');
  await dialog.getByLabel('Rights', { exact: true }).selectOption({ label: 'Some, by name' });
  await dialog.getByLabel('Names of the rights').fill('board:get_one, board:get');
  await dialog.getByRole('button', { name: 'Lend' }).click();
  const row = page.getByRole('row', { name: /coast.*otto/ });
  await row.getByText('2 rights').waitFor();
  const otto = await begin(stage, { as: OTTO });
  // Of the board's parts only the board itself was lent.
  otto.watch.allow(/^403 GET \/v2\/boards\//);
  await otto.page.goto('/ui/boards/harbour/lending');
  await otto.page.getByRole('row', { name: /coast.*otto/ }).waitFor();
  await otto.page.goto('/ui/lending');
  await otto.page.getByRole('button', { name: /Give back/ }).click();
  await otto.page.getByRole('dialog').getByRole('button', { name: 'Give back' }).click();
  await otto.page.getByText('Nothing is lent to you').waitFor();
  await row.waitFor({ state: 'detached' });
  expect(otto.watch.complaints()).toEqual([]);
  await otto.context.close();
});
