// What is done with one plugin or service on many boards at once. Pure.
import * as pluginsApi from '../../api/plugins';
import * as servicesApi from '../../api/services';
import type { Json, Operation, PluginSummary, Service } from '../../api/types';

/** The thing whose boards are asked. */
export type Part = { plugin: Pick<PluginSummary, 'id' | 'name' | 'mode'> } | { service: Pick<Service, 'id' | 'name'> };

export const PART_ACTS = ['call', 'start', 'stop', 'restart', 'inject', 'remove', 'enable', 'disable', 'restore'] as const;
export type PartAct = (typeof PART_ACTS)[number];

/** What fits it. */
export function actsOf(part: Part): PartAct[] {
  if ('service' in part) return ['enable', 'disable', 'restore'];
  return part.plugin.mode === 'sync' ? ['call', 'inject', 'remove'] : ['start', 'stop', 'restart', 'inject', 'remove'];
}

export function nameOf(part: Part): string {
  return 'plugin' in part ? part.plugin.name : part.service.name;
}

/** Whether it takes parameters. */
export function takesParameters(act: PartAct): act is pluginsApi.Run {
  return act === 'call' || act === 'start' || act === 'restart';
}

export function ask(part: Part, act: PartAct, board: string, parameters: Json | undefined, grace: number | undefined): Promise<Operation> {
  if ('service' in part) {
    const { id } = part.service;
    if (act === 'enable') return servicesApi.enable(board, id);
    return act === 'restore' ? servicesApi.restore(board, id) : servicesApi.disable(board, id);
  }
  const { id } = part.plugin;
  if (takesParameters(act)) return pluginsApi.run(board, id, act, parameters);
  if (act === 'stop') return pluginsApi.stop(board, id, grace);
  return act === 'remove' ? pluginsApi.eject(board, id) : pluginsApi.inject(board, id, 'wait');
}
