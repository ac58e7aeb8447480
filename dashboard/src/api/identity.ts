// People, projects, roles and application credentials: the cloud's own Keystone subset, in its shapes.
import { ask } from './request';

export interface User {
  id: string;
  name: string;
  enabled: boolean;
  description: string;
  email?: string;
}

export interface Project {
  id: string;
  name: string;
  enabled: boolean;
  description: string;
  allow_legacy: boolean;
}

export interface RoleName {
  id: string;
  name: string;
}

/** Who has which role where. */
export interface Assignment {
  user: RoleName;
  role: RoleName;
  scope: { project: RoleName };
}

export interface AccessRule {
  id?: string;
  service: string;
  method: string;
  path: string;
}

export interface Credential {
  id: string;
  name: string;
  description: string;
  project_id: string;
  roles: RoleName[];
  expires_at: string | null;
  unrestricted: boolean;
  access_rules?: AccessRule[];
  /** In the answer that made it, and nowhere else. */
  secret?: string;
}

export interface NewCredential {
  name: string;
  description?: string;
  expires_at?: string;
  roles?: { name: string }[];
  unrestricted?: boolean;
  access_rules?: AccessRule[];
}

export type UserChange = Partial<Omit<User, 'id'>> & { password?: string };
export type ProjectChange = Partial<Omit<Project, 'id'>>;

function below(...segments: string[]): string {
  return '/identity/v3/' + segments.map(encodeURIComponent).join('/');
}

export async function users(): Promise<User[]> {
  return (await ask<{ users: User[] }>(below('users'))).users;
}

export async function createUser(user: UserChange): Promise<User> {
  return (await ask<{ user: User }>(below('users'), { method: 'POST', body: { user } })).user;
}

export async function changeUser(id: string, user: UserChange): Promise<User> {
  return (await ask<{ user: User }>(below('users', id), { method: 'PATCH', body: { user } })).user;
}

export function deleteUser(id: string): Promise<void> {
  return ask(below('users', id), { method: 'DELETE' });
}

/** Changes one's own password, which ends one's sessions. */
export function changePassword(user: string, original_password: string, password: string): Promise<void> {
  return ask(below('users', user, 'password'), { method: 'POST', body: { user: { original_password, password } } });
}

export async function projects(): Promise<Project[]> {
  return (await ask<{ projects: Project[] }>(below('projects'))).projects;
}

export async function createProject(project: ProjectChange): Promise<Project> {
  return (await ask<{ project: Project }>(below('projects'), { method: 'POST', body: { project } })).project;
}

export async function changeProject(id: string, project: ProjectChange): Promise<Project> {
  return (await ask<{ project: Project }>(below('projects', id), { method: 'PATCH', body: { project } })).project;
}

export function deleteProject(id: string): Promise<void> {
  return ask(below('projects', id), { method: 'DELETE' });
}

export async function roles(): Promise<RoleName[]> {
  return (await ask<{ roles: RoleName[] }>(below('roles'))).roles;
}

export async function createRole(name: string): Promise<RoleName> {
  return (await ask<{ role: RoleName }>(below('roles'), { method: 'POST', body: { role: { name } } })).role;
}

export function deleteRole(id: string): Promise<void> {
  return ask(below('roles', id), { method: 'DELETE' });
}

/** Everybody's roles in every project. */
export async function assignments(): Promise<Assignment[]> {
  const query = { include_names: 'true' };
  return (await ask<{ role_assignments: Assignment[] }>(below('role_assignments'), { query })).role_assignments;
}

export function assign(project: string, user: string, role: string): Promise<void> {
  return ask(below('projects', project, 'users', user, 'roles', role), { method: 'PUT' });
}

export function unassign(project: string, user: string, role: string): Promise<void> {
  return ask(below('projects', project, 'users', user, 'roles', role), { method: 'DELETE' });
}

export async function credentials(user: string): Promise<Credential[]> {
  const list = await ask<{ application_credentials: Credential[] }>(below('users', user, 'application_credentials'));
  return list.application_credentials;
}

export async function createCredential(user: string, application_credential: NewCredential): Promise<Credential> {
  const made = await ask<{ application_credential: Credential }>(below('users', user, 'application_credentials'), { method: 'POST', body: { application_credential } });
  return made.application_credential;
}

export function deleteCredential(user: string, id: string): Promise<void> {
  return ask(below('users', user, 'application_credentials', id), { method: 'DELETE' });
}
