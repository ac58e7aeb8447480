// A thousand pages open at once, as far as the cloud sees them: each holds one stream of events.
import { readFileSync } from 'node:fs';
import { Agent, get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cloud } from './stage/cloud.ts';
import { atMost } from './stage/figure.ts';
import { Stage } from './stage/stage.ts';
import { until } from './stage/wait.ts';

const PAGES = 1000;
const MIB = 1024;

let stage: Stage;
const streams: IncomingMessage[] = [];

beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(async () => {
  streams.forEach((stream) => stream.destroy());
  await stage?.close();
});

test('a thousand open pages cost the cloud little, and each hears of a change', async () => {
  const { cloud } = stage;
  const token = await cloud.signIn('admin', cloud.password);
  await cloud.post('/v2/fleets', { name: 'first' });
  const before = memoryKib(cloud);
  let heard = 0;
  const agent = new Agent({ maxSockets: PAGES });
  await Promise.all(Array.from({ length: PAGES }, async () => {
    const stream = await follow(cloud, token, agent);
    streams.push(stream);
    stream.on('data', (bytes: Buffer) => (heard += bytes.includes('fleet.created') ? 1 : 0));
  }));
  const sent = Date.now();
  await cloud.post('/v2/fleets', { name: 'second' });
  await until('every page has heard', () => heard >= PAGES, 60_000);
  atMost('a change reaches the last of 1,000 open pages after', Date.now() - sent, { unit: 'ms', goal: 500, bound: 60_000 });
  atMost('1,000 open pages cost the cloud', (memoryKib(cloud) - before) / MIB, { unit: 'MiB', goal: 100, bound: 200 });
  expect(heard).toBe(PAGES);
});

function follow(cloud: Cloud, token: string, agent: Agent): Promise<IncomingMessage> {
  return new Promise((done, failed) => {
    const headers = { Accept: 'text/event-stream', 'X-Auth-Token': token };
    get(`${cloud.url}/v2/events`, { headers, agent }, (answer) => {
      if (answer.statusCode === 200) done(answer);
      else failed(new Error(`the stream of events is refused: ${answer.statusCode}`));
    }).on('error', failed);
  });
}

/** Memory of the cloud's process, KiB. */
function memoryKib(cloud: Cloud): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${cloud.pid}/status`, 'utf8'))?.[1] ?? 0);
}
