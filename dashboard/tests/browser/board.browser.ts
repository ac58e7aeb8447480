// One board, from the claim for a box on the desk to the day it leaves.
import { afterAll, beforeAll, expect } from 'vitest';
import type { Page } from 'playwright-core';
import type { Board } from './stage/board.ts';
import type { Answer, Cloud } from './stage/cloud.ts';
import { atMost } from './stage/figure.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

let stage: Stage;
let harbour: Board;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open({ 'liveness.report_every_s': '1' });
  harbour = await stage.board('harbour', { 'position.latitude': '38.19', 'position.longitude': '15.55' });
});
afterAll(() => stage?.close());

/** When the page first shows this text, by the clock that it shares with the cloud. */
function timeOf(page: Page, text: string): Promise<number> {
  return page.evaluate((text) => new Promise<number>((done) => {
    const look = (): void => (document.body.innerText.includes(text) ? done(Date.now()) : void requestAnimationFrame(look));
    look();
  }), text);
}

/** When the cloud put down the last event of a kind. */
async function timeOfEvent(cloud: Cloud, kind: string, subject: string): Promise<number> {
  const event = await until(`an event ${kind}`, async () => {
    const { items } = await cloud.get('/v2/events?limit=1000');
    return items.findLast((one: Answer) => one.kind === kind && one.subject_id === subject);
  });
  return Date.parse(event.at);
}

journey('a claim is made, a machine enrols with it, and the page sees it come online', there, async ({ page, cloud }) => {
  await page.goto('/ui/claims');
  await page.getByLabel('Name of the board').fill('market');
  await page.getByLabel('Labels').fill('zone=north\nkind=lamp');
  await page.getByRole('button', { name: 'Make the claim' }).click();
  const line = await page.locator('code', { hasText: '--claim' }).innerText();
  const claim = /--claim (\S+)/.exec(line)?.[1] ?? '';
  await page.getByRole('button', { name: 'Show as QR code' }).click();
  await page.getByRole('img', { name: 'QR code of the claim' }).waitFor();
  await page.getByText('Waiting for the device').waitFor();
  const market = stage.machine('market');
  market.enrol(claim);
  await page.getByText('Enrolled; waiting for its first connection').waitFor();
  const seen = timeOf(page, 'market is online');
  market.start();
  const { id } = await market.isOnline();
  atMost('a board is online on screen after', (await seen) - (await timeOfEvent(cloud, 'board.online', id)), { unit: 'ms', goal: 500, bound: 5000 });
  await page.getByRole('link', { name: 'Open the board' }).click();
  await page.getByRole('heading', { name: 'market' }).waitFor();
  await page.getByText('zone=north').or(page.getByText('north')).first().waitFor();
});

journey('a claim says what is given of the boards that come by it', there, async ({ page, cloud }) => {
  await page.goto('/ui/claims');
  await page.getByRole('button', { name: 'Several boards' }).click();
  await page.getByLabel('Beginning of the boards').fill('buoy');
  await page.getByLabel('How many boards').fill('3');
  await page.getByLabel('Say what is given of them to others').check();
  await page.getByLabel('When', { exact: true }).selectOption({ label: 'In these hours' });
  await page.getByLabel('Hours of the week').fill('mon-fri 8-18');
  await page.getByText('is not hours').waitFor();
  await page.getByLabel('Hours of the week').fill('mon-fri 08:00-18:00');
  await page.getByLabel('Seconds of processor').fill('20');
  await page.getByLabel('Who', { exact: true }).selectOption({ label: 'Everybody of this cloud' });
  await page.getByRole('button', { name: 'Make the claim' }).click();
  await page.getByText('Waiting for the device').waitFor();
  await page.getByRole('row', { name: /buoy.*3 of 3 left/ }).getByText('given to others').waitFor();
  const { items } = await cloud.get('/v2/claims');
  const claim = items.find((one: Answer) => one.name === 'buoy');
  expect(claim).toMatchObject({ uses: 3, contribution: { hours: { spans: ['mon-fri 08:00-18:00'] }, caps: { cpu_s: 20 }, offer: { max_hours: 24 } } });
});

journey('a claim that is withdrawn enrols nobody', there, async ({ page, cloud }) => {
  const { claim } = await cloud.post('/v2/claims', { name: 'lost' });
  await page.goto('/ui/claims');
  await page.getByRole('row', { name: /lost/ }).getByRole('button', { name: 'Withdraw' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Withdraw' }).click();
  await page.getByText('Claim withdrawn').waitFor();
  await page.getByRole('row', { name: /lost/ }).waitFor({ state: 'detached' });
  expect(() => stage.machine('lost').enrol(claim)).toThrow();
});

journey('a board that goes and comes back changes in the open list', there, async ({ page, cloud }) => {
  await page.goto('/ui/boards');
  const row = page.getByRole('row', { name: /harbour/ });
  await row.getByText('Online').waitFor();
  await harbour.stop();
  await row.getByText('Offline').waitFor();
  harbour.start();
  await row.getByText('Online').waitFor();
  const { id } = await harbour.isOnline();
  expect(await timeOfEvent(cloud, 'board.online', id)).toBeGreaterThan(0);
});

journey('the load of a board is drawn and moves by itself', there, async ({ page }) => {
  await page.goto('/ui/boards/harbour');
  const chart = page.getByRole('img', { name: 'Load of harbour over time' });
  await chart.locator('canvas').waitFor();
  const shown = page.locator('figcaption time, figcaption .time').first();
  const before = await shown.innerText();
  await until('the chart shows a later report', async () => (await shown.innerText()) !== before);
});

journey('a board that knows its position stands on the map', there, async ({ page }) => {
  await page.goto('/ui/');
  const marker = page.getByRole('region', { name: 'Map of boards' }).locator('[aria-label=harbour]');
  await marker.click();
  await page.getByRole('heading', { name: 'harbour' }).waitFor();
  await page.getByText('38.19000, 15.55000').waitFor();
});

journey('name, labels and position are changed by a form, and the list follows', there, async ({ page, context, cloud }) => {
  const list = await context.newPage();
  await list.goto('/ui/boards');
  await list.getByRole('row', { name: /harbour/ }).waitFor();
  await page.goto('/ui/boards/harbour');
  await page.getByRole('button', { name: 'Edit labels' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Labels').fill('quay=7\nnot a label');
  await dialog.getByText('is not key=value').waitFor();
  await dialog.getByLabel('Labels').fill('quay=7');
  await dialog.getByLabel('Latitude').fill('45.5');
  await dialog.getByLabel('Longitude').fill('-9.25');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Board changed').waitFor();
  await page.getByText('45.50000, -9.25000').waitFor();
  expect(await cloud.get('/v2/boards/harbour')).toMatchObject({ labels: { quay: '7' }, position: { latitude: 45.5, longitude: -9.25 } });
  await list.getByRole('row', { name: /harbour.*quay/ }).waitFor();
});

journey('somebody else changed the board meanwhile: the form says so and nothing is lost', there, async ({ page, cloud, watch }) => {
  watch.allow(/^4(09|12) PATCH /);
  await page.goto('/ui/boards/harbour');
  await page.getByRole('button', { name: 'Edit labels' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Labels').fill('quay=8');
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { quay: '9' } });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.getByRole('alert').waitFor();
  expect(await dialog.getByLabel('Labels').inputValue()).toBe('quay=8');
  expect((await cloud.get('/v2/boards/harbour')).labels).toEqual({ quay: '9' });
});

journey('ping and the network are asked of the board itself', there, async ({ page }) => {
  await page.goto('/ui/boards/harbour');
  await page.getByRole('button', { name: 'Ping' }).click();
  await page.getByText(/It answered in .* ms/).waitFor();
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Network interfaces' }).click();
  await page.getByRole('dialog').getByText('127.0.0.1').waitFor();
});

journey('many boards are chosen and given labels at once', there, async ({ page, cloud }) => {
  await page.goto('/ui/boards');
  for (const name of ['harbour', 'market']) await page.getByRole('checkbox', { name: `Choose ${name}` }).check();
  await page.getByText('2 boards chosen').waitFor();
  await page.getByRole('button', { name: 'Set labels' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Labels to set').fill('season=winter');
  await dialog.getByRole('button', { name: 'Apply' }).click();
  await dialog.waitFor({ state: 'detached' });
  for (const name of ['harbour', 'market']) {
    await page.getByRole('row', { name: new RegExp(`${name}.*winter`) }).waitFor();
    expect((await cloud.get(`/v2/boards/${name}`)).labels.season).toBe('winter');
  }
});

journey('a filter stands in the address, is saved as a view, and comes back', there, async ({ page }) => {
  await page.goto('/ui/boards');
  await page.getByRole('searchbox', { name: 'Filter by name or label' }).fill('harb');
  await page.getByText('1 board of').waitFor();
  expect(page.url()).toContain('text=harb');
  await page.getByRole('button', { name: 'Saved views' }).click();
  await page.getByRole('menuitem', { name: 'Save this view' }).click();
  await page.getByRole('dialog').getByLabel('Name of the view').fill('the harbour');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.goto('/ui/boards');
  await page.getByRole('row', { name: /market/ }).waitFor();
  await page.getByRole('button', { name: 'Saved views' }).click();
  await page.getByRole('menuitem', { name: 'the harbour', exact: true }).click();
  await page.getByRole('row', { name: /market/ }).waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /harbour/ }).waitFor();
});

journey('another machine takes over a board', there, async ({ page }) => {
  const old = await stage.board('pier');
  await page.goto('/ui/boards/pier');
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Replace the machine' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Type pier to confirm').fill('pier');
  await dialog.getByRole('button', { name: 'Replace the machine' }).click();
  const line = await dialog.locator('code', { hasText: '--claim' }).innerText();
  await old.stop();
  const machine = stage.machine('pier', {}, 'pier-again');
  machine.enrol(/--claim (\S+)/.exec(line)?.[1] ?? '');
  machine.start();
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await page.getByText('Online').first().waitFor();
});

journey('a board leaves only when its name is typed', there, async ({ page, cloud, watch }) => {
  // The open page hears of it and looks.
  watch.allow(/^404 GET \/v2\/boards\//);
  await stage.board('depot');
  await page.goto('/ui/boards/depot');
  await page.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Decommission' }).click();
  const dialog = page.getByRole('dialog');
  const go = dialog.getByRole('button', { name: 'Decommission' });
  await dialog.getByLabel('Type depot to confirm').fill('depo');
  expect(await go.isDisabled()).toBe(true);
  await dialog.getByLabel('Type depot to confirm').fill('depot');
  await go.click();
  await page.getByText('depot left the cloud').waitFor();
  await page.getByRole('heading', { name: 'Boards' }).waitFor();
  await page.getByRole('row', { name: /harbour/ }).waitFor();
  expect(await page.getByRole('row', { name: /depot/ }).count()).toBe(0);
  const { items } = await cloud.get('/v2/boards');
  expect(items.map((one: Answer) => one.name)).not.toContain('depot');
});
