// Numbers, sizes and times as people of the chosen language write them. One clock ticks for every relative time on screen.
import { locale } from './index.svelte';

const TICK_MS = 10_000;
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['second', 60], ['minute', 60], ['hour', 24], ['day', 30], ['month', 12], ['year', Infinity],
];
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

class Clock {
  now = $state(Date.now());
  constructor() {
    setInterval(() => (this.now = Date.now()), TICK_MS);
  }
}

const clock = new Clock();

/** The moment that relative times count from; reading it in a component makes it follow. */
export function now(): number {
  return clock.now;
}

/** `3 minutes ago`. */
export function ago(moment: string | number): string {
  let left = (new Date(moment).getTime() - Math.max(clock.now, Date.now())) / 1000;
  const words = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' });
  if (Math.abs(left) < 10) return words.format(0, 'second');
  for (const [unit, size] of STEPS) {
    if (Math.abs(left) < size) return words.format(Math.round(left), unit);
    left /= size;
  }
  return words.format(Math.round(left), 'year');
}

/** The moment in full, for whoever wants it exactly. */
export function exactly(moment: string | number): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'long' }).format(new Date(moment));
}

/** `24 Nov, 14:00`, for what is counted by the hour. */
export function hour(moment: string): string {
  return new Intl.DateTimeFormat(locale(), { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' }).format(new Date(moment));
}

/** `14:03:09`. */
export function clockTime(moment: string | number): string {
  return new Intl.DateTimeFormat(locale(), { timeStyle: 'medium' }).format(new Date(moment));
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);
}

export function percent(share: number): string {
  return new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 }).format(share);
}

export function bytes(count: number): string {
  let size = count;
  let step = 0;
  while (size >= 1024 && step < SIZES.length - 1) {
    size /= 1024;
    step += 1;
  }
  return `${number(size, size < 10 && step > 0 ? 1 : 0)} ${SIZES[step] ?? ''}`;
}

/** `3 d 4 h`, the two largest units. */
export function duration(seconds: number): string {
  const units: [string, number][] = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const parts: string[] = [];
  let left = Math.max(0, Math.floor(seconds));
  for (const [unit, size] of units) {
    const count = Math.floor(left / size);
    if (count > 0) parts.push(`${count} ${unit}`);
    left -= count * size;
  }
  return parts.slice(0, 2).join(' ') || '0 s';
}
