// Recordings of terminals as they are played.
import { expect, test } from 'vitest';
import { clock, happened, onward, readCast } from '../src/ui/terminal/cast';

const TEXT = '{"version":2,"width":80,"height":24}\n[0.5,"o","hello"]\n[1,"r","100x30"]\n[9,"o"," world"]\n';

test('what was shown is read step by step, with the sizes of the screen', () => {
  const cast = readCast(TEXT);
  expect(cast).toMatchObject({ columns: 80, rows: 24, length: 9 });
  expect(cast?.steps).toEqual([{ at: 0.5, text: 'hello' }, { at: 1, size: { columns: 100, rows: 30 } }, { at: 9, text: ' world' }]);
});

test('a recording that broke off plays as far as it goes, and what is none plays nothing', () => {
  expect(readCast(`${TEXT}[10,"o","cut o`)?.steps).toHaveLength(3);
  expect(readCast('{"version":2,"width":80,"height":24}\n[1,"r","0x-3"]\n[2,"x","?"]\n["a","o","b"]\n{}\nnull')?.steps).toEqual([]);
  for (const text of ['', '<html>', '{"version":1}', 'null']) expect(readCast(text)).toBeUndefined();
  expect(readCast('{"version":2,"width":1e9,"height":24}')).toMatchObject({ columns: 80, rows: 24 });
});

test('a moment says which steps have happened', () => {
  const steps = readCast(TEXT)?.steps ?? [];
  expect([0, 0.5, 0.9, 1, 8.9, 9, 99].map((at) => happened(steps, at))).toEqual([0, 1, 1, 2, 2, 3, 3]);
});

test('a long pause is cut when that is wanted', () => {
  const steps = readCast(TEXT)?.steps ?? [];
  expect(onward(steps, 1, 0.25)).toBe(1.25);
  expect(onward(steps, 1, 0.25, 1)).toBe(8.25);
  expect(onward(steps, 8.5, 0.25, 1)).toBe(8.75);
  expect(onward(steps, 9, 0.25, 1)).toBe(9.25);
});

test('time is said as players say it', () => {
  expect([0, 7.9, 67, 3667].map(clock)).toEqual(['0:00', '0:07', '1:07', '1:01:07']);
});
