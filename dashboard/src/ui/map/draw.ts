// The map itself: Leaflet, world outlines, clustered markers. Loaded only when a map is shown.
import L from 'leaflet';
import 'leaflet/dist/leaflet.css';
import { clusters } from '../cluster';
import { colourOf } from '../colour';
import type { Area, Place } from '../Map.svelte';
import { outlines } from './outlines';
import { tiles } from './tiles';

/** Pixels within which markers become one. */
const CELL = 44;
const CLOSEST = 17;

export interface Acts {
  open(id: string): void;
  pick(latitude: number, longitude: number): void;
  cluster(count: number): string;
  count(count: number): string;
}

export interface BoardMap {
  show(places: Place[]): void;
  /** Draws a circle that is searched, or none. */
  round(area: Area | undefined): void;
  recolour(): void;
  remove(): void;
}

export async function draw(box: HTMLElement, acts: Acts): Promise<BoardMap> {
  const map = L.map(box, {
    preferCanvas: true, worldCopyJump: true, minZoom: 1, maxZoom: CLOSEST, zoomSnap: 0.5, attributionControl: false,
  });
  map.setView([30, 10], 1.5);
  const land = await ground(map);
  const markers = L.layerGroup().addTo(map);
  let known: Place[] = [];
  let fitted = false;
  let circle: L.Circle | undefined;

  const redraw = (): void => {
    markers.clearLayers();
    const byId = new Map(known.map((place) => [place.id, place]));
    const view = map.getBounds().pad(0.3);
    const near = known.filter((place) => view.contains([place.latitude, place.longitude]));
    const points = near.map((place) => {
      const at = map.project([place.latitude, place.longitude]);
      return { id: place.id, x: at.x, y: at.y };
    });
    for (const cluster of clusters(points, CELL)) {
      const at = map.unproject([cluster.x, cluster.y]);
      const places = cluster.ids.flatMap((id) => byId.get(id) ?? []);
      markers.addLayer(marker(map, at, places, acts));
    }
  };

  map.on('zoomend moveend', redraw);
  map.on('click', (event) => acts.pick(event.latlng.lat, event.latlng.wrap().lng));
  const resize = new ResizeObserver(() => map.invalidateSize());
  resize.observe(box);

  return {
    show(places) {
      known = places;
      if (!fitted && places.length > 0) {
        fitted = true;
        const bounds = L.latLngBounds(places.map((place) => [place.latitude, place.longitude]));
        map.fitBounds(bounds.pad(0.4), { maxZoom: 6, animate: false });
      }
      redraw();
    },
    round(area) {
      circle?.remove();
      circle = area && L.circle([area.latitude, area.longitude], { radius: area.metres, ...areaStyle(), interactive: false }).addTo(map);
      if (circle && !map.getBounds().contains(circle.getBounds())) map.fitBounds(circle.getBounds().pad(0.3));
    },
    recolour() {
      land?.setStyle(landStyle());
      circle?.setStyle(areaStyle());
    },
    remove() {
      resize.disconnect();
      map.remove();
    },
  };
}

/** The operator's tiles when there are some; outlines where there are none. */
async function ground(map: L.Map): Promise<L.GeoJSON | undefined> {
  const set = await tiles();
  // The attribution is the operator's own text; markup in it stays text.
  const text = document.createElement('span');
  text.textContent = set.attribution ?? '';
  const options = { attribution: text.innerHTML, maxZoom: CLOSEST };
  const pictures = set.url ? L.tileLayer(set.url, options) : set.archive ? await archived(set.archive, options) : undefined;
  if (pictures) {
    L.control.attribution({ prefix: false }).addTo(map);
    pictures.addTo(map);
  }
  return set.url ? undefined : L.geoJSON(await outlines(), { pane: below(map), style: landStyle, interactive: false }).addTo(map);
}

async function archived(address: string, options: L.GridLayerOptions): Promise<L.Layer | undefined> {
  try {
    return await (await import('./archive')).archive(address, options);
  } catch {
    // Outlines are a map too.
    return undefined;
  }
}

/** An archive may hold one town only: around it the outlines go on, below its pictures. */
function below(map: L.Map): string {
  const pane = map.createPane('land');
  pane.style.zIndex = '150';
  return 'land';
}

function landStyle(): L.PathOptions {
  return { fillColor: colourOf('--surface'), fillOpacity: 1, color: colourOf('--line-strong'), weight: 0.7, opacity: 0.8 };
}

function areaStyle(): L.PathOptions {
  const color = colourOf('--accent');
  return { color, weight: 1.5, fillColor: color, fillOpacity: 0.12 };
}

function marker(map: L.Map, at: L.LatLng, places: Place[], acts: Acts): L.Marker {
  const first = places[0];
  const single = places.length === 1 && first ? first : undefined;
  const size = single ? 16 : Math.min(44, 24 + Math.log2(places.length) * 3);
  const face = document.createElement('span');
  face.textContent = single ? '' : acts.count(places.length);
  const icon = L.divIcon({ html: face, className: `mark ${toneOf(places)}`, iconSize: [size, size] });
  const name = single ? single.name : acts.cluster(places.length);
  const made = L.marker(at, { icon, title: '', alt: name, keyboard: true });
  const words = document.createElement('span');
  words.textContent = name;
  made.bindTooltip(words, { direction: 'top', offset: [0, -size / 2] });
  made.on('add', () => made.getElement()?.setAttribute('aria-label', name));
  made.on('click', () => {
    if (single) acts.open(single.id);
    else if (map.getZoom() >= CLOSEST && first) acts.open(first.id);
    else map.fitBounds(L.latLngBounds(places.map((place) => [place.latitude, place.longitude])).pad(0.2), { maxZoom: CLOSEST });
  });
  return made;
}

/** The worst of them decides: trouble must not hide in a crowd. */
function toneOf(places: Place[]): string {
  for (const tone of ['bad', 'warn', 'good'] as const) {
    if (places.some((place) => place.look.tone === tone)) return tone;
  }
  return 'rest';
}
