import { IdentityContract } from '#shared/contracts/identity.ts';
import { TripsContract } from '#shared/contracts/trips.ts';
import { LegCapacityChanged, TripPublished, TripWithdrawn } from '#shared/events/trips.ts';
import { newId } from '#shared/kernel/ids.ts';
import { after, HOUR } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { answer } from '#shared/runtime/subgraph.ts';
import { user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';
import { tripStates } from './trip.states.ts';

const traveller = user('Tom');
const stranger = user('Eve');
const montreal = newId();
const london = newId();
const paris = newId();
const ticket = newId();

const identity = answer(IdentityContract, {
  users: async () => [],
  userByEmail: async () => ({ userId: null }),
  partner: async () => ({ name: null }),
  linkToken: async () => ({ token: '' }),
  files: async ({ fileIds }) =>
    fileIds
      .filter((fileId) => fileId === ticket)
      .map((fileId) => ({
        fileId,
        ownerId: traveller.userId,
        mediaType: 'application/pdf',
        bytes: 10,
        sha256: 'a'.repeat(64),
        storedAt: new Date(0),
      })),
});

let world: World;
beforeEach(async () => {
  world = await startWorld({ subgraphs: ['trips'], contracts: [identity] });
});
afterEach(() => world[Symbol.asyncDispose]());

const hours = (count: number): string => after(world.clock.now(), count * HOUR).toISOString();

const run = (text: string, input: object, viewer: Viewer = traveller) =>
  world.execute(
    'trips',
    `mutation ($input: ${inputOf(text)}!) { ${text}(input: $input) { id state legs { id } } }`,
    { input },
    viewer,
  );
const inputOf = (mutation: string): string =>
  ({
    publishTrip: 'TripActionInput',
    pauseTrip: 'TripActionInput',
    resumeTrip: 'TripActionInput',
    cancelTrip: 'TripActionInput',
  })[mutation] ?? `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input`;

async function draft(): Promise<string> {
  const { data } = await run('createTrip', {
    originLocationId: montreal,
    destinationLocationId: paris,
    transportMode: 'FLIGHT',
    earliestDeparture: hours(20),
    latestArrival: hours(60),
  });
  return data.createTrip.id;
}

const leg = (tripId: string, change: object = {}) => ({
  tripId,
  mode: 'FLIGHT',
  fromLocationId: montreal,
  toLocationId: london,
  departsAt: hours(24),
  arrivesAt: hours(31),
  carrierReference: 'AC864',
  basePrice: { amountMinor: '1000', currency: 'EUR' },
  pricePerKilogram: { amountMinor: '500', currency: 'EUR' },
  capacityGrams: 5_000,
  ...change,
});

const rules = (tripId: string) => ({ tripId, maxPackageGrams: 5_000, allowedCategories: ['BOOKS', 'GIFTS'] });

async function published(): Promise<{ tripId: string; legId: string }> {
  const tripId = await draft();
  await run('addTripLeg', leg(tripId));
  await run('setTripConstraints', rules(tripId));
  await run('addTripDocument', { tripId, kind: 'FLIGHT_TICKET', fileId: ticket });
  const { data } = await run('publishTrip', { tripId });
  return { tripId, legId: data.publishTrip.legs[0].id };
}

const hold = (legId: string, grams: number, holdId = newId()) => ({
  holdId,
  shipmentId: newId(),
  items: [{ legId, grams }],
  expiresAt: after(world.clock.now(), HOUR),
});

test('a complete draft is published and told with what is free on its legs', async () => {
  const { tripId, legId } = await published();
  const [told] = await world.told(TripPublished);
  expect(told).toMatchObject({ tripId, travellerId: traveller.userId, legs: [{ legId, freeGrams: 5_000 }] });
});

test('a draft is published only when it can be carried as written', async () => {
  const tripId = await draft();
  expect((await run('publishTrip', { tripId })).codes).toEqual(['TRIP_WITHOUT_LEGS']);
  await run('addTripLeg', leg(tripId));
  expect((await run('publishTrip', { tripId })).codes).toEqual(['TRIP_WITHOUT_CONSTRAINTS']);
  await run('setTripConstraints', rules(tripId));
  expect((await run('publishTrip', { tripId })).codes).toEqual(['TRIP_WITHOUT_DOCUMENT']);
  await run('addTripDocument', { tripId, kind: 'FLIGHT_TICKET', fileId: ticket });
  await world.clock.advance('23h');
  expect((await run('publishTrip', { tripId })).codes).toEqual(['DEPARTURE_TOO_SOON']);
});

test.each([
  ['LEG_NOT_CONTIGUOUS', { fromLocationId: paris }],
  ['LEG_TIMES_INVALID', { departsAt: '2020-01-01T00:00:00Z' }],
  ['LEG_TIMES_INVALID', { arrivesAt: '2030-01-01T00:00:00Z' }],
  ['LEG_CAPACITY_INVALID', { capacityGrams: 0 }],
  ['LEG_PRICE_INVALID', { basePrice: { amountMinor: '-1', currency: 'EUR' } }],
  ['LEG_PRICE_INVALID', { pricePerKilogram: { amountMinor: '1', currency: 'CAD' } }],
  [
    'CURRENCY_UNKNOWN',
    {
      basePrice: { amountMinor: '1', currency: 'XXX' },
      pricePerKilogram: { amountMinor: '1', currency: 'XXX' },
    },
  ],
  ['ID_MALFORMED', { toLocationId: "'; drop table trips; --" }],
])('a leg that makes no sense is refused with %s', async (code, change) => {
  const tripId = await draft();
  expect((await run('addTripLeg', leg(tripId, change))).codes).toEqual([code]);
  expect(
    (
      await run('createTrip', {
        originLocationId: montreal,
        destinationLocationId: paris,
        transportMode: 'CAR',
        earliestDeparture: hours(2),
        latestArrival: hours(1),
      })
    ).codes,
  ).toEqual(['TRIP_TIMES_INVALID']);
});

test('a published trip is written no more, and somebody else’s never', async () => {
  const { tripId } = await published();
  expect((await run('addTripLeg', leg(tripId))).codes).toEqual(['TRIP_NOT_DRAFT']);
  expect((await run('pauseTrip', { tripId }, stranger)).codes).toEqual(['NOT_YOUR_TRIP']);
  expect((await run('pauseTrip', { tripId: await draft() }, stranger)).codes).toEqual(['TRIP_NOT_FOUND']);
  expect((await run('addTripDocument', { tripId, kind: 'OTHER', fileId: newId() })).codes).toEqual([
    'FILE_NOT_FOUND',
  ]);
});

test('a draft and a trip’s papers are seen by its traveller alone', async () => {
  const tripId = await draft();
  const seen = (viewer: Viewer, id: string) =>
    world.execute('trips', 'query ($id: ID!) { trip(id: $id) { id documents { id } } }', { id }, viewer);
  expect((await seen(stranger, tripId)).data.trip).toBeNull();
  expect((await seen(traveller, tripId)).data.trip).toEqual({ id: tripId, documents: [] });
  const { tripId: open } = await published();
  expect((await seen(stranger, open)).data.trip).toEqual({ id: open, documents: null });
});

test('what the transition table does not list is refused', async () => {
  for (const [state, event] of [
    ['draft', 'pauseTrip'],
    ['draft', 'resumeTrip'],
    ['published', 'publishTrip'],
    ['published', 'resumeTrip'],
    ['cancelled', 'cancelTrip'],
  ]) {
    const tripId = state === 'draft' ? await draft() : (await published()).tripId;
    if (state === 'cancelled') await run('cancelTrip', { tripId });
    expect((await run(event!, { tripId })).codes).toEqual(['INVALID_TRANSITION']);
  }
  expect(
    tripStates.transitions.every((row) => row.from.every((from) => !tripStates.terminal.includes(from))),
  ).toBe(true);
});

test('pausing withdraws a trip from the search and resuming puts it back', async () => {
  const { tripId } = await published();
  await run('pauseTrip', { tripId });
  expect(await world.told(TripWithdrawn)).toEqual([
    { tripId, travellerId: traveller.userId, reason: 'paused' },
  ]);
  await run('resumeTrip', { tripId });
  expect((await world.told(TripPublished)).map(({ version }) => version)).toEqual([1, 3]);
});

test('of fifty who want the last kilos at once, exactly as many get them as there are', async () => {
  const { legId } = await published();
  const trips = world.ask(TripsContract);
  const answers = await Promise.allSettled(
    Array.from({ length: 50 }, () => {
      const wanted = hold(legId, 900);
      return trips.holdCapacity(wanted, { key: wanted.holdId });
    }),
  );
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  const losers = answers.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  expect(losers.every((reason) => reason.code === 'CAPACITY_GONE' && reason.details.freeGrams < 900)).toBe(
    true,
  );
  expect(await trips.legs({ legIds: [legId] })).toMatchObject([{ freeGrams: 500 }]);
});

test('a hold stands on every leg or on none', async () => {
  const { legId } = await published();
  const other = await published();
  const trips = world.ask(TripsContract);
  const wanted = {
    ...hold(legId, 1_000),
    items: [
      { legId, grams: 1_000 },
      { legId: other.legId, grams: 5_000 },
    ],
  };
  await trips.holdCapacity(hold(other.legId, 1), { key: 'first' });
  await expect(trips.holdCapacity(wanted, { key: 'second' })).rejects.toMatchObject({
    code: 'CAPACITY_GONE',
    details: { legId: other.legId, freeGrams: 4_999 },
  });
  expect(await trips.legs({ legIds: [legId] })).toMatchObject([{ freeGrams: 5_000 }]);
});

test('a hold that runs out gives its weight back, and can then not be confirmed', async () => {
  const { legId } = await published();
  const trips = world.ask(TripsContract);
  const wanted = hold(legId, 4_000);
  await trips.holdCapacity(wanted, { key: 'hold' });
  await world.pass('2h');
  expect(await trips.legs({ legIds: [legId] })).toMatchObject([{ freeGrams: 5_000 }]);
  await expect(trips.confirmHold({ holdId: wanted.holdId }, { key: 'confirm' })).rejects.toMatchObject({
    code: 'HOLD_RESOLVED',
  });
  expect((await world.told(LegCapacityChanged)).map(({ freeGrams }) => freeGrams)).toEqual([
    5_000, 1_000, 5_000,
  ]);
});

test('an extended hold outlives its first end; a confirmed one can still be given back', async () => {
  const { legId } = await published();
  const trips = world.ask(TripsContract);
  const wanted = hold(legId, 4_000);
  await trips.holdCapacity(wanted, { key: 'hold' });
  await trips.extendHold(
    { holdId: wanted.holdId, expiresAt: after(world.clock.now(), 5 * HOUR) },
    { key: 'extend' },
  );
  await world.pass('2h');
  await trips.confirmHold({ holdId: wanted.holdId }, { key: 'confirm' });
  await world.pass('6h');
  expect(await trips.legs({ legIds: [legId] })).toMatchObject([{ freeGrams: 1_000 }]);
  await trips.releaseHold({ holdId: wanted.holdId }, { key: 'release' });
  await trips.releaseHold({ holdId: wanted.holdId }, { key: 'release again' });
  await trips.releaseHold({ holdId: newId() }, { key: 'release unknown' });
  expect(await trips.legs({ legIds: [legId] })).toMatchObject([{ freeGrams: 5_000 }]);
});

test('a leg that left, or a weight its traveller does not take, is not bookable', async () => {
  const { legId } = await published();
  const trips = world.ask(TripsContract);
  await expect(trips.holdCapacity(hold(legId, 6_000), { key: 'heavy' })).rejects.toMatchObject({
    code: 'PACKAGE_NOT_ACCEPTED',
  });
  await expect(trips.holdCapacity(hold(newId(), 1), { key: 'unknown' })).rejects.toMatchObject({
    code: 'LEG_NOT_BOOKABLE',
  });
  await world.pass('25h');
  await expect(trips.holdCapacity(hold(legId, 1), { key: 'late' })).rejects.toMatchObject({
    code: 'LEG_NOT_BOOKABLE',
  });
});

test('a leg’s capacity is never lowered below what is promised', async () => {
  const { legId } = await published();
  await world.ask(TripsContract).holdCapacity(hold(legId, 3_000), { key: 'hold' });
  const change = (capacityGrams: number) =>
    world.execute(
      'trips',
      'mutation ($input: ChangeLegCapacityInput!) { changeLegCapacity(input: $input) { capacityGrams freeGrams } }',
      { input: { legId, capacityGrams } },
      traveller,
    );
  expect(await change(2_999)).toMatchObject({
    codes: ['CAPACITY_PROMISED'],
    details: [{ legId, promisedGrams: 3_000 }],
  });
  expect((await change(3_500)).data.changeLegCapacity).toEqual({ capacityGrams: 3_500, freeGrams: 500 });
});

test('fifty trips are fetched with as many statements as one', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 12; count += 1) ids.push((await published()).tripId);
  const fetch = (some: string[]) =>
    world.entities(
      'trips',
      some.map((id) => ({ __typename: 'Trip', id })),
      '{ ... on Trip { legs { freeGrams trip { id } } constraints { notes } documents { id } } }',
      traveller,
    );
  const one = await world.countQueries(() => fetch(ids.slice(0, 1)));
  const many = await world.countQueries(() => fetch(ids));
  expect(one).toBeGreaterThan(0);
  expect(many).toBe(one);
});

test('a text that cannot be kept is refused in words', async () => {
  const tripId = await draft();
  const answer = await run('setTripConstraints', { ...rules(tripId), notes: 'before\u0000after' });
  expect(answer.codes).toEqual(['TEXT_INVALID']);
});
