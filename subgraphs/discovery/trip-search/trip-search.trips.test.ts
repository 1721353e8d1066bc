import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { money } from '#shared/kernel/money.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import { startWorld } from '../../testing/world.ts';
import { cdg, lhr, london, paris } from '../testing/supply.ts';

test('a trip that its traveller publishes is found, redeemed, and stale once it is called off', async () => {
  await using world = await startWorld({ subgraphs: ['discovery', 'trips'] });
  const run = async (subgraph: string, text: string, input: object, viewer: Viewer) => {
    const { data, errors } = await world.execute(subgraph, text, { input }, viewer);
    if (errors.length > 0) throw errors[0];
    return data;
  };
  const [theo, ana] = [user('Theo'), user('Ana')];
  const frame = { originLocationId: lhr, destinationLocationId: cdg, transportMode: 'CAR' };
  const window = { earliestDeparture: '2026-03-03T00:00:00Z', latestArrival: '2026-03-04T00:00:00Z' };
  const create = 'mutation ($input: CreateTripInput!) { createTrip(input: $input) { id } }';
  const tripId = (await run('trips', create, { ...frame, ...window }, theo)).createTrip.id;
  await run(
    'trips',
    'mutation ($input: AddTripLegInput!) { addTripLeg(input: $input) { id } }',
    {
      tripId,
      mode: 'CAR',
      fromLocationId: lhr,
      toLocationId: cdg,
      departsAt: '2026-03-03T01:00:00Z',
      arrivesAt: '2026-03-03T08:00:00Z',
      basePrice: { amountMinor: '1000', currency: 'EUR' },
      pricePerKilogram: { amountMinor: '500', currency: 'EUR' },
      capacityGrams: 5_000,
    },
    theo,
  );
  await run(
    'trips',
    'mutation ($input: SetTripConstraintsInput!) { setTripConstraints(input: $input) { id } }',
    { tripId, maxPackageGrams: 5_000, allowedCategories: ['BOOKS'] },
    theo,
  );
  await run(
    'trips',
    'mutation ($input: TripActionInput!) { publishTrip(input: $input) { id } }',
    { tripId },
    theo,
  );
  await world.settle();
  const criteria = {
    originLocationId: london,
    destinationLocationId: paris,
    ...window,
    category: 'BOOKS',
    grams: 2_000,
  };
  const search = 'query ($input: SearchRoutesInput!) { searchRoutes(input: $input) { token } }';
  const [{ token }] = (await run('discovery', search, { criteria }, ana)).searchRoutes;
  const redeem = () =>
    world.ask(DiscoveryContract).suggestion({ token, grams: 2_000, categories: ['BOOKS'] });
  expect(await redeem()).toMatchObject({ total: money(2_000, 'EUR'), legs: [{ tripId }] });
  await run(
    'trips',
    'mutation ($input: TripActionInput!) { cancelTrip(input: $input) { id } }',
    { tripId },
    theo,
  );
  await expect(redeem()).rejects.toMatchObject({ code: 'SUGGESTION_STALE', details: { alternatives: [] } });
  await world.settle();
  expect((await run('discovery', search, { criteria }, ana)).searchRoutes).toEqual([]);
});
