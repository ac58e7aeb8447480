// Map pictures out of one archive (PMTiles), read part by part. Each is drawn on a canvas: an address made for it in the
// page would need a wider content security policy.
import L from 'leaflet';
import { PMTiles } from 'pmtiles';

/** The layer of an archive; fails when that cannot be read. */
export async function archive(address: string, options: L.GridLayerOptions): Promise<L.Layer> {
  const file = new PMTiles(new URL(address, location.href).href);
  const { minZoom, maxZoom, minLat, minLon, maxLat, maxLon } = await file.getHeader();
  const bounds = L.latLngBounds([minLat, minLon], [maxLat, maxLon]);
  return new Pictures(file, { ...options, minNativeZoom: minZoom, maxNativeZoom: maxZoom, bounds });
}

class Pictures extends L.GridLayer {
  constructor(private readonly file: PMTiles, options: L.GridLayerOptions) {
    super(options);
  }

  override createTile(at: L.Coords, done: L.DoneCallback): HTMLElement {
    const tile = document.createElement('canvas');
    this.picture(at).then(
      (picture) => {
        if (picture) draw(tile, picture);
        done(undefined, tile);
      },
      (error: Error) => done(error, tile),
    );
    return tile;
  }

  private async picture({ x, y, z }: L.Coords): Promise<ImageBitmap | undefined> {
    const found = await this.file.getZxy(z, x, y);
    return found && createImageBitmap(new Blob([found.data]));
  }
}

function draw(tile: HTMLCanvasElement, picture: ImageBitmap): void {
  [tile.width, tile.height] = [picture.width, picture.height];
  tile.getContext('2d')?.drawImage(picture, 0, 0);
  picture.close();
}
