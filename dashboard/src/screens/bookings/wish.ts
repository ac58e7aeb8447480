// What somebody wants to book, as a form holds it and as the cloud wants it. Pure.
import type { NewBooking, Offer } from '../../api/types';
import type { Which } from '../../api/bookings';

export interface Wish {
  sensor: string;
  selector: string;
  /** `LATITUDE,LONGITUDE`, or empty for anywhere. */
  near: string;
  kilometres: string;
  count: string;
  from: string;
  until: string;
  rights: 'offered' | 'read' | 'write';
}

export interface Spot {
  latitude: number;
  longitude: number;
}

/** The place that is meant, when what was typed is one. */
export function spotOf(near: string): Spot | undefined {
  const [, latitude, longitude] = /^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*$/.exec(near)?.map(Number) ?? [];
  if (latitude === undefined || longitude === undefined) return undefined;
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? { latitude, longitude } : undefined;
}

export function whichOf(wish: Pick<Wish, 'sensor' | 'selector' | 'near' | 'kilometres'>): Which {
  const spot = spotOf(wish.near);
  return {
    sensor: wish.sensor.trim() || undefined,
    selector: wish.selector.trim() || undefined,
    near: spot && `${spot.latitude},${spot.longitude}`,
    radius_m: spot && Math.max(1, Number(wish.kilometres) * 1000),
  };
}

export function bookingOf(wish: Wish): NewBooking {
  return {
    ...whichOf(wish), count: Number(wish.count), from: wish.from ? new Date(wish.from).toISOString() : null,
    until: new Date(wish.until).toISOString(), rights: wish.rights === 'offered' ? [] : [wish.rights],
  };
}

/** Hours between two moments of a form; now, where the first is empty. */
export function hoursOf(wish: Pick<Wish, 'from' | 'until'>, now: number): number {
  return (new Date(wish.until).getTime() - (wish.from ? new Date(wish.from).getTime() : now)) / 3_600_000;
}

/** Every sensor that something has, by name. */
export function sensorsOf(offers: readonly Offer[]): string[] {
  return [...new Set(offers.flatMap((offer) => offer.sensors))].sort();
}
