// Signing in, switching project, signing out. The session itself is a cookie that scripts cannot read.
import { ask, useCsrf } from './request';
import type { Session, UiSettings } from './types';

const SESSION = '/v2/session';

/** Who is signed in. */
export async function current(): Promise<Session> {
  return keep(await ask<Session>(SESSION));
}

/** Signs in; without a project the cloud takes the person's first. */
export async function signIn(user: string, password: string, project?: string): Promise<Session> {
  return keep(await ask<Session>(SESSION, { method: 'POST', body: { user, password, project } }));
}

/** Goes on in another project. */
export async function switchProject(project: string): Promise<Session> {
  return keep(await ask<Session>(SESSION, { method: 'PUT', body: { project } }));
}

/** Signs out. */
export async function signOut(): Promise<void> {
  await ask(SESSION, { method: 'DELETE' });
}

/** What the operator set for the pages. */
export function uiSettings(): Promise<UiSettings> {
  return ask<UiSettings>('/v2/ui');
}

function keep(session: Session): Session {
  useCsrf(session.csrf);
  return session;
}
