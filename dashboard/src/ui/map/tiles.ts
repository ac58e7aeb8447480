// The operator's own map tiles, when some are set.
import { uiSettings } from '../../api/session';

export interface Tiles {
  url: string | null;
  attribution: string | null;
}

let read: Promise<Tiles> | undefined;

export function tiles(): Promise<Tiles> {
  read ??= uiSettings().then(
    (settings) => ({ url: settings.tile_url ?? null, attribution: settings.attribution ?? null }),
    () => ({ url: null, attribution: null }),
  );
  return read;
}
