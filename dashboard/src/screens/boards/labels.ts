// Labels as a person types them, one `key=value` a line. Pure.
import type { Labels } from '../../api/types';

const WORD = /^[A-Za-z0-9._/-]{1,63}$/;

export type ReadLabels = { labels: Labels } | { wrong: string };

export function readLabels(text: string): ReadLabels {
  const labels: Labels = {};
  for (const line of text.split('\n').map((line) => line.trim()).filter(Boolean)) {
    const at = line.indexOf('=');
    const [key, value] = [line.slice(0, at).trim(), line.slice(at + 1).trim()];
    if (at < 0 || !WORD.test(key) || !WORD.test(value)) return { wrong: line };
    labels[key] = value;
  }
  return { labels };
}

export function writeLabels(labels: Labels): string {
  return Object.entries(labels).map(([key, value]) => `${key}=${value}`).join('\n');
}
