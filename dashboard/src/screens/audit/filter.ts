// Which rows of the audit a person wants to see, as it stands in the address and as the cloud is asked. Pure.
import type { Which } from '../../api/audit';

export interface Wanted {
  who: string;
  what: string;
  about: string;
  since: string;
  until: string;
}

const KEYS = ['who', 'what', 'about', 'since', 'until'] as const;

/** What verbs begin with. */
export const SORTS = ['delegation', 'contribution', 'right', 'role', 'user', 'project', 'credential', 'board', 'fleet', 'claim', 'operation', 'service', 'terminal', 'transfer', 'recording', 'quota', 'audit'] as const;

export function fromQuery(query: URLSearchParams): Wanted {
  return Object.fromEntries(KEYS.map((key) => [key, query.get(key) ?? ''])) as unknown as Wanted;
}

export function toQuery(wanted: Wanted): URLSearchParams {
  const query = new URLSearchParams();
  for (const key of KEYS) if (wanted[key]) query.set(key, wanted[key]);
  return query;
}

export function whichOf(wanted: Wanted, idOf: (name: string) => string): Which {
  const moment = (text: string): string | undefined => (text ? new Date(text).toISOString() : undefined);
  return {
    actor: wanted.who.trim() ? idOf(wanted.who.trim()) : undefined, subject: wanted.about.trim() ? idOf(wanted.about.trim()) : undefined,
    verb: wanted.what ? `${wanted.what}:*` : undefined, since: moment(wanted.since), until: moment(wanted.until),
  };
}

/** A proof with all that whoever checks it needs, by itself. */
export function download(name: string, content: unknown): void {
  const link = document.createElement('a');
  link.href = `data:application/json,${encodeURIComponent(`${JSON.stringify(content, null, 2)}\n`)}`;
  link.download = name;
  link.click();
}
