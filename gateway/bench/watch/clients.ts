/**
 * Some thousand clients of one process, over bare `ws`, each with one subscription. They read of an event no more
 * than its number and when it was emitted. Orders come from the parent: `connect`, then `report` as often as wanted.
 */
import { WebSocket } from 'ws';
import { LATENCY_STEP, now, SUBSCRIPTION, shipmentOf } from './shipments.ts';

export interface Connect {
  readonly connect: {
    readonly to: string;
    readonly port: number;
    readonly authorization: string;
    /** Clients `first` up to `last`; client n watches shipment n modulo `shipments`. */
    readonly first: number;
    readonly last: number;
    readonly shipments: number;
    /** An address of loopback, so that no address runs out of ports. */
    readonly from: string;
  };
}

/** Since the last report, but for the first. */
export interface Report {
  /** Now. */
  readonly connected: number;
  readonly delivered: number;
  /** Subscriptions or sockets that ended. */
  readonly ended: number;
  /** Events that did not follow the one before. */
  readonly astray: number;
  /** The longest that one client heard nothing between two events, in milliseconds. */
  readonly longestSilence: number;
  /** Counts by steps of `LATENCY_STEP` milliseconds. */
  readonly latencies: readonly number[];
}

const LATENCIES = 20_000;
const AT_ONCE = 50;

interface Watcher {
  number: number;
  heardAt: number;
}

class Watch {
  connected = 0;
  delivered = 0;
  ended = 0;
  astray = 0;
  longestSilence = 0;
  latencies = new Array<number>(LATENCIES).fill(0);

  report(): Report {
    const { connected, delivered, ended, astray, longestSilence, latencies } = this;
    const last = latencies.findLastIndex((count) => count > 0);
    this.delivered = 0;
    this.ended = 0;
    this.astray = 0;
    this.longestSilence = 0;
    this.latencies = new Array<number>(LATENCIES).fill(0);
    return {
      connected,
      delivered,
      ended,
      astray,
      longestSilence,
      latencies: latencies.slice(0, last + 1),
    };
  }

  heard(watcher: Watcher, frame: Buffer): void {
    const text = frame.toString('latin1');
    const number = Number.parseInt(text.slice(text.indexOf('"number":') + 9), 10);
    const at = Number.parseFloat(text.slice(text.indexOf('"at":') + 5));
    const time = now();
    if (watcher.number !== 0) {
      if (number !== watcher.number + 1) this.astray += 1;
      this.longestSilence = Math.max(this.longestSilence, time - watcher.heardAt);
    }
    watcher.number = number;
    watcher.heardAt = time;
    this.delivered += 1;
    const step = Math.min(LATENCIES - 1, Math.max(0, Math.floor((time - at) / LATENCY_STEP)));
    this.latencies[step] = (this.latencies[step] ?? 0) + 1;
  }
}

const watches = new Map<string, Watch>();

async function connect({ to, first, last, ...how }: Connect['connect']): Promise<void> {
  const watch = watches.get(to) ?? new Watch();
  watches.set(to, watch);
  let next = first;
  const one = async (): Promise<void> => {
    while (next < last) await open(watch, next++, how);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

function open(
  watch: Watch,
  index: number,
  { port, authorization, shipments, from }: Omit<Connect['connect'], 'to' | 'first' | 'last'>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', {
    perMessageDeflate: false,
    localAddress: from,
  });
  const watcher: Watcher = { number: 0, heardAt: 0 };
  let open = false;
  socket.on('open', () =>
    socket.send(JSON.stringify({ type: 'connection_init', payload: { authorization } })),
  );
  socket.on('message', (data: Buffer) => {
    if (data.includes('"type":"next"')) watch.heard(watcher, data);
    else if (data.includes('"connection_ack"')) {
      const payload = { query: SUBSCRIPTION, variables: { shipment: shipmentOf(index % shipments) } };
      socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
      open = true;
      watch.connected += 1;
      resolve();
    } else {
      watch.ended += 1;
      console.error(String(data).slice(0, 500));
    }
  });
  socket.on('error', reject);
  socket.on('close', (code, reason) => {
    if (open) {
      watch.connected -= 1;
      watch.ended += 1;
    }
    reject(new Error(`A client was closed: ${code} ${reason}`));
  });
  return promise;
}

process.on('message', (order: Partial<Connect> & { report?: string }) => {
  if (order.report) process.send?.({ report: watches.get(order.report)?.report() });
  if (order.connect)
    connect(order.connect).then(
      () => process.send?.({ connected: true }),
      (error) => process.send?.({ connected: false, why: String(error) }),
    );
});
process.once('disconnect', () => process.exit());
