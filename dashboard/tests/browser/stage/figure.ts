// Figures of speed and size: printed each time with the goal they are held against; a test fails only beyond a bound that a
// busy two-core machine keeps.

interface Held {
  unit: string;
  goal: number;
  /** Where the test fails. */
  bound: number;
}

export function atMost(what: string, value: number, { unit, goal, bound }: Held): void {
  told(what, value, unit, `≤ ${goal}`);
  if (value > bound) throw new Error(`${what}: ${shown(value)} ${unit} is more than ${bound}`);
}

export function atLeast(what: string, value: number, { unit, goal, bound }: Held): void {
  told(what, value, unit, `≥ ${goal}`);
  if (value < bound) throw new Error(`${what}: ${shown(value)} ${unit} is less than ${bound}`);
}

/** The value below which so many hundredths of all lie. */
export function percentile(values: number[], hundredths: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * hundredths) / 100) - 1)] ?? Number.NaN;
}

function told(what: string, value: number, unit: string, goal: string): void {
  console.log(`figure: ${what}: ${shown(value)} ${unit} (goal ${goal})`);
}

function shown(value: number): string {
  return value.toFixed(value < 10 ? 1 : 0);
}
