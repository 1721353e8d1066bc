/**
 * Everything that clients share who ask for the same: the same operation and variables, as the same viewer.
 *
 * A topic has *lanes*, each an upstream with a log of its recent events. Usually there is one. A client that
 * resumes after a cursor which no lane's log can continue from gets a lane of its own, opened after that cursor.
 * Lanes merge as soon as they meet. What a client is sent is always a contiguous piece of the field's log:
 *
 * - *Order and no gap within a lane.* An upstream delivers in order, from its start; the lane appends in that
 *   order, and a follower at position n is sent n + 1 next, or nothing. A position that the log has dropped is
 *   never skipped: its follower attaches anew, by its cursor.
 * - *Attaching.* A cursor names one place in the field's log. If a lane knows it as the cursor of position p, then
 *   p + 1 is what follows that place: the client is put at p. Otherwise the new lane starts just there.
 * - *Merging.* After lane X has appended the event with cursor c, and lane Y knows c at position p, everything after
 *   c is the same for both, and Y has it already or will. X's followers that stand at c are put at p, so they get
 *   exactly what follows c; those that stand elsewhere are put at their own cursor, or attach anew. X had nothing
 *   that Y will not have, so its upstream can end.
 * - *Re-opening.* An upstream that was lost is opened after the last event that was taken from it. What was taken
 *   is appended, whatever happens to the upstream.
 *
 * Two lanes over one log always meet: the one behind reads towards the other's start or newest event.
 */
import type { GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import { TOO_SLOW } from '#shared/runtime/server/event-queue.ts';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { interrupted, type LaneEnd } from './endings.ts';
import type { LogLimits } from './event-log.ts';
import type { LiveCounters } from './figures.ts';
import { ADRIFT, Follower, type Outlet } from './follower.ts';
import { Lane, type LiveVersion } from './lane.ts';
import type { LiveOperation } from './live-operation.ts';

export interface LiveLimits {
  /** Of each lane's log. */
  readonly log: LogLimits;
  /** Bytes that a client may leave untaken before it is sent nothing more. */
  readonly unsent: number;
  /** Milliseconds that a lane outlives its last follower, for one that comes right back. */
  readonly linger: number;
  /** Milliseconds between two looks at clients that take too little. */
  readonly drainCheck: number;
  readonly recovery: {
    /** Milliseconds in which a lost upstream must come back, as the next two. */
    readonly within: number;
    readonly firstDelay: number;
    readonly longestDelay: number;
  };
}

/** What topics share of the hub. */
export interface TopicHost {
  readonly limits: LiveLimits;
  readonly logger: Logger;
  readonly counters: LiveCounters;
  /** How errors leave the gateway. */
  readonly format: (error: GraphQLFormattedError) => GraphQLFormattedError;
  /** A follower takes nothing more: `drained` is called when it has taken most of it. */
  fallsBehind(follower: Follower): void;
  /** Nobody follows any more. */
  emptied(topic: Topic): void;
}

export interface TopicAsked {
  readonly version: LiveVersion;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly facts: Omit<RequestFacts, 'signal'>;
}

export class Topic {
  readonly variables: Readonly<Record<string, unknown>>;
  readonly facts: Omit<RequestFacts, 'signal'>;
  readonly lanes = new Set<Lane>();
  readonly #host: TopicHost;
  /** The lane that has reached "now", where there is one. */
  #live: Lane | undefined;
  #version: LiveVersion;

  constructor(host: TopicHost, { version, variables, facts }: TopicAsked) {
    this.#host = host;
    this.#version = version;
    this.variables = variables;
    this.facts = facts;
  }

  get version(): LiveVersion {
    return this.#version;
  }

  get operation(): LiveOperation {
    return this.#version.operation;
  }

  get limits(): LiveLimits {
    return this.#host.limits;
  }

  get logger(): Logger {
    return this.#host.logger;
  }

  get counters(): LiveCounters {
    return this.#host.counters;
  }

  get format(): TopicHost['format'] {
    return this.#host.format;
  }

  get followers(): number {
    let count = 0;
    for (const lane of this.lanes) count += lane.followers.size;
    return count;
  }

  /** From a cursor on, or from now on. What the log has is sent before this returns. */
  follow(outlet: Outlet, after: string | undefined, mayHaveMissed: boolean): Follower {
    const follower = new Follower(this, outlet, mayHaveMissed);
    this.#attach(follower, after);
    return follower;
  }

  #attach(follower: Follower, after: string | undefined): void {
    if (after === undefined) {
      this.#live ??= this.#openLane(undefined);
      follower.cursor = this.#live.log.cursor;
      this.#live.admit(follower, this.#live.log.newest);
      return;
    }
    follower.cursor = after;
    const lane = this.#laneFrom(after) ?? this.#openLane(after);
    lane.admit(follower, lane.log.positionOf(after) ?? ADRIFT);
  }

  #laneFrom(cursor: string): Lane | undefined {
    for (const lane of this.lanes) if (lane.log.positionOf(cursor) !== undefined) return lane;
    return undefined;
  }

  #openLane(start: string | undefined): Lane {
    const lane = new Lane(this, start);
    this.lanes.add(lane);
    return lane;
  }

  leave(follower: Follower): void {
    const { lane } = follower;
    if (!lane) return;
    follower.lane = undefined;
    lane.followers.delete(follower);
    if (lane.followers.size > 0) return;
    if (this.limits.linger === 0) this.#closeLane(lane);
    else setTimeout(() => lane.followers.size === 0 && this.#closeLane(lane), this.limits.linger).unref();
  }

  #closeLane(lane: Lane): void {
    lane.close();
    if (!this.lanes.delete(lane)) return;
    if (this.#live === lane) this.#live = undefined;
    if (this.lanes.size === 0) this.#host.emptied(this);
  }

  fallsBehind(follower: Follower): void {
    follower.behind = true;
    this.#host.fallsBehind(follower);
  }

  /** The follower takes events again: it goes on where it stopped, or with the newest where that is enough. */
  drained(follower: Follower): void {
    const { lane } = follower;
    if (!lane) return;
    follower.behind = false;
    lane.wake();
    if (this.operation.lastValueWins) this.#skipToNewest(follower, lane);
    if (lane.log.continues(follower.position)) lane.deliver(follower);
    else if (this.operation.resumable && follower.cursor !== undefined) this.#resume(follower, lane);
    else {
      this.leave(follower);
      this.counters.interruptions += 1;
      follower.outlet.fail([this.format(interrupted(TOO_SLOW, follower))]);
    }
  }

  #skipToNewest(follower: Follower, { log }: Lane): void {
    const before = log.newest - 1;
    if (before <= follower.position || !log.continues(before)) return;
    this.counters.eventsConflated += before - Math.max(follower.position, 0);
    follower.position = before;
  }

  #resume(follower: Follower, from: Lane): void {
    this.counters.followersResumed += 1;
    // Attached first: the last to leave a topic would end it.
    from.followers.delete(follower);
    this.#attach(follower, follower.cursor);
    if (from.followers.size === 0) this.#closeLane(from);
  }

  /** The lane has just appended the event with this cursor: where another knows it, the two become one. */
  mergeAt(lane: Lane, cursor: string): void {
    for (const other of this.lanes) {
      const here = other === lane ? undefined : other.log.positionOf(cursor);
      if (here === undefined) continue;
      if (this.#live === lane) this.#live = other;
      this.lanes.delete(lane);
      lane.mergeInto(other, here);
      return;
    }
  }

  /** The upstream is over: so are those who followed it. */
  laneEnded(lane: Lane, end: LaneEnd): void {
    const followers = [...lane.followers];
    lane.followers.clear();
    this.#closeLane(lane);
    if (end.kind === 'interrupted') this.counters.interruptions += followers.length;
    for (const follower of followers) {
      follower.lane = undefined;
      if (end.kind === 'completed') follower.outlet.complete();
      else if (end.kind === 'refused') follower.outlet.fail(end.errors.map(this.format));
      else follower.outlet.fail([this.format(interrupted(end.reason, follower))]);
    }
  }

  /** Goes on with what the operation means in another version of the supergraph. */
  switchTo(version: LiveVersion): void {
    this.#version = version;
    for (const lane of this.lanes) lane.switchTo(version);
  }

  /** Ends all upstreams without a word. */
  close(): void {
    for (const lane of this.lanes) lane.close();
  }

  /** Tells everybody why, and ends. */
  end(error: GraphQLFormattedError): void {
    for (const lane of [...this.lanes]) {
      lane.close();
      this.laneEnded(lane, { kind: 'refused', errors: [error] });
    }
  }
}
