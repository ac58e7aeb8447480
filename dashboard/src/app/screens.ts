// Which component shows which route. Screens come when they are wanted; the common ones are fetched ahead once all is quiet.
import type { Component } from 'svelte';
import type { Route } from './routes';

type Loader = () => Promise<{ default: Component<never> }>;

const LOADERS: Record<Route['screen'], Loader> = {
  overview: () => import('../screens/overview/Overview.svelte'),
  boards: () => import('../screens/boards/Boards.svelte'),
  board: () => import('../screens/boards/Board.svelte'),
  claims: () => import('../screens/claims/Claims.svelte'),
  plugins: () => import('../screens/plugins/Plugins.svelte'),
  plugin: () => import('../screens/plugins/Plugin.svelte'),
  services: () => import('../screens/services/Services.svelte'),
  fleets: () => import('../screens/fleets/Fleets.svelte'),
  fleet: () => import('../screens/fleets/Fleet.svelte'),
  lending: () => import('../screens/lending/Lending.svelte'),
  transfers: () => import('../screens/transfers/Transfers.svelte'),
  bookings: () => import('../screens/bookings/Bookings.svelte'),
  operations: () => import('../screens/operations/Operations.svelte'),
  operation: () => import('../screens/operations/Operation.svelte'),
  audit: () => import('../screens/audit/Audit.svelte'),
  recordings: () => import('../screens/recordings/Recordings.svelte'),
  recording: () => import('../screens/recordings/Recording.svelte'),
  people: () => import('../screens/people/People.svelte'),
  account: () => import('../screens/account/Account.svelte'),
  system: () => import('../screens/system/System.svelte'),
  nowhere: () => import('../screens/Nowhere.svelte'),
};

const AHEAD: Route['screen'][] = ['overview', 'boards', 'board', 'operations'];

/** Between two tries to fetch a screen, and how many there are: networks hiccup. */
const PAUSE_MS = 700;
const TRIES = 4;

export async function screenOf(route: Route): Promise<Component<never>> {
  for (let left = TRIES; ; left -= 1) {
    try {
      return (await LOADERS[route.screen]()).default;
    } catch (error) {
      if (left <= 1) throw error;
      await new Promise((go) => setTimeout(go, PAUSE_MS));
    }
  }
}

export function fetchAhead(): void {
  const idle = window.requestIdleCallback ?? ((act: () => void) => setTimeout(act, 500));
  // One that does not come now comes when it is wanted.
  idle(() => AHEAD.forEach((screen) => void LOADERS[screen]().catch(() => {})));
}

/** What makes a screen another one: within it, only its parts change. */
export function identityOf(route: Route): string {
  switch (route.screen) {
    case 'board':
      return `board ${route.board}`;
    case 'plugin':
      return `plugin ${route.plugin}`;
    case 'fleet':
      return `fleet ${route.fleet}`;
    case 'recording':
      return `recording ${route.recording}`;
    case 'operation':
      return `operation ${route.operation}`;
    default:
      return route.screen;
  }
}
