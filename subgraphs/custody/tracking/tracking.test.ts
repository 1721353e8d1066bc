import { type ExecutionResult, parse, subscribe } from 'graphql';
import { EscrowClosed, EscrowReleased } from '#shared/events/payments.ts';
import { ShipmentSubmitted } from '#shared/events/shipments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { anna, ben, type Story, sender, startStory, stranger } from '../testing/story.ts';

interface Seen {
  readonly id: string;
  readonly cursor: string;
  readonly type: string;
}

const watchText = `subscription ($id: ID!, $after: String) {
  trackingEvents(shipmentId: $id, after: $after) {
    id cursor type at message shipment { id } package { id } carrier { id } leg { id } place { id } handoffStep { sequence } } }`;

/** From the beginning of the log, unless told otherwise; `null` is from now on. */
async function watch(
  story: Story,
  viewer: Viewer,
  after: string | null = '',
  signal = new AbortController().signal,
) {
  const { local } = story.world.subgraph('custody');
  return (await subscribe({
    schema: local.schema,
    document: parse(watchText),
    variableValues: { id: story.shipmentId, after },
    contextValue: local.createContext({ viewer, requestId: newId(), signal }),
  })) as AsyncGenerator<ExecutionResult<{ trackingEvents: Seen }>> | ExecutionResult;
}

/** Takes events until there are enough, then leaves. */
async function take(story: Story, viewer: Viewer, count: number, after?: string | null): Promise<Seen[]> {
  return drain(await watch(story, viewer, after), count);
}

async function drain(events: Awaited<ReturnType<typeof watch>>, count: number): Promise<Seen[]> {
  if (!(Symbol.asyncIterator in events)) throw events.errors![0];
  const seen: Seen[] = [];
  for await (const { data, errors } of events) {
    if (errors) throw errors[0];
    seen.push(data!.trackingEvents);
    if (seen.length === count) break;
  }
  return seen;
}

async function history(story: Story, viewer: Viewer, first = 100, after?: string) {
  return story.world.execute(
    'custody',
    `query ($id: ID!, $first: Int, $after: String) { trackingHistory(shipmentId: $id, first: $first, after: $after) {
       edges { cursor node { id cursor type } } pageInfo { hasNextPage endCursor } } }`,
    { id: story.shipmentId, first, after },
    viewer,
  );
}

const idsOf = (seen: readonly Seen[]): string[] => seen.map(({ id }) => id);

test('a watcher who is cut off again and again sees the whole log, once and in its order', async () => {
  await using story = await startStory();
  const total = 18;
  const journey = (async () => {
    for (const sequence of [1, 2, 3, 4]) await story.handOver(sequence);
  })();
  const seen: Seen[] = [];
  let seed = 7;
  while (seen.length < total) {
    seed = (seed * 48_271) % 2_147_483_647;
    const next = 1 + (seed % 4);
    seen.push(
      ...(await take(story, story.recipient, Math.min(next, total - seen.length), seen.at(-1)?.cursor)),
    );
  }
  await journey;
  const { data } = await history(story, sender);
  const log = data.trackingHistory.edges.map(({ node }: { node: Seen }) => node.id);
  expect(log).toHaveLength(total);
  expect(idsOf(seen)).toEqual(log);
});

test('twenty watchers at once see the same, live', async () => {
  await using story = await startStory({ carriers: [anna], env: { TRACKING_POLL: '1h' } });
  const watchers = Array.from({ length: 20 }, () => take(story, sender, 7));
  await story.handOver(1);
  const seen = await Promise.all(watchers);
  for (const each of seen) expect(each).toEqual(seen[0]);
  expect(seen[0]!.map(({ type }) => type)).toEqual([
    'ITINERARY_CONFIRMED',
    'HANDOFF_READY',
    'HANDOFF_READY',
    'SCANNED',
    'SCANNED',
    'PICKED_UP',
    'OUT_FOR_DELIVERY',
  ]);
});

test('each event leads on to shipment, package, carrier, leg, place and hand-over', async () => {
  await using story = await startStory({ carriers: [anna] });
  const first = await story.handOver(1);
  expect(first.errors).toEqual([]);
  const seen = await take(story, sender, 7);
  expect(seen[5]).toMatchObject({
    type: 'PICKED_UP',
    shipment: { id: story.shipmentId },
    package: { id: story.packageIds[0] },
    carrier: { id: anna.userId },
    leg: { id: expect.any(String) },
    place: { id: expect.any(String) },
    handoffStep: { sequence: 1 },
  });
});

test('who leaves, or is left, stops listening at once even while nothing happens', async () => {
  await using story = await startStory({ env: { TRACKING_POLL: '1h' } });
  const log = (await history(story, sender)).data.trackingHistory;
  const leaving = new AbortController();
  for (const leave of [
    async (events: AsyncGenerator) => void (await events.return(undefined)),
    async () => leaving.abort(),
  ]) {
    const events = (await watch(
      story,
      sender,
      log.pageInfo.endCursor,
      leaving.signal,
    )) as AsyncGenerator<ExecutionResult>;
    const waiting = events.next();
    await leave(events);
    expect(await waiting).toMatchObject({ done: true });
  }
});

test('without a cursor a watcher is told what comes, and nothing of what was', async () => {
  await using story = await startStory({ carriers: [anna] });
  const before = await take(story, sender, 3);
  const live = await watch(story, sender, null);
  await story.handOver(1);
  const [next] = await drain(live, 1);
  expect(next!.type).toBe('SCANNED');
  expect(idsOf(before)).not.toContain(next!.id);
  expect(await take(story, sender, 1, before.at(-1)!.cursor)).toEqual([next]);
});

test('before the first thing has happened a watcher may already wait for it', async () => {
  await using story = await startStory({ carriers: [anna], confirmed: false, env: { TRACKING_POLL: '1h' } });
  const feeds = [await watch(story, sender, null), await watch(story, sender, '')];
  await story.confirm();
  for (const feed of feeds) expect((await drain(feed, 1))[0]!.type).toBe('ITINERARY_CONFIRMED');
});

test('nobody but the parties watches', async () => {
  await using story = await startStory();
  const refused = (await watch(story, stranger)) as ExecutionResult;
  expect(refused.errors!.map(({ extensions }) => extensions.code)).toEqual(['SHIPMENT_NOT_FOUND']);
});

describe('a right that is lost ends the live feed, while nothing happens and nothing is looked for', () => {
  const quiet = { TRACKING_POLL: '1h' };

  /** Has read the whole log and waits for what comes. */
  async function waiting(story: Story, viewer: Viewer) {
    const events = (await watch(story, viewer, null)) as AsyncGenerator<ExecutionResult>;
    const next = events.next();
    next.catch(() => {});
    return { next };
  }

  test('of a carrier whose itinerary was cancelled', async () => {
    await using story = await startStory({ env: quiet });
    const { next } = await waiting(story, anna);
    await story.cancel();
    await expect(next).rejects.toMatchObject({ code: 'SHIPMENT_NOT_FOUND' });
  });

  test('of a recipient who was replaced', async () => {
    await using story = await startStory({ env: quiet });
    const { next } = await waiting(story, story.recipient);
    await story.world.hear(ShipmentSubmitted, story.submission({ recipientId: newId() }));
    await story.world.settle();
    await expect(next).rejects.toMatchObject({ code: 'SHIPMENT_NOT_FOUND' });
  });

  test('of whoever is no party any more and was not told so, within five seconds', async () => {
    await using story = await startStory({ env: quiet });
    const { next } = await waiting(story, anna);
    await story.world
      .database('custody')
      .transaction((tx) => tx.sql('delete from custody_parties where user_id = ?', [anna.userId]));
    const lostAt = performance.now();
    await expect(next).rejects.toMatchObject({ code: 'SHIPMENT_NOT_FOUND' });
    expect(performance.now() - lostAt).toBeLessThan(5_000);
  });

  test('of a slow reader who has not taken all that was read for them', async () => {
    await using story = await startStory({ env: quiet });
    const events = (await watch(story, anna)) as AsyncGenerator<ExecutionResult>;
    for (const _ of [1, 2]) expect((await events.next()).value.data).toBeDefined();
    await story.cancel();
    // The rest was read together with these two; a reader takes it when the right has been looked at again.
    const seen: unknown[] = [];
    const reading = (async () => {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 1_600));
        seen.push((await events.next()).value.data);
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'SHIPMENT_NOT_FOUND' });
    expect(seen.length).toBeLessThan(3);
  });
});

test('the log comes in pages; a cursor of another shipment is none', async () => {
  await using story = await startStory();
  const one = (await history(story, sender, 2)).data.trackingHistory;
  expect(one.pageInfo.hasNextPage).toBe(true);
  const rest = (await history(story, sender, 100, one.pageInfo.endCursor)).data.trackingHistory;
  expect([...one.edges, ...rest.edges].map(({ cursor }) => cursor)).toEqual(
    (await take(story, sender, 5)).map(({ cursor }) => cursor),
  );
  const foreign = Buffer.from(`tracking:${newId()}:1`).toString('base64url');
  expect((await history(story, sender, 2, foreign)).codes).toEqual(['CURSOR_INVALID']);
  expect((await history(story, sender, 2, 'nonsense!')).codes).toEqual(['CURSOR_INVALID']);
  expect((await history(story, sender, 0)).codes).toEqual(['PAGE_SIZE_INVALID']);
  expect((await history(story, stranger)).codes).toEqual(['SHIPMENT_NOT_FOUND']);
});

test('only the carrier who has it now reports on the way, and a report repeated is one event', async () => {
  await using story = await startStory();
  const report = (viewer: Viewer, more: object = {}) =>
    story.world.execute(
      'custody',
      'mutation ($input: RecordTrackingEventInput!) { recordTrackingEvent(input: $input) { id type message carrier { id } } }',
      {
        input: {
          shipmentId: story.shipmentId,
          type: 'DEPARTED',
          message: 'Boarding',
          idempotencyKey: 'boarding 1',
          ...more,
        },
      },
      viewer,
    );
  expect((await report(anna)).codes).toEqual(['NOT_HOLDER']);
  await story.handOver(1);
  const { data } = await report(anna);
  expect(data.recordTrackingEvent).toMatchObject({ type: 'DEPARTED', carrier: { id: anna.userId } });
  expect((await report(anna)).data.recordTrackingEvent.id).toBe(data.recordTrackingEvent.id);
  for (const [viewer, more, code] of [
    [ben, {}, 'NOT_HOLDER'],
    [sender, {}, 'NOT_HOLDER'],
    [stranger, {}, 'SHIPMENT_NOT_FOUND'],
    [story.recipient, {}, 'SIGN_IN_REQUIRED'],
    [anna, { message: 'x'.repeat(501) }, 'MESSAGE_TOO_LONG'],
    [anna, { idempotencyKey: 'short' }, 'IDEMPOTENCY_KEY_MALFORMED'],
    [anna, { locationId: 'here' }, 'ID_MALFORMED'],
  ] as const)
    expect((await report(viewer, more)).codes).toEqual([code]);
});

test('what becomes of the money is told in the log, each of it once, and no amount', async () => {
  await using story = await startStory({ carriers: [anna] });
  const at = story.world.clock.now();
  const money1 = { itineraryId: story.itineraryId, shipmentId: story.shipmentId };
  for (const _ of [1, 2])
    await story.world.hear(EscrowReleased, {
      ...money1,
      bookingId: story.bookingIds[0]!,
      payeeId: anna.userId,
      amount: money(4_321, 'EUR'),
      custodyEventId: newId(),
      releasedAt: at,
    });
  await story.world.hear(EscrowClosed, { ...money1, closedAt: at });
  await story.world.settle();
  const seen = await take(story, sender, 5);
  expect(seen.slice(3).map(({ type }) => type)).toEqual(['FUNDS_RELEASED', 'COMPLETED']);
  expect(JSON.stringify(seen)).not.toContain('4321');
});
