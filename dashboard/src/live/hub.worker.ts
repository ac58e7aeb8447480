// Where the pages of a browser share their stream of events.
import { Hub, type FromPage } from './hub';
import { Stream } from './stream';

const hub = new Hub<MessagePort>((handlers) => new Stream('/v2/events', handlers));
const scope = self as unknown as { onconnect: (event: MessageEvent) => void };

scope.onconnect = (event) => {
  const [port] = event.ports;
  if (port) port.onmessage = ({ data }: MessageEvent<FromPage>) => hub.hear(port, data);
};
