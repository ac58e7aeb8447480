// Services, and services of boards that are reachable through the cloud (exposures).
import { ask, pages, path } from './request';
import type { Exposure, NewService, Operation, Page, Service, ServiceChange } from './types';

export function each(seen: (items: Service[]) => void): Promise<void> {
  return pages<Service>('/v2/services', {}, seen);
}

export function show(service: string): Promise<Service> {
  return ask(path('services', service));
}

export function create(service: NewService): Promise<Service> {
  return ask('/v2/services', { method: 'POST', body: service });
}

export function change(service: string, change: ServiceChange, revision?: number): Promise<Service> {
  return ask(path('services', service), { method: 'PATCH', body: change, revision });
}

export function remove(service: string): Promise<void> {
  return ask(path('services', service), { method: 'DELETE' });
}

export async function onBoard(board: string): Promise<Exposure[]> {
  return (await ask<Page<Exposure>>(path('boards', board, 'services'))).items;
}

export function enable(board: string, service: string, publicPort?: number): Promise<Operation> {
  const body = publicPort === undefined ? {} : { public_port: publicPort };
  return ask(path('boards', board, 'services', service), { method: 'PUT', body });
}

export function disable(board: string, service: string): Promise<Operation> {
  return ask(path('boards', board, 'services', service), { method: 'DELETE' });
}

export function restore(board: string, service: string): Promise<Operation> {
  return ask(path('boards', board, 'services', service, 'restore'), { method: 'POST' });
}
