// How operations are called in people's words.
import type { Operation } from '../../api/types';
import { t } from '../../i18n/index.svelte';

/** `Inject plugin` for `PluginInject`; unknown methods of newer clouds stay as they are. */
export function methodName(method: string): string {
  return (t.operations.methods as Record<string, string>)[method] ?? method;
}

/** Seconds from sending to the end, or until now. */
export function tookSeconds(item: Operation, now: number): number | undefined {
  if (!item.sent_at) return undefined;
  const end = item.ended_at ? new Date(item.ended_at).getTime() : now;
  return Math.max(0, (end - new Date(item.sent_at).getTime()) / 1000);
}
