// The lines of a log on screen: bounded, in order, each once. Pure.
import type { LogLine } from '../api/types';

/** Lines kept in the page; older ones fall out. */
export const MAX_LINES = 5000;

/** The lines with those that are new; a line that came before is not taken twice. */
export function withLines(lines: readonly LogLine[], fresh: readonly LogLine[]): readonly LogLine[] {
  const last = lines.at(-1)?.seq ?? 0;
  const more = fresh.filter((line) => line.seq > last);
  if (more.length === 0) return lines;
  const all = [...lines, ...more];
  return all.length > MAX_LINES ? all.slice(all.length - MAX_LINES) : all;
}

export function fitting(lines: readonly LogLine[], text: string): readonly LogLine[] {
  const wanted = text.trim().toLowerCase();
  if (wanted === '') return lines;
  return lines.filter((line) => line.text.toLowerCase().includes(wanted) || line.stream.includes(wanted));
}

/** How loud a line is. */
export function toneOf(stream: string): 'bad' | 'warn' | 'plain' | 'faint' {
  if (stream === 'error' || stream === 'stderr') return 'bad';
  if (stream === 'warn') return 'warn';
  return stream === 'debug' || stream === 'trace' ? 'faint' : 'plain';
}
