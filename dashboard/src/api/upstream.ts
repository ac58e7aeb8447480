// Boards that speak upstream's dialect are made by upstream's own API, which alone knows codes.
import { ask } from './request';
import type { Json } from './types';

export interface NewUpstreamBoard {
  name: string;
  code: string;
  type: string;
  location: { latitude: string; longitude: string; altitude: string }[];
}

export interface UpstreamBoard {
  uuid: string;
  name: string;
  code: string;
  /** What its agent keeps as its settings. */
  config: Json;
}

export function createBoard(board: NewUpstreamBoard): Promise<UpstreamBoard> {
  return ask('/v1/boards', { method: 'POST', body: board });
}
