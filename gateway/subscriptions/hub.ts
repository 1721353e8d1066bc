/**
 * Live subscriptions: for any number of clients that ask for the same, one upstream, one run of the plan and one
 * serialisation per event. Used by the transports through `desk.ts`; how events find their way is in `topic.ts`.
 */
import canonicalize from 'canonicalize';
import type { GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { noLongerValid } from './endings.ts';
import { LiveCounters, type LiveFigures } from './figures.ts';
import type { Follower, Outlet } from './follower.ts';
import type { LiveVersion } from './lane.ts';
import { type LiveLimits, Topic, type TopicHost } from './topic.ts';

/** What a client asks for, admitted and compiled. `Source` is what it takes to compile it again. */
export interface LiveRequest<Source> {
  readonly version: LiveVersion;
  readonly variables: Readonly<Record<string, unknown>>;
  readonly viewer: Viewer;
  /** Beside the viewer, what decides on what is shown: contract and scopes. */
  readonly audience: string;
  readonly requestId: string;
  /** Id of the last event of a stream that is resumed: a cursor, or `-` where events have none. */
  readonly lastEventId: string | undefined;
  readonly source: Source;
}

/** The last event id of events without a cursor. */
export const NO_CURSOR = '-';

interface TopicEntry<Source> {
  readonly topic: Topic;
  readonly source: Source;
  readonly viewerKey: string;
  key: string;
}

export interface HubOptions {
  readonly limits: LiveLimits;
  readonly format: (error: GraphQLFormattedError) => GraphQLFormattedError;
  readonly logger: Logger;
}

export class SubscriptionHub<Source> implements Disposable {
  readonly #counters = new LiveCounters();
  readonly #host: TopicHost;
  readonly #entries = new Map<Topic, TopicEntry<Source>>();
  readonly #byKey = new Map<string, Topic>();
  readonly #behind = new Set<Follower>();
  #drainCheck: NodeJS.Timeout | undefined;
  #reload = 0;

  constructor(options: HubOptions) {
    this.#host = {
      ...options,
      counters: this.#counters,
      fallsBehind: (follower) => this.#watch(follower),
      emptied: (topic) => this.#forget(topic),
    };
  }

  /** Events that are at hand are sent before this returns. */
  follow(request: LiveRequest<Source>, outlet: Outlet): Follower {
    const { version, variables, lastEventId } = request;
    const { operation } = version;
    const resumed = lastEventId === NO_CURSOR ? undefined : lastEventId;
    const after = operation.resumable ? (resumed ?? operation.afterOf(variables)) : undefined;
    const topic = this.#topicOf(request);
    try {
      return topic.follow(outlet, after, lastEventId !== undefined && !operation.resumable);
    } catch (error) {
      if (topic.lanes.size === 0) this.#forget(topic);
      throw error;
    }
  }

  #topicOf({ version, variables, viewer, audience, requestId, source }: LiveRequest<Source>): Topic {
    const viewerKey = `${audience} ${canonicalize(viewer)}`;
    const key = keyOf(version, variables, viewerKey);
    const known = this.#byKey.get(key);
    if (known) return known;
    const topic = new Topic(this.#host, { version, variables, facts: { viewer, requestId } });
    this.#byKey.set(key, topic);
    this.#entries.set(topic, { topic, source, viewerKey, key });
    return topic;
  }

  #forget(topic: Topic): void {
    const entry = this.#entries.get(topic);
    if (!entry) return;
    this.#entries.delete(topic);
    if (this.#byKey.get(entry.key) === topic) this.#byKey.delete(entry.key);
  }

  /**
   * Goes on with another version of the supergraph: every topic is compiled once more, keeps its upstream where
   * that stays what it was, and ends only where the operation is not valid any more (`undefined`).
   */
  async reload(compileAgain: (source: Source) => LiveVersion | undefined): Promise<void> {
    this.#reload += 1;
    const reload = this.#reload;
    for (const entry of [...this.#entries.values()]) {
      // A topic may have ended meanwhile, and a newer version may have come.
      if (!this.#entries.has(entry.topic)) continue;
      if (reload !== this.#reload) return;
      const version = compileAgain(entry.source);
      if (version) this.#switch(entry, version);
      else entry.topic.end(noLongerValid);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #switch(entry: TopicEntry<Source>, version: LiveVersion): void {
    entry.topic.switchTo(version);
    if (this.#byKey.get(entry.key) === entry.topic) this.#byKey.delete(entry.key);
    entry.key = keyOf(version, entry.topic.variables, entry.viewerKey);
    // Where somebody has asked for the same since, both stay; who comes next joins that one.
    if (!this.#byKey.has(entry.key)) this.#byKey.set(entry.key, entry.topic);
  }

  #watch(follower: Follower): void {
    this.#behind.add(follower);
    this.#drainCheck ??= setInterval(() => this.#serveDrained(), this.#host.limits.drainCheck);
  }

  #serveDrained(): void {
    for (const follower of this.#behind) {
      if (follower.lane && follower.outlet.unsent > this.#host.limits.unsent / 4) continue;
      this.#behind.delete(follower);
      follower.topic.drained(follower);
    }
    if (this.#behind.size > 0) return;
    clearInterval(this.#drainCheck);
    this.#drainCheck = undefined;
  }

  get figures(): LiveFigures {
    let lanes = 0;
    let followers = 0;
    for (const topic of this.#entries.keys()) {
      lanes += topic.lanes.size;
      followers += topic.followers;
    }
    return { ...this.#counters, topics: this.#entries.size, lanes, followers };
  }

  /** Ends all upstreams; the transports have told their clients. */
  [Symbol.dispose](): void {
    this.#reload += 1;
    clearInterval(this.#drainCheck);
    for (const topic of [...this.#entries.keys()]) topic.close();
  }
}

const keyOf = (
  { operation }: LiveVersion,
  variables: Readonly<Record<string, unknown>>,
  viewerKey: string,
): string => JSON.stringify([operation.key, operation.variablesKey(variables), viewerKey]);
