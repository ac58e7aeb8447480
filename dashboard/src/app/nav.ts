// The entries of the navigation, in the order of a day's work.
import type { IconName } from '../ui/icons';
import { to, type Route } from './routes';
import type { Reach } from './session.svelte';

export interface Entry {
  screen: 'overview' | 'boards' | 'plugins' | 'services' | 'fleets' | 'lending' | 'bookings' | 'operations' | 'claims' | 'audit' | 'people' | 'system';
  href: string;
  icon: IconName;
  /** The screens for which this entry is the current one. */
  holds: Route['screen'][];
  reach: Reach;
  /** On a phone behind "More". */
  late: boolean;
}

export const NAV: readonly Entry[] = [
  { screen: 'overview', href: to(), icon: 'overview', holds: ['overview'], reach: 'read', late: false },
  { screen: 'boards', href: to('boards'), icon: 'boards', holds: ['boards', 'board'], reach: 'read', late: false },
  { screen: 'fleets', href: to('fleets'), icon: 'fleets', holds: ['fleets', 'fleet'], reach: 'read', late: true },
  { screen: 'plugins', href: to('plugins'), icon: 'plugins', holds: ['plugins', 'plugin'], reach: 'read', late: false },
  { screen: 'services', href: to('services'), icon: 'services', holds: ['services'], reach: 'read', late: true },
  { screen: 'operations', href: to('operations'), icon: 'operations', holds: ['operations', 'operation'], reach: 'read', late: false },
  { screen: 'lending', href: to('lending'), icon: 'lending', holds: ['lending', 'transfers'], reach: 'read', late: true },
  { screen: 'bookings', href: to('bookings'), icon: 'clock', holds: ['bookings'], reach: 'read', late: true },
  { screen: 'claims', href: to('claims'), icon: 'claims', holds: ['claims'], reach: 'own', late: true },
  { screen: 'audit', href: to('audit'), icon: 'logs', holds: ['audit', 'recordings', 'recording'], reach: 'own', late: true },
  { screen: 'people', href: to('people'), icon: 'user', holds: ['people'], reach: 'operate', late: true },
  { screen: 'system', href: to('system'), icon: 'system', holds: ['system'], reach: 'operate', late: true },
];
