import fc from 'fast-check';
import { LegCapacityChanged, TripPublished, TripWithdrawn } from '#shared/events/trips.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { anonymous } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import {
  at,
  type Discovery,
  leg,
  lgw,
  lhr,
  london,
  montreal,
  paris,
  startDiscovery,
  trip,
  yul,
} from '../testing/supply.ts';

let discovery: Discovery;
beforeAll(async () => {
  discovery = await startDiscovery();
});
afterAll(() => discovery[Symbol.asyncDispose]());
beforeEach(() => discovery.clear());

const criteria = {
  originLocationId: montreal,
  destinationLocationId: london,
  earliestDeparture: '2026-03-02T09:00:00Z',
  latestArrival: '2026-03-09T09:00:00Z',
  category: 'BOOKS',
  grams: 2_000,
};
const calculate = async (
  more: object = {},
  viewer: Parameters<typeof discovery.world.execute>[3] = user('Ana'),
) => {
  const { data, codes } = await discovery.world.execute(
    'discovery',
    'query ($input: RouteCriteriaInput!) { calculateRoutes(input: $input) { price { amountMinor currency } handOvers transfers risk arrivesAt legs { sequence mode carrier { id } tripLeg { id } courierSegment { id } from { iata } to { iata } price { amountMinor } } } }',
    { input: { ...criteria, ...more } },
    viewer,
  );
  return { routes: data?.calculateRoutes ?? [], codes };
};
const flight = (more: Parameters<typeof leg>[4] = {}) => leg(yul, lhr, at(3, '22:00'), at(4, '05:00'), more);

test('a published trip is found with its price for the weight, rounded up to the minor unit', async () => {
  const told = trip([flight({ base: money(1_000, 'EUR'), perKilogram: money(333, 'EUR') })]);
  await discovery.publish(told);
  const { routes } = await calculate({ grams: 1_501 });
  expect(routes).toEqual([
    {
      price: { amountMinor: '1500', currency: 'EUR' },
      handOvers: 0,
      transfers: 2,
      risk: 12,
      arrivesAt: '2026-03-04T05:00:00.000Z',
      legs: [
        {
          sequence: 1,
          mode: 'FLIGHT',
          carrier: { id: told.travellerId },
          tripLeg: { id: told.legs[0]!.legId },
          courierSegment: null,
          from: { iata: 'YUL' },
          to: { iata: 'LHR' },
          price: { amountMinor: '1500' },
        },
      ],
    },
  ]);
});

test.each([
  ['a kind of goods not taken', {}, { category: 'FOOD' }],
  ['a package too heavy for the traveller', { maxPackageGrams: 2_000 }, { grams: 2_001 }],
  [
    'a value above the traveller’s limit',
    { maxDeclaredValue: money(9_999, 'EUR') },
    { declaredValue: { amountMinor: '10000', currency: 'EUR' } },
  ],
  [
    'a value in another currency than the limit',
    { maxDeclaredValue: money(99_999, 'EUR') },
    { declaredValue: { amountMinor: '1', currency: 'USD' } },
  ],
  ['a sender who does not come to the airport', {}, { senderComesToAirport: false }],
  ['a recipient who does not come to the airport', {}, { recipientComesToAirport: false }],
  ['another currency', {}, { currency: 'USD' }],
  ['a departure before the window', {}, { earliestDeparture: '2026-03-03T22:00:00.001Z' }],
  ['an arrival after the window', {}, { latestArrival: '2026-03-04T04:59:59.999Z' }],
])('a trip is left out for %s', async (_, rules, more) => {
  await discovery.publish(trip([flight()], rules));
  expect((await calculate(more)).routes).toEqual([]);
  expect((await calculate()).routes).toHaveLength(1);
});

test('what is exactly free is enough, one gram less is not, and freed again it is found again', async () => {
  const told = trip([flight()]);
  const { legId } = told.legs[0]!;
  await discovery.publish(told);
  await discovery.changeCapacity(told, legId, 2_000, 2);
  expect((await calculate()).routes).toHaveLength(1);
  await discovery.changeCapacity(told, legId, 1_999, 3);
  expect((await calculate()).routes).toEqual([]);
  await discovery.changeCapacity(told, legId, 5_000, 2);
  expect((await calculate()).routes).toEqual([]);
  await discovery.changeCapacity(told, legId, 5_000, 4);
  expect((await calculate()).routes).toHaveLength(1);
});

test('a withdrawn trip is gone, and back when it is published again with other legs', async () => {
  const told = trip([flight()]);
  await discovery.publish(told);
  await discovery.world.hear(TripWithdrawn, {
    tripId: told.tripId,
    travellerId: told.travellerId,
    reason: 'paused',
  });
  await discovery.world.settle();
  expect((await calculate()).routes).toEqual([]);
  await discovery.publish({ ...told, version: 2, legs: [flight({ toLocationId: lgw })] });
  expect((await calculate()).routes).toMatchObject([{ legs: [{ to: { iata: 'LGW' } }] }]);
});

test('an older version of a trip changes nothing', async () => {
  const told = trip([flight()], { version: 5 });
  await discovery.publish(told);
  await discovery.publish({ ...told, version: 4, legs: [] });
  expect((await calculate()).routes).toHaveLength(1);
});

test('whatever order and repetition capacity is told in, the highest version counts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 1, maxLength: 12 }),
      async (versions) => {
        const told = trip([flight()]);
        const { legId } = told.legs[0]!;
        await discovery.world.hear(TripPublished, told);
        for (const version of versions)
          await discovery.world.hear(LegCapacityChanged, {
            tripId: told.tripId,
            legId,
            freeGrams: version * 100,
            capacityVersion: version,
          });
        await discovery.world.hear(TripPublished, told);
        await discovery.world.settle();
        const [row] = await discovery.world
          .database('discovery')
          .read((em) =>
            em.execute<{ free_grams: number; capacity_version: number }[]>(
              'select free_grams, capacity_version from searchable_legs where leg_id = ?',
              [legId],
            ),
          );
        const last = Math.max(...versions);
        expect(row).toEqual({ free_grams: last * 100, capacity_version: last });
      },
    ),
    { numRuns: 15 },
  );
});

test('the graph says what the legs say, and never more', async () => {
  const edges = () =>
    discovery.world
      .database('discovery')
      .read((em) =>
        em.execute<{ legs: number; typical_minor: string; typical_minutes: number }[]>(
          'select legs, typical_minor::text, typical_minutes from route_graph_edges',
        ),
      );
  const [one, two] = [trip([flight()]), trip([flight({ base: money(3_000, 'EUR') })])];
  await discovery.publish(one, two);
  expect(await edges()).toEqual([{ legs: 2, typical_minor: '1500', typical_minutes: 420 }]);
  for (const { tripId, travellerId } of [one, two])
    await discovery.world.hear(TripWithdrawn, { tripId, travellerId, reason: 'cancelled' });
  await discovery.world.settle();
  expect(await edges()).toEqual([]);
});

test('two carriers meet in one town, at one airport or between two', async () => {
  await discovery.publish(
    trip([flight()]),
    trip([leg(lhr, paris, at(4, '06:30'), at(4, '14:00'), { mode: 'car' })]),
    trip([leg(lgw, paris, at(4, '07:29'), at(4, '12:00'), { mode: 'car' })]),
    trip([leg(lgw, paris, at(4, '07:30'), at(4, '13:00'), { mode: 'car' })]),
  );
  const { routes } = await calculate({ destinationLocationId: paris });
  expect(routes).toMatchObject([
    { arrivesAt: '2026-03-04T13:00:00.000Z', handOvers: 1, transfers: 2 },
    { arrivesAt: '2026-03-04T14:00:00.000Z', handOvers: 1, transfers: 1 },
  ]);
});

test('legs to stay away from are not used', async () => {
  const [cheap, dear] = [trip([flight()]), trip([flight({ base: money(3_000, 'EUR') })])];
  await discovery.publish(cheap, dear);
  const { data } = await discovery.world.execute(
    'discovery',
    'query ($input: RouteAlternativesInput!) { routeAlternatives(input: $input) { legs { tripLeg { id } } } }',
    { input: { criteria, avoidLegIds: [cheap.legs[0]!.legId] } },
    user('Ana'),
  );
  expect(data.routeAlternatives).toEqual([{ legs: [{ tripLeg: { id: dear.legs[0]!.legId } }] }]);
});

test('the best connected towns are suggested first', async () => {
  await discovery.publish(
    trip([flight()]),
    trip([flight({ toLocationId: lgw })]),
    trip([leg(yul, paris, at(3, '22:00'), at(4, '05:00'))]),
  );
  const suggest = async (originLocationId: string) =>
    (
      await discovery.world.execute(
        'discovery',
        'query ($originLocationId: ID!) { searchSuggestions(originLocationId: $originLocationId) { destination { name } legs typicalPrice { amountMinor } } }',
        { originLocationId },
      )
    ).data.searchSuggestions;
  expect(await suggest(yul)).toEqual([
    { destination: { name: 'London' }, legs: 2, typicalPrice: { amountMinor: '1500' } },
    { destination: { name: 'Paris' }, legs: 1, typicalPrice: { amountMinor: '1500' } },
  ]);
  expect(await suggest(paris)).toEqual([]);
});

test.each([
  [{ destinationLocationId: montreal }, 'ROUTE_ENDS_EQUAL'],
  [{ destinationLocationId: newId() }, 'LOCATION_NOT_FOUND'],
  [{ originLocationId: 'here' }, 'ID_MALFORMED'],
  [{ latestArrival: criteria.earliestDeparture }, 'SEARCH_WINDOW_INVALID'],
  [{ latestArrival: '2026-04-02T09:00:01Z' }, 'SEARCH_WINDOW_INVALID'],
  [
    { earliestDeparture: '2026-02-01T00:00:00Z', latestArrival: '2026-02-02T00:00:00Z' },
    'SEARCH_WINDOW_INVALID',
  ],
  [{ grams: 0 }, 'WEIGHT_INVALID'],
  [{ grams: 1_000_001 }, 'WEIGHT_INVALID'],
  [{ currency: 'XYZ' }, 'CURRENCY_UNKNOWN'],
])('a question that makes no sense is refused: %j is %s', async (more, code) => {
  expect((await calculate(more)).codes).toEqual([code]);
});

test('routes are for users who have signed in', async () => {
  expect((await calculate({}, anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
});
