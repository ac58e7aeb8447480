// The cloud's side of a terminal: a WebSocket of subprotocol `s4t.terminal.v1`. Binary frames are bytes of the shell, text
// frames are words about it. Knows no screen.
import { path } from '../../api/request';

export const SUBPROTOCOL = 's4t.terminal.v1';

export type Ending = { code: number } | { message: string } | 'lost';

export interface Handlers {
  bytes(bytes: Uint8Array): void;
  ready(user: string, recorded: boolean): void;
  ended(ending: Ending): void;
}

export class TerminalConnection {
  private readonly socket: WebSocket;
  private readonly encoder = new TextEncoder();
  private over = false;

  constructor(board: string, columns: number, rows: number, private readonly handlers: Handlers) {
    const address = new URL(`${path('boards', board, 'terminal')}?cols=${columns}&rows=${rows}`, location.href);
    address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
    this.socket = new WebSocket(address, SUBPROTOCOL);
    this.socket.binaryType = 'arraybuffer';
    this.socket.onmessage = (event) => this.hear(event.data as ArrayBuffer | string);
    this.socket.onclose = () => this.end('lost');
  }

  send(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(this.encoder.encode(text));
  }

  sendBinary(text: string): void {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(Uint8Array.from(text, (sign) => sign.charCodeAt(0) & 255));
  }

  resize(columns: number, rows: number): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ resize: { cols: columns, rows } }));
  }

  close(): void {
    this.over = true;
    this.socket.close();
  }

  private hear(data: ArrayBuffer | string): void {
    if (typeof data !== 'string') {
      this.handlers.bytes(new Uint8Array(data));
      return;
    }
    const said = read(data);
    if (said.ready) this.handlers.ready(said.ready.user, said.ready.recorded === true);
    else if (said.exit) this.end({ code: said.exit.code });
    else if (said.error) this.end({ message: said.error.message });
  }

  private end(ending: Ending): void {
    if (this.over) return;
    this.over = true;
    this.handlers.ended(ending);
  }
}

interface Said {
  ready?: { user: string; recorded?: boolean };
  exit?: { code: number };
  error?: { kind: string; message: string };
}

/** A word of the cloud; whatever is none says nothing. */
export function read(text: string): Said {
  try {
    const said: unknown = JSON.parse(text);
    return typeof said === 'object' && said !== null ? (said as Said) : {};
  } catch {
    return {};
  }
}
