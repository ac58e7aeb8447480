// Markers that would lie on each other become one, by a grid of pixels. Pure: positions in, clusters out.
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

/** Groups points by the cell of the grid they fall in; a cluster stands at the middle of its points. */
export function clusters(points: readonly Point[], cell: number): Cluster[] {
  const cells = new Map<string, Cluster>();
  for (const point of points) {
    const key = `${Math.floor(point.x / cell)}:${Math.floor(point.y / cell)}`;
    const cluster = cells.get(key);
    if (cluster) {
      const count = cluster.ids.push(point.id);
      cluster.x += (point.x - cluster.x) / count;
      cluster.y += (point.y - cluster.y) / count;
    } else cells.set(key, { ids: [point.id], x: point.x, y: point.y });
  }
  return [...cells.values()];
}
