// The same act on many boards, a few at a time. Each is a request of its own, so one refusal stops no other.
import { asFailure, type Failure } from '../../api/request';

/** Requests under way at one time. */
const TOGETHER = 6;

export interface Tally {
  all: number;
  done: number;
  failures: { name: string; failure: Failure }[];
}

export async function onMany<T extends { name: string }>(
  items: readonly T[],
  act: (item: T) => Promise<unknown>,
  told: (tally: Tally) => void,
): Promise<Tally> {
  const tally: Tally = { all: items.length, done: 0, failures: [] };
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item; item = left.shift()) {
      try {
        await act(item);
      } catch (error) {
        tally.failures.push({ name: item.name, failure: asFailure(error) });
      }
      tally.done += 1;
      told({ ...tally, failures: [...tally.failures] });
    }
  };
  await Promise.all(Array.from({ length: Math.min(TOGETHER, items.length) }, worker));
  return tally;
}
