// An application credential as a form holds it, and as a program wants it. Pure.
import type { AccessRule, Credential, NewCredential } from '../../api/identity';

export interface Draft {
  name: string;
  description: string;
  expires: string;
  roles: string[];
  rules: string;
  unrestricted: boolean;
}

/** One rule a line: `GET /v2/boards/*`. */
export type ReadRules = { rules: AccessRule[] } | { wrong: string };

const SERVICES: [string, string][] = [['/identity', 'identity'], ['/network', 'network']];

export function readRules(text: string): ReadRules {
  const rules: AccessRule[] = [];
  for (const line of text.split('\n').map((one) => one.trim()).filter(Boolean)) {
    const [, method, path] = /^([A-Z]+)\s+(\/\S*)$/.exec(line) ?? [];
    if (!method || !path) return { wrong: line };
    const service = SERVICES.find(([start]) => path === start || path.startsWith(`${start}/`))?.[1] ?? 'iot';
    rules.push({ method, path, service });
  }
  return { rules };
}

export function newOf(draft: Draft, rules: AccessRule[]): NewCredential {
  const made: NewCredential = { name: draft.name.trim(), description: draft.description, roles: draft.roles.map((name) => ({ name })), unrestricted: draft.unrestricted };
  if (draft.expires) made.expires_at = new Date(draft.expires).toISOString();
  if (rules.length > 0) made.access_rules = rules;
  return made;
}

/** What a program's `clouds.yaml` holds. */
export function cloudsYaml(cloud: string, made: Credential): string {
  return [
    'clouds:', '  stack4things:', '    auth_type: v3applicationcredential', '    auth:', `      auth_url: ${cloud}/identity/v3`,
    `      application_credential_id: ${made.id}`, `      application_credential_secret: ${made.secret ?? ''}`,
  ].join('\n');
}
