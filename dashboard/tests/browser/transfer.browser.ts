// Boards that go to another project: offered, declined, withdrawn, taken, given at once.
import { afterAll, beforeAll, expect } from 'vitest';
import type { Page } from 'playwright-core';
import { begin, journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';

const GIVER = { user: 'gina', password: 'by-the-river-1', project: 'harbour' };
const TAKER = { user: 'tom', password: 'by-the-river-2', project: 'river' };
const LOOKER = { user: 'lola', password: 'by-the-river-3', project: 'river' };
let stage: Stage;
let token: string;
let river: string;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  const { cloud } = stage;
  await cloud.person(GIVER.user, GIVER.password, GIVER.project, 'admin_iot_project');
  river = (await cloud.person(TAKER.user, TAKER.password, TAKER.project, 'admin_iot_project')).project;
  await cloud.person(LOOKER.user, LOOKER.password, LOOKER.project, 'user_iot');
  // Somebody who administers both.
  for (const project of [GIVER.project, TAKER.project]) await cloud.person('both', 'by-the-river-4', project, 'admin_iot_project');
  token = await cloud.signIn(GIVER.user, GIVER.password, GIVER.project);
  for (const name of ['lamp', 'buoy']) {
    const { claim } = await cloud.askAs(token, 'POST', '/v2/claims', { name });
    const board = stage.machine(name);
    board.enrol(claim);
    board.start();
    await board.isOnline();
  }
});
afterAll(() => stage?.close());

/** Opens the dialog on the board's own page. */
async function give(page: Page, board: string): Promise<void> {
  await page.goto(`/ui/boards/${board}`);
  await page.getByText('About this board').waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Give to another project' }).click();
}

async function offer(page: Page): Promise<void> {
  await give(page, 'lamp');
  const dialog = page.getByRole('dialog');
  await dialog.getByText('Plugins are taken off').waitFor();
  await dialog.getByLabel('Id of the project').fill(river);
  expect(await dialog.getByRole('button', { name: 'Give it' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type lamp to confirm').fill('lamp');
  await dialog.getByRole('button', { name: 'Give it' }).click();
  await page.getByText('lamp is offered to river').waitFor();
  await page.getByRole('row', { name: /lamp.*harbour.*river.*gina/ }).waitFor();
}

journey('a board is offered, withdrawn, declined and at last taken by the other project, and both sides see it', there, async ({ page, cloud, watch }) => {
  // The board's parts are read again in the moment in which it is another project's.
  watch.allow(/^404 GET \/v2\/boards\//);
  const tom = await begin(stage, { as: TAKER });
  await tom.page.goto('/ui/transfers');
  await tom.page.getByText('Nothing is offered').waitFor();
  await tom.page.getByText(river).waitFor();
  await offer(page);
  const theirs = tom.page.getByRole('row', { name: /lamp.*harbour.*river/ });
  await theirs.waitFor();
  await page.getByRole('button', { name: 'Withdraw: lamp' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
  await theirs.waitFor({ state: 'detached' });
  await page.getByText('This project gives nothing away').waitFor();

  await offer(page);
  await tom.page.getByRole('button', { name: 'Decline: lamp' }).click();
  await tom.page.getByRole('dialog').getByText('lamp stays in harbour').waitFor();
  await tom.page.getByRole('dialog').getByRole('button', { name: 'Decline' }).click();
  await page.getByText('This project gives nothing away').waitFor();

  await offer(page);
  // Who gives does not take; on the board's own page the offer stands too.
  expect(await page.getByRole('button', { name: 'Take it: lamp' }).count()).toBe(0);
  await page.goto('/ui/boards/lamp/lending');
  await page.getByRole('region', { name: 'Offered by this project' }).getByRole('row', { name: /lamp.*river/ }).waitFor();
  await tom.page.goto('/ui/');
  await tom.page.getByRole('link', { name: /lamp.*offered by harbour/ }).click();
  await tom.page.getByRole('button', { name: 'Take it: lamp' }).click();
  await tom.page.getByRole('dialog').getByText('It arrives empty').waitFor();
  await tom.page.getByRole('dialog').getByRole('button', { name: 'Take it' }).click();
  await tom.page.getByRole('heading', { name: 'lamp' }).waitFor();
  await tom.page.getByText('About this board').waitFor();
  await page.goto('/ui/boards');
  await page.getByRole('row', { name: /buoy/ }).waitFor();
  expect(await page.getByRole('row', { name: /lamp/ }).count()).toBe(0);
  expect(tom.watch.complaints()).toEqual([]);
  await tom.context.close();
  expect((await cloud.get('/v2/boards/lamp')).project).toBe(river);
}, { as: GIVER });

journey('who administers both projects gives a board at once; who only looks in the other sees it and decides nothing', there, async ({ page, cloud, watch }) => {
  watch.allow(/^404 GET \/v2\/boards\//);
  const lola = await begin(stage, { as: LOOKER });
  await lola.page.goto('/ui/boards');
  await lola.page.getByRole('row', { name: /lamp/ }).waitFor();
  await give(page, 'buoy');
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('To which project').selectOption({ label: 'river' });
  await dialog.getByLabel('Type buoy to confirm').fill('buoy');
  await dialog.getByRole('button', { name: 'Give it' }).click();
  await page.getByText('buoy is in river now').waitFor();
  await page.getByText('No boards yet').waitFor();
  expect((await cloud.get('/v2/boards/buoy')).project).toBe(river);
  await lola.page.getByRole('row', { name: /buoy/ }).waitFor();
  await lola.page.goto('/ui/transfers');
  await lola.page.getByText('Nothing is offered').waitFor();
  expect(await lola.page.getByRole('button', { name: /Take it|Decline/ }).count()).toBe(0);
  expect(lola.watch.complaints()).toEqual([]);
  await lola.context.close();
}, { as: { user: 'both', password: 'by-the-river-4', project: GIVER.project } });
