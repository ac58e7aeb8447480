// Recordings of terminals: said to be made, told to who opens one, replayed, taken along, erased; for administrators alone.
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, expect } from 'vitest';
import type { Page } from 'playwright-core';
import type { Answer } from './stage/cloud.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const { username, uid } = userInfo();
const TERMINAL = { 'terminal.user': username, 'terminal.shell': '/bin/sh', 'terminal.allow_root': String(uid === 0) };
let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  for (const name of ['harbour', 'market']) await stage.board(name, TERMINAL);
  await stage.cloud.person('olga', 'by-the-river-1', 'admin', 'manager_iot_project');
});
afterAll(() => stage?.close());

const screen = (page: Page) => page.locator('.terminal:not([hidden]) > .screen .xterm-rows');
const played = (page: Page) => page.getByRole('region', { name: 'Screen of the terminal' }).locator('.xterm-rows');

async function type(page: Page, line: string, wanted: string): Promise<void> {
  await page.keyboard.type(`${line}\n`);
  await screen(page).getByText(wanted).first().waitFor();
}

async function openTerminal(page: Page, board: string): Promise<void> {
  await page.goto(`/ui/boards/${board}/terminal`);
  await page.getByRole('button', { name: 'New terminal' }).click();
  await page.getByText(`as ${username}`).waitFor();
}

journey('terminals are recorded where it is said so, and who opens one is told', there, async ({ page, cloud }) => {
  await page.goto('/ui/recordings');
  await page.getByText('No terminal was recorded').waitFor();
  await page.getByText('are not recorded, unless a board differs').waitFor();
  const dialog = page.getByRole('dialog');
  await page.getByRole('button', { name: 'Change' }).click();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByText('are recorded, unless a board differs').waitFor();
  await page.getByRole('button', { name: 'Change' }).click();
  await dialog.getByLabel('Only of this board').fill('market');
  await dialog.getByLabel('Its terminals are').selectOption({ label: 'not recorded' });
  await dialog.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('listitem').filter({ hasText: 'market' }).getByText('not recorded').waitFor();
  await openTerminal(page, 'market');
  expect(await page.getByText('What it shows is recorded').count()).toBe(0);
  await openTerminal(page, 'harbour');
  await page.getByText('What it shows is recorded').waitFor();
  await type(page, 'echo first-$((40+2))', 'first-42');
  await type(page, 'printf "\\033[2J\\033[Hsecond-%s\\n" $((20+3))', 'second-23');
  await page.keyboard.type('exit\n');
  await page.getByText('The shell ended with code 0.').waitFor();
  const { items } = await cloud.get('/v2/recordings');
  expect(items).toMatchObject([{ board_name: 'harbour', user_name: 'admin' }]);
  // What was said is taken back.
  await page.goto('/ui/recordings');
  for (const what of ['market', 'the whole project']) {
    await page.getByRole('button', { name: `Take back what was said of ${what}` }).click();
    await page.getByRole('button', { name: `Take back what was said of ${what}` }).waitFor({ state: 'detached' });
  }
  expect((await cloud.get('/v2/recording-settings')).items).toEqual([]);
});

journey('a recording is found by its board, replayed, moved through, checked against the audit and downloaded', there, async ({ page, cloud }) => {
  await page.goto('/ui/boards/harbour/terminal');
  await page.getByRole('link', { name: 'Recordings' }).click();
  await page.getByRole('row', { name: /harbour.*admin/ }).getByRole('link', { name: /^Replay/ }).click();
  // Looking is told: nothing is read before it is asked for.
  await page.getByText('is a row of the audit').waitFor();
  const told = async (): Promise<number> => (await cloud.get('/v2/audit?verb=recording:read')).items.length;
  expect(await told()).toBe(0);
  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByText('What came is what the audit says it was.').waitFor();
  expect(await told()).toBe(1);
  await page.getByLabel('How fast').selectOption('8');
  await page.getByRole('button', { name: 'Play', exact: true }).click();
  await played(page).getByText('second-23').waitFor();
  // To its end by itself, where it can be played again.
  const moment = page.getByRole('slider', { name: 'Moment' });
  await until('it has ended', async () => (await moment.inputValue()) === (await moment.getAttribute('max')));
  await page.getByRole('button', { name: 'Play', exact: true }).waitFor();
  // Back: the screen is as it was then.
  await moment.focus();
  await page.keyboard.press('Home');
  await until('the screen is as at the begin', async () => !(await played(page).innerText()).includes('second-23'));
  await page.keyboard.press('End');
  await played(page).getByText('second-23').waitFor();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()]);
  const [head = '', ...lines] = readFileSync(await file.path(), 'utf8').split('\n');
  expect(JSON.parse(head)).toMatchObject({ version: 2 });
  expect(lines.join('\n')).toContain('first-42');
  expect(await told()).toBe(2);
});

journey('a recording that was changed on the disk is seen to be', there, async ({ page, context, cloud }) => {
  const [one] = (await cloud.get('/v2/recordings')).items as Answer[];
  await context.route(/\/cast$/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, body: (await answer.text()).replaceAll('first-42', 'other-42') });
  });
  await page.goto(`/ui/recordings/${one.id}`);
  await page.getByRole('button', { name: 'Replay' }).click();
  await page.getByText('the file was changed').waitFor();
});

journey('what was shown is erased when the board is typed, and its hash stays', there, async ({ page, cloud }) => {
  const [one] = (await cloud.get('/v2/recordings')).items as Answer[];
  await page.goto('/ui/recordings');
  await page.getByRole('button', { name: 'Erase: harbour, admin' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('is removed for good').waitFor();
  expect(await dialog.getByRole('button', { name: 'Erase' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Type harbour to confirm').fill('harbour');
  await dialog.getByRole('button', { name: 'Erase' }).click();
  const row = page.getByRole('row', { name: /harbour.*Erased/ });
  await row.waitFor();
  await row.getByRole('link').click();
  await page.getByText('What the terminal showed is gone').waitFor();
  await page.getByText(one.sha256).waitFor();
  expect(await page.getByRole('button', { name: /Erase|Replay/ }).count()).toBe(0);
});

journey('who does not administer the project sees no recordings', there, async ({ page }) => {
  for (const path of ['/ui/recordings', '/ui/recordings/0', '/ui/audit/reads']) {
    await page.goto(path);
    await page.getByText(/^Only administrators of the project see/).waitFor();
  }
}, { as: { user: 'olga', password: 'by-the-river-1', project: 'admin' } });
