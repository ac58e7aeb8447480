// The map on the operator's own file of tiles.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { journey } from './stage/journey.ts';
import { archive } from './stage/pmtiles.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const GREEN = [20, 160, 60] as const;
let stage: Stage;
const there = () => stage;
const folder = mkdtempSync(join(tmpdir(), 's4t-map-'));

beforeAll(async () => {
  const file = join(folder, 'world.pmtiles');
  // Below zoom 3 in grey, so that a green pixel says that the right tile was found.
  writeFileSync(file, archive([[90, 90, 90], [90, 90, 90], [90, 90, 90], [...GREEN], [...GREEN]]));
  stage = await Stage.open({ 'ui.pmtiles': file, 'ui.attribution': 'drawn <b>by counting</b>' });
  await stage.board('harbour');
  await stage.cloud.ask('PATCH', '/v2/boards/harbour', { position: { latitude: 38.19, longitude: 15.55 } });
});
afterAll(async () => {
  await stage?.close();
  rmSync(folder, { recursive: true, force: true });
});

journey('the map shows the pictures of the file that the operator gave, fetched from the cloud alone', there, async ({ page }) => {
  await page.goto('/ui/boards/harbour');
  const tiles = page.locator('.leaflet-tile-pane canvas');
  await tiles.first().waitFor();
  const colours = (): Promise<number[][]> =>
    tiles.evaluateAll((all) =>
      // Read from a copy: reading back makes a browser complain about the canvas it was read from.
      all.map((tile) => {
        const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
        copy?.drawImage(tile as HTMLCanvasElement, 0, 0);
        return [...(copy?.getImageData(0, 0, 1, 1).data ?? [])];
      }),
    );
  await until('tiles are drawn', async () => {
    const seen = await colours();
    if (seen.some((colour) => colour.join() === [...GREEN, 255].join())) return true;
    throw new Error(JSON.stringify(seen));
  });
  await page.getByText('drawn <b>by counting</b>').waitFor();
  await page.locator('.leaflet-marker-pane .mark').waitFor();});

journey('without the file the map falls back to outlines', there, async ({ page, watch }) => {
  rmSync(join(folder, 'world.pmtiles'));
  watch.allow(/^404 GET \/ui\/map.pmtiles/);
  await page.goto('/ui/boards/harbour');
  await page.locator('.leaflet-land-pane canvas').waitFor();
  await page.locator('.leaflet-marker-pane .mark').waitFor();
});
