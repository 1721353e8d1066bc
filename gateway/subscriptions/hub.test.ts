import { GraphQLError } from 'graphql';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import type { SubgraphClient } from '../subgraph-client/subgraph-client.ts';
import { logger, until } from '../testing/platform.ts';
import { type LiveRequest, SubscriptionHub } from './hub.ts';
import type { LiveEvent, LiveOperation } from './live-operation.ts';
import { type Entry, entryOperation, LogSource } from './testing/log-source.ts';
import { Recorder } from './testing/recorder.ts';
import type { LiveLimits } from './topic.ts';

const limits: LiveLimits = {
  log: { events: 100, size: 100_000, sizePerFollower: 100_000 },
  unsent: 1_000,
  linger: 0,
  drainCheck: 2,
  recovery: { within: 300, firstDelay: 1, longestDelay: 20 },
};

interface Asking {
  readonly operation?: LiveOperation;
  readonly variables?: Record<string, unknown>;
  readonly viewer?: Viewer;
  readonly audience?: string;
  readonly lastEventId?: string;
  readonly recorder?: Recorder;
}

/** A hub over one log, and how a client joins it. */
class Bench implements Disposable {
  readonly source: LogSource;
  readonly hub: SubscriptionHub<string>;
  readonly client: SubgraphClient;

  constructor(changes: Partial<LiveLimits> = {}, source = new LogSource()) {
    this.source = source;
    this.client = source.client as SubgraphClient;
    this.hub = new SubscriptionHub({ limits: { ...limits, ...changes }, format: (error) => error, logger });
  }

  join({ operation = entryOperation(), recorder = new Recorder(), ...asking }: Asking = {}) {
    const request: LiveRequest<string> = {
      version: { operation, client: this.client },
      variables: asking.variables ?? {},
      viewer: asking.viewer ?? anonymous,
      audience: asking.audience ?? '',
      requestId: 'r',
      lastEventId: asking.lastEventId,
      source: operation.key,
    };
    const follower = this.hub.follow(request, recorder);
    return Object.assign(recorder, { leave: () => follower.leave() });
  }

  after(cursor: string, recorder?: Recorder) {
    return this.join({ variables: { after: cursor }, ...(recorder ? { recorder } : {}) });
  }

  /** Until everybody has been sent that many events. */
  seen(count: number, ...recorders: Recorder[]) {
    return until(() => recorders.every(({ events }) => events.length >= count));
  }

  [Symbol.dispose]() {
    this.hub[Symbol.dispose]();
  }
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const user: Viewer = { kind: 'user', userId: 'u', sessionId: 's', roles: [] };
const notResumable = { resumable: false };

describe('sharing', () => {
  test('any number of clients behind one key are one upstream, one completion and one serialisation per event', async () => {
    using bench = new Bench();
    let completed = 0;
    let serialised = 0;
    const data = {
      toJSON: () => {
        serialised += 1;
        return { entry: { cursor: '1' } };
      },
    };
    const operation = entryOperation({
      complete: async (): Promise<LiveEvent> => {
        completed += 1;
        return { data };
      },
    });
    const clients = range(1, 2_500).map(() => bench.join({ operation }));
    expect(bench.source.upstreams).toHaveLength(1);
    bench.source.add();
    await bench.seen(1, ...clients);
    expect([completed, serialised]).toEqual([1, 1]);
    expect(new Set(clients.map(({ events }) => events[0])).size).toBe(1);
  });

  test.each([
    ['variables', { variables: { of: 1 } }, { variables: { of: 2 } }],
    ['viewers', {}, { viewer: user }],
    ['operations', {}, { operation: entryOperation({ key: 'other' }) }],
    ['audiences', {}, { audience: 'partner' }],
  ] as [string, Asking, Asking][])('different %s share nothing', (_, one, other) => {
    using bench = new Bench();
    bench.join(one);
    bench.join(other);
    expect(bench.hub.figures).toMatchObject({ topics: 2, lanes: 2, followers: 2 });
  });

  test('clients that differ only in their cursor share a topic', () => {
    using bench = new Bench();
    bench.join();
    bench.after('0');
    expect(bench.hub.figures).toMatchObject({ topics: 1, lanes: 2 });
  });

  test('the upstream ends at once with the last client, and nothing is left', () => {
    using bench = new Bench();
    const one = bench.join();
    const other = bench.join();
    one.leave();
    expect(bench.source.upstreams).toHaveLength(1);
    other.leave();
    other.leave();
    expect(bench.source.upstreams).toHaveLength(0);
    expect(bench.hub.figures).toMatchObject({ topics: 0, lanes: 0, followers: 0 });
  });

  test('where lanes linger, a client that comes right back finds its upstream, and one that does not ends it', async () => {
    using bench = new Bench({ linger: 50 });
    const client = bench.join();
    bench.source.add();
    await bench.seen(1, client);
    client.leave();
    bench.source.add(2);
    const back = bench.after('1');
    await bench.seen(2, back);
    expect(back.numbers).toEqual([2, 3]);
    expect(bench.source.calls).toHaveLength(1);
    back.leave();
    await until(() => bench.source.upstreams.length === 0);
    expect(bench.hub.figures.topics).toBe(0);
  });

  test('ten thousand clients are served in slices: the event loop gets its turn in between', async () => {
    using bench = new Bench();
    const clients = range(1, 10_000).map(() => bench.join());
    let turns = 0;
    const count = () => {
      turns += 1;
      if (clients.at(-1)?.events.length === 0) setImmediate(count);
    };
    setImmediate(count);
    bench.source.add(2);
    await bench.seen(2, ...clients);
    expect(turns).toBeGreaterThanOrEqual(10);
    expect(clients.every(({ numbers }) => numbers.join() === '1,2')).toBe(true);
  });
});

describe('order', () => {
  test('several events are completed at once, and delivered in order', async () => {
    using bench = new Bench();
    const gates = new Map<string, PromiseWithResolvers<void>>();
    let most = 0;
    const operation = entryOperation({
      complete: async ({ data }) => {
        const gate = Promise.withResolvers<void>();
        gates.set(JSON.stringify(data), gate);
        most = Math.max(most, gates.size);
        await gate.promise;
        gates.delete(JSON.stringify(data));
        return { data: data ?? null };
      },
    });
    const client = bench.join({ operation });
    bench.source.add(10);
    while (client.events.length < 10) {
      await until(() => gates.size > 0);
      [...gates.values()].at(-1)?.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(client.numbers).toEqual(range(1, 10));
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  test('an event that cannot be completed is an error in its place, and the next is whole', async () => {
    using bench = new Bench();
    const operation = entryOperation({
      complete: async ({ data }) => {
        if ((data?.entry as Entry | undefined)?.cursor === '1') throw new Error('select * from secret');
        return { data: data ?? null };
      },
    });
    const client = bench.join({ operation });
    bench.source.add(2);
    await bench.seen(2, client);
    expect(client.results[0]).toEqual({
      data: null,
      errors: [{ message: 'Internal error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
      extensions: { cursor: '1' },
    });
    expect(client.numbers[1]).toBe(2);
  });
});

describe('resume', () => {
  test('what was missed comes first, then what is new, every event with its cursor', async () => {
    using bench = new Bench();
    bench.source.add(3);
    const client = bench.after('1');
    await bench.seen(2, client);
    bench.source.add();
    await bench.seen(3, client);
    expect(client.numbers).toEqual([2, 3, 4]);
    expect(client.results.map(({ extensions }) => extensions)).toEqual(
      ['2', '3', '4'].map((cursor) => ({ cursor })),
    );
  });

  test('an empty cursor is the beginning, none is now', async () => {
    using bench = new Bench();
    bench.source.add(2);
    const all = bench.after('');
    const fresh = bench.join();
    bench.source.add();
    await bench.seen(3, all);
    await bench.seen(1, fresh);
    expect([all.numbers, fresh.numbers]).toEqual([[1, 2, 3], [3]]);
  });

  test("the last event id wins over the operation's own cursor", async () => {
    using bench = new Bench();
    bench.source.add(3);
    const client = bench.join({ variables: { after: '0' }, lastEventId: '2' });
    await bench.seen(1, client);
    expect(client.numbers).toEqual([3]);
  });

  test('what a lane still has is replayed without asking the subgraph again', async () => {
    using bench = new Bench();
    const first = bench.join();
    bench.source.add(5);
    await bench.seen(5, first);
    const resumed = bench.after('2');
    expect(resumed.numbers).toEqual([3, 4, 5]);
    expect(bench.source.calls).toHaveLength(1);
  });

  test('so is what follows the cursor just before the oldest event that a lane still has', async () => {
    using bench = new Bench({ log: { events: 2, size: 100_000, sizePerFollower: 100_000 } });
    const first = bench.join();
    bench.source.add(5);
    await bench.seen(5, first);
    expect(bench.after('3').numbers).toEqual([4, 5]);
    expect(bench.source.calls).toHaveLength(1);
  });

  test('a lane of one client keeps little, one of many keeps more', async () => {
    using bench = new Bench({ log: { events: 100, size: 100_000, sizePerFollower: 1_000 } });
    const many = range(1, 20).map(() => bench.join({ variables: { many: true } }));
    const one = bench.join();
    bench.source.add(50);
    await bench.seen(50, one, ...many);
    bench.join({ variables: { many: true, after: '5' } });
    expect(bench.source.calls).toHaveLength(2);
    bench.after('5');
    expect(bench.source.calls).toHaveLength(3);
  });

  test('a client may join where a lane began, as long as that has all since', async () => {
    using bench = new Bench();
    bench.source.add(7);
    bench.after('7');
    bench.after('7');
    expect(bench.source.calls).toHaveLength(1);
  });

  test('clients that resume from different cursors end up on one upstream', async () => {
    using bench = new Bench({}, new LogSource({ manual: true }));
    const { source, hub } = bench;
    source.add(20);
    const clients = range(0, 19).map((cursor) => bench.after(String(cursor)));
    clients.push(bench.join());
    expect(hub.figures.lanes).toBe(21);
    source.add(1);
    for (const upstream of source.upstreams) upstream.read();
    await until(() => hub.figures.lanes === 1);
    expect(source.upstreams).toHaveLength(1);
    clients.forEach(({ numbers }, index) => {
      expect(numbers).toEqual(range(index + 1, 21));
    });
  });

  test('a field without cursor says that something may have been missed, once', async () => {
    using bench = new Bench();
    const operation = entryOperation(notResumable);
    const resumed = bench.join({ operation, lastEventId: '-' });
    const fresh = bench.join({ operation });
    bench.source.add(2);
    await bench.seen(2, resumed, fresh);
    expect(resumed.results.map(({ extensions }) => extensions)).toEqual([{ mayHaveMissed: true }, undefined]);
    expect(fresh.results[0]).toEqual({ data: { entry: bench.source.log[0] } });
  });
});

describe('a lost upstream', () => {
  test('is opened again after the last event, and clients notice nothing', async () => {
    using bench = new Bench();
    const client = bench.join();
    bench.source.add(2);
    await bench.seen(2, client);
    for (const upstream of bench.source.upstreams) bench.source.lose(upstream);
    bench.source.add(2);
    await bench.seen(4, client);
    expect(client.numbers).toEqual([1, 2, 3, 4]);
    expect(bench.source.calls[1]?.variables).toEqual({ after: '2' });
    expect(bench.hub.figures).toMatchObject({ upstreamsResumed: 1, interruptions: 0 });
  });

  test('that does not come back in time interrupts, and tells where to resume', async () => {
    using bench = new Bench();
    const [one, other] = [bench.after('0'), bench.join()];
    bench.source.add(3);
    await bench.seen(3, one, other);
    bench.source.refusal = new Error('select * from secret');
    for (const upstream of bench.source.upstreams) bench.source.lose(upstream);
    await until(() => one.errors !== undefined && other.errors !== undefined);
    for (const { errors } of [one, other])
      expect(errors).toEqual([
        {
          message: expect.not.stringContaining('secret'),
          extensions: {
            code: 'SUBSCRIPTION_INTERRUPTED',
            details: { reason: 'UPSTREAM_LOST', resume: true, cursor: '3' },
          },
        },
      ]);
    expect(bench.source.calls.length).toBeGreaterThan(3);
    expect(bench.hub.figures).toMatchObject({ topics: 0, interruptions: 2 });
  });

  test.each([
    ['of a field without cursor', { operation: entryOperation(notResumable) }],
    ['before it has told a cursor', {}],
  ])('%s interrupts at once: nothing is lost in silence', async (_, asking) => {
    using bench = new Bench();
    const client = bench.join(asking);
    for (const upstream of bench.source.upstreams) bench.source.lose(upstream);
    await until(() => client.errors !== undefined);
    expect(client.errors?.[0]?.extensions?.details).toEqual({ reason: 'UPSTREAM_LOST', resume: false });
    expect(bench.source.calls).toHaveLength(1);
  });

  test("a subgraph's refusal reaches those whom it concerns as it is, and nobody else", async () => {
    using bench = new Bench();
    const live = bench.join();
    bench.source.refusal = new GraphQLError('No', { extensions: { code: 'CURSOR_INVALID' } });
    const refused = bench.after('77');
    await until(() => refused.errors !== undefined);
    expect(refused.code).toBe('CURSOR_INVALID');
    bench.source.refusal = undefined;
    bench.source.add();
    await bench.seen(1, live);
    expect(live.errors).toBeUndefined();
  });

  test('a refusal to open again ends the stream: the viewer may not see it any more', async () => {
    using bench = new Bench();
    const client = bench.after('0');
    bench.source.add();
    await bench.seen(1, client);
    bench.source.refusal = new GraphQLError('No', { extensions: { code: 'FORBIDDEN' } });
    for (const upstream of bench.source.upstreams) bench.source.lose(upstream);
    await until(() => client.errors !== undefined);
    expect(client.code).toBe('FORBIDDEN');
  });

  test('an upstream that ends completes its clients, after their last event', async () => {
    using bench = new Bench();
    const client = bench.join();
    bench.source.add(3);
    for (const upstream of bench.source.upstreams) upstream.queue.finish();
    await until(() => client.completed);
    expect(client.numbers).toEqual([1, 2, 3]);
    expect(bench.hub.figures.topics).toBe(0);
  });

  test('more events than can be completed are read again from the last one taken, not heaped up', async () => {
    using bench = new Bench({}, new LogSource({ limit: 10 }));
    const gate = Promise.withResolvers<void>();
    const operation = entryOperation({
      complete: async ({ data }) => {
        await gate.promise;
        return { data: data ?? null };
      },
    });
    const client = bench.join({ operation });
    bench.source.add(100);
    expect(bench.source.upstreams).toHaveLength(0);
    gate.resolve();
    await bench.seen(100, client);
    expect(client.numbers).toEqual(range(1, 100));
  });

  test('more events than can be completed interrupt a field without cursor', async () => {
    using bench = new Bench({}, new LogSource({ limit: 10 }));
    const operation = entryOperation({
      ...notResumable,
      complete: async ({ data }) => {
        await new Promise((resolve) => setImmediate(resolve));
        return { data: data ?? null };
      },
    });
    const client = bench.join({ operation });
    bench.source.add(100);
    await until(() => client.errors !== undefined);
    expect(client.errors?.[0]?.extensions?.details).toEqual({ reason: 'TOO_SLOW', resume: false });
  });
});

describe('a client that takes too little', () => {
  const heavy = 'x'.repeat(400);

  test('is sent nothing more, and goes on without gap or duplicate when it takes again', async () => {
    using bench = new Bench({ log: { events: 5, size: 100_000, sizePerFollower: 100_000 } });
    const client = bench.join();
    const healthy = bench.join();
    client.stalled = true;
    bench.source.add(50, heavy);
    await bench.seen(50, healthy);
    expect(client.unsent).toBeLessThan(2_000);
    client.take();
    await bench.seen(50, client);
    expect(client.numbers).toEqual(range(1, 50));
    expect(bench.hub.figures).toMatchObject({ followersResumed: 1, interruptions: 0 });
    bench.source.add();
    await bench.seen(51, client);
    expect(bench.source.upstreams).toHaveLength(1);
  });

  test('keeps its own place when its lane meets another that is ahead', async () => {
    using bench = new Bench();
    const ahead = bench.join();
    bench.source.add(5);
    await bench.seen(5, ahead);
    const recorder = new Recorder();
    recorder.unsent = 5_000;
    const client = bench.after('0', recorder);
    await until(() => bench.hub.figures.lanes === 1);
    expect(client.events).toHaveLength(0);
    client.take();
    await bench.seen(5, client);
    expect(client.numbers).toEqual(range(1, 5));
  });

  test('however much waits for it, each event is completed about once for it', async () => {
    using bench = new Bench(
      { unsent: 5_000, log: { events: 2, size: 100_000, sizePerFollower: 100_000 } },
      new LogSource({ limit: 20 }),
    );
    let completed = 0;
    const operation = entryOperation({
      complete: async ({ data }) => {
        completed += 1;
        return { data: data ?? null };
      },
    });
    const client = bench.join({ operation });
    client.stalled = true;
    bench.source.add(300, heavy);
    await until(() => {
      if (client.unsent > 5_000) client.unsent = 0;
      return client.events.length === 300;
    });
    expect(client.numbers).toEqual(range(1, 300));
    expect(completed).toBeLessThan(400);
  });

  test('goes on from the log where that still has what it needs', async () => {
    using bench = new Bench();
    const client = bench.join();
    client.stalled = true;
    bench.source.add(20, heavy);
    await until(() => client.unsent > 1_000);
    client.take();
    await bench.seen(20, client);
    expect(client.numbers).toEqual(range(1, 20));
    expect(bench.source.calls).toHaveLength(1);
  });

  test('gets the newest event only where the last value wins', async () => {
    using bench = new Bench({ log: { events: 5, size: 100_000, sizePerFollower: 100_000 } });
    const operation = entryOperation({ ...notResumable, lastValueWins: true });
    const client = bench.join({ operation });
    const healthy = bench.join({ operation });
    client.stalled = true;
    for (const _ of range(1, 50)) {
      bench.source.add(1, heavy);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await bench.seen(50, healthy);
    const before = client.events.length;
    expect(before).toBeLessThan(5);
    client.take();
    await bench.seen(before + 1, client);
    expect(client.numbers.at(-1)).toBe(50);
    expect(client.events).toHaveLength(before + 1);
    expect(bench.hub.figures.eventsConflated).toBe(50 - before - 1);
  });

  test('is interrupted where the field has no cursor and the log has gone on', async () => {
    using bench = new Bench({ log: { events: 5, size: 100_000, sizePerFollower: 100_000 } });
    const operation = entryOperation(notResumable);
    const client = bench.join({ operation });
    const healthy = bench.join({ operation });
    client.stalled = true;
    bench.source.add(50, heavy);
    await bench.seen(50, healthy);
    client.take();
    await until(() => client.errors !== undefined);
    expect(client.errors?.[0]?.extensions?.details).toEqual({ reason: 'TOO_SLOW', resume: false });
    bench.source.add();
    await bench.seen(51, healthy);
  });

  test('costs the same memory after thirty thousand events as after a hundred', async () => {
    using bench = new Bench({ log: { events: 50, size: 20_000, sizePerFollower: 100_000 } });
    const client = bench.join();
    const healthy = bench.join();
    client.stalled = true;
    for (const round of range(1, 300)) {
      bench.source.add(100, heavy);
      await bench.seen(100, healthy);
      healthy.events.length = 0;
      expect(bench.source.log).toHaveLength(round * 100);
    }
    expect(client.unsent).toBeLessThan(2_000);
    expect(client.events.length).toBeLessThan(10);
  });
});

describe('a field whose last value wins', () => {
  test('skips what comes while its events are completed, and ends with the newest', async () => {
    using bench = new Bench({}, new LogSource({ limit: 10 }));
    const gate = Promise.withResolvers<void>();
    const operation = entryOperation({
      ...notResumable,
      lastValueWins: true,
      complete: async ({ data }) => {
        await gate.promise;
        return { data: data ?? null };
      },
    });
    const client = bench.join({ operation });
    for (const _ of range(1, 100)) {
      bench.source.add();
      await new Promise((resolve) => setImmediate(resolve));
    }
    gate.resolve();
    await until(() => client.numbers.at(-1) === 100);
    expect(client.events.length).toBeLessThan(10);
    expect(client.errors).toBeUndefined();
  });
});

describe('a new supergraph', () => {
  const changed = entryOperation({
    key: 'entry 2',
    complete: async ({ data }) => ({ data: { entry: data?.entry, version: 2 } }),
  });

  test('compiles once for all clients of a topic, keeps the upstream, and goes on', async () => {
    using bench = new Bench();
    const clients = range(1, 1_000).map(() => bench.join());
    bench.source.add();
    await bench.seen(1, ...clients);
    let compiled = 0;
    await bench.hub.reload(() => {
      compiled += 1;
      return { operation: changed, client: bench.client };
    });
    bench.source.add();
    await bench.seen(2, ...clients);
    expect(compiled).toBe(1);
    expect(bench.source.calls).toHaveLength(1);
    expect(clients[0]?.results[1]?.data).toMatchObject({ version: 2 });
    bench.join({ operation: changed });
    expect(bench.hub.figures).toMatchObject({ topics: 1, followers: 1_001 });
  });

  test('opens a changed upstream after the last event, and finishes what was begun as it was', async () => {
    using bench = new Bench();
    const gate = Promise.withResolvers<void>();
    const operation = entryOperation({
      complete: async ({ data }) => {
        await gate.promise;
        return { data: { entry: data?.entry, version: 1 } };
      },
    });
    const client = bench.join({ operation });
    bench.source.add(2);
    await new Promise((resolve) => setImmediate(resolve));
    const upstream = { subgraph: 'log', query: 'subscription { entry { cursor text more } }' };
    await bench.hub.reload(() => ({ operation: { ...changed, upstream }, client: bench.client }));
    bench.source.add();
    gate.resolve();
    await bench.seen(3, client);
    expect(client.numbers).toEqual([1, 2, 3]);
    expect(client.results.map(({ data }) => (data as unknown as { version: number }).version)).toEqual([
      1, 1, 2,
    ]);
    expect(bench.source.upstreams).toHaveLength(1);
    expect(bench.source.calls[1]).toMatchObject({ query: upstream.query, variables: { after: '2' } });
  });

  test('says so where a changed upstream has no cursor to go on from', async () => {
    using bench = new Bench();
    const client = bench.join({ operation: entryOperation(notResumable) });
    const upstream = { subgraph: 'log', query: 'subscription { entry { text } }' };
    await bench.hub.reload(() => ({
      operation: { ...entryOperation(notResumable), upstream },
      client: bench.client,
    }));
    bench.source.add(2);
    await bench.seen(2, client);
    expect(client.results.map(({ extensions }) => extensions)).toEqual([{ mayHaveMissed: true }, undefined]);
  });

  test('ends what is not valid any more, and nothing else', async () => {
    using bench = new Bench();
    const gone = bench.join({ operation: entryOperation({ key: 'gone' }) });
    const stays = bench.join();
    await bench.hub.reload((source) =>
      source === 'gone' ? undefined : { operation: changed, client: bench.client },
    );
    expect(gone.code).toBe('SUBSCRIPTION_NO_LONGER_VALID');
    bench.source.add();
    await bench.seen(1, stays);
    expect(bench.hub.figures.topics).toBe(1);
  });
});
