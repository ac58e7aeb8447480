// The lists that screens share, each read when the first screen wants it.
import * as boardsApi from '../api/boards';
import * as claimsApi from '../api/claims';
import * as fleetsApi from '../api/fleets';
import * as operationsApi from '../api/operations';
import * as pluginsApi from '../api/plugins';
import * as servicesApi from '../api/services';
import type { Claim, Fleet, Operation, PluginSummary, Service, Summary } from '../api/types';
import { Collection } from './collection.svelte';
import { board, operation, plain } from './reduce';

/** How many operations are wanted on screen. */
const RECENT_OPERATIONS = 200;

interface Named {
  name: string;
}

function byName(a: Named, b: Named): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

export const boards = new Collection<Summary>({
  noun: 'board',
  each: (seen) => boardsApi.each((items) => seen(items.filter((item) => item.status !== 'decommissioned'))),
  one: boardsApi.show,
  reduce: board,
  order: byName,
});

export const plugins = new Collection<PluginSummary>({
  noun: 'plugin', each: pluginsApi.each, one: pluginsApi.show, reduce: plain, order: byName,
});

export const services = new Collection<Service>({
  noun: 'service', each: servicesApi.each, one: servicesApi.show, reduce: plain, order: byName,
});

export const fleets = new Collection<Fleet>({
  noun: 'fleet', each: fleetsApi.each, one: fleetsApi.show, reduce: plain, order: byName,
});

export const claims = new Collection<Claim>({
  noun: 'claim', each: claimsApi.each, one: claimsApi.show, reduce: plain, order: byName,
});

/** The newest operations, newest first. */
export const operations = new Collection<Operation>({
  noun: 'operation',
  each: async (seen) => seen(await operationsApi.newest(RECENT_OPERATIONS)),
  one: operationsApi.show,
  reduce: operation,
  order: (a, b) => (a.id < b.id ? 1 : -1),
});

/** Forgets everything, as when the project changes. */
export function clearAll(): void {
  for (const store of [boards, plugins, services, fleets, claims, operations]) store.clear();
}
