/** `node bare-broadcast.ts <port>`: the floor. A bare `ws` server that sends one ready text to everybody. */
import { type WebSocket, WebSocketServer } from 'ws';
import { emitOnOrder } from './emission.ts';
import { ACK, FIELD, movement, nextFrame } from './shipments.ts';

const watchers = new Map<string, Set<WebSocket>>();

const server = new WebSocketServer({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  backlog: 4_096,
  perMessageDeflate: false,
  clientTracking: false,
  handleProtocols: () => 'graphql-transport-ws',
});
server.on('connection', (socket) => {
  socket.on('message', (data) => {
    const [shipment] = /shipment-\d+/.exec(String(data)) ?? [];
    if (shipment) watchers.set(shipment, (watchers.get(shipment) ?? new Set()).add(socket));
    else socket.send(ACK);
  });
});

emitOnOrder((shipment, number) => {
  const event = movement(shipment, number);
  const text = nextFrame('1', { [FIELD]: event }, { cursor: event.cursor });
  for (const socket of watchers.get(shipment) ?? []) socket.send(text);
});
