// The cloud itself: health, versions, settings in force.
import { ask } from './request';
import type { Json } from './types';

/** What the cloud says about itself to its administrators. */
export function show(): Promise<Record<string, Json>> {
  return ask('/v2/system');
}
