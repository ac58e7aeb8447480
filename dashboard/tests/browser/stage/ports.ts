// Ports for a cloud that must find them again after a restart: below the kernel's ephemeral range, so that no outgoing
// connection takes one meanwhile, and above those of the Rust tests.
import { createServer } from 'node:net';

const FIRST = 31_300;
/** One for the pages, the others for services. */
export const PORTS = 12;
const BLOCKS = 116;

/** The first of `PORTS` ports in a row that are all free. */
export async function freePorts(): Promise<number> {
  const start = Math.floor(Math.random() * BLOCKS);
  for (let step = 0; step < BLOCKS; step += 1) {
    const first = FIRST + ((start + step) % BLOCKS) * PORTS;
    const all = Array.from({ length: PORTS }, (_, index) => isFree(first + index));
    if ((await Promise.all(all)).every(Boolean)) return first;
  }
  throw new Error(`no ${PORTS} ports in a row are free from ${FIRST} on`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', () => answer(false));
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)));
  });
}
