// How operations are called in people's words.
import type { Operation } from '../../api/types';
import { t } from '../../i18n/index.svelte';
import { plugins, services } from '../../live/stores';

/** `Inject plugin` for `PluginInject`; unknown methods of newer clouds stay as they are. */
export function methodName(method: string): string {
  return (t.operations.methods as Record<string, string>)[method] ?? method;
}

/** What it is about beyond the board: the plugin's or service's name, as far as it is known. */
export function aboutName(item: Operation): string {
  const { subject } = item;
  if (!subject) return '';
  const store = subject.noun === 'plugin' ? plugins : services;
  return subject.name ?? store.get(subject.id)?.name ?? '';
}

/** Seconds from sending to the end, or until now. */
export function tookSeconds(item: Operation, now: number): number | undefined {
  if (!item.sent_at) return undefined;
  const end = item.ended_at ? new Date(item.ended_at).getTime() : now;
  return Math.max(0, (end - new Date(item.sent_at).getTime()) / 1000);
}
