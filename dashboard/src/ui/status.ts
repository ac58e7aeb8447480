// How each state of boards, operations, plugins and services looks: a tone and a shape, so that colour is never the only sign.
import type { BoardStatus, OperationState } from '../api/types';

export type Tone = 'good' | 'warn' | 'bad' | 'rest' | 'accent';
export type Shape = 'full' | 'ring' | 'half' | 'cross' | 'tick' | 'dash' | 'question';

export interface Look {
  tone: Tone;
  shape: Shape;
}

export const BOARD: Record<BoardStatus, Look> = {
  online: { tone: 'good', shape: 'full' },
  offline: { tone: 'bad', shape: 'ring' },
  registered: { tone: 'rest', shape: 'dash' },
  replacing: { tone: 'warn', shape: 'half' },
  decommissioned: { tone: 'rest', shape: 'cross' },
};

export const OPERATION: Record<OperationState, Look> = {
  pending: { tone: 'rest', shape: 'ring' },
  running: { tone: 'accent', shape: 'half' },
  succeeded: { tone: 'good', shape: 'tick' },
  failed: { tone: 'bad', shape: 'cross' },
  cancelled: { tone: 'rest', shape: 'dash' },
  expired: { tone: 'warn', shape: 'dash' },
  unknown: { tone: 'warn', shape: 'question' },
};

/** What a plugin does on a board, and where injections and exposures stand. */
export const OTHER: Record<string, Look> = {
  running: { tone: 'good', shape: 'full' },
  stopped: { tone: 'rest', shape: 'ring' },
  failed: { tone: 'bad', shape: 'cross' },
  injecting: { tone: 'accent', shape: 'half' },
  injected: { tone: 'good', shape: 'tick' },
  removing: { tone: 'warn', shape: 'half' },
  enabling: { tone: 'accent', shape: 'half' },
  enabled: { tone: 'good', shape: 'full' },
  disabling: { tone: 'warn', shape: 'half' },
};

export const UNKNOWN: Look = { tone: 'rest', shape: 'question' };

export const SHAPES: Record<Shape, string> = {
  full: 'M8 3.500a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9z',
  ring: 'M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z',
  half: 'M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM8 4v8',
  cross: 'M4.500 4.500l7 7M11.500 4.500l-7 7',
  tick: 'M3.500 8.500 6.500 11.500 12.500 5',
  dash: 'M4 8h8',
  question: 'M5.800 6a2.200 2.200 0 1 1 3.200 2c-.700.400-1 .800-1 1.500M8 12h.01',
};
