// Server-sent events (WHATWG HTML, section 9.2) out of text that comes in pieces. Pure: no network, no clock.
// Our own and not EventSource, because kinds of events are open-ended and a refused stream must tell why (401 or not).

/** A frame whose text never ends is given up at this many characters. */
const MAX_FRAME = 4 * 1024 * 1024;

export interface Frame {
  id: string | undefined;
  event: string;
  data: string;
}

/** Collects text and hands out whole frames. */
export class FrameReader {
  private rest = '';
  private id: string | undefined;
  private event = '';
  private data: string[] = [];

  /** The frames that this piece completes. */
  push(piece: string): Frame[] {
    this.rest += piece;
    const frames: Frame[] = [];
    let start = 0;
    for (let end = this.lineEnd(start); end >= 0; end = this.lineEnd(start)) {
      const frame = this.line(this.rest.slice(start, end));
      if (frame) frames.push(frame);
      const pair = this.rest.startsWith('\r\n', end);
      start = end + (pair ? 2 : 1);
    }
    this.rest = this.rest.slice(start);
    if (this.rest.length > MAX_FRAME) this.rest = '';
    return frames;
  }

  private lineEnd(from: number): number {
    for (let at = from; at < this.rest.length; at += 1) {
      const sign = this.rest.charCodeAt(at);
      if (sign === 10) return at;
      // A carriage return at the very end may be half of a pair: wait for the next piece.
      if (sign === 13) return at + 1 < this.rest.length ? at : -1;
    }
    return -1;
  }

  private line(line: string): Frame | undefined {
    if (line === '') return this.complete();
    if (line.startsWith(':')) return undefined;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'data') this.data.push(value);
    else if (field === 'event') this.event = value;
    else if (field === 'id') this.id = value;
    return undefined;
  }

  private complete(): Frame | undefined {
    const { event, data, id } = this;
    this.event = '';
    this.data = [];
    if (data.length === 0) return undefined;
    return { id, event: event || 'message', data: data.join('\n') };
  }
}
