// The audit: who did what, in a chain of hashes; heads that the cloud signed; proofs that a row is in one.
import { ask, path } from './request';
import type { AuditErase, AuditHead, AuditProof, AuditReads, AuditRow, Page } from './types';

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

/** How often somebody looked at what, the newest hour first. */
export async function reads(actor: string | undefined, limit: number): Promise<AuditReads[]> {
  return (await ask<Page<AuditReads>>('/v2/audit/reads', { query: { actor, limit } })).items;
}

/** Erases personal values; the chain stays valid. How many there were. */
export async function erase(whose: AuditErase): Promise<number> {
  return (await ask<{ erased: number }>('/v2/audit/erase', { method: 'POST', body: whose })).erased;
}

/** The proof that a row is in a head. */
export function proof(seq: number, size: number): Promise<AuditProof> {
  return ask(path('audit', String(seq), 'proof'), { query: { size } });
}
