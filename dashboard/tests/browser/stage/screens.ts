// Every screen by name: who looks at all of them does not compile until a new one is named here, and fails until it is looked at.
import type { Route } from '../../../src/app/routes.ts';

export const EVERY: Record<Route['screen'], true> = {
  overview: true, boards: true, board: true, claims: true, plugins: true, plugin: true, services: true, fleets: true, fleet: true, lending: true, transfers: true, bookings: true,
  operations: true, operation: true, audit: true, recordings: true, recording: true, people: true, account: true, system: true, nowhere: true,
};
