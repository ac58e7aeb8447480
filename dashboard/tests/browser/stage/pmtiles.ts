// A small archive of map tiles (PMTiles, version 3): every tile down to a zoom, each of one colour, written byte by byte after
// the specification and not by the library that the pages read it with.
import { crc32, deflateSync, gzipSync } from 'node:zlib';

const HEADER = 127;
const SIZE = 256;
const [GZIP, UNPACKED, PNG] = [2, 1, 2];
type Colour = [number, number, number];

/** All tiles from 0 to `deepest`; nothing at all tells one from another but the colour of its zoom. */
export function archive(colours: Colour[]): Buffer {
  const tiles = colours.map(picture);
  const lengths = tiles.map((tile) => tile.length);
  // One entry for each zoom: its tiles follow one another and are all the same picture.
  const counts = colours.map((_, zoom) => 4 ** zoom);
  const firsts = counts.map((_, zoom) => (4 ** zoom - 1) / 3);
  const steps = firsts.map((first, zoom) => first - (firsts[zoom - 1] ?? 0));
  const offsets = lengths.map((_, zoom) => (zoom === 0 ? 1 : 0));
  const directory = gzipSync(Buffer.from([colours.length, ...steps, ...counts, ...lengths, ...offsets].flatMap(varint)));
  const metadata = gzipSync('{}');
  const header = Buffer.alloc(HEADER);
  header.write('PMTiles\x03', 'latin1');
  const places = [HEADER, directory.length, HEADER + directory.length, metadata.length, HEADER + directory.length + metadata.length, 0];
  const data = places[4] ?? 0;
  const all = counts.reduce((sum, count) => sum + count, 0);
  [...places, data, tiles.reduce((sum, tile) => sum + tile.length, 0), all, tiles.length, tiles.length].forEach((number, index) =>
    header.writeBigUInt64LE(BigInt(number), 8 + index * 8),
  );
  Buffer.from([1, GZIP, UNPACKED, PNG, 0, colours.length - 1]).copy(header, 96);
  [-180, -85, 180, 85].forEach((degrees, index) => header.writeInt32LE(degrees * 1e7, 102 + index * 4));
  return Buffer.concat([header, directory, metadata, ...tiles]);
}

function varint(number: number): number[] {
  return number < 128 ? [number] : [(number & 127) | 128, ...varint(number >>> 7)];
}

function picture(colour: Colour): Buffer {
  const about = Buffer.alloc(13);
  about.writeUInt32BE(SIZE, 0);
  about.writeUInt32BE(SIZE, 4);
  about.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.from([0]), Buffer.alloc(SIZE * 3, Buffer.from(colour))]);
  const lines = deflateSync(Buffer.concat(Array.from({ length: SIZE }, () => line)));
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', about), chunk('IDAT', lines), chunk('IEND', Buffer.alloc(0))]);
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
