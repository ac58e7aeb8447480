// Who is signed in. When the session ends, what is on screen stays and the person signs in again over it.
import * as api from '../api/session';
import { asFailure, whenSignedOut, type Failure } from '../api/request';
import type { Role, Session } from '../api/types';
import { live } from '../live/live.svelte';
import { clearAll } from '../live/stores';

/** How deep an action reaches: the cloud decides; the pages only hide what would be refused. */
export type Reach = 'read' | 'write' | 'own' | 'operate';

const ENOUGH: Record<Reach, ReadonlySet<Role>> = {
  read: new Set<Role>(['admin', 'admin_iot_project', 'manager_iot_project', 'user_iot']),
  write: new Set<Role>(['admin', 'admin_iot_project', 'manager_iot_project']),
  own: new Set<Role>(['admin', 'admin_iot_project']),
  operate: new Set<Role>(['admin']),
};

/** Pages of one browser share the cookie, so they tell each other when it changes. */
const others = new BroadcastChannel('s4t.session');

class SessionState {
  current = $state.raw<Session | undefined>(undefined);
  /** The first look at the session is over. */
  known = $state(false);
  /** It ended while something was on screen. */
  ended = $state(false);
  failure = $state.raw<Failure | undefined>(undefined);

  async start(): Promise<void> {
    whenSignedOut(() => {
      if (this.current) this.ended = true;
    });
    others.onmessage = () => void this.changedElsewhere();
    try {
      this.took(await api.current());
    } catch (error) {
      const failure = asFailure(error);
      if (failure.problem.kind !== 'unauthenticated') this.failure = failure;
    }
    this.known = true;
  }

  async signIn(user: string, password: string, project?: string): Promise<void> {
    const before = this.current;
    const session = await api.signIn(user, password, project ?? before?.project.id);
    // Somebody else at the same page must not see what the first one saw.
    if (before && !same(before, session)) clearAll();
    this.took(session);
    others.postMessage('changed');
    // What could not be read while nobody was signed in, and what was missed.
    if (before) live.resync();
  }

  async switchProject(project: string): Promise<void> {
    const session = await api.switchProject(project);
    live.stop();
    clearAll();
    this.took(session);
    others.postMessage('changed');
  }

  async signOut(): Promise<void> {
    live.stop();
    try {
      await api.signOut();
    } finally {
      this.current = undefined;
      this.ended = false;
      clearAll();
      others.postMessage('changed');
    }
  }

  may(reach: Reach): boolean {
    return this.current?.roles.some((role) => ENOUGH[reach].has(role)) ?? false;
  }

  private async changedElsewhere(): Promise<void> {
    const before = this.current;
    try {
      const session = await api.current();
      if (before && same(before, session) && !this.ended) return;
      if (!before || !same(before, session)) clearAll();
      this.took(session);
      live.resync();
    } catch (error) {
      if (before && asFailure(error).problem.kind === 'unauthenticated') this.ended = true;
    }
  }

  private took(session: Session): void {
    this.current = session;
    this.ended = false;
    this.failure = undefined;
    live.start(`${session.user.id}@${session.project.id}`);
  }
}

function same(one: Session, other: Session): boolean {
  return one.user.id === other.user.id && one.project.id === other.project.id;
}

export const session = new SessionState();
