// Checks a row of the audit in the page itself, asking nobody: its hash out of its texts, its place in a signed head, and the
// signature (`model::audit` says which bytes). A browser has these functions on https and on its own machine only.
import type { AuditHead, AuditProof, AuditRow } from '../../api/types';

/** What can be said of a row. */
export interface Verdict {
  /** The row's hash is that of its texts. */
  row: boolean;
  /** The head has the row in it. */
  head: boolean;
  /** The head was signed with the key it names; unknown where the browser knows no Ed25519. */
  signature: boolean | undefined;
}

export function canVerify(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

export async function verify(row: AuditRow, proof: AuditProof, head: AuditHead): Promise<Verdict> {
  const hash = await sha256(rowBytes(row));
  return {
    row: hex(hash) === row.hash,
    head: proof.seq === row.seq && proof.size === head.size && hex(await rootOf(hash, proof)) === head.root,
    signature: await isSigned(head),
  };
}

/** SHA-256 of what was read, where the browser can tell. */
export async function hashOf(data: ArrayBuffer): Promise<string | undefined> {
  return canVerify() ? hex(await sha256(new Uint8Array(data))) : undefined;
}

/** What enters a row's hash. */
export function rowBytes(row: AuditRow): Uint8Array<ArrayBuffer> {
  const texts = [row.actor_kind, row.actor, row.project ?? undefined, row.verb, row.subject_type, row.subject, row.outcome, row.detail, row.personal];
  const parts = [bytes('s4t-audit-1\n'), big64(BigInt(row.seq)), big64(micros(row.at))];
  for (const text of texts) {
    const written = text === undefined ? undefined : bytes(text);
    parts.push(big32(written ? written.length : 0xffff_ffff), ...(written ? [written] : []));
  }
  return joined([...parts, unhex(row.previous)]);
}

/** The root that a row's hash and the path of its proof give (RFC 9162, 2.1.3.2). */
async function rootOf(row: Uint8Array<ArrayBuffer>, proof: AuditProof): Promise<Uint8Array<ArrayBuffer>> {
  const path = base64(proof.path);
  let node = await sha256(joined([Uint8Array.of(0), row]));
  let [index, last] = [BigInt(proof.seq) - 1n, BigInt(proof.size) - 1n];
  for (let at = 0; at < path.length; at += 32) {
    const other = path.slice(at, at + 32);
    if (index % 2n === 1n || index === last) {
      node = await sha256(joined([Uint8Array.of(1), other, node]));
      while (index % 2n === 0n && index !== 0n) [index, last] = [index / 2n, last / 2n];
    } else {
      node = await sha256(joined([Uint8Array.of(1), node, other]));
    }
    [index, last] = [index / 2n, last / 2n];
  }
  return node;
}

async function isSigned(head: AuditHead): Promise<boolean | undefined> {
  const message = joined([bytes('s4t-audit-head-1\n'), big64(BigInt(head.size)), big64(micros(head.at)), unhex(head.root), unhex(head.chain)]);
  let key: CryptoKey;
  try {
    key = await crypto.subtle.importKey('raw', base64(head.key), 'Ed25519', false, ['verify']);
  } catch {
    return undefined;
  }
  return crypto.subtle.verify('Ed25519', key, base64(head.signature), message);
}

/** Microseconds since 1970 of an RFC 3339 moment in UTC. */
export function micros(moment: string): bigint {
  const [, whole = '', fraction = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(moment) ?? [];
  return BigInt(Date.parse(`${whole}Z`)) * 1000n + BigInt(fraction.padEnd(6, '0').slice(0, 6));
}

async function sha256(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data));
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new TextEncoder().encode(text));
}

function big64(number: bigint): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, number);
  return new Uint8Array(view.buffer);
}

function big32(number: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, number);
  return new Uint8Array(view.buffer);
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function hex(data: Uint8Array): string {
  return [...data].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function unhex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function base64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (sign) => sign.charCodeAt(0));
}
