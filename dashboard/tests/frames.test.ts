// Server-sent events out of pieces.
import { expect, test } from 'vitest';
import { FrameReader } from '../src/live/frames';

const TEXT = ': hello\n\nid: 7\nevent: board.online\ndata: {"a":\ndata: 1}\n\ndata: x\r\n\r\nevent: none\n\n';
const FRAMES = [
  { id: '7', event: 'board.online', data: '{"a":\n1}' },
  { id: '7', event: 'message', data: 'x' },
];

test('frames come out the same however the text is cut', () => {
  for (let size = 1; size <= TEXT.length; size += 1) {
    const reader = new FrameReader();
    const seen = [];
    for (let at = 0; at < TEXT.length; at += size) seen.push(...reader.push(TEXT.slice(at, at + size)));
    expect(seen).toEqual(FRAMES);
  }
});

test('a line that never ends is given up', () => {
  const reader = new FrameReader();
  for (let count = 0; count < 5; count += 1) reader.push('x'.repeat(1024 * 1024));
  reader.push('\n\n');
  expect(reader.push('data: y\n\n')).toEqual([{ id: undefined, event: 'message', data: 'y' }]);
});
