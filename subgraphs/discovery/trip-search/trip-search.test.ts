import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import {
  at,
  cdg,
  type Discovery,
  leg,
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

const ana = user('Ana');
const criteria = {
  originLocationId: montreal,
  destinationLocationId: paris,
  earliestDeparture: '2026-03-02T09:00:00Z',
  latestArrival: '2026-03-09T09:00:00Z',
  category: 'BOOKS',
  grams: 2_000,
};
const fields =
  'id token expiresAt reason firstBy price { amountMinor currency } departsAt arrivesAt handOvers transfers handOverPlaces { name } origin { name } destination { name } legs { mode carrier { id } tripLeg { id } courierSegment { id } departsAt arrivesAt price { amountMinor } }';
const searchAs = async (viewer: Viewer, more: object = {}, search: object = {}) => {
  const { data, codes } = await discovery.world.execute(
    'discovery',
    `query ($input: SearchRoutesInput!) { searchRoutes(input: $input) { ${fields} } }`,
    { input: { criteria: { ...criteria, ...more }, sort: 'CHEAPEST', ...search } },
    viewer,
  );
  return { found: data?.searchRoutes ?? [], codes };
};
const search = async (more: object = {}, how: object = {}) => (await searchAs(ana, more, how)).found;
const redeem = (token: string, grams = 2_000, categories: ('BOOKS' | 'FOOD' | 'CLOTHING')[] = ['BOOKS']) =>
  discovery.world.ask(DiscoveryContract).suggestion({ token, grams, categories });

/** Montréal to London by air, London to Paris by air, the airport to the city by courier. */
async function theStory() {
  const one = trip([leg(yul, lhr, at(3, '01:00'), at(3, '08:00'))]);
  const two = trip([leg(lhr, cdg, at(3, '10:00'), at(3, '11:15'))]);
  await discovery.publish(one, two);
  const segment = await discovery.segment(await discovery.courier('Chloé'));
  return { one, two, segment };
}

test('a parcel is brought from city to city by two travellers and a courier', async () => {
  const { one, two, segment } = await theStory();
  const [only, ...rest] = await search({ recipientComesToAirport: false });
  expect(rest).toEqual([]);
  expect(only).toMatchObject({
    price: { amountMinor: '5400', currency: 'EUR' },
    departsAt: '2026-03-03T01:00:00.000Z',
    arrivesAt: '2026-03-03T13:30:00.000Z',
    expiresAt: '2026-03-02T09:15:00.000Z',
    handOvers: 2,
    transfers: 1,
    firstBy: ['CHEAPEST', 'BEST', 'QUICKEST'],
    reason: 'Cheapest, best balance of price, time and hand-overs, quickest',
    origin: { name: 'Montréal' },
    destination: { name: 'Paris' },
    legs: [
      { mode: 'FLIGHT', tripLeg: { id: one.legs[0]!.legId }, carrier: { id: one.travellerId } },
      { mode: 'FLIGHT', tripLeg: { id: two.legs[0]!.legId }, carrier: { id: two.travellerId } },
      { mode: 'COURIER', courierSegment: { id: segment }, carrier: { id: user('Chloé').userId } },
    ],
  });
  expect(only.handOverPlaces.map(({ name }: { name: string }) => name)).toEqual([
    'Montréal-Pierre Elliott Trudeau International Airport',
    'London Heathrow Airport',
    'Paris Charles de Gaulle Airport',
    'Paris',
  ]);
  const redeemed = await redeem(only.token);
  expect(redeemed).toMatchObject({
    suggestionId: only.id,
    originLocationId: montreal,
    destinationLocationId: paris,
    total: money(5_400, 'EUR'),
  });
  expect(redeemed.legs.map(({ legKind, carrierType }) => [legKind, carrierType])).toEqual([
    ['trip_leg', 'traveller'],
    ['trip_leg', 'traveller'],
    ['courier_segment', 'local_courier'],
  ]);
});

test('a recipient who comes to the airport saves the courier, and is told what that means', async () => {
  await theStory();
  const found = await search();
  expect(found.map(({ reason }: { reason: string }) => reason)).toEqual([
    'Cheapest, best balance of price, time and hand-overs, quickest',
    '14.00 EUR dearer, 2 h later, one hand-over more, one way to an airport fewer',
  ]);
});

test('the cheapest, the best and the quickest are shown on any page', async () => {
  const flight = (hours: number, base: number) =>
    trip([
      leg(yul, cdg, at(3, '01:00'), new Date(at(3, '01:00').getTime() + hours * 3_600_000), {
        base: money(base, 'EUR'),
      }),
    ]);
  await discovery.publish(flight(7, 9_000), flight(20, 6_000), flight(50, 4_500), flight(80, 4_000));
  for (const sort of ['CHEAPEST', 'BEST', 'QUICKEST']) {
    const found = await search({}, { first: 1, sort });
    expect(found.flatMap(({ firstBy }: { firstBy: string[] }) => firstBy).sort()).toEqual([
      'BEST',
      'CHEAPEST',
      'QUICKEST',
    ]);
    expect(found[0].firstBy).toContain(sort);
  }
  const all = await search({}, { first: 10, sort: 'QUICKEST' });
  expect(all).toHaveLength(4);
  expect(all.map(({ price }: { price: { amountMinor: string } }) => price.amountMinor)).toEqual([
    '10000',
    '7000',
    '5500',
    '5000',
  ]);
  expect(all[1].reason).toBe('30.00 EUR cheaper, 13 h later');
});

test('searches and what was offered are kept', async () => {
  await theStory();
  const found = await search();
  const rows = await discovery.world
    .database('discovery')
    .read((em) =>
      em.execute(
        'select q.searcher_id, q.found, q.sort_by, count(*)::int as offered from route_search_queries q join route_suggestions s on s.query_id = q.id group by q.id',
      ),
    );
  expect(rows).toEqual([{ searcher_id: ana.userId, found: 2, sort_by: 'cheapest', offered: found.length }]);
});

test('a lighter parcel is carried at its own price, never at a higher one than shown', async () => {
  await theStory();
  const [shown] = await search();
  expect((await redeem(shown.token, 1_000)).total).toEqual(money(3_000, 'EUR'));
  await expect(redeem(shown.token, 2_001)).rejects.toMatchObject({
    code: 'SUGGESTION_STALE',
    details: { reason: 'PRICE_HIGHER' },
  });
});

test.each([['x'], ['a.b'], ['e30.e30'], ['']])(
  'a token not made here is no suggestion: %p',
  async (token) => {
    await expect(redeem(token)).rejects.toMatchObject({ code: 'SUGGESTION_INVALID' });
  },
);

test('a token that was changed, or signed for another purpose, is no suggestion', async () => {
  await theStory();
  const [{ token }] = await search();
  const [body = '', mac = ''] = token.split('.');
  const changed = Buffer.from(body, 'base64url').toString().replace('"2000"', '"1"');
  await expect(redeem(`${Buffer.from(changed).toString('base64url')}.${mac}`)).rejects.toMatchObject({
    code: 'SUGGESTION_INVALID',
  });
  const foreign = discovery.world.shared.secrets.sign(
    'quote',
    JSON.parse(Buffer.from(body, 'base64url').toString()),
  );
  await expect(redeem(foreign)).rejects.toMatchObject({ code: 'SUGGESTION_INVALID' });
});

test('an expired token is stale, and what can be booked instead comes with the refusal', async () => {
  await theStory();
  const [shown] = await search();
  await discovery.world.pass('14m');
  await redeem(shown.token);
  await discovery.world.pass('1m');
  const refusal = await redeem(shown.token).catch((error) => error);
  expect(refusal).toMatchObject({
    code: 'SUGGESTION_STALE',
    kind: 'CONFLICT',
    details: { reason: 'EXPIRED' },
  });
  const [first] = refusal.details.alternatives;
  expect(first).toEqual({
    token: expect.any(String),
    price: { amountMinor: '4000', currency: 'EUR' },
    departsAt: '2026-03-03T01:00:00.000Z',
    arrivesAt: '2026-03-03T11:15:00.000Z',
    reason: shown.reason,
  });
  expect((await redeem(first.token)).total).toEqual(money(4_000, 'EUR'));
});

test('an expired token of a window that has passed has no alternatives', async () => {
  await theStory();
  const [shown] = await search();
  await discovery.world.pass('8d');
  await expect(redeem(shown.token)).rejects.toMatchObject({
    code: 'SUGGESTION_STALE',
    details: { alternatives: [] },
  });
});

test.each([
  ['is gone', (discovery: Discovery, told: ReturnType<typeof trip>) => discovery.trips.forget(told.tripId)],
  ['has less room', changed({ freeGrams: 1_999 })],
  ['leaves at another time', changed({ departsAt: at(3, '10:01') })],
  ['ends elsewhere', changed({ toLocationId: paris })],
  ['has become dearer', changed({ base: money(1_001, 'EUR') })],
])('a suggestion is stale once a leg %s, though no event has told of it', async (_, change) => {
  const { two } = await theStory();
  const other = trip([leg(lhr, cdg, at(3, '12:00'), at(3, '13:15'), { base: money(1_500, 'EUR') })]);
  await discovery.publish(other);
  const [shown] = await search();
  change(discovery, two);
  const refusal = await redeem(shown.token).catch((error) => error);
  expect(refusal).toMatchObject({ code: 'SUGGESTION_STALE' });
  expect(refusal.details.alternatives.length).toBeGreaterThan(0);
});

function changed(how: Partial<ReturnType<typeof leg>>) {
  return (discovery: Discovery, told: ReturnType<typeof trip>) =>
    discovery.trips.know({ ...told, legs: told.legs.map((each) => ({ ...each, ...how })) });
}

test('a suggestion is stale where a package holds what a carrier does not take', async () => {
  await theStory();
  const [shown] = await search();
  await redeem(shown.token, 2_000, ['BOOKS', 'CLOTHING']);
  await expect(redeem(shown.token, 2_000, ['BOOKS', 'FOOD'])).rejects.toMatchObject({
    code: 'SUGGESTION_STALE',
    details: { reason: 'LEG_GONE', alternatives: [] },
  });
});

test('a courier whose day is full is offered the next day, and a token for the full day is stale', async () => {
  const { segment } = await theStory();
  const [shown] = await search({ recipientComesToAirport: false });
  const run = shown.legs[2];
  await discovery.world.ask(DiscoveryContract).holdCapacity(
    {
      holdId: newId(),
      shipmentId: newId(),
      items: [{ legId: segment, grams: 9_000, departsAt: new Date(run.departsAt) }],
      expiresAt: at(3, '00:00'),
    },
    { key: newId() },
  );
  await expect(redeem(shown.token)).rejects.toMatchObject({
    code: 'SUGGESTION_STALE',
    details: { reason: 'LEG_GONE' },
  });
  const [next] = await search({ recipientComesToAirport: false });
  expect(next.legs[2]).toMatchObject({ departsAt: '2026-03-04T07:00:00.000Z' });
});

test('searching is for users who have signed in, on pages of 1 to 100', async () => {
  expect((await searchAs(anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
  expect((await searchAs(ana, {}, { first: 0 })).codes).toEqual(['PAGE_SIZE_INVALID']);
});

test('a partner searches with a key for it, and what it finds can be booked by whoever has the token', async () => {
  const partner = { kind: 'partner', partnerId: newId(), keyId: newId() } as const;
  const refused = await searchAs({ ...partner, scopes: ['tracking:read'] });
  expect(refused.codes).toEqual(['SCOPE_MISSING']);
  await theStory();
  const { found, codes } = await searchAs(
    { ...partner, scopes: ['search:read'] },
    { recipientComesToAirport: false },
  );
  expect(codes).toEqual([]);
  expect((await redeem(found[0].token)).total).toEqual(money(Number(found[0].price.amountMinor), 'EUR'));
  const save = 'mutation ($input: SaveSearchInput!) { saveSearch(input: $input) { id } }';
  const input = {
    name: 'x',
    originLocationId: montreal,
    destinationLocationId: london,
    category: 'BOOKS',
    grams: 1,
  };
  const saved = await discovery.world.execute(
    'discovery',
    save,
    { input },
    { ...partner, scopes: ['search:read'] },
  );
  expect(saved.codes).toEqual(['SIGN_IN_REQUIRED']);
});

test('a search that finds nothing is an empty answer', async () => {
  expect(await search()).toEqual([]);
});

describe('saved searches', () => {
  const save = (more: object = {}, viewer: typeof ana | typeof anonymous = ana) =>
    discovery.world.execute(
      'discovery',
      'mutation ($input: SaveSearchInput!) { saveSearch(input: $input) { id name origin { name } destination { name } } }',
      {
        input: {
          name: 'Home',
          originLocationId: montreal,
          destinationLocationId: london,
          category: 'BOOKS',
          grams: 500,
          ...more,
        },
      },
      viewer,
    );
  const mine = async (viewer = ana, page: Record<string, unknown> = {}) =>
    (
      await discovery.world.execute(
        'discovery',
        'query ($first: Int, $after: String) { mySavedSearches(first: $first, after: $after) { edges { node { id name } } pageInfo { hasNextPage endCursor } } }',
        page,
        viewer,
      )
    ).data.mySavedSearches;
  const forget = (savedSearchId: string, viewer = ana) =>
    discovery.world.execute(
      'discovery',
      'mutation ($savedSearchId: ID!) { deleteSavedSearch(input: { savedSearchId: $savedSearchId }) { id } }',
      { savedSearchId },
      viewer,
    );

  test('are seen and deleted by their owner alone, newest first and page by page', async () => {
    const ids: string[] = [];
    for (const name of ['one', 'two', 'three']) ids.unshift((await save({ name })).data.saveSearch.id);
    const page = await mine(ana, { first: 2 });
    expect(page.edges.map(({ node }: { node: { id: string } }) => node.id)).toEqual(ids.slice(0, 2));
    const rest = await mine(ana, { first: 2, after: page.pageInfo.endCursor });
    expect(rest).toMatchObject({ edges: [{ node: { name: 'one' } }], pageInfo: { hasNextPage: false } });
    expect((await mine(user('Mallory'))).edges).toEqual([]);
    expect((await forget(ids[0]!, user('Mallory'))).codes).toEqual(['SAVED_SEARCH_NOT_FOUND']);
    expect((await forget(ids[0]!)).data.deleteSavedSearch.id).toBe(ids[0]);
    expect((await forget(ids[0]!)).codes).toEqual(['SAVED_SEARCH_NOT_FOUND']);
    expect((await mine()).edges).toHaveLength(2);
  });

  test('need a name, a weight, real places and an owner, and end at a hundred', async () => {
    expect((await save({ name: ' ' })).codes).toEqual(['SAVED_SEARCH_INVALID']);
    expect((await save({ grams: 0 })).codes).toEqual(['SAVED_SEARCH_INVALID']);
    expect((await save({ destinationLocationId: newId() })).codes).toEqual(['LOCATION_NOT_FOUND']);
    expect((await save({}, anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
    const codes = (await Promise.all(Array.from({ length: 103 }, () => save()))).flatMap(
      (each) => each.codes,
    );
    expect(codes).toEqual(Array(3).fill('SAVED_SEARCHES_FULL'));
  });
});
