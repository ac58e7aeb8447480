// What the pages asked the cloud in all journeys of a run, and were answered well: one line each, in a file that all processes of
// the run share. Requests that a test sends itself, to arrange or to check, are not among them.
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VARIABLE = 'S4T_ASKED';
const seen = new Set<string>();

/** Begins a run: called once, before the processes that play. A run in parts keeps what was asked in a file that its caller names. */
export default function begin(): () => void {
  if (process.env[VARIABLE]) return () => {};
  const folder = mkdtempSync(join(tmpdir(), 's4t-asked-'));
  process.env[VARIABLE] = join(folder, 'asked');
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Notes a request. Acts of boards share one route; the act stands behind it. */
export function note(method: string, path: string, body?: string | null): void {
  const file = process.env[VARIABLE];
  const what = [method, path, actOf(path, body)].filter(Boolean).join(' ');
  if (!file || seen.has(what)) return;
  seen.add(what);
  appendFileSync(file, `${what}\n`);
}

export function asked(): string[] {
  try {
    return readFileSync(process.env[VARIABLE] ?? '', 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

function actOf(path: string, body: string | null | undefined): string {
  if (!path.endsWith('/actions') || !body) return '';
  return String((JSON.parse(body) as { action?: unknown }).action ?? '');
}
