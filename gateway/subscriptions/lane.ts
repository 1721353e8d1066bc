/**
 * One upstream subscription, the log of its recent events, and the followers that are fed from that log.
 *
 * Events are completed (the rest of the plan is run, the answer serialised) once each, a few at a time, and
 * appended strictly in the order in which they came. A follower is a position in the log: to deliver is to bring
 * every follower to the newest position. When the upstream is lost, or gives out more than can be completed,
 * a resumable lane opens it again after the last event that it took, and followers notice nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { FormattedExecutionResult } from 'graphql';
import type { EventQueue } from '#shared/runtime/server/event-queue.ts';
import { TOO_SLOW } from '#shared/runtime/server/event-queue.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import type { SubgraphClient } from '../subgraph-client/subgraph-client.ts';
import { type Interruption, isOverflow, isRefusal, type LaneEnd } from './endings.ts';
import { EventLog, type ReadyEvent } from './event-log.ts';
import { fanOut } from './fan-out.ts';
import { ADRIFT, type Follower } from './follower.ts';
import type { LiveOperation } from './live-operation.ts';
import type { Topic } from './topic.ts';

/** A subscription compiled for one version of the supergraph, and the subgraph that feeds it. */
export interface LiveVersion {
  readonly operation: LiveOperation;
  readonly client: SubgraphClient;
}

/** An event and the version whose upstream it came from, which alone knows how to complete it. */
interface TakenEvent {
  readonly event: FormattedExecutionResult;
  readonly cursor: string | undefined;
  readonly version: LiveVersion;
}

/** Events that are completed at the same time; they are delivered in order all the same. */
const COMPLETED_AT_ONCE = 4;
/** An upstream that lasted so long was sound: what ends it is a new trouble. */
const SOUND_AFTER = 5_000;

export class Lane {
  readonly log: EventLog;
  readonly followers = new Set<Follower>();
  readonly #topic: Topic;
  readonly #closing = new AbortController();
  #version: LiveVersion;
  /** The version to change to as soon as there is a cursor. */
  #later: LiveVersion | undefined;
  #upstream: EventQueue<FormattedExecutionResult>;
  #openedAt = 0;
  #troubleSince: number | undefined;
  #attempts = 0;
  /** Of the newest event that was taken from the upstream: it goes on after this one. */
  #taken: string | undefined;
  #mayHaveMissed = false;
  /** Events between upstream and log, and the appending of the last of them. */
  #completing = 0;
  #appended: Promise<void> = Promise.resolve();
  #room: (() => void) | undefined;
  #wake: (() => void) | undefined;
  /** Last value wins: the newest event that waits for room. */
  #newest: TakenEvent | undefined;

  /** Opens the upstream after a cursor, or at "now". */
  constructor(topic: Topic, start: string | undefined) {
    this.#topic = topic;
    this.#version = topic.version;
    this.#taken = start;
    this.log = new EventLog(topic.limits.log, start);
    this.#upstream = this.#open();
    this.#run().catch((err: unknown) => {
      topic.logger.error({ err, field: this.#version.operation.field }, 'a subscription broke');
      return this.#end({ kind: 'interrupted', reason: 'UPSTREAM_LOST' });
    });
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Takes a follower in at a position of this log and sends it what it has not got. */
  admit(follower: Follower, position: number): void {
    follower.lane = this;
    follower.position = position;
    this.followers.add(follower);
    this.deliver(follower);
    this.wake();
  }

  /** Somebody takes events again. */
  wake(): void {
    this.#wake?.();
  }

  /** Sends a follower what it has not got, until it has all or takes no more. */
  deliver(follower: Follower): void {
    const { outlet } = follower;
    while (!follower.behind) {
      const event = this.log.after(follower.position);
      if (event === undefined) return;
      if (outlet.unsent > this.#topic.limits.unsent) {
        this.#topic.fallsBehind(follower);
        return;
      }
      follower.send(event);
      this.#topic.counters.eventsDelivered += 1;
    }
  }

  /** Hands all followers over to a lane that knows this one's newest event, `here`, and ends the upstream. */
  mergeInto(other: Lane, here: number): void {
    this.close();
    for (const follower of this.followers) {
      this.deliver(follower);
      const reached = follower.position === this.log.newest;
      const known = follower.cursor === undefined ? undefined : other.log.positionOf(follower.cursor);
      other.admit(follower, reached ? here : (known ?? ADRIFT));
      if (follower.position === ADRIFT) this.#topic.fallsBehind(follower);
    }
    this.followers.clear();
  }

  /**
   * Goes on with another version: with the same upstream where the same is asked of the same subgraph, else with
   * another one after the last event. Where that has no cursor to begin from, the next event says so.
   */
  switchTo(version: LiveVersion): void {
    const { operation } = version;
    if (operation.resumable && this.#taken === undefined && !sameUpstream(this.#version, version)) {
      // The first event brings the cursor that is needed to change without a gap.
      this.#later = version;
      return;
    }
    const before = this.#version;
    this.#version = version;
    this.#later = undefined;
    if (sameUpstream(before, version) && this.#sameVariables(before, version)) return;
    const replaced = this.#upstream;
    this.#mayHaveMissed = !operation.resumable;
    this.#upstream = this.#open();
    void replaced.return();
  }

  #sameVariables(before: LiveVersion, after: LiveVersion): boolean {
    const asked = ({ operation }: LiveVersion) =>
      JSON.stringify(operation.upstreamVariables(this.#topic.variables, this.#taken));
    return asked(before) === asked(after);
  }

  close(): void {
    if (this.closed) return;
    this.#closing.abort();
    this.#room?.();
    this.#wake?.();
    void this.#upstream.return();
  }

  #open(): EventQueue<FormattedExecutionResult> {
    const { operation, client } = this.#version;
    const { query, operationName } = operation.upstream;
    this.#openedAt = performance.now();
    this.#topic.counters.upstreamsOpened += 1;
    return client.subscribe({
      query,
      operationName,
      variables: operation.upstreamVariables(this.#topic.variables, this.#taken),
      ...this.#topic.facts,
      // It ends by `return`. A signal that outlives it would hold on to all that were lost before.
      signal: new AbortController().signal,
    });
  }

  async #run(): Promise<void> {
    while (!this.closed) {
      const upstream = this.#upstream;
      try {
        const { value, done } = await upstream.next();
        // A reload has put another in its place, which begins where this one was left.
        if (upstream !== this.#upstream) continue;
        if (done) return await this.#end({ kind: 'completed' });
        this.#troubleSince = undefined;
        this.#attempts = 0;
        await this.#take(value);
        if (this.#later && this.#taken !== undefined) this.switchTo(this.#later);
      } catch (error) {
        if (this.closed || upstream !== this.#upstream) continue;
        const end = await this.#recover(error, upstream);
        if (end) return await this.#end(end);
      }
    }
  }

  async #take(event: FormattedExecutionResult): Promise<void> {
    const version = this.#version;
    const { operation } = version;
    const cursor = operation.resumable ? operation.cursorOf(event) : undefined;
    this.#taken = cursor ?? this.#taken;
    const taken = { event, cursor, version };
    if (operation.lastValueWins && this.#completing >= COMPLETED_AT_ONCE) {
      if (this.#newest) this.#topic.counters.eventsConflated += 1;
      this.#newest = taken;
      return;
    }
    while (this.#completing >= COMPLETED_AT_ONCE && !this.closed) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#room = resolve;
      await promise;
    }
    this.#begin(taken);
  }

  #begin(taken: TakenEvent): void {
    this.#completing += 1;
    const ready = this.#complete(taken);
    this.#appended = this.#appended.then(async () => {
      await this.#append(await ready);
      this.#completing -= 1;
      this.#room?.();
      const waiting = this.#newest;
      this.#newest = undefined;
      if (waiting && !this.closed) this.#begin(waiting);
    });
  }

  /** Runs the rest of the plan and serialises the answer; never rejects. */
  async #complete({ event, cursor, version: { operation } }: TakenEvent): Promise<ReadyEvent> {
    const mayHaveMissed = this.#mayHaveMissed || undefined;
    this.#mayHaveMissed = false;
    const extensions = cursor === undefined && !mayHaveMissed ? undefined : { cursor, mayHaveMissed };
    const { variables, facts, format, logger } = this.#topic;
    try {
      const signal = this.#closing.signal;
      const { data, errors } = await operation.complete(event, variables, { ...facts, signal });
      return { cursor, payload: JSON.stringify({ data, errors: errors?.map(format), extensions }) };
    } catch (err) {
      logger.error({ err, field: operation.field }, 'an event could not be completed');
      const errors = [format({ message: 'Internal error', extensions: { code: INTERNAL_SERVER_ERROR } })];
      return { cursor, payload: JSON.stringify({ data: null, errors, extensions }) };
    }
  }

  /** Waits until the event is with all followers that take events, so that none is dropped before it was sent. */
  async #append(event: ReadyEvent): Promise<void> {
    if (this.closed) return;
    this.log.append(event, this.followers.size);
    await fanOut(this.followers, (follower) => this.deliver(follower));
    if (!this.closed && event.cursor !== undefined) this.#topic.mergeAt(this, event.cursor);
    // Nothing is read ahead of those who take nothing: it would be dropped, and read again for them.
    while (!this.closed && !this.#version.operation.lastValueWins && !this.#somebodyTakes()) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  #somebodyTakes(): boolean {
    for (const { behind } of this.followers) if (!behind) return true;
    return false;
  }

  /** Opens the upstream again after the last event taken; returns how the lane ends where it may not or cannot. */
  async #recover(error: unknown, lost: EventQueue<FormattedExecutionResult>): Promise<LaneEnd | undefined> {
    const { limits, logger, counters } = this.#topic;
    const { operation } = this.#version;
    if (isRefusal(error)) return { kind: 'refused', errors: [error.toJSON()] };
    const reason: Interruption = isOverflow(error) ? TOO_SLOW : 'UPSTREAM_LOST';
    const level = this.#attempts === 0 ? 'warn' : 'debug';
    logger[level]({ err: error, reason, field: operation.field }, 'the upstream of a subscription was lost');
    if (!operation.resumable || this.#taken === undefined) return { kind: 'interrupted', reason };
    if (reason === 'UPSTREAM_LOST') {
      const now = performance.now();
      if (now - this.#openedAt > SOUND_AFTER) this.#troubleSince = undefined;
      this.#troubleSince ??= now;
      if (now - this.#troubleSince > limits.recovery.within) return { kind: 'interrupted', reason };
      await this.#pause();
    }
    if (this.closed || this.#upstream !== lost) return undefined;
    counters.upstreamsResumed += 1;
    this.#upstream = this.#open();
    return undefined;
  }

  /** Longer each time, and at random, so that not all lanes of a subgraph come back at once. */
  async #pause(): Promise<void> {
    const { firstDelay, longestDelay } = this.#topic.limits.recovery;
    const longest = Math.min(longestDelay, firstDelay * 2 ** this.#attempts);
    this.#attempts += 1;
    const { signal } = this.#closing;
    await delay(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
  }

  /** Only after every event that came before the end. */
  async #end(end: LaneEnd): Promise<void> {
    while (this.#completing > 0 && !this.closed) await this.#appended;
    if (this.closed) return;
    this.close();
    this.#topic.laneEnded(this, end);
  }
}

const sameUpstream = (one: LiveVersion, other: LiveVersion): boolean =>
  one.client === other.client &&
  one.operation.upstream.query === other.operation.upstream.query &&
  one.operation.upstream.operationName === other.operation.upstream.operationName;
