// The audit: who did what, in a chain of hashes; heads that the cloud signed; proofs that a row is in one.
import { ask, path } from './request';
import type { AuditHead, AuditProof, AuditRow, Page } from './types';

/** Which rows. */
export interface Which {
  actor?: string | undefined;
  verb?: string | undefined;
  subject?: string | undefined;
  project?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
}

/** Where the whole log is read, as lines of JSON. */
export const EXPORT = '/v2/audit/export';

/** Rows, newest first; `marker` goes on after a page. */
export function rows(which: Which, limit: number, marker?: string): Promise<Page<AuditRow>> {
  return ask('/v2/audit', { query: { ...which, order: 'desc', limit, marker } });
}

/** The newest heads. */
export async function heads(limit: number): Promise<AuditHead[]> {
  return (await ask<Page<AuditHead>>('/v2/audit/heads', { query: { order: 'desc', limit } })).items;
}

/** The proof that a row is in a head. */
export function proof(seq: number, size: number): Promise<AuditProof> {
  return ask(path('audit', String(seq), 'proof'), { query: { size } });
}
