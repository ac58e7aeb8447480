// Every address of the pages and what it shows. Pure: a path in, a route out, and back.
export const BASE = '/ui';

export type Route =
  | { screen: 'overview' }
  | { screen: 'boards' }
  | { screen: 'claims' }
  | { screen: 'board'; board: string; tab: BoardTab }
  | { screen: 'plugins' }
  | { screen: 'plugin'; plugin: string }
  | { screen: 'services' }
  | { screen: 'fleets' }
  | { screen: 'fleet'; fleet: string }
  | { screen: 'lending' }
  | { screen: 'transfers' }
  | { screen: 'bookings' }
  | { screen: 'operations' }
  | { screen: 'operation'; operation: string }
  | { screen: 'audit'; tab: AuditTab }
  | { screen: 'recordings' }
  | { screen: 'recording'; recording: string }
  | { screen: 'people'; tab: PeopleTab }
  | { screen: 'account' }
  | { screen: 'system' }
  | { screen: 'nowhere' };

export const BOARD_TABS = ['summary', 'plugins', 'services', 'logs', 'operations', 'lending', 'terminal'] as const;
export type BoardTab = (typeof BOARD_TABS)[number];

export const PEOPLE_TABS = ['users', 'projects', 'roles'] as const;
export type PeopleTab = (typeof PEOPLE_TABS)[number];

export const AUDIT_TABS = ['rows', 'reads'] as const;
export type AuditTab = (typeof AUDIT_TABS)[number];

/** The route of a path. A plugin called `new` cannot be opened by name; its id opens it. */
export function match(path: string): Route {
  const inside = path === BASE || path.startsWith(`${BASE}/`) ? path.slice(BASE.length) : path;
  const parts = inside.split('/').filter(Boolean).map(decode);
  const [noun, which, tab, ...more] = parts;
  if (more.length > 0) return { screen: 'nowhere' };
  if (tab !== undefined && noun !== 'boards') return { screen: 'nowhere' };
  switch (noun) {
    case undefined:
      return { screen: 'overview' };
    case 'boards':
      return boards(which, tab);
    case 'claims':
      return which === undefined ? { screen: 'claims' } : { screen: 'nowhere' };
    case 'plugins':
      return which === undefined ? { screen: 'plugins' } : { screen: 'plugin', plugin: which };
    case 'services':
      return which === undefined ? { screen: 'services' } : { screen: 'nowhere' };
    case 'fleets':
      return which === undefined ? { screen: 'fleets' } : { screen: 'fleet', fleet: which };
    case 'lending':
    case 'transfers':
    case 'bookings':
    case 'account':
    case 'system':
      return which === undefined ? { screen: noun } : { screen: 'nowhere' };
    case 'people':
      return people(which);
    case 'audit':
      return audit(which);
    case 'recordings':
      return which === undefined ? { screen: 'recordings' } : { screen: 'recording', recording: which };
    case 'operations':
      return which === undefined ? { screen: 'operations' } : { screen: 'operation', operation: which };
    default:
      return { screen: 'nowhere' };
  }
}

/** The address of something. */
export function to(...segments: string[]): string {
  return [BASE, ...segments.map(encodeURIComponent)].join('/') + (segments.length === 0 ? '/' : '');
}

function boards(which: string | undefined, tab: string | undefined): Route {
  if (which === undefined) return { screen: 'boards' };
  if (tab === undefined) return { screen: 'board', board: which, tab: 'summary' };
  const known = BOARD_TABS.find((known) => known === tab);
  return known ? { screen: 'board', board: which, tab: known } : { screen: 'nowhere' };
}

function people(which: string | undefined): Route {
  const tab = which === undefined ? 'users' : PEOPLE_TABS.find((known) => known === which);
  return tab ? { screen: 'people', tab } : { screen: 'nowhere' };
}

function audit(which: string | undefined): Route {
  const tab = which === undefined ? 'rows' : AUDIT_TABS.find((known) => known === which);
  return tab ? { screen: 'audit', tab } : { screen: 'nowhere' };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
