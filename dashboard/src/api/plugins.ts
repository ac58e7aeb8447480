// Plugins, and plugins on boards (injections).
import { ask, pages, path } from './request';
import type {
  Injecting, Injection, Json, NewPlugin, OnBoot, Operation, Page, Plugin, PluginChange, PluginStatus, PluginSummary,
} from './types';

export function each(seen: (items: PluginSummary[]) => void): Promise<void> {
  return pages<PluginSummary>('/v2/plugins', {}, seen);
}

export function show(plugin: string): Promise<Plugin> {
  return ask(path('plugins', plugin));
}

export function create(plugin: NewPlugin): Promise<Plugin> {
  return ask('/v2/plugins', { method: 'POST', body: plugin });
}

export function change(plugin: string, change: PluginChange, revision?: number): Promise<Plugin> {
  return ask(path('plugins', plugin), { method: 'PATCH', body: change, revision });
}

export function remove(plugin: string): Promise<void> {
  return ask(path('plugins', plugin), { method: 'DELETE' });
}

/** Into every board that the selector picks. */
export function injectMany(plugin: string, selector: string, onBoot: OnBoot): Promise<Injecting[]> {
  return ask('/v2/injections', { method: 'POST', body: { plugin, selector, on_boot: onBoot } });
}

export async function onBoard(board: string): Promise<Injection[]> {
  return (await ask<Page<Injection>>(path('boards', board, 'plugins'))).items;
}

export function inject(board: string, plugin: string, onBoot: OnBoot): Promise<Operation> {
  return ask(path('boards', board, 'plugins', plugin), { method: 'PUT', body: { on_boot: onBoot } });
}

export function eject(board: string, plugin: string): Promise<Operation> {
  return ask(path('boards', board, 'plugins', plugin), { method: 'DELETE' });
}

/** What it is doing there now, asked of the board. */
export function status(board: string, plugin: string): Promise<PluginStatus> {
  return ask(path('boards', board, 'plugins', plugin));
}

export type Run = 'call' | 'start' | 'restart';

export function run(board: string, plugin: string, how: Run, parameters?: Json): Promise<Operation> {
  const body = parameters === undefined ? {} : { parameters };
  return ask(path('boards', board, 'plugins', plugin, how), { method: 'POST', body });
}

/** It gets so many seconds to end by itself. */
export function stop(board: string, plugin: string, grace_s?: number): Promise<Operation> {
  const options = grace_s === undefined ? {} : { body: { grace_s } };
  return ask(path('boards', board, 'plugins', plugin, 'stop'), { method: 'POST', ...options });
}

/** Address of its log on a board. */
export function logs(board: string, plugin: string): string {
  return path('boards', board, 'plugins', plugin, 'logs');
}
