// Quotas: how much a project has and may have.
import { ask, path } from './request';
import type { Quota } from './types';

export const COUNTED = ['boards', 'services', 'plugins', 'plugin_bytes'] as const;
export type Counted = (typeof COUNTED)[number];
/** A number, `unlimited`, or `default` for what the cloud's configuration says. */
export type QuotaChange = Partial<Record<Counted, number | string>>;

export function show(project: string): Promise<Quota> {
  return ask(path('projects', project, 'quota'));
}

export function change(project: string, change: QuotaChange): Promise<Quota> {
  return ask(path('projects', project, 'quota'), { method: 'PATCH', body: change });
}
