// Debian's Chromium, driven by playwright-core; no browser is downloaded.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

export function launch(): Promise<Browser> {
  const args = ['--disable-dev-shm-usage', '--force-color-profile=srgb', '--font-render-hinting=none', '--disable-background-networking'];
  // Chromium's own sandbox does not work for root.
  return chromium.launch({ executablePath: find(), chromiumSandbox: process.getuid?.() !== 0, args });
}

function find(): string {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const paths = folders.flatMap((folder) => NAMES.map((name) => join(folder, name)));
  const found = paths.find((path) => existsSync(path));
  if (found) return found;
  throw new Error('there is no Chromium on the path; on a Debian-like system: sudo apt-get install --no-install-recommends chromium');
}
