// A JSON object as rows of a form, and back. Pure.
import type { Json } from '../api/types';

export interface Row {
  name: string;
  text: string;
}

/** A value as a person types it: plain words need no quotes. */
export function textOf(value: Json): string {
  return typeof value === 'string' && !looksLikeJson(value) ? value : JSON.stringify(value);
}

/** What a person typed: JSON when it is some, else a word. */
export function valueOf(text: string): Json {
  const trimmed = text.trim();
  try {
    return JSON.parse(trimmed) as Json;
  } catch {
    return text;
  }
}

export function rowsOf(value: Json): Row[] {
  if (!isObject(value)) return [];
  return Object.entries(value).map(([name, inner]) => ({ name, text: textOf(inner) }));
}

export function objectOf(rows: readonly Row[]): { [key: string]: Json } {
  const made: { [key: string]: Json } = {};
  for (const row of rows) if (row.name.trim()) made[row.name.trim()] = valueOf(row.text);
  return made;
}

/** Reads text that must be a JSON object; nothing when it is not. */
export function readObject(text: string): { [key: string]: Json } | undefined {
  if (text.trim() === '') return {};
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: Json): value is { [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function looksLikeJson(text: string): boolean {
  try {
    JSON.parse(text.trim());
    return true;
  } catch {
    return false;
  }
}
