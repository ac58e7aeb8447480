// The cloud itself: health, versions, settings in force.
import { ask } from './request';
import type { Json } from './types';

export interface System {
  version: string;
  protocols: number[];
  started_at: string;
  uptime_s: number;
  public_url: string;
  roles: string[];
  listeners: { name: string; address: string; encrypted: boolean }[];
  tls: { source: string; authority?: string | null; key: string };
  legacy: { enabled: boolean; projects: string[] };
  boards: Record<string, number>;
  operations: Record<string, number>;
  requests: { by_kind: Record<string, number>; mean_ms: number };
  open: { boards_online: number; links: number; channels: number; public_ports: number; streams: number };
  database: { bytes: number; first_event: number; last_event: number; dropped_records: number };
  process: { pid: number; memory_bytes?: number | null; open_files?: number | null };
  settings: Json;
}

/** What the cloud says about itself to its administrators. */
export function show(): Promise<System> {
  return ask('/v2/system');
}
