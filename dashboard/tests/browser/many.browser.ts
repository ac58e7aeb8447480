// Ten thousand boards in one list and on one map.
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { nameOf, writeDump } from './stage/dump.ts';
import { atLeast, atMost } from './stage/figure.ts';
import { journey } from './stage/journey.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const COUNT = 10_000;

let stage: Stage;
const there = () => stage;

beforeAll(async () => {
  stage = await Stage.open({}, async (cloud) => {
    await cloud.up();
    const { projects } = await cloud.get('/identity/v3/projects');
    const { users } = await cloud.get('/identity/v3/users');
    await cloud.down();
    const file = join(cloud.folder, 'boards.sql');
    writeDump(file, COUNT, projects[0].id, users[0].id);
    cloud.importDump(file);
    await cloud.up();
  });
});
afterAll(() => stage?.close());

journey('ten thousand boards are listed, scrolled smoothly and found', there, async ({ page }) => {
  const begin = Date.now();
  await page.goto('/ui/boards');
  await page.getByText('10,000 boards').waitFor();
  atMost('10,000 boards listed after', Date.now() - begin, { unit: 'ms', goal: 3000, bound: 20_000 });
  expect(await page.getByRole('row').count()).toBeLessThan(120);

  const rate = await page.getByRole('grid').evaluate((port) => new Promise<number>((done) => {
    const SCROLL_MS = 2000;
    let frames = 0;
    const begin = performance.now();
    const step = (now: number): void => {
      frames += 1;
      // Fast enough that every frame shows other rows.
      port.scrollTop += 90;
      if (now - begin < SCROLL_MS) requestAnimationFrame(step);
      else done((frames * 1000) / (now - begin));
    };
    requestAnimationFrame(step);
  }));
  atLeast('scrolling through 10,000 boards', rate, { unit: 'frames/s', goal: 50, bound: 15 });
  const top = await page.getByRole('row', { name: /lamp-/ }).first().innerText();
  expect(top).not.toContain(nameOf(1));

  const typed = Date.now();
  await page.getByRole('searchbox', { name: 'Filter by name or label' }).fill('lamp-0777');
  await page.getByText('10 boards of 10,000').waitFor();
  await page.getByRole('row', { name: new RegExp(nameOf(7777)) }).waitFor();
  atMost('a filter over 10,000 boards answers after', Date.now() - typed, { unit: 'ms', goal: 300, bound: 5000 });
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.getByRole('button', { name: /Registered/ }).click();
  await page.getByText('1,000 boards of 10,000').waitFor();
});

journey('ten thousand boards stand on the map in clusters', there, async ({ page }) => {
  await page.goto('/ui/');
  const map = page.getByRole('region', { name: 'Map of boards' });
  await map.locator('[aria-label$=" boards"]').first().waitFor();
  const onMap = await until('clusters that hold every board in view', async () => {
    const counts = await map.locator('[aria-label$=" boards"]').evaluateAll((marks) => marks.map((mark) => Number(mark.getAttribute('aria-label')?.replaceAll(/\D/g, ''))));
    const sum = counts.reduce((sum, one) => sum + one, 0);
    return sum > COUNT / 2 && { marks: counts.length };
  });
  expect(onMap.marks).toBeLessThan(400);
});

journey('a change of one among ten thousand is soon on screen', there, async ({ page, cloud }) => {
  await page.goto(`/ui/boards?text=${nameOf(4242)}`);
  const row = page.getByRole('row', { name: new RegExp(nameOf(4242)) });
  await row.waitFor();
  const begin = Date.now();
  await cloud.ask('PATCH', `/v2/boards/${nameOf(4242)}`, { labels: { seen: 'now' } });
  await row.getByText('now').waitFor();
  atMost('a change among 10,000 boards on screen after', Date.now() - begin, { unit: 'ms', goal: 500, bound: 8000 });
});
