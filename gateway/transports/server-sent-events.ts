/**
 * Subscriptions as server-sent events: the "distinct connections" mode of the graphql-sse protocol. Events are
 * `event: next` with the execution result as `data` and the cursor as `id` (`-` where the field has none), so that
 * browsers come back with `Last-Event-ID` by themselves and miss nothing. What ends a stream for good, its own end
 * or an error such as an expired token, is told as a last `next` with `errors`, then `event: complete`; a stream that
 * merely breaks off is to be resumed.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import { rateLimited, UNAUTHENTICATED } from '../errors.ts';
import type { AdmittedOperation } from '../pipeline/operation.ts';
import type { Caller } from '../policy/policy.ts';
import {
  type ConnectionLimits,
  type Places,
  personOf,
  retryAfter,
} from '../subscriptions/connection-limits.ts';
import type { SubscribeRequest } from '../subscriptions/desk.ts';
import type { ReadyEvent } from '../subscriptions/event-log.ts';
import type { Follower, Outlet } from '../subscriptions/follower.ts';
import { NO_CURSOR } from '../subscriptions/hub.ts';
import { Rounds, roundsFor, StallWatch } from '../subscriptions/rounds.ts';
import type { RequestObserver } from '../telemetry/observer.ts';
import type { ConnectionOptions } from './graphql-ws-connection.ts';

export interface EventStreamRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly caller: Caller;
  readonly graphql: Omit<SubscribeRequest, 'requestId'> & {
    readonly extensions?: Readonly<Record<string, unknown>> | undefined;
  };
  readonly requestId: string;
  readonly observer?: RequestObserver | undefined;
  /** What policy has said already, if it was asked. */
  readonly admitted?: AdmittedOperation | readonly GraphQLError[];
}

export interface EventStreamTransport {
  /**
   * Serves the events, or tells in the stream why it does not. Resolves once the stream is open. Throws a coded
   * `GraphQLError` with a status where there are too many streams.
   */
  stream(asked: EventStreamRequest): Promise<void>;
  /** How many are open. */
  readonly open: number;
  /** Breaks all streams off: clients come back, to another gateway. */
  close(): void;
}

export interface EventStreamOptions extends ConnectionOptions {
  readonly limits: ConnectionLimits;
}

export function createEventStreamTransport(options: EventStreamOptions): EventStreamTransport {
  const { config, desk, limits } = options;
  const streams = new Rounds<EventStream>(roundsFor(config.SOCKET_STALL, config.SOCKET_PING));

  function takePlaces({ request, caller }: EventStreamRequest, places: Places): boolean {
    const person = personOf(caller.viewer);
    const device = request.headers['x-device-id'];
    return (
      limits.admits() &&
      places.take('address', caller.address) &&
      (person === undefined || places.take('user', person)) &&
      (typeof device !== 'string' || places.take('device', device))
    );
  }

  return {
    async stream(asked) {
      const { request, response, caller, graphql, admitted, requestId, observer } = asked;
      if (response.destroyed) return;
      const places = limits.places();
      if (!takePlaces(asked, places)) {
        places.leave();
        throw rateLimited(Math.ceil(retryAfter() / 1_000));
      }
      const stream = new EventStream(options, asked, () => {
        places.leave();
        streams.delete(stream);
      });
      streams.add(stream);
      const lastEventId = request.headers['last-event-id'] ?? graphql.extensions?.lastEventId;
      const resumed = typeof lastEventId === 'string' ? { lastEventId } : {};
      const asking = { ...graphql, ...resumed, requestId, observer };
      const subscription = await desk.admit(asking, caller, admitted);
      if (response.destroyed) return;
      if ('length' in subscription) {
        observer?.failed(subscription);
        stream.fail(subscription);
      } else stream.follow((outlet) => desk.follow(subscription, outlet));
    },
    get open() {
      return streams.members.size;
    },
    close() {
      for (const stream of streams.members) stream.cut();
    },
  };
}

/** Every client gets the same bytes for an event: they are put together for the first one. */
const frames = new WeakMap<ReadyEvent, string>();

function frameOf(event: ReadyEvent): string {
  const known = frames.get(event);
  if (known !== undefined) return known;
  const { cursor, payload } = event;
  // A line break would end the field; such an event cannot be resumed from, but the one before it can.
  const id = cursor === undefined ? NO_CURSOR : cursor;
  const frame = `event: next\n${/[\r\n\0]/.test(id) ? '' : `id: ${id}\n`}data: ${payload}\n\n`;
  frames.set(event, frame);
  return frame;
}

const expired: GraphQLFormattedError = {
  message: 'The access token has expired: subscribe again with a fresh one',
  extensions: { code: UNAUTHENTICATED },
};
const revoked: GraphQLFormattedError = {
  message: 'The session has ended',
  extensions: { code: UNAUTHENTICATED },
};

class EventStream implements Outlet {
  readonly #options: EventStreamOptions;
  readonly #response: ServerResponse;
  readonly #caller: Caller;
  readonly #stall = new StallWatch();
  readonly #stopWatching: () => void;
  #follower: Follower | undefined;
  #ended = false;
  #wroteAt = performance.now();

  constructor(options: EventStreamOptions, { response, caller }: EventStreamRequest, gone: () => void) {
    this.#options = options;
    this.#response = response;
    this.#caller = caller;
    this.#stopWatching = options.policy.onRevoked(caller, () => this.fail([revoked]));
    response.on('error', (err) => options.logger.debug({ err }, 'event stream error'));
    response.once('close', () => {
      this.#end();
      gone();
    });
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    this.#write(`retry: ${retryAfter()}\n\n`);
  }

  get unsent(): number {
    return this.#response.writableLength;
  }

  follow(begin: (outlet: Outlet) => Follower | undefined): void {
    if (this.#ended) return;
    const follower = begin(this);
    if (this.#ended) follower?.leave();
    else this.#follower = follower;
  }

  #write(text: string): void {
    if (this.#ended) return;
    this.#wroteAt = performance.now();
    this.#response.write(text);
  }

  next(event: ReadyEvent): void {
    this.#write(frameOf(event));
  }

  fail(errors: readonly GraphQLFormattedError[]): void {
    this.#write(`event: next\ndata: ${JSON.stringify({ errors })}\n\n`);
    this.complete();
  }

  complete(): void {
    // Without its empty data a browser would not tell its page of the event.
    this.#write('event: complete\ndata:\n\n');
    this.#end();
    this.#response.end();
  }

  /** Breaks off, to be resumed. */
  cut(): void {
    this.#end();
    this.#response.destroy();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopWatching();
    this.#follower?.leave();
  }

  /** Everything that is a matter of time. */
  visit(now: number): void {
    const { config, clock } = this.#options;
    const { expiresAt } = this.#caller;
    const { socket } = this.#response;
    if (socket && this.#stall.stalled(socket, now, config.SOCKET_STALL)) this.cut();
    else if (this.#ended) return;
    else if (expiresAt && expiresAt.getTime() <= clock.now().getTime()) this.fail([expired]);
    else if (now - this.#wroteAt > config.SOCKET_PING) this.#write(':\n\n');
  }
}
