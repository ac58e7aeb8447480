// Load reports over time. Pure.
import type { LoadSample } from '../../../api/types';

/** Without a report for so long, the board was away: the line breaks. */
const GAP_MS = 120_000;

/** The samples with one more from the stream; those older than the hours shown fall out. */
export function appended(samples: LoadSample[], text: string, hours: number): LoadSample[] {
  let sample: LoadSample;
  try {
    sample = JSON.parse(text) as LoadSample;
  } catch {
    return samples;
  }
  const at = new Date(sample.at).getTime();
  const last = samples.at(-1);
  if (Number.isNaN(at) || (last && new Date(last.at).getTime() >= at)) return samples;
  const from = at - hours * 3600_000;
  return [...samples.filter((one) => new Date(one.at).getTime() >= from), sample];
}

/** The samples with a hole wherever the board was away. */
export function withGaps(samples: readonly LoadSample[]): (LoadSample | null)[] {
  const drawn: (LoadSample | null)[] = [];
  let before: number | undefined;
  for (const sample of samples) {
    const at = new Date(sample.at).getTime();
    if (before !== undefined && at - before > GAP_MS) drawn.push(null);
    drawn.push(sample);
    before = at;
  }
  return drawn;
}
