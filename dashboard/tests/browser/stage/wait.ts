// Waiting for conditions, always with an end and a reason.

/** How long a condition may take on a machine that is busy with other things. */
export const PATIENCE_MS = 20_000;
const LOOK_MS = 20;

/** What `look` finds as soon as it finds something; the error carries the last reason. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false> | T | undefined | false, ms = PATIENCE_MS): Promise<T> {
  const end = Date.now() + ms;
  let reason = '';
  for (;;) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      reason = '';
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}${reason && ` (${reason})`}`);
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

/** What is promised, unless it comes too late. */
export function within<T>(ms: number, promised: Promise<T>, what: string): Promise<T> {
  return new Promise((done, failed) => {
    const late = setTimeout(() => failed(new Error(`not within ${ms} ms: ${what}`)), ms);
    promised.then(done, failed).finally(() => clearTimeout(late));
  });
}
