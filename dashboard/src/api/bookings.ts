// Bookings: boards that others offer, by what they can do and where they are. A booking is an exclusive delegation.
import { ask } from './request';
import type { Delegation, NewBooking, Offer } from './types';

/** Which offers. */
export interface Which {
  selector?: string | undefined;
  sensor?: string | undefined;
  near?: string | undefined;
  radius_m?: number | undefined;
}

/** What one may book, the nearest first. */
export async function offers(which: Which): Promise<Offer[]> {
  return (await ask<{ items: Offer[] }>('/v2/offers', { query: { ...which } })).items;
}

/** Books all that are asked for, or none. */
export async function book(booking: NewBooking): Promise<Delegation[]> {
  return (await ask<{ items: Delegation[] }>('/v2/bookings', { method: 'POST', body: booking })).items;
}
