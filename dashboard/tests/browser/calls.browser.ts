// Looks back at all journeys of a run: whatever the pages can ask of the cloud, a journey has asked, and the cloud has done it. Comes
// last; by itself it has nothing to look back at.
import { expect, test } from 'vitest';
import { asked } from './stage/asked.ts';
import { calls, unmade } from './stage/calls.ts';

/** Asked by the worker that the pages of a browser share, which nobody can watch. `tabs` and `live` play it. */
const UNSEEN = new Set(['GET /v2/events']);

test('every request that the pages can send is sent by a journey', () => {
  const known = calls().filter((call) => !UNSEEN.has(call));
  expect(known.length).toBeGreaterThan(80);
  expect(unmade(known, asked()).join('\n')).toBe('');
});
