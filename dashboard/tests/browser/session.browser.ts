// Signing in and out, whose project it is, and what happens when rights end under an open page.
import { afterAll, beforeAll, expect } from 'vitest';
import { atMost } from './stage/figure.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

let stage: Stage;
let guest: { user: string; project: string };
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.cloud.person('visitor', 'correct horse', 'harbour', 'manager_iot_project');
  await stage.cloud.person('visitor', 'correct horse', 'market', 'user_iot');
  guest = await stage.cloud.person('guest', 'correct horse', 'harbour', 'manager_iot_project');
});
afterAll(() => stage?.close());

journey('a wrong password says so and the right one opens the overview', there, async ({ page, cloud, watch }) => {
  watch.allow(/^401 POST \/v2\/session$/);
  await page.goto('/ui/');
  await page.getByLabel('User').fill('admin');
  await page.getByLabel('Password').fill('not this one');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('User or password is wrong.').waitFor();
  expect(await page.getByLabel('Password').inputValue()).toBe('');
  await page.getByLabel('Password').fill(cloud.password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  const cookie = (await page.context().cookies()).find((one) => one.name.startsWith('s4t_session'));
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/' });
  expect(await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie)).not.toContain(cookie?.value);
}, { as: 'nobody' });

journey('the address that was asked for opens after signing in', there, async ({ page, cloud }) => {
  await page.goto('/ui/services');
  await page.getByLabel('User').fill('admin');
  await page.getByLabel('Password').fill(cloud.password);
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Services' }).and(page.locator('[aria-current=page]')).waitFor();
  expect(new URL(page.url()).pathname).toBe('/ui/services');
}, { as: 'nobody' });

journey('the first page is small and soon ready', there, async ({ page, context }) => {
  const bytes: number[] = [];
  const client = await context.newCDPSession(page);
  await client.send('Network.enable');
  client.on('Network.loadingFinished', ({ encodedDataLength }) => bytes.push(encodedDataLength));
  await page.goto('/ui/', { waitUntil: 'commit' });
  const ready = await page.waitForFunction(() => document.querySelector('input[type=password]') && performance.now());
  atMost('sign-in page ready for typing after', (await ready.jsonValue()) as number, { unit: 'ms', goal: 1000, bound: 8000 });
  await page.waitForLoadState('networkidle');
  atMost('first load, compressed', bytes.reduce((sum, one) => sum + one, 0) / 1024, { unit: 'KiB', goal: 150, bound: 150 });
}, { as: 'nobody' });

journey('signing out closes the session for every page of the browser', there, async ({ page, context, cloud }) => {
  // A session of its own: the others share theirs.
  await context.request.post('/v2/session', { data: { user: 'admin', password: cloud.password } });
  await page.goto('/ui/boards');
  await page.getByRole('button', { name: 'admin' }).and(page.locator('[title=Account]')).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByLabel('Password').waitFor();
  const other = await context.newPage();
  await other.goto('/ui/boards');
  await other.getByLabel('Password').waitFor();
}, { as: 'nobody' });

journey('another project shows its own boards and its own rights', there, async ({ page }) => {
  await page.goto('/ui/services');
  await page.getByTitle('Project').click();
  await page.getByRole('menuitemradio', { name: 'market' }).click();
  await page.getByText('Now in project market').waitFor();
  await page.getByTitle('Project').getByText('market').waitFor();
  const now = await page.evaluate(async () => (await fetch('/v2/session')).json());
  expect(now.project.name).toBe('market');
  expect(now.roles).toEqual(['user_iot']);
}, { as: { user: 'visitor', password: 'correct horse', project: 'harbour' } });

journey('rights that end under an open page are seen without touching it', there, async ({ page, cloud, watch }) => {
  const { user, project } = guest;
  watch.allow(/^40[13] /);
  await page.goto('/ui/boards');
  await page.getByText('Live', { exact: true }).waitFor();
  await cloud.ask('DELETE', `/identity/v3/projects/${project}/users/${user}/roles/manager_iot_project`);
  // With the next event, at the latest after a silence of the stream; what happens from now on is not shown.
  await cloud.post('/v2/fleets', { name: 'later' });
  const refused = page.getByText('The cloud refused the event stream.');
  const again = page.getByRole('heading', { name: 'Sign in again' });
  await until('the page says that it is refused', async () => (await refused.isVisible()) || (await again.isVisible()));
}, { as: { user: 'guest', password: 'correct horse', project: 'harbour' } });
