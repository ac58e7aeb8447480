// The cloud itself: health, versions, settings in force.
import { ask } from './request';
import type { System } from './types';

/** What the cloud says about itself to its administrators. */
export function show(): Promise<System> {
  return ask('/v2/system');
}
