// What the command palette offers and how well it fits what was typed. Pure.
import type { IconName } from '../ui/icons';

export interface Jump {
  key: string;
  kind: 'page' | 'board' | 'plugin' | 'service' | 'fleet' | 'act';
  label: string;
  icon: IconName;
  href?: string;
  act?: () => void;
}

/** Most that is shown. */
export const MAX_JUMPS = 12;

/** The best fits, best first. Every letter typed must come in this order; whole runs and beginnings count more. */
export function rank(jumps: readonly Jump[], typed: string): Jump[] {
  const wanted = typed.trim().toLowerCase();
  if (wanted === '') return jumps.slice(0, MAX_JUMPS);
  const scored: { jump: Jump; score: number }[] = [];
  for (const jump of jumps) {
    const score = fit(jump.label.toLowerCase(), wanted);
    if (score > 0) scored.push({ jump, score });
  }
  scored.sort((a, b) => b.score - a.score || (a.jump.label < b.jump.label ? -1 : 1));
  return scored.slice(0, MAX_JUMPS).map((one) => one.jump);
}

/** 0 when it does not fit. */
export function fit(text: string, wanted: string): number {
  const run = text.indexOf(wanted);
  if (run === 0) return 1000 - text.length;
  if (run > 0) return 600 - run - text.length / 10;
  let at = -1;
  let gaps = 0;
  for (const sign of wanted) {
    const next = text.indexOf(sign, at + 1);
    if (next < 0) return 0;
    gaps += next - at - 1;
    at = next;
  }
  return Math.max(1, 300 - gaps * 4);
}
