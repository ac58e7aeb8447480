// A recording of a terminal as it is played: asciicast version 2, read whole. Pure. What is no line of one is left out, so a
// recording that broke off plays as far as it goes.
export interface Size {
  columns: number;
  rows: number;
}

/** What happens at a moment: something is shown, or the screen has another size. */
export interface Step {
  /** Seconds since the begin. */
  at: number;
  text?: string;
  size?: Size;
}

export interface Cast extends Size {
  steps: Step[];
  /** Seconds of all. */
  length: number;
}

/** Largest screen that is believed. */
const MAX_SIDE = 1000;

/** Nothing when it is no recording. */
export function readCast(text: string): Cast | undefined {
  const [first = '', ...lines] = text.split('\n');
  const head = json(first) as { version?: unknown; width?: unknown; height?: unknown } | undefined;
  if (head?.version !== 2) return undefined;
  const size = sizeOf(head.width, head.height) ?? { columns: 80, rows: 24 };
  const steps = lines.flatMap((line) => stepOf(json(line)) ?? []);
  return { ...size, steps, length: steps.at(-1)?.at ?? 0 };
}

/** How many of the steps have happened at a moment. */
export function happened(steps: readonly Step[], at: number): number {
  let [low, high] = [0, steps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle]?.at ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where one is after some time of playing; a pause longer than `most` seconds is as long as that. */
export function onward(steps: readonly Step[], at: number, seconds: number, most = Infinity): number {
  const next = steps[happened(steps, at)]?.at;
  if (next === undefined || next - at <= most) return at + seconds;
  return next - most + seconds;
}

function stepOf(line: unknown): Step | undefined {
  if (!Array.isArray(line)) return undefined;
  const [at, code, said] = line as unknown[];
  if (typeof at !== 'number' || !Number.isFinite(at) || typeof said !== 'string') return undefined;
  if (code === 'o') return { at, text: said };
  if (code !== 'r') return undefined;
  const [columns, rows] = said.split('x').map(Number);
  const size = sizeOf(columns, rows);
  return size && { at, size };
}

function sizeOf(columns: unknown, rows: unknown): Size | undefined {
  const fits = (side: unknown): side is number => Number.isInteger(side) && (side as number) >= 1 && (side as number) <= MAX_SIDE;
  return fits(columns) && fits(rows) ? { columns, rows } : undefined;
}

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** `3:07`, as players say it. */
export function clock(seconds: number): string {
  const whole = Math.floor(Math.max(0, seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (part: number): string => String(part).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}
