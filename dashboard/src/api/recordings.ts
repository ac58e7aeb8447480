// Recordings of terminals: which there are, what was shown, and whose terminals are recorded.
import { ask, pages, path, send } from './request';
import type { Page, Recording, RecordingSetting, RecordingWish } from './types';

const SETTINGS = '/v2/recording-settings';

/** All of them, or those of a board; the newest first. */
export async function list(board?: string): Promise<Recording[]> {
  const items: Recording[] = [];
  await pages<Recording>('/v2/recordings', { query: { board } }, (some) => items.push(...some));
  return items.reverse();
}

export function show(recording: string): Promise<Recording> {
  return ask(path('recordings', recording));
}

/** Where what was shown is read, as asciicast version 2. */
export function castOf(recording: string): string {
  return path('recordings', recording, 'cast');
}

/** What was shown; the audit tells that one looked. */
export async function cast(recording: string): Promise<ArrayBuffer> {
  return (await send(castOf(recording), { accept: 'application/x-asciicast' })).arrayBuffer();
}

/** Removes what was shown; that it was recorded, and its hash, stay. */
export function erase(recording: string): Promise<void> {
  return ask(path('recordings', recording), { method: 'DELETE' });
}

export async function settings(): Promise<RecordingSetting[]> {
  return (await ask<Page<RecordingSetting>>(SETTINGS)).items;
}

/** Of this board, or of the project that one is signed in to. */
export async function set(record: RecordingWish, board?: string): Promise<RecordingSetting[]> {
  return (await ask<Page<RecordingSetting>>(SETTINGS, { method: 'PUT', body: { record, board: board ?? null } })).items;
}
