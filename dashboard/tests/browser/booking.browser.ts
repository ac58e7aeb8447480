// What an owner gives of a board, and boards that others book: by what they can do and where they are, all or none.
import { afterAll, beforeAll, expect } from 'vitest';
import { begin, journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';

const NINA = { user: 'nina', password: 'by-the-river-1', project: 'river' };
let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.board('pier', { 'position.latitude': '38.19', 'position.longitude': '15.55' });
  await stage.board('tower', { 'position.latitude': '38.20', 'position.longitude': '15.56' });
  await stage.board('inland', { 'position.latitude': '45.40', 'position.longitude': '9.20' });
  await stage.cloud.person(NINA.user, NINA.password, NINA.project, 'user_iot');
});
afterAll(() => stage?.close());

journey('an owner says what is given of a board, sees it as a week, changes and withdraws it', there, async ({ page, cloud }) => {
  await page.goto('/ui/boards/pier/lending');
  await page.getByText('Nothing is said').waitFor();
  await page.getByRole('button', { name: 'Say what is given' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('When').selectOption({ label: 'In these hours' });
  await dialog.getByLabel('Hours of the week').fill('mon-fri 8-18');
  await dialog.getByText('“mon-fri 8-18” is not hours').waitFor();
  expect(await dialog.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
  await dialog.getByLabel('Hours of the week').fill('mon-fri 08:00-18:00\nsat,sun 00:00-24:00');
  await dialog.getByLabel('Time zone').selectOption('UTC0');
  await dialog.getByLabel('Memory in MiB').fill('64');
  await dialog.getByLabel('Who', { exact: true }).selectOption({ label: 'Everybody of this cloud' });
  await dialog.getByLabel('Hours of one booking at most').fill('12');
  await dialog.getByRole('button', { name: 'Save' }).click();
  const card = page.getByRole('region', { name: 'What is given of this board' });
  await card.getByText('mon-fri 08:00-18:00; sat,sun 00:00-24:00').waitFor();
  await card.getByText('Everybody of this cloud').waitFor();
  expect(await cloud.get('/v2/boards/pier/contribution')).toMatchObject({
    hours: { zone: 'UTC0', spans: ['mon-fri 08:00-18:00', 'sat,sun 00:00-24:00'] }, caps: { memory_bytes: 64 * 2 ** 20 }, offer: { max_hours: 12 },
  });
  // Somebody else changes it: the page follows.
  await cloud.ask('PUT', '/v2/boards/pier/contribution', { hours: { zone: 'UTC0', spans: ['daily 06:00-07:00'] } });
  await card.getByText('daily 06:00-07:00').waitFor();
  await card.getByText('Nobody').waitFor();
  await card.getByRole('button', { name: 'Withdraw' }).click();
  await dialog.getByText('Nobody can book this board any more').waitFor();
  await dialog.getByRole('button', { name: 'Withdraw' }).click();
  await page.getByText('Nothing is said', { exact: true }).waitFor();
});

journey('boards are booked by what they sense near a place on the map, all or none, and given back', there, async ({ page, cloud }) => {
  const offer = { rights: ['read'], projects: [], max_hours: 8 };
  for (const board of ['pier', 'tower', 'inland']) await cloud.ask('PUT', `/v2/boards/${board}/contribution`, { offer });
  const nina = await begin(stage, { as: NINA });
  nina.watch.allow(/^409 POST \/v2\/bookings$/, /^403 GET \/v2\/boards\//);
  const theirs = nina.page;
  await theirs.goto('/ui/bookings');
  await theirs.getByText('You have booked nothing').waitFor();
  await theirs.getByText('3 boards fit').waitFor();
  await theirs.getByLabel('Can sense').fill('temperature');
  await theirs.getByLabel('Near').fill('38.19,15.55');
  await theirs.getByLabel('Within kilometres').fill('10');
  await theirs.getByText('2 boards fit').waitFor();
  const rows = theirs.getByRole('region', { name: 'Boards that fit' }).getByRole('row');
  await rows.filter({ hasText: 'pier' }).getByText('0 m').waitFor();
  await rows.filter({ hasText: 'tower' }).getByText(/1\.\d km/).waitFor();

  // More than there are: nothing is booked, and it says why.
  await theirs.getByLabel('How many').fill('3');
  await theirs.getByRole('button', { name: 'Book 3 boards' }).click();
  const refused = theirs.getByRole('alert');
  await refused.getByText('2 of 3 boards are free').waitFor();
  await refused.getByText('Request').waitFor();
  await theirs.getByText('You have booked nothing').waitFor();

  await theirs.getByLabel('How many').fill('2');
  await theirs.getByRole('button', { name: 'Book 2 boards' }).click();
  const mine = theirs.getByRole('region', { name: 'My bookings' });
  await mine.getByRole('row', { name: /pier.*booked/ }).waitFor();
  await mine.getByRole('row', { name: /tower.*booked/ }).waitFor();
  await refused.waitFor({ state: 'detached' });

  // The owner sees them at once; a booked board is opened by who has it.
  await page.goto('/ui/boards/pier/lending');
  await page.getByRole('row', { name: /pier.*nina.*booked/ }).waitFor();
  await mine.getByRole('button', { name: /^Give back: pier/ }).click();
  await theirs.getByRole('dialog').getByRole('button', { name: 'Give back' }).click();
  await mine.getByRole('row', { name: /pier/ }).waitFor({ state: 'detached' });
  await page.getByText('This board is not lent to anybody').waitFor();
  await mine.getByRole('link', { name: 'tower' }).click();
  await theirs.getByText('About this board').waitFor();
  expect(nina.watch.complaints()).toEqual([]);
  await nina.context.close();
});

journey('a click on the map searches around that place', there, async ({ page, cloud }) => {
  await cloud.ask('PUT', '/v2/boards/tower/contribution', { offer: { rights: ['read'], projects: [], max_hours: 8 } });
  await page.goto('/ui/bookings');
  const map = page.getByRole('region', { name: 'Map of what is offered' });
  await map.getByRole('button', { name: /tower|boards/ }).first().waitFor();
  await map.click({ position: { x: 60, y: 250 } });
  await expect.poll(() => page.getByLabel('Near').inputValue()).toMatch(/^-?\d+\.\d+,-?\d+\.\d+$/);
  await page.getByText('No board fits').waitFor();
});
