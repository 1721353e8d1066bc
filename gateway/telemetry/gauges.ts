/** What stands at the moment when somebody looks, and what others have counted themselves. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Attributes, BatchObservableResult, Meter, Observable } from '@opentelemetry/api';
import type { ClientFigures } from '../subgraph-client/guarded-client.ts';
import type { LiveFigures } from '../subscriptions/figures.ts';
import type { ReloadFigures } from '../supergraph.ts';

/** Where the figures are. */
export interface FigureSources {
  readonly live: () => LiveFigures;
  /** Open ones. */
  readonly sockets: () => number;
  readonly eventStreams: () => number;
  readonly clients: () => Iterable<{ readonly name: string; readonly figures: ClientFigures }>;
  readonly reloads: () => ReloadFigures;
}

type Observe = (value: number, attributes?: Attributes) => void;
type Kind = 'counter' | 'gauge';

class Book {
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** Instruments by their names, all read by one look. */
  keep<Name extends string>(
    instruments: Readonly<Record<Name, readonly [kind: Kind, description: string, unit?: string]>>,
    look: (observe: Readonly<Record<Name, Observe>>) => void,
  ): void {
    const made = new Map<Name, Observable>();
    for (const name in instruments) {
      const [kind, description, unit] = instruments[name];
      const options = unit === undefined ? { description } : { description, unit };
      const instrument =
        kind === 'counter'
          ? this.#meter.createObservableCounter(name, options)
          : this.#meter.createObservableGauge(name, options);
      made.set(name, instrument);
    }
    this.#meter.addBatchObservableCallback(
      (result: BatchObservableResult) => {
        const observe = {} as Record<Name, Observe>;
        for (const [name, instrument] of made)
          observe[name] = (value, attributes) => result.observe(instrument, value, attributes);
        look(observe);
      },
      [...made.values()],
    );
  }
}

/** Until it is disposed. */
export function keepGauges(meter: Meter, sources: FigureSources): Disposable {
  const book = new Book(meter);
  keepLive(book, sources);
  keepClients(book, sources);
  keepReloads(book, sources);
  return keepProcess(book);
}

function keepLive(book: Book, { live, sockets, eventStreams }: FigureSources): void {
  book.keep(
    {
      'gateway.connections': ['gauge', 'Open sockets and event streams'],
      'gateway.live.followers': ['gauge', 'Subscriptions of clients'],
      'gateway.live.topics': ['gauge', 'What is followed: clients that ask for the same share one'],
      'gateway.live.lanes': ['gauge', 'Upstreams to subgraphs'],
      'gateway.live.events': ['counter', 'Events, delivered to one client each, or left out as outdated'],
      'gateway.live.upstreams': ['counter', 'Upstreams, opened in all, and opened again after a cursor'],
      'gateway.live.resumes': ['counter', 'Clients that fell behind and went on from their cursor'],
      'gateway.live.interruptions': ['counter', 'Clients that were told SUBSCRIPTION_INTERRUPTED'],
    },
    (observe) => {
      const figures = live();
      observe['gateway.connections'](sockets(), { transport: 'websocket' });
      observe['gateway.connections'](eventStreams(), { transport: 'event-stream' });
      observe['gateway.live.followers'](figures.followers);
      observe['gateway.live.topics'](figures.topics);
      observe['gateway.live.lanes'](figures.lanes);
      observe['gateway.live.events'](figures.eventsDelivered, { fate: 'delivered' });
      observe['gateway.live.events'](figures.eventsConflated, { fate: 'conflated' });
      observe['gateway.live.upstreams'](figures.upstreamsOpened, { act: 'opened' });
      observe['gateway.live.upstreams'](figures.upstreamsResumed, { act: 'resumed' });
      observe['gateway.live.resumes'](figures.followersResumed);
      observe['gateway.live.interruptions'](figures.interruptions);
    },
  );
}

const BREAKER = ['closed', 'half-open', 'open'] as const;

function keepClients(book: Book, { clients }: FigureSources): void {
  book.keep(
    {
      'gateway.subgraph.requests': ['gauge', 'Requests to subgraphs, on their way or waiting for a place'],
      'gateway.subgraph.shared': ['counter', 'Fetches answered together with an equal one on its way'],
      'gateway.subgraph.breaker': [
        'gauge',
        'Breakers of a subgraph in each state: one for each address that it has',
      ],
    },
    (observe) => {
      // A subgraph has a client for each of its addresses.
      for (const [subgraph, all] of Map.groupBy(clients(), ({ name }) => name)) {
        const sum = (figure: (of: ClientFigures) => number) =>
          all.reduce((total, { figures }) => total + figure(figures), 0);
        observe['gateway.subgraph.requests'](
          sum(({ running }) => running),
          { subgraph, state: 'running' },
        );
        observe['gateway.subgraph.requests'](
          sum(({ waiting }) => waiting),
          { subgraph, state: 'waiting' },
        );
        observe['gateway.subgraph.shared'](
          sum(({ shared }) => shared),
          { subgraph },
        );
        for (const state of BREAKER)
          observe['gateway.subgraph.breaker'](
            sum(({ breaker }) => (breaker === state ? 1 : 0)),
            { subgraph, state },
          );
      }
    },
  );
}

function keepReloads(book: Book, { reloads }: FigureSources): void {
  book.keep(
    {
      'gateway.supergraph.reloads': ['counter', 'New versions of the supergraph, in service or of no use'],
      'gateway.supergraph.longest_pause': ['gauge', 'The longest that a reload kept all others waiting', 's'],
    },
    (observe) => {
      const { reloaded, refused, longestPause } = reloads();
      observe['gateway.supergraph.reloads'](reloaded, { outcome: 'in service' });
      observe['gateway.supergraph.reloads'](refused, { outcome: 'refused' });
      observe['gateway.supergraph.longest_pause'](longestPause / 1_000);
    },
  );
}

type Histogram = ReturnType<typeof monitorEventLoopDelay>;

/** Milliseconds. */
const DELAY_RESOLUTION = 20;
const QUANTILES = [50, 99] as const;

function keepProcess(book: Book): Disposable {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION });
  delay.enable();
  book.keep(
    {
      'nodejs.eventloop.delay.p50': ['gauge', 'Since the last look, half of all delays were shorter', 's'],
      'nodejs.eventloop.delay.p99': ['gauge', 'Since the last look, 99% of all delays were shorter', 's'],
      'nodejs.eventloop.delay.max': ['gauge', 'The longest delay since the last look', 's'],
      'process.cpu.time': ['counter', 'Processor time', 's'],
      'process.memory.usage': ['gauge', 'Resident set size', 'By'],
    },
    (observe) => {
      for (const quantile of QUANTILES)
        observe[`nodejs.eventloop.delay.p${quantile}`](seconds(delay, delay.percentile(quantile)));
      observe['nodejs.eventloop.delay.max'](seconds(delay, delay.max));
      delay.reset();
      const { user, system } = process.cpuUsage();
      observe['process.cpu.time'](user / 1e6, { 'cpu.mode': 'user' });
      observe['process.cpu.time'](system / 1e6, { 'cpu.mode': 'system' });
      observe['process.memory.usage'](process.memoryUsage.rss());
    },
  );
  return { [Symbol.dispose]: () => void delay.disable() };
}

/** The histogram counts nanoseconds from one tick of its own to the next, and nothing right after a reset. */
const seconds = (delay: Histogram, nanoseconds: number): number =>
  delay.count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - DELAY_RESOLUTION / 1e3);
