// The operator's own map tiles, when some are set.
import { uiSettings } from '../../api/session';

export interface Tiles {
  url: string | null;
  /** Address of an archive that holds them, instead. */
  archive: string | null;
  attribution: string | null;
}

let read: Promise<Tiles> | undefined;

export function tiles(): Promise<Tiles> {
  read ??= uiSettings().then(
    (settings) => ({ url: settings.tile_url ?? null, archive: settings.pmtiles ?? null, attribution: settings.attribution ?? null }),
    () => ({ url: null, archive: null, attribution: null }),
  );
  return read;
}
