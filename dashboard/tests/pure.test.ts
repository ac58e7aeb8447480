// The small pure parts: clusters, jumps, parameters, log lines, samples.
import { expect, test } from 'vitest';
import type { LoadSample } from '../src/api/types';
import { fit, rank, type Jump } from '../src/app/jumps';
import { appended, withGaps } from '../src/screens/boards/parts/samples';
import { clusters } from '../src/ui/cluster';
import { fitting, MAX_LINES, withLines } from '../src/ui/loglines';
import { objectOf, readObject, rowsOf, valueOf } from '../src/ui/parameters';
import { read } from '../src/ui/terminal/connection';

test('markers of one cell become one, in their middle', () => {
  const found = clusters([{ id: 'a', x: 1, y: 1 }, { id: 'b', x: 3, y: 5 }, { id: 'c', x: 100, y: 1 }], 44);
  expect(found).toEqual([{ ids: ['a', 'b'], x: 2, y: 3 }, { ids: ['c'], x: 100, y: 1 }]);
});

test('no two clusters stand on each other, and no marker is lost', () => {
  const points = Array.from({ length: 2000 }, (_, at) => ({ id: String(at), x: (at * 37) % 499, y: (at * 91) % 503 }));
  const found = clusters(points, 44);
  expect(found.flatMap((one) => one.ids).sort()).toEqual(points.map((one) => one.id).sort());
  for (const a of found) for (const b of found) expect(a === b || Math.hypot(a.x - b.x, a.y - b.y) >= 44).toBe(true);
});

test('the palette puts beginnings before runs before scattered letters', () => {
  const jump = (label: string): Jump => ({ key: label, kind: 'page', label, icon: 'boards' });
  const found = rank(['my-lamp', 'lamp-1', 'l-a-m-p', 'other'].map(jump), 'lamp');
  expect(found.map((one) => one.label)).toEqual(['lamp-1', 'my-lamp', 'l-a-m-p']);
  expect(fit('abc', 'cb')).toBe(0);
});

test('parameters go through the form unchanged', () => {
  const value = { word: 'hello', number: 3, text3: '3', flag: true, nothing: null, deep: { a: [1, 'x'] }, empty: '' };
  expect(objectOf(rowsOf(value))).toEqual(value);
  expect(valueOf('plain words')).toBe('plain words');
  expect(readObject('[1]')).toBeUndefined();
  expect(readObject('{')).toBeUndefined();
  expect(readObject('')).toEqual({});
});

test('log lines stand once, in order, and not without bound', () => {
  const line = (seq: number) => ({ seq, time: '', stream: 'info', text: `line ${seq}` });
  const lines = withLines([line(1), line(2)], [line(2), line(3)]);
  expect(lines.map((one) => one.seq)).toEqual([1, 2, 3]);
  const many = withLines([], Array.from({ length: MAX_LINES + 10 }, (_, at) => line(at + 1)));
  expect(many).toHaveLength(MAX_LINES);
  expect(many[0]?.seq).toBe(11);
  expect(fitting(lines, 'LINE 3')).toHaveLength(1);
});

test('samples come in order, old ones fall out, and absence is a hole', () => {
  const sample = (minute: number): LoadSample => ({ at: new Date(minute * 60_000).toISOString(), cpu: 0.5 });
  const first = [sample(0), sample(1)];
  expect(appended(first, JSON.stringify(sample(1)), 1)).toBe(first);
  expect(appended(first, 'nonsense', 1)).toBe(first);
  expect(appended(first, JSON.stringify(sample(61)), 1).map((one) => one.at)).toEqual([sample(1).at, sample(61).at]);
  expect(withGaps([sample(0), sample(1), sample(9)])).toEqual([sample(0), sample(1), null, sample(9)]);
});

test('words about a terminal that are none say nothing', () => {
  expect(read('{"ready":{"user":"x"}}')).toEqual({ ready: { user: 'x' } });
  expect(read('nonsense')).toEqual({});
  expect(read('null')).toEqual({});
});
