// Many tabs of one browser at once.
import { afterAll, beforeAll } from 'vitest';
import { atMost } from './stage/figure.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';

const TABS = 8;
let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open();
  await stage.board('harbour');
});
afterAll(() => stage?.close());

journey('eight tabs are all live at once, and a change is on each of them', there, async ({ page, context, cloud }) => {
  const pages = [page];
  for (let tab = 1; tab < TABS; tab += 1) pages.push(await context.newPage());
  const begun = Date.now();
  // A browser gives an origin six connections; with a stream for each tab the seventh would wait for ever.
  for (const one of pages) {
    await one.goto('/ui/boards');
    await one.getByText('Live', { exact: true }).waitFor();
    await one.getByRole('row', { name: /harbour/ }).waitFor();
  }
  atMost(`${TABS} tabs are opened one after the other in`, Date.now() - begun, { unit: 'ms', goal: 8000, bound: 60_000 });
  const changed = Date.now();
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { quay: '7' } });
  await Promise.all(pages.map((one) => one.getByRole('row', { name: /harbour.*quay/ }).waitFor()));
  atMost(`a change is on ${TABS} tabs after`, Date.now() - changed, { unit: 'ms', goal: 500, bound: 10_000 });
  // Nothing is lost when the tab that came first goes.
  await page.close();
  await cloud.ask('PATCH', '/v2/boards/harbour', { labels: { quay: '8', berth: '2' } });
  await Promise.all(pages.slice(1).map((one) => one.getByRole('row', { name: /harbour.*berth/ }).waitFor()));
});
