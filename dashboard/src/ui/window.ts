// Which rows of a long list stand in the page: pure arithmetic.
export interface Window {
  first: number;
  /** One behind the last. */
  end: number;
  /** Pixels above the first row. */
  offset: number;
  /** Pixels of the whole list. */
  total: number;
}

/** Rows in view, and some more on both sides so that fast scrolling shows no gap. */
export function windowOf(scrollTop: number, height: number, row: number, count: number, spare = 8): Window {
  if (row <= 0 || count <= 0) return { first: 0, end: 0, offset: 0, total: 0 };
  const top = Math.min(Math.max(0, scrollTop), Math.max(0, count * row - height));
  const first = Math.max(0, Math.floor(top / row) - spare);
  const end = Math.min(count, Math.ceil((top + height) / row) + spare);
  return { first, end, offset: first * row, total: count * row };
}

/** Where to scroll so that a row is whole in view; nothing when it is already. */
export function scrollTo(index: number, scrollTop: number, height: number, row: number): number | undefined {
  const top = index * row;
  if (top < scrollTop) return top;
  if (top + row > scrollTop + height) return top + row - height;
  return undefined;
}

/** The row that a key leads to; nothing when the key is not for moving. */
export function stepOf(key: string, active: number, count: number, page: number): number | undefined {
  const clamp = (index: number): number => Math.min(count - 1, Math.max(0, index));
  switch (key) {
    case 'ArrowDown':
      return clamp(active + 1);
    case 'ArrowUp':
      return clamp(active - 1);
    case 'PageDown':
      return clamp(active + page);
    case 'PageUp':
      return clamp(active - page);
    case 'Home':
      return clamp(0);
    case 'End':
      return clamp(count - 1);
    default:
      return undefined;
  }
}
