// What a list of recordings says about one of them. Pure.
import type { CloudEvent, Recording } from '../../api/types';
import { clock } from '../../ui/terminal/cast';

/** `3:07`. */
export function lengthOf(one: Pick<Recording, 'began_at' | 'ended_at'>): string {
  return one.ended_at ? clock((Date.parse(one.ended_at) - Date.parse(one.began_at)) / 1000) : '';
}

/** A terminal that opens or ends may be one that is recorded. */
export function concerns(event: CloudEvent): boolean {
  return event.subject_type === 'terminal' || event.subject_type === 'recording';
}
