// Outlines of the countries (Natural Earth at 1:110m, by world-atlas): the ground of a map that needs no network.
import type { FeatureCollection } from 'geojson';
import { feature } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import address from 'world-atlas/countries-110m.json?url';

let read: Promise<FeatureCollection> | undefined;

export function outlines(): Promise<FeatureCollection> {
  read ??= load();
  return read;
}

async function load(): Promise<FeatureCollection> {
  const answer = await fetch(address);
  const world = (await answer.json()) as Topology<{ countries: GeometryCollection }>;
  return feature(world, world.objects.countries);
}
