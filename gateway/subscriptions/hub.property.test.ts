/**
 * Whatever happens, what a client was sent is a contiguous piece of the log from where it asked, and in the end
 * it has everything. Clients come and go, stall and take again; upstreams read at their own speed, break and are
 * refused; events take longer or shorter to complete; logs are tiny; the supergraph changes.
 */
import fc from 'fast-check';
import { anonymous } from '#shared/kernel/viewer.ts';
import type { SubgraphClient } from '../subgraph-client/subgraph-client.ts';
import { logger, until } from '../testing/platform.ts';
import { SubscriptionHub } from './hub.ts';
import { type Entry, entryOperation, LogSource } from './testing/log-source.ts';
import { Recorder } from './testing/recorder.ts';

type Step =
  | { readonly do: 'add' | 'join from'; readonly count: number }
  | { readonly do: 'read'; readonly which: number; readonly count: number }
  | { readonly do: 'leave' | 'lose' | 'stall' | 'take'; readonly which: number }
  | { readonly do: 'join now' | 'reload' | 'turn' };

const which = fc.nat(50);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('add' as const), count: fc.integer({ min: 1, max: 6 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('read' as const), which, count: fc.integer({ min: 1, max: 9 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('join from' as const), count: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.constant({ do: 'join now' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'reload' as const }) },
  { weight: 6, arbitrary: fc.constant({ do: 'turn' as const }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('leave' as const, 'lose', 'stall', 'stall', 'take'), which }),
  },
);

interface Joined {
  readonly recorder: Recorder;
  readonly leave: () => void;
  /** Number of the event that it has when it joins; `null`: it asked for what comes from now on. */
  readonly after: number | null;
  /** How long the log was when it joined. */
  readonly length: number;
  gone: boolean;
}

class World implements Disposable {
  readonly source: LogSource;
  readonly hub: SubscriptionHub<null>;
  readonly joined: Joined[] = [];
  #version = 0;

  constructor(logEvents: number, queue: number) {
    this.source = new LogSource({ manual: true, limit: queue });
    this.hub = new SubscriptionHub({
      limits: {
        log: { events: logEvents, size: 100_000, sizePerFollower: 100_000 },
        unsent: 100,
        linger: 0,
        drainCheck: 1,
        recovery: { within: 5_000, firstDelay: 1, longestDelay: 2 },
      },
      format: (error) => error,
      logger,
    });
  }

  get version() {
    const operation = entryOperation({
      key: `entry ${this.#version}`,
      upstream: { subgraph: 'log', query: `subscription { entry { v${this.#version >> 1} } }` },
      complete: async ({ data }) => {
        for (let turns = Number((data?.entry as Entry | undefined)?.cursor) % 3; turns > 0; turns -= 1)
          await turn();
        return { data: data ?? null };
      },
    });
    return { operation, client: this.source.client as SubgraphClient };
  }

  join(after: number | null): void {
    const recorder = new Recorder();
    const variables = after === null ? {} : { after: String(after) };
    const request = {
      viewer: anonymous,
      audience: '',
      requestId: 'r',
      lastEventId: undefined,
      source: null,
    };
    const follower = this.hub.follow({ ...request, version: this.version, variables }, recorder);
    const leave = () => follower.leave();
    this.joined.push({ recorder, leave, after, length: this.source.log.length, gone: false });
  }

  async run(each: Step): Promise<void> {
    const { source, joined } = this;
    const client = 'which' in each ? joined[each.which % Math.max(1, joined.length)] : undefined;
    const upstreams = source.upstreams;
    const upstream = 'which' in each ? upstreams[each.which % Math.max(1, upstreams.length)] : undefined;
    switch (each.do) {
      case 'add':
        return source.add(each.count);
      case 'read':
        return upstream?.read(each.count);
      case 'lose':
        return upstream && source.lose(upstream);
      case 'join now':
        return this.join(null);
      case 'join from':
        return this.join(Math.min(each.count, source.log.length));
      case 'leave':
        if (client) client.gone = true;
        return client?.leave();
      case 'stall':
        if (client) client.recorder.stalled = true;
        return;
      case 'take':
        return client?.recorder.take();
      case 'reload':
        this.#version += 1;
        return this.hub.reload(() => this.version);
      case 'turn':
        return turn();
    }
  }

  /** Everybody takes everything, until nothing moves any more. */
  async settle(): Promise<void> {
    this.source.add(1);
    await until(() => {
      for (const { recorder } of this.joined) recorder.take();
      for (const upstream of this.source.upstreams) upstream.read(3);
      return this.joined.every(
        ({ recorder, gone }) => gone || recorder.errors || recorder.numbers.at(-1) === this.source.log.length,
      );
    });
  }

  [Symbol.dispose](): void {
    this.hub[Symbol.dispose]();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function expectContiguous({ recorder, after, length }: Joined): void {
  const { numbers } = recorder;
  const first = numbers[0];
  if (first === undefined) return;
  expect(numbers).toEqual(numbers.map((_, index) => first + index));
  if (after === null) expect(first).toBeLessThanOrEqual(length + 1);
  else expect(first).toBe(after + 1);
  for (const { cursor, payload } of recorder.events)
    expect(JSON.parse(payload)).toMatchObject({ data: { entry: { cursor } }, extensions: { cursor } });
}

test('every client gets a contiguous piece of the log from where it asked, and in the end all of it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 2, max: 12 }),
      async (steps, logEvents, queue) => {
        using world = new World(logEvents, queue);
        for (const each of steps) await world.run(each);
        await world.settle();
        for (const client of world.joined) {
          expectContiguous(client);
          const { errors, cursor } = {
            errors: client.recorder.errors,
            cursor: client.recorder.numbers.at(-1),
          };
          if (!errors) continue;
          // The one loss that cannot be made good, and is told: nobody had a cursor yet.
          expect(errors[0]?.extensions).toMatchObject({ code: 'SUBSCRIPTION_INTERRUPTED' });
          expect([client.after, cursor]).toEqual([null, undefined]);
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('however many lanes there were, one is left when all have caught up', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(30), { minLength: 1, maxLength: 12 }),
      fc.array(fc.tuple(which, fc.integer({ min: 1, max: 5 })), { maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      async (cursors, reads, logEvents) => {
        using world = new World(logEvents, 100);
        world.source.add(30);
        for (const cursor of cursors) world.join(cursor);
        world.join(null);
        for (const [index, count] of reads) {
          await world.run({ do: 'read', which: index, count });
          await turn();
        }
        await world.settle();
        await until(() => world.hub.figures.lanes === 1);
        expect(world.source.upstreams).toHaveLength(1);
        for (const client of world.joined) expectContiguous(client);
      },
    ),
    { numRuns: 100 },
  );
});
