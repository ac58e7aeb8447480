// Which rows stand in the page.
import { expect, test } from 'vitest';
import { scrollTo, stepOf, windowOf } from '../src/ui/window';

test('only rows near the view stand in the page', () => {
  expect(windowOf(0, 400, 40, 10_000, 5)).toEqual({ first: 0, end: 15, offset: 0, total: 400_000 });
  expect(windowOf(4000, 400, 40, 10_000, 5)).toEqual({ first: 95, end: 115, offset: 3800, total: 400_000 });
  expect(windowOf(399_600, 400, 40, 10_000, 5)).toEqual({ first: 9985, end: 10_000, offset: 399_400, total: 400_000 });
});

test('a list that shrank under the view is still shown', () => {
  const view = windowOf(100_000, 400, 40, 12, 5);
  expect(view.end).toBe(12);
  expect(view.first).toBe(0);
  expect(windowOf(0, 400, 0, 12)).toEqual({ first: 0, end: 0, offset: 0, total: 0 });
});

test('scrolling goes no further than needed', () => {
  expect(scrollTo(3, 0, 400, 40)).toBeUndefined();
  expect(scrollTo(10, 0, 400, 40)).toBe(40);
  expect(scrollTo(2, 200, 400, 40)).toBe(80);
});

test('keys move within the list', () => {
  expect(stepOf('ArrowDown', -1, 10, 5)).toBe(0);
  expect(stepOf('ArrowDown', 9, 10, 5)).toBe(9);
  expect(stepOf('PageUp', 3, 10, 5)).toBe(0);
  expect(stepOf('End', 3, 10, 5)).toBe(9);
  expect(stepOf('x', 3, 10, 5)).toBeUndefined();
});
