// A page that stays open while the cloud goes away and comes back.
import { afterAll, beforeAll } from 'vitest';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';

let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.board('harbour');
});
afterAll(() => stage?.close());

for (const way of ['stopped in order', 'killed'] as const) {
  journey(`a cloud that is ${way} and comes back heals the open page, and nothing is missed`, there, async ({ page, cloud, watch }) => {
    watch.allow(/^failed GET /, /^5\d\d GET \/v2\//);
    await page.goto('/ui/boards');
    await page.getByRole('row', { name: /harbour.*Online/ }).waitFor();
    await (way === 'killed' ? cloud.kill() : cloud.down());
    await page.getByText('Connection lost. What you see may be old; trying again.').waitFor();
    await page.getByRole('row', { name: /harbour/ }).waitFor();
    await cloud.up();
    // What happens before the page is back must be on it afterwards.
    const fleet = way === 'killed' ? 'after-kill' : 'after-stop';
    await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { healed: fleet } });
    await page.getByRole('row', { name: new RegExp(`harbour.*${fleet}`) }).waitFor();
    await page.getByText('Connection lost.').waitFor({ state: 'detached' });
    await page.getByText('Live', { exact: true }).waitFor();
    await page.getByRole('row', { name: /harbour.*Online/ }).waitFor();
    // Parts of the pages that could not be fetched meanwhile are fetched when they are wanted.
    await page.getByRole('link', { name: 'harbour' }).click();
    await page.getByText('About this board').waitFor();
  });
}

journey('a page whose stream opens late misses nothing that happened before', there, async ({ page, context, cloud, watch }) => {
  watch.allow(/^failed GET \/v2\/events/);
  // Requests of a shared worker cannot be held up from here.
  await context.addInitScript(() => Reflect.deleteProperty(globalThis, 'SharedWorker'));
  let open = (): void => {};
  const opened = new Promise<void>((done) => (open = done));
  let tries = 0;
  await page.route('**/v2/events', async (route) => {
    tries += 1;
    if (tries <= 2) return route.abort();
    await opened;
    return route.continue();
  });
  await page.goto('/ui/boards');
  await page.getByRole('row', { name: /harbour.*Online/ }).waitFor();
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { opened: 'late' } });
  open();
  await page.getByRole('row', { name: /harbour.*late/ }).waitFor();
});

journey('a command whose page was closed goes on and is seen by the next page', there, async ({ page, context, cloud }) => {
  await cloud.post('/v2/plugins', { name: 'slow', language: 'python', mode: 'sync', source: 'import time\ndef main(params, api):\n    time.sleep(1)\n    return "done slowly"\n' });
  await cloud.command('PUT', '/v2/boards/harbour/plugins/slow', {});
  await page.goto('/ui/boards/harbour/plugins');
  await page.getByRole('row', { name: /slow/ }).getByRole('button', { name: 'Call' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Call' }).click();
  await page.getByRole('dialog').getByText('The board is at it').waitFor();
  const next = await context.newPage();
  await page.close();
  await next.goto('/ui/boards/harbour/operations');
  await next.getByRole('row', { name: /Call plugin.*Succeeded/ }).waitFor();
  await next.getByRole('link', { name: 'Call plugin' }).first().click();
  await next.getByText('done slowly').waitFor();
});
