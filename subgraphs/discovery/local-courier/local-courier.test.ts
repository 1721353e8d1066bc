import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { newId } from '#shared/kernel/ids.ts';
import { after, HOUR } from '#shared/kernel/time.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import { at, cdg, type Discovery, lhr, paris, startDiscovery } from '../testing/supply.ts';

let discovery: Discovery;
let chloe: Viewer;
beforeAll(async () => {
  discovery = await startDiscovery();
  chloe = await discovery.courier('Chloé');
});
afterAll(() => discovery[Symbol.asyncDispose]());

const register = (name: string, viewer = user(name)) =>
  discovery.world.execute(
    'discovery',
    'mutation ($name: String!) { registerCourier(input: { name: $name }) { id name operator { id } } }',
    { name },
    viewer,
  );
const withdraw = (segmentId: string, viewer = user('Chloé')) =>
  discovery.world.execute(
    'discovery',
    'mutation ($segmentId: ID!) { withdrawCourierSegment(input: { segmentId: $segmentId }) { id bookable } }',
    { segmentId },
    viewer,
  );
const capacity = () => discovery.world.ask(DiscoveryContract);
const hold = (legId: string, grams: number, departsAt: Date | undefined = at(3, '10:00'), holdId = newId()) =>
  capacity()
    .holdCapacity(
      {
        holdId,
        shipmentId: newId(),
        items: [{ legId, grams, departsAt }],
        expiresAt: after(discovery.world.clock.now(), HOUR),
      },
      { key: holdId },
    )
    .then(() => holdId);

test('a courier registers, offers a segment and is found in its town', async () => {
  const { data } = await discovery.publishSegment(chloe, { days: ['SUNDAY', 'MONDAY'], closesAt: '24:00' });
  const segment = data.publishCourierSegment;
  expect(segment).toMatchObject({
    days: ['MONDAY', 'SUNDAY'],
    opensAt: '08:00',
    closesAt: '24:00',
    timeZone: 'Europe/Paris',
    proofRetentionDays: 540,
    courier: { name: 'Chloé', operator: { id: user('Chloé').userId } },
    from: { iata: 'CDG' },
    to: { name: 'Paris' },
    bookable: true,
  });
  const list = async (locationId: string) =>
    (
      await discovery.world.execute(
        'discovery',
        'query ($locationId: ID) { courierSegments(locationId: $locationId) { edges { node { id basePrice { amountMinor } } } pageInfo { hasNextPage } } }',
        { locationId },
      )
    ).data.courierSegments;
  expect((await list(paris)).edges).toEqual([
    { node: { id: segment.id, basePrice: { amountMinor: '1200' } } },
  ]);
  expect((await list(lhr)).edges).toEqual([]);
});

test('a user is a courier once', async () => {
  expect((await register('Didier')).data.registerCourier.operator.id).toBe(user('Didier').userId);
  expect((await register('Didier')).codes).toEqual(['COURIER_EXISTS']);
  expect((await register('   ')).codes).toEqual(['COURIER_NAME_INVALID']);
});

test('nobody offers segments without an account, or before registering', async () => {
  expect((await discovery.publishSegment(anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
  expect((await discovery.publishSegment(user('Nobody'))).codes).toEqual(['COURIER_NOT_REGISTERED']);
});

test.each([
  [{ toLocationId: lhr }, 'SEGMENT_NOT_LOCAL'],
  [{ toLocationId: cdg }, 'SEGMENT_NOT_LOCAL'],
  [{ toLocationId: newId() }, 'LOCATION_NOT_FOUND'],
  [{ toLocationId: 'paris' }, 'ID_MALFORMED'],
  [{ opensAt: '8' }, 'SEGMENT_HOURS_INVALID'],
  [{ opensAt: '25:00' }, 'SEGMENT_HOURS_INVALID'],
  [{ days: [] }, 'SEGMENT_HOURS_INVALID'],
  [{ durationMinutes: 721 }, 'SEGMENT_HOURS_INVALID'],
  [{ durationMinutes: 0 }, 'SEGMENT_INVALID'],
  [{ maxGramsPerRun: 0 }, 'SEGMENT_INVALID'],
  [{ allowedCategories: [] }, 'SEGMENT_INVALID'],
  [{ basePrice: { amountMinor: '-1', currency: 'EUR' } }, 'SEGMENT_INVALID'],
  [{ basePrice: { amountMinor: '1', currency: 'USD' } }, 'CURRENCY_MIXED'],
])('a segment that cannot be is refused: %j is %s', async (more, code) => {
  expect((await discovery.publishSegment(chloe, more)).codes).toEqual([code]);
});

test('only its operator withdraws a segment, once, and then nobody can book it', async () => {
  const segment = await discovery.segment(chloe);
  expect((await withdraw(segment, user('Mallory'))).codes).toEqual(['SEGMENT_NOT_FOUND']);
  expect((await withdraw(newId())).codes).toEqual(['SEGMENT_NOT_FOUND']);
  expect((await withdraw(segment)).data.withdrawCourierSegment).toEqual({ id: segment, bookable: false });
  expect((await withdraw(segment)).codes).toEqual(['INVALID_TRANSITION']);
  await expect(hold(segment, 1_000)).rejects.toMatchObject({ code: 'LEG_NOT_BOOKABLE' });
});

test('the last kilos of a day are sold once, whoever asks at once; the next day is another', async () => {
  const segment = await discovery.segment(chloe);
  const asked = await Promise.allSettled(Array.from({ length: 20 }, () => hold(segment, 3_000)));
  const lost = asked.filter((each) => each.status === 'rejected');
  expect(lost).toHaveLength(17);
  for (const { reason } of lost)
    expect(reason).toMatchObject({ code: 'CAPACITY_GONE', details: { legId: segment, freeGrams: 1_000 } });
  await expect(hold(segment, 3_000, at(4, '10:00'))).resolves.toEqual(expect.any(String));
});

test('capacity counts by the local day of the run', async () => {
  const segment = await discovery.segment(chloe, {
    opensAt: '22:00',
    closesAt: '06:00',
  });
  await hold(segment, 6_000, at(3, '22:00'));
  await expect(hold(segment, 6_000, at(4, '04:00'))).rejects.toMatchObject({ code: 'CAPACITY_GONE' });
  await hold(segment, 6_000, at(4, '21:00'));
});

test('what is released or has run out is free again, what is sold stays sold until it is given back', async () => {
  const segment = await discovery.segment(chloe);
  const released = await hold(segment, 10_000);
  await capacity().releaseHold({ holdId: released }, { key: `release ${released}` });
  const forgotten = await hold(segment, 10_000);
  await discovery.world.pass('61m');
  await expect(capacity().confirmHold({ holdId: forgotten }, { key: newId() })).rejects.toMatchObject({
    code: 'HOLD_RESOLVED',
  });
  const sold = await hold(segment, 10_000);
  await capacity().confirmHold({ holdId: sold }, { key: newId() });
  await discovery.world.pass('2h');
  await expect(hold(segment, 1)).rejects.toMatchObject({ code: 'CAPACITY_GONE' });
  await capacity().releaseHold({ holdId: sold }, { key: newId() });
  await hold(segment, 10_000);
});

test('a hold that was extended outlives its first end', async () => {
  const segment = await discovery.segment(chloe);
  const holdId = await hold(segment, 10_000);
  const expiresAt = after(discovery.world.clock.now(), 3 * HOUR);
  await capacity().extendHold({ holdId, expiresAt }, { key: newId() });
  await discovery.world.pass('2h');
  await expect(hold(segment, 1)).rejects.toMatchObject({ code: 'CAPACITY_GONE' });
  await discovery.world.pass('2h');
  await hold(segment, 10_000);
});

test('a hold stands on all legs or on none, and the same hold twice is one', async () => {
  const [small, large] = [
    await discovery.segment(chloe, { maxGramsPerRun: 1_000 }),
    await discovery.segment(chloe),
  ];
  const holdId = newId();
  const both = {
    holdId,
    shipmentId: newId(),
    items: [large, small].map((legId) => ({ legId, grams: 2_000, departsAt: at(3, '10:00') })),
    expiresAt: at(3, '09:00'),
  };
  await expect(capacity().holdCapacity(both, { key: holdId })).rejects.toMatchObject({
    code: 'CAPACITY_GONE',
    details: { legId: small, freeGrams: 1_000 },
  });
  const key = await hold(large, 10_000);
  await expect(hold(large, 10_000, at(3, '10:00'), key)).rejects.toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
});

test('a courier cannot be booked when closed, in the past, without a time or under a wrong id', async () => {
  const segment = await discovery.segment(chloe);
  for (const departsAt of [at(3, '05:00'), at(3, '18:30'), new Date('2026-03-01T10:00:00Z')])
    await expect(hold(segment, 1_000, departsAt)).rejects.toMatchObject({ code: 'LEG_NOT_BOOKABLE' });
  await expect(hold(newId(), 1_000)).rejects.toMatchObject({ code: 'LEG_NOT_BOOKABLE' });
  const untimed = {
    holdId: newId(),
    shipmentId: newId(),
    items: [{ legId: segment, grams: 1 }],
    expiresAt: at(3, '09:00'),
  };
  await expect(capacity().holdCapacity(untimed, { key: newId() })).rejects.toMatchObject({
    code: 'DEPARTURE_MISSING',
  });
});

test('fifty segments cost as many queries as one', async () => {
  const ids: string[] = [];
  for (let count = 0; count < 50; count += 1) ids.push(await discovery.segment(chloe));
  const fetch = (some: readonly string[]) =>
    discovery.world.countQueries(() =>
      discovery.world.entities(
        'discovery',
        some.map((id) => ({ __typename: 'CourierSegment', id })),
        '{ ... on CourierSegment { courier { name } from { name } to { name } } }',
      ),
    );
  const one = await fetch(ids.slice(0, 1));
  expect(one).toBeGreaterThan(0);
  expect(await fetch(ids)).toBe(one);
});
