import { setTimeout as sleep } from 'node:timers/promises';
import { ItineraryCancelled, ItineraryConfirmed, ItineraryRequested } from '#shared/events/bookings.ts';
import { HandoffTransferred } from '#shared/events/custody.ts';
import { PaymentCancelled, PaymentCaptured } from '#shared/events/payments.ts';
import type { EventDefinition } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { ManualClock } from '#shared/testing/clock.ts';
import { DeterministicDurable, type DeterministicOptions } from '#shared/testing/durable.ts';
import { type Asked, ava, ben, type Offers, type Story, sara, startStory } from '../../testing/story.ts';
import { bookingSaga } from './booking.saga.ts';

type Point = Parameters<NonNullable<DeterministicOptions['onStep']>>[0];

const clock = new ManualClock();
const passed = new Map<string, string[]>();
/** Where the process dies, once per saga and point. */
const deaths = new Map<string, (point: Point) => boolean>();
const durable = new DeterministicDurable({
  clock,
  onStep: ({ saga, sagaId, step }) => {
    const steps = passed.get(sagaId) ?? [];
    if (saga === bookingSaga.name) passed.set(sagaId, steps.at(-1) === step ? steps : [...steps, step]);
  },
  crashes: (point) => point.saga === bookingSaga.name && (deaths.get(point.sagaId)?.(point) ?? false),
});

let story: Story;
let offers: Offers;
let token: string;
let photoFileId: string;
beforeAll(async () => {
  story = await startStory({ clock, durable, env: { UNPAID_ITINERARIES_MAX: '100' } });
  offers = await story.offers(500_000);
  token = await story.chain();
  photoFileId = await story.upload(sara, 'PACKAGE_PHOTO');
});
afterAll(() => story[Symbol.asyncDispose]());

const phases: Point['phase'][] = ['before', 'effect done', 'remembered'];
type Boundary = [step: string, phase: Point['phase']];
const boundaries = (steps: readonly string[]): Boundary[] =>
  steps.flatMap((step) => phases.map((phase): Boundary => [step, phase]));
const nameOf = (...[step, phase]: Boundary): string => `${step}, ${phase}`;

/** A request whose saga dies at these points, once at each. */
async function asked(...points: Boundary[]): Promise<Asked> {
  const shipmentId = await story.shipment(sara, { photoFileId });
  const planned = await story.planned(sara, { shipmentId, token });
  const left = new Set(points.map((point) => nameOf(...point)));
  deaths.set(planned.itineraryId, ({ step, phase }) => left.delete(nameOf(step, phase)));
  const { errors } = await story.request(planned);
  if (errors[0]) throw errors[0];
  return planned;
}

/** One itinerary for each boundary: its saga dies there, all side by side. */
async function oneForEach(steps: readonly string[], then: (asked: Asked) => Promise<unknown>) {
  const all = new Map<string, Asked>();
  const before = { free: await story.free(offers), crashes: durable.crashCount };
  for (const boundary of boundaries(steps)) all.set(nameOf(...boundary), await asked(boundary));
  await story.world.settle();
  for (const each of all.values()) await then(each);
  await story.world.settle();
  return { all, before, crashes: durable.crashCount - before.crashes };
}

const pay = async (itinerary: Asked): Promise<void> => {
  await story.acceptAll(itinerary);
  const { errors } = await story.pay(itinerary);
  if (errors[0]) throw errors[0];
};

/** Everything that an itinerary has come to, told and untold. */
async function endOf({ itineraryId }: Asked) {
  const told = async (event: EventDefinition) =>
    (await story.world.told(event)).filter(
      (payload) => (payload as { itineraryId: string }).itineraryId === itineraryId,
    ).length;
  const [itinerary] = await story.rows<{ state: string; cancel_reason: string | null }>(
    'bookings',
    'select state, cancel_reason from itineraries where id = ?',
    [itineraryId],
  );
  const bookings = await story.rows<{ state: string }>(
    'bookings',
    'select distinct state from leg_bookings where itinerary_id = ? order by state',
    [itineraryId],
  );
  const [payment] = await story.rows<{ state: string; charges: number; refunded: string }>(
    'payments',
    `select p.state, p.refunded_minor::text as refunded, (select count(*)::int from charges c where c.payment_id = p.id) as charges
       from payment_intents p where itinerary_id = ?`,
    [itineraryId],
  );
  return {
    saga: await durable.stateOf(bookingSaga, itineraryId),
    itinerary: itinerary!.state,
    reason: itinerary!.cancel_reason,
    bookings: bookings.map(({ state }) => state),
    payment: payment ?? null,
    told: {
      requested: await told(ItineraryRequested),
      confirmed: await told(ItineraryConfirmed),
      cancelled: await told(ItineraryCancelled),
      captured: await told(PaymentCaptured),
      paymentCancelled: await told(PaymentCancelled),
    },
  };
}

const confirmed = {
  saga: 'done',
  itinerary: 'confirmed',
  reason: null,
  bookings: ['confirmed'],
  payment: { state: 'succeeded', charges: 1, refunded: '0' },
  told: { requested: 1, confirmed: 1, cancelled: 0, captured: 1, paymentCancelled: 0 },
};
const declined = {
  saga: 'refused',
  itinerary: 'cancelled',
  reason: 'CARRIER_DECLINED',
  bookings: ['declined', 'withdrawn'],
  payment: { state: 'canceled', charges: 0, refunded: '0' },
  told: { requested: 1, confirmed: 0, cancelled: 1, captured: 0, paymentCancelled: 1 },
};
const givenBack = {
  saga: 'refused',
  itinerary: 'cancelled',
  reason: 'CAPACITY_GONE',
  bookings: ['withdrawn'],
  payment: { state: 'refunded', charges: 1, refunded: '8960' },
  told: { requested: 1, confirmed: 0, cancelled: 1, captured: 1, paymentCancelled: 1 },
};

const grams = 2_000;

describe('all accept and the sender pays', () => {
  const steps = [
    'begin',
    'keep capacity',
    'open payment',
    'answers',
    'payment',
    'take the money',
    'sell the capacity',
    'confirm',
  ];
  let ran: Awaited<ReturnType<typeof oneForEach>>;
  beforeAll(async () => {
    ran = await oneForEach(steps, pay);
  });

  test.each(boundaries(steps))(
    'a process that dies at "%s" (%s) charges once and confirms once',
    async (...at) => {
      expect(await endOf(ran.all.get(nameOf(...at))!)).toEqual(confirmed);
    },
  );

  test('the process died at every one of them, and every parcel has its place', async () => {
    const { all, before, crashes } = ran;
    expect(crashes).toBe(all.size);
    const sold = all.size * grams;
    expect(await story.free(offers)).toEqual([500_000, 500_000, 500_000].map((offered) => offered - sold));
    expect(before.free.slice(0, 2)).toEqual([500_000, 500_000]);
    const whole = await asked();
    await story.world.settle();
    await pay(whole);
    await story.world.settle();
    expect(passed.get(whole.itineraryId)).toEqual(steps);
  });

  test('a process that dies at every boundary of one saga charges once and confirms once', async () => {
    const crashes = durable.crashCount;
    const itinerary = await asked(...boundaries(steps));
    await story.world.settle();
    await pay(itinerary);
    await story.world.settle();
    expect(durable.crashCount - crashes).toBe(24);
    expect(await endOf(itinerary)).toEqual(confirmed);
  });
});

describe('a carrier declines', () => {
  const steps = ['answers', 'note why', 'undo open payment', 'undo keep capacity', 'undo begin'];
  let ran: Awaited<ReturnType<typeof oneForEach>>;
  beforeAll(async () => {
    ran = await oneForEach(steps, async (itinerary) => {
      await story.accept(itinerary, ava);
      await story.decline(itinerary, ben);
    });
  });

  test.each(boundaries(steps))(
    'a process that dies at "%s" (%s) gives everything back once',
    async (...at) => {
      expect(await endOf(ran.all.get(nameOf(...at))!)).toEqual(declined);
    },
  );

  test('the process died at every one of them, and all capacity is back', async () => {
    expect(ran.crashes).toBe(ran.all.size);
    expect(await story.free(offers)).toEqual(ran.before.free);
    for (const { itineraryId } of ran.all.values())
      expect(passed.get(itineraryId)!.filter((step, index, all) => all.indexOf(step) === index)).toEqual([
        'begin',
        'keep capacity',
        'open payment',
        ...steps,
      ]);
  });
});

describe('the capacity is lost after the money was taken', () => {
  const steps = [
    'take the money',
    'sell the capacity',
    'note why',
    'undo open payment',
    'undo keep capacity',
    'undo begin',
  ];
  let ran: Awaited<ReturnType<typeof oneForEach>>;
  beforeAll(async () => {
    ran = await oneForEach(steps, async (itinerary) => {
      await pay(itinerary);
      await story.loseHold(itinerary);
    });
  });

  test.each(boundaries(steps))(
    'a process that dies at "%s" (%s) gives the money back whole, once',
    async (...at) => {
      expect(await endOf(ran.all.get(nameOf(...at))!)).toEqual(givenBack);
    },
  );

  test('the process died at every one of them, and all capacity is back', async () => {
    expect(ran.crashes).toBe(ran.all.size);
    expect(await story.free(offers)).toEqual(ran.before.free);
  });
});

test('the books balance in the end, and nothing is held or left running', async () => {
  expect(await story.rows('trips', 'select 1 from ledger_holds')).toEqual([]);
  expect(await story.rows('discovery', 'select 1 from ledger_holds')).toEqual([]);
  const { data } = await story.world.execute(
    'payments',
    '{ ledgerProof { chainIntact currencies { currency trialBalance } } }',
    {},
    { ...sara, roles: ['admin'] },
  );
  expect(data.ledgerProof).toEqual({
    chainIntact: true,
    currencies: [{ currency: 'EUR', trialBalance: '0' }],
  });
  const sagas = durable.all().filter(({ name }) => name === bookingSaga.name);
  expect(sagas.filter(({ state }) => state !== 'done' && state !== 'refused')).toEqual([]);
});

test('a parcel that is on its way when the saga comes back stays confirmed and paid', async () => {
  const itinerary = await asked();
  await story.world.settle();
  await pay(itinerary);
  // The confirmation is committed; the process dies before it is remembered, and stays away for a while.
  let down: Promise<void> | undefined;
  deaths.set(itinerary.itineraryId, ({ step, phase }) => {
    if (down || nameOf(step, phase) !== 'confirm, effect done') return false;
    down = durable[Symbol.asyncDispose]();
    return true;
  });
  await story.world.settle().catch((error) => expect(String(error)).toMatch('has not been started'));
  await down;
  expect(await endOf(itinerary)).toEqual({ ...confirmed, saga: 'running' });

  const [first] = (await story.world.told(ItineraryConfirmed)).at(-1)!.legs;
  await story.world.hear(HandoffTransferred, {
    shipmentId: itinerary.shipmentId,
    itineraryId: itinerary.itineraryId,
    stepId: newId(),
    sequence: 1,
    from: { type: 'sender', id: sara.userId },
    to: { type: 'traveller', id: ava.userId },
    finishedBookingId: null,
    startedBookingId: first!.bookingId,
    packageIds: [],
    custodyEventIds: [],
    discrepancy: false,
    lastLegStarted: false,
    delivered: false,
    transferredAt: clock.now(),
  });
  // Facts become audible once no older transaction runs on the server, be it in another test's database.
  while ((await story.world.subgraph('bookings').inbox.drain()) === 0) await sleep(5);
  await durable.start();
  durable.crash();
  await story.world.settle();
  expect(await endOf(itinerary)).toEqual({
    ...confirmed,
    itinerary: 'in_progress',
    bookings: ['confirmed', 'in_custody'],
  });
});
