// A plugin as the form holds it, and what of it changed. Pure.
import type { Json, NewPlugin, Plugin, PluginChange, PluginLimits } from '../../api/types';

export interface Draft {
  name: string;
  language: 'python' | 'node';
  mode: 'sync' | 'async';
  visibility: 'private' | 'public';
  source: string;
  parameters: Json;
  limits: Record<LimitName, string>;
}

export const LIMITS = ['wall_s', 'cpu_s', 'memory_bytes', 'processes', 'output_bytes'] as const;
export type LimitName = (typeof LIMITS)[number];

const PYTHON_SYNC = 'def main(params, api):\n    return {"hello": params.get("name", "world")}\n';
const PYTHON_ASYNC = 'import time\n\n\ndef main(params, api):\n    while True:\n        print("still here", flush=True)\n        time.sleep(10)\n';
const NODE_SYNC = 'exports.main = async (params, api) => {\n    return { hello: params.name ?? "world" };\n};\n';
const NODE_ASYNC = 'exports.main = async (params, api) => {\n    setInterval(() => console.log("still here"), 10_000);\n};\n';

/** A beginning that runs, for a language and mode. */
export function template(language: Draft['language'], mode: Draft['mode']): string {
  if (language === 'python') return mode === 'sync' ? PYTHON_SYNC : PYTHON_ASYNC;
  return mode === 'sync' ? NODE_SYNC : NODE_ASYNC;
}

/** Whether a source is still one of the beginnings, so that another may take its place. */
export function isTemplate(source: string): boolean {
  return [PYTHON_SYNC, PYTHON_ASYNC, NODE_SYNC, NODE_ASYNC, ''].includes(source);
}

export function fresh(): Draft {
  return {
    name: '', language: 'python', mode: 'sync', visibility: 'private', source: template('python', 'sync'), parameters: {},
    limits: limitTexts({}),
  };
}

export function draftOf(plugin: Plugin): Draft {
  const { name, language, mode, visibility, source } = plugin;
  return { name, language, mode, visibility, source, parameters: plugin.parameters as Json, limits: limitTexts(plugin.limits) };
}

export function newOf(draft: Draft): NewPlugin {
  const { name, language, mode, visibility, source } = draft;
  const parameters = draft.parameters as Record<string, never>;
  return { name, language, mode, visibility, source, parameters, limits: limitsOf(draft) };
}

/** What differs; nothing when nothing does. */
export function changeOf(before: Draft, draft: Draft): PluginChange {
  const change: PluginChange = {};
  if (draft.name !== before.name) change.name = draft.name;
  if (draft.source !== before.source) change.source = draft.source;
  if (draft.visibility !== before.visibility) change.visibility = draft.visibility;
  if (JSON.stringify(draft.parameters) !== JSON.stringify(before.parameters)) {
    change.parameters = draft.parameters as Record<string, never>;
  }
  if (JSON.stringify(draft.limits) !== JSON.stringify(before.limits)) change.limits = limitsOf(draft);
  return change;
}

export function limitsOf(draft: Draft): PluginLimits {
  const limits: PluginLimits = {};
  for (const name of LIMITS) {
    const text = draft.limits[name].trim();
    if (text !== '') limits[name] = Number(text);
  }
  return limits;
}

function limitTexts(limits: PluginLimits): Record<LimitName, string> {
  const text = (name: LimitName): string => (limits[name] === undefined || limits[name] === null ? '' : String(limits[name]));
  return {
    wall_s: text('wall_s'), cpu_s: text('cpu_s'), memory_bytes: text('memory_bytes'), processes: text('processes'),
    output_bytes: text('output_bytes'),
  };
}
