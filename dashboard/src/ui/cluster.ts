// Markers that would lie on each other become one: first by a grid of pixels, then with their neighbours. Pure.
export interface Point {
  id: string;
  x: number;
  y: number;
}

export interface Cluster {
  ids: string[];
  x: number;
  y: number;
}

/** Groups points so that no two clusters stand closer than a cell; a cluster stands at the middle of its points. */
export function clusters(points: readonly Point[], cell: number): Cluster[] {
  const largestFirst = inCells(points, cell).sort((a, b) => b.ids.length - a.ids.length);
  const kept = new Map<string, Cluster[]>();
  const found: Cluster[] = [];
  for (const cluster of largestFirst) {
    const near = neighbours(kept, cluster, cell).find((other) => Math.hypot(other.x - cluster.x, other.y - cluster.y) < cell);
    if (near) near.ids.push(...cluster.ids);
    else {
      found.push(cluster);
      const key = keyOf(cluster, cell);
      kept.set(key, [...(kept.get(key) ?? []), cluster]);
    }
  }
  return found;
}

function inCells(points: readonly Point[], cell: number): Cluster[] {
  const cells = new Map<string, Cluster>();
  for (const point of points) {
    const key = keyOf(point, cell);
    const cluster = cells.get(key);
    if (cluster) {
      const count = cluster.ids.push(point.id);
      cluster.x += (point.x - cluster.x) / count;
      cluster.y += (point.y - cluster.y) / count;
    } else cells.set(key, { ids: [point.id], x: point.x, y: point.y });
  }
  return [...cells.values()];
}

function neighbours(kept: Map<string, Cluster[]>, at: { x: number; y: number }, cell: number): Cluster[] {
  const near: Cluster[] = [];
  for (const dx of [-cell, 0, cell]) {
    for (const dy of [-cell, 0, cell]) near.push(...(kept.get(keyOf({ x: at.x + dx, y: at.y + dy }, cell)) ?? []));
  }
  return near;
}

function keyOf(at: { x: number; y: number }, cell: number): string {
  return `${Math.floor(at.x / cell)}:${Math.floor(at.y / cell)}`;
}
