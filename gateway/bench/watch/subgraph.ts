/** `node subgraph.ts <port>`: the shipments' subgraph over graphql-transport-ws, as cheap as can be. */
import { createServer } from 'node:http';
import { Kind, parse } from 'graphql';
import { type WebSocket, WebSocketServer } from 'ws';
import { emitOnOrder } from './emission.ts';
import { ACK, FIELD, movement, nextFrame } from './shipments.ts';

interface Subscriber {
  readonly socket: WebSocket;
  readonly id: string;
  /** What the gateway calls the field. */
  readonly name: string;
}

interface ClientMessage {
  readonly type: string;
  readonly id: string;
  readonly payload: { readonly query: string; readonly variables: Readonly<Record<string, string>> };
}

const subscribers = new Map<string, Set<Subscriber>>();
const names = new Map<string, string>();

function nameOf(query: string): string {
  const known = names.get(query);
  if (known) return known;
  const [operation] = parse(query).definitions;
  const [field] = operation?.kind === Kind.OPERATION_DEFINITION ? operation.selectionSet.selections : [];
  const name = (field?.kind === Kind.FIELD && field.alias?.value) || FIELD;
  names.set(query, name);
  return name;
}

const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"data":{"shipment":null}}');
  });
});
new WebSocketServer({ server, handleProtocols: () => 'graphql-transport-ws' }).on('connection', (socket) => {
  const own = new Map<string, () => void>();
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as ClientMessage;
    if (message.type === 'connection_init') socket.send(ACK);
    else if (message.type === 'ping') socket.send('{"type":"pong"}');
    else if (message.type === 'complete') own.get(message.id)?.();
    else if (message.type === 'subscribe') {
      const { id, payload } = message;
      const shipment = Object.values(payload.variables).find((value) => value.startsWith('shipment-')) ?? '';
      const subscriber = { socket, id, name: nameOf(payload.query) };
      const set = subscribers.get(shipment) ?? new Set();
      subscribers.set(shipment, set.add(subscriber));
      own.set(id, () => set.delete(subscriber));
    }
  });
  socket.on('close', () => {
    for (const leave of own.values()) leave();
  });
});
server.listen(Number(process.argv[2]), '127.0.0.1');

emitOnOrder((shipment, number) => {
  const event = movement(shipment, number);
  for (const { socket, id, name } of subscribers.get(shipment) ?? [])
    socket.send(nextFrame(id, { [name]: event }));
});
