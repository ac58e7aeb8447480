// The stream that the pages of a browser share.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Failure } from '../src/api/request';
import { HIDDEN_MS, Hub, type Feed, type Port, type ToPage } from '../src/live/hub';
import type { Handlers } from '../src/live/stream';

class Page implements Port {
  readonly heard: ToPage[] = [];
  postMessage(message: ToPage): void {
    this.heard.push(message);
  }
  get last(): ToPage | undefined {
    return this.heard.at(-1);
  }
}

class Fake implements Feed {
  resumes = false;
  calls: string[] = [];
  constructor(readonly handlers: Handlers) {}
  open(): void {
    this.calls.push('open');
    this.handlers.state('open');
  }
  close(): void {
    this.calls.push('close');
    this.handlers.state('closed');
  }
  hurry(): void {
    this.calls.push('hurry');
  }
}

const frame = { id: '7', event: 'board.updated', data: '{}' };
let feeds: Fake[] = [];
let hub: Hub<Page>;

beforeEach(() => {
  vi.useFakeTimers();
  feeds = [];
  hub = new Hub((handlers) => {
    const feed = new Fake(handlers);
    feeds.push(feed);
    return feed;
  });
});
afterEach(() => vi.useRealTimers());

function join(who: string): Page {
  const page = new Page();
  hub.hear(page, { say: 'start', who, seen: true });
  return page;
}

test('many pages hold one stream, and each hears every event', () => {
  const pages = Array.from({ length: 8 }, () => join('me@here'));
  expect(feeds.map((feed) => feed.calls)).toEqual([['open']]);
  for (const page of pages) expect(page.last).toMatchObject({ state: 'open' });
  feeds[0]?.handlers.frame(frame);
  for (const page of pages) expect(page.last).toEqual({ frame });
});

test('another project begins another stream, and pages of the one before hear nothing of it', () => {
  const old = join('me@here');
  const next = join('me@there');
  expect(feeds.map((feed) => feed.calls)).toEqual([['open', 'close'], ['open']]);
  feeds[1]?.handlers.frame(frame);
  feeds[0]?.handlers.frame({ ...frame, id: 'late' });
  expect(next.last).toEqual({ frame });
  expect(old.heard).not.toContainEqual({ frame });
  expect(next.heard).toHaveLength(2);
});

test('it is let go of when nobody looks for a while, resumes when one is seen, and ends with the last page', () => {
  const [one, other] = [join('me'), join('me')];
  hub.hear(one, { say: 'hidden' });
  vi.advanceTimersByTime(HIDDEN_MS * 2);
  expect(feeds[0]?.calls).toEqual(['open']);
  hub.hear(other, { say: 'hidden' });
  vi.advanceTimersByTime(HIDDEN_MS + 1);
  expect(feeds[0]?.calls).toEqual(['open', 'close']);
  hub.hear(one, { say: 'seen' });
  expect(feeds[0]?.calls).toEqual(['open', 'close', 'hurry', 'open']);
  hub.hear(one, { say: 'stop' });
  hub.hear(other, { say: 'stop' });
  expect(feeds[0]?.calls.at(-1)).toBe('close');
});

test('a refusal is told with its status, and whoever signs in again has it tried again', () => {
  const [one, other] = [join('me'), join('me')];
  const problem = { type: '', title: '', status: 401, kind: 'unauthenticated', detail: '' } as const;
  feeds[0]?.handlers.state('refused', new Failure(problem, null));
  expect(one.last).toMatchObject({ state: 'refused', status: 401 });
  hub.hear(other, { say: 'start', who: 'me', seen: true });
  expect(feeds).toHaveLength(1);
  for (const page of [one, other]) expect(page.last).toMatchObject({ state: 'open', status: 0 });
});
