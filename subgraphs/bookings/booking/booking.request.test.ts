import { setTimeout as sleep } from 'node:timers/promises';
import { ItineraryCancelled, ItineraryRequested } from '#shared/events/bookings.ts';
import { newId } from '#shared/kernel/ids.ts';
import {
  type Asked,
  ava,
  ben,
  cleo,
  eve,
  type Offers,
  type Story,
  sara,
  startStory,
} from '../../testing/story.ts';
import { bookingSaga } from './booking.saga.ts';

let story: Story;
let offers: Offers;
/** What was free before the test. */
let free: number[];
beforeAll(async () => {
  story = await startStory({ env: { UNPAID_ITINERARIES_MAX: '100' } });
  offers = await story.offers(200_000);
  await story.requested();
});
afterAll(() => story[Symbol.asyncDispose]());
beforeEach(async () => {
  await story.world.settle();
  free = await story.free(offers);
});

const settle = () => story.world.settle();
const less = (count: number): number[] => free.map((grams) => grams - count * 2_000);
const requestsTold = async ({ itineraryId }: Asked) =>
  (await story.world.told(ItineraryRequested)).filter((told) => told.itineraryId === itineraryId).length;
const itineraryOf = async ({ itineraryId }: Asked) =>
  (
    await story.rows<{ state: string; cancel_reason: string | null }>(
      'bookings',
      'select state, cancel_reason from itineraries where id = ?',
      [itineraryId],
    )
  )[0]!;
const codesOf = (answers: readonly { codes: readonly unknown[] }[]) => answers.flatMap(({ codes }) => codes);

test('a request holds every leg and tells the carriers until when they may answer', async () => {
  const asked = await story.planned();
  const { data } = await story.request(asked);
  expect(data.requestBooking).toEqual({
    id: asked.itineraryId,
    state: 'REQUESTED',
    // A quarter of the 83 hours to the departure.
    answerBy: '2026-03-03T05:45:00.000Z',
  });
  expect(await story.free(offers)).toEqual(less(1));
  const told = (await story.world.told(ItineraryRequested)).at(-1);
  expect(told).toMatchObject({ itineraryId: asked.itineraryId, total: { amountMinor: 8960n } });
  expect(told!.legs.map(({ carrierId }) => carrierId)).toEqual([ava.userId, ben.userId, cleo.userId]);
});

test('the same request again, later or at the same time, is one request', async () => {
  const asked = await story.planned();
  const at = await Promise.all(Array.from({ length: 8 }, () => story.request(asked)));
  expect(codesOf(at)).toEqual([]);
  await settle();
  expect(codesOf([await story.request(asked)])).toEqual([]);
  expect(await requestsTold(asked)).toBe(1);
  expect(await story.free(offers)).toEqual(less(1));
});

test('the last kilos are enough for a request that is sent twice at once', async () => {
  await using own = await startStory();
  const scarce = await own.offers(2_000);
  const asked = await own.planned();
  expect(codesOf(await Promise.all([own.request(asked), own.request(asked)]))).toEqual([]);
  expect(await own.free(scarce)).toEqual([0, 0, 0]);
});

test('of two itineraries of one shipment requested at once exactly one is asked for', async () => {
  const one = await story.planned();
  const other = await story.planned(sara, { shipmentId: one.shipmentId });
  const answers = await Promise.all([story.request(one), story.request(other)]);
  expect(codesOf(answers)).toEqual(['SHIPMENT_ALREADY_BOOKED']);
  await settle();
  expect((await requestsTold(one)) + (await requestsTold(other))).toBe(1);
  expect(await story.free(offers)).toEqual(less(1));
});

test('the last kilos wanted by fifty at once are sold to two; losers learn what else there is', async () => {
  await using many = await startStory({ env: { UNPAID_ITINERARIES_MAX: '100' } });
  const scarce = await many.offers(4_000);
  const chain = await many.chain();
  const photoFileId = await many.upload(sara, 'PACKAGE_PHOTO');
  const wanting: Asked[] = [];
  for (let count = 0; count < 50; count += 1) {
    const shipmentId = await many.shipment(sara, { photoFileId });
    wanting.push(await many.planned(sara, { shipmentId, token: chain }));
  }
  await many.anotherFlight(eve, 'PARIS');
  const answers = await Promise.all(wanting.map((each) => many.request(each)));
  const lost = answers.filter(({ errors }) => errors.length > 0);
  expect(new Set(codesOf(lost))).toEqual(new Set(['CAPACITY_GONE']));
  expect(lost).toHaveLength(48);
  for (const { errors } of lost) {
    const { legId, freeGrams } = errors[0]!.extensions.details as { legId: string; freeGrams: number };
    expect([scarce.firstLegId, scarce.secondLegId, scarce.segmentId]).toContain(legId);
    expect(freeGrams).toBeLessThan(2_000);
  }
  await many.world.settle();
  expect(await many.free(scarce)).toEqual([0, 0, 0]);
  expect(await many.world.told(ItineraryRequested)).toHaveLength(2);
  const loser = wanting.find((_, index) => answers[index]!.errors.length > 0)!;
  const { errors } = await many.request(loser);
  const { code, details } = errors[0]!.extensions as {
    code: string;
    details: { alternatives: { token: string }[] };
  };
  expect(code).toBe('CAPACITY_GONE');
  const [{ token } = { token: '' }] = details.alternatives;
  const another = await many.planned(sara, { shipmentId: loser.shipmentId, token });
  expect((await many.request(another)).codes).toEqual([]);
});

test('a leg that is gone is refused with other ways for the same goods', async () => {
  await using own = await startStory();
  const { firstTripId, firstLegId } = await own.offers(4_000);
  const asked = await own.planned();
  await own.anotherFlight(eve, 'LONDON');
  await own.did('trips', ava, 'mutation ($input: TripActionInput!) { cancelTrip(input: $input) { id } }', {
    input: { tripId: firstTripId },
  });
  const { codes, errors } = await own.request(asked);
  expect(codes).toEqual(['LEG_NOT_BOOKABLE']);
  const { details } = errors[0]!.extensions as {
    details: { legId: string; alternatives: { token: string }[] };
  };
  expect(details.legId).toBe(firstLegId);
  expect(details.alternatives.length).toBeGreaterThan(0);
  const [{ token } = { token: '' }] = details.alternatives;
  const again = await own.planned(sara, { shipmentId: asked.shipmentId, token });
  expect((await own.request(again)).codes).toEqual([]);
});

test.each<[string, (asked: Asked) => Partial<Asked['terms']> | Promise<Partial<Asked['terms']>>]>([
  ['QUOTE_TAMPERED', ({ terms }) => ({ quoteSignature: `${terms.quoteSignature}x` })],
  ['QUOTE_TAMPERED', () => ({ quoteSignature: '' })],
  ['PRICE_CHANGED', () => ({ expectedTotal: { amountMinor: '8959', currency: 'EUR' } })],
  ['PRICE_CHANGED', () => ({ expectedTotal: { amountMinor: '8960', currency: 'USD' } })],
  ['QUOTE_NOT_FOUND', () => ({ quoteId: newId() })],
  ['ID_MALFORMED', () => ({ quoteId: "'; drop table price_quotes; --" })],
  ['ITINERARY_NOT_FOUND', () => ({ itineraryId: newId() })],
  [
    'QUOTE_NOT_FOUND',
    async ({ shipmentId }) => {
      const { terms } = await story.planned(sara, { shipmentId });
      return { quoteId: terms.quoteId, quoteSignature: terms.quoteSignature };
    },
  ],
  [
    'QUOTE_EXPIRED',
    async () => {
      await story.world.clock.advance('30m');
      return {};
    },
  ],
  [
    'QUOTE_OUTDATED',
    async ({ itineraryId }) => {
      await story.rows('bookings', 'update itineraries set version = 2 where id = ?', [itineraryId]);
      return {};
    },
  ],
])(
  'a request that its quote does not bear out is refused with %s and holds nothing',
  async (code, change) => {
    const asked = await story.planned();
    const { codes } = await story.request(asked, sara, await change(asked));
    expect(codes).toEqual([code]);
    expect(await story.free(offers)).toEqual(free);
  },
);

test('nobody else can request, cancel or quote a sender’s itinerary', async () => {
  const planned = await story.planned();
  for (const viewer of [eve, ava]) {
    expect((await story.request(planned, viewer)).codes).toEqual(['ITINERARY_NOT_FOUND']);
    expect((await story.cancel(planned, viewer)).codes).toEqual(['ITINERARY_NOT_FOUND']);
    expect((await story.quoteItinerary(viewer, planned.itineraryId)).codes).toEqual(['ITINERARY_NOT_FOUND']);
  }
  await story.request(planned);
  expect((await story.cancel(planned, ava)).codes).toEqual(['NOT_YOUR_ITINERARY']);
  expect((await story.request(planned, { kind: 'anonymous' })).codes).toEqual(['SIGN_IN_REQUIRED']);
});

test('a sender who has not paid for enough itineraries has to pay or cancel first, however quick the requests', async () => {
  await using strict = await startStory({ env: { UNPAID_ITINERARIES_MAX: '2' } });
  const wide = await strict.offers(20_000);
  const chain = await strict.chain();
  const planned = [];
  for (let count = 0; count < 4; count += 1) planned.push(await strict.planned(sara, { token: chain }));
  // All four get as far as they can before the first one is written.
  const gate = strict.world.database('bookings').transaction(async (tx) => {
    await tx.sql('lock table leg_bookings in share row exclusive mode');
    const waiting = `select 1 from pg_locks where not granted and database =
      (select oid from pg_database where datname = current_database())`;
    while ((await tx.sql(waiting)).length < planned.length) await sleep(5);
  });
  const answers = await Promise.all(planned.map((each) => strict.request(each)));
  await gate;
  expect(codesOf(answers)).toEqual(['TOO_MANY_UNPAID', 'TOO_MANY_UNPAID']);
  await strict.world.settle();
  expect((await strict.free(wide))[0]).toBe(16_000);
  const asked = planned.find((_, index) => answers[index]!.codes.length === 0)!;
  const refused = planned.find((_, index) => answers[index]!.codes.length > 0)!;
  await strict.cancel(asked);
  await strict.world.settle();
  expect((await strict.request(refused)).codes).toEqual([]);
});

test('a shipment that was called off is not booked any more', async () => {
  const asked = await story.planned();
  const callOff = 'mutation ($input: ShipmentActionInput!) { cancelShipment(input: $input) { id } }';
  await story.did('shipments', sara, callOff, { input: { shipmentId: asked.shipmentId } });
  expect((await story.request(asked)).codes).toEqual(['SHIPMENT_NOT_BOOKABLE']);
  expect(await story.free(offers)).toEqual(free);
  await settle();
  expect(await itineraryOf(asked)).toEqual({ state: 'cancelled', cancel_reason: 'SENDER_CANCELLED' });
});

test('a shipment that is called off while its carriers are asked takes the request back', async () => {
  const asked = await story.requested();
  // The shipment does not know of the request yet.
  const callOff = 'mutation ($input: ShipmentActionInput!) { cancelShipment(input: $input) { id } }';
  await story.did('shipments', sara, callOff, { input: { shipmentId: asked.shipmentId } });
  await settle();
  expect(await itineraryOf(asked)).toEqual({ state: 'cancelled', cancel_reason: 'SENDER_CANCELLED' });
  expect(await story.free(offers)).toEqual(free);
});

test('a hold that ran out before the saga took it over ends the request, and the other owner’s hold with it', async () => {
  const asked = await story.requested();
  await story.loseHold(asked);
  await settle();
  expect(await itineraryOf(asked)).toEqual({ state: 'cancelled', cancel_reason: 'CAPACITY_GONE' });
  expect(await story.free(offers)).toEqual(free);
  expect((await story.world.told(ItineraryCancelled)).at(-1)).toMatchObject({ reason: 'CAPACITY_GONE' });
  expect(await story.world.durable.stateOf(bookingSaga, asked.itineraryId)).toBe('refused');
});

test('capacity that a request has held and then died with comes back by itself', async () => {
  const asked = await story.planned();
  await story.rows('bookings', 'alter table leg_bookings add constraint broken check (grams < 0) not valid');
  expect((await story.request(asked)).codes).toEqual(['INTERNAL_SERVER_ERROR']);
  expect(await story.free(offers)).toEqual(less(1));
  await story.rows('bookings', 'alter table leg_bookings drop constraint broken');
  await story.world.pass('6m');
  expect(await story.free(offers)).toEqual(free);
  expect((await story.request(asked)).codes).toEqual([]);
  await settle();
  expect(await itineraryOf(asked)).toEqual({ state: 'requested', cancel_reason: null });
});

test('a departure that leaves no time to answer is not requested', async () => {
  await story.world.clock.set('2026-03-05T19:35:00Z');
  const asked = await story.planned();
  expect((await story.request(asked)).codes).toEqual(['DEPARTURE_TOO_SOON']);
});
