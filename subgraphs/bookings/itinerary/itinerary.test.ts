import { newId } from '#shared/kernel/ids.ts';
import type { UserViewer, Viewer } from '#shared/kernel/viewer.ts';
import { link } from '../../testing/actors.ts';
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

let story: Story;
let offers: Offers;
/** Requested of Ava, Ben and Cleo. */
let asked: Asked;
/** Only planned. */
let planned: Asked;
let recipientId: string;
beforeAll(async () => {
  story = await startStory({ env: { UNPAID_ITINERARIES_MAX: '100' } });
  offers = await story.offers(100_000);
  planned = await story.planned();
  asked = await story.requested();
  await story.world.settle();
  [{ id: recipientId } = { id: '' }] = await story.rows<{ id: string }>(
    'shipments',
    'select id from recipients where shipment_id = ?',
    [asked.shipmentId],
  );
});
afterAll(() => story[Symbol.asyncDispose]());

const anonymous: Viewer = { kind: 'anonymous' };
const legsOf = async ({ itineraryId }: Asked) =>
  (
    await story.rows<{ id: string }>(
      'bookings',
      'select id from itinerary_legs where itinerary_id = ? order by sequence',
      [itineraryId],
    )
  ).map(({ id }) => id);

describe('a plan', () => {
  test('holds nothing and is seen by its sender with every price', async () => {
    const free = await story.free(offers);
    const { itineraryId } = await story.planned();
    const { data } = await story.world.execute(
      'bookings',
      `query ($id: ID!) { itinerary(id: $id) { state version answerBy carriersTotal { amountMinor }
         legs { sequence carrier { id } carrierType tripLeg { id } courierSegment { id } price { amountMinor } booking { id } } } }`,
      { id: itineraryId },
      sara,
    );
    const { legs, ...itinerary } = data.itinerary;
    expect(itinerary).toEqual({
      state: 'PLANNED',
      version: 1,
      answerBy: null,
      carriersTotal: { amountMinor: '8000' },
    });
    const leg = (sequence: number, carrier: UserViewer, amountMinor: string, more: object) => ({
      sequence,
      carrier: { id: carrier.userId },
      carrierType: 'TRAVELLER',
      tripLeg: null,
      courierSegment: null,
      price: { amountMinor },
      booking: null,
      ...more,
    });
    expect(legs).toEqual([
      leg(1, ava, '4000', { tripLeg: { id: offers.firstLegId } }),
      leg(2, ben, '3000', { tripLeg: { id: offers.secondLegId } }),
      leg(3, cleo, '1000', { carrierType: 'LOCAL_COURIER', courierSegment: { id: offers.segmentId } }),
    ]);
    expect(await story.free(offers)).toEqual(free);
  });

  test('is made for the viewer’s own complete shipment alone', async () => {
    const token = await story.chain();
    const create = async (viewer: Viewer, shipmentId: string) =>
      (await story.createItinerary(viewer, shipmentId, token)).codes;
    expect(await create(eve, planned.shipmentId)).toEqual(['SHIPMENT_NOT_FOUND']);
    expect(await create(sara, newId())).toEqual(['SHIPMENT_NOT_FOUND']);
    expect(await create(sara, 'no id')).toEqual(['ID_MALFORMED']);
    expect(await create(anonymous, planned.shipmentId)).toEqual(['SIGN_IN_REQUIRED']);
    expect(await create(sara, await story.draft())).toEqual(['SHIPMENT_INCOMPLETE']);
    expect(await create(sara, asked.shipmentId)).toEqual(['SHIPMENT_ALREADY_BOOKED']);
  });

  test('is made of a suggestion for the same way, and never of the sender’s own trip', async () => {
    const elsewhere = await story.search(sara, { destination: 'LONDON' });
    expect((await story.createItinerary(sara, planned.shipmentId, elsewhere[0].token)).codes).toEqual([
      'SUGGESTION_MISMATCH',
    ]);
    const token = await story.chain();
    expect((await story.createItinerary(sara, planned.shipmentId, `${token}x`)).codes).toEqual([
      'SUGGESTION_INVALID',
    ]);
    const own = await story.shipment(ava);
    expect((await story.createItinerary(ava, own, token)).codes).toEqual(['CARRIES_OWN_SHIPMENT']);
  });

  test('cannot be made of a stale suggestion; the refusal brings others that can be booked', async () => {
    const token = await story.chain();
    await story.world.clock.advance('16m');
    const { codes, errors } = await story.createItinerary(sara, planned.shipmentId, token);
    expect(codes).toEqual(['SUGGESTION_STALE']);
    const { alternatives } = errors[0]!.extensions.details as { alternatives: { token: string }[] };
    expect(alternatives.length).toBeGreaterThan(0);
    const again = await story.createItinerary(sara, planned.shipmentId, alternatives[0]!.token);
    expect(again.codes).toEqual([]);
  });
});

describe('who sees what', () => {
  const look = `query ($id: ID!) { itinerary(id: $id) { state carriersTotal { amountMinor }
    legs { carrier { id } price { amountMinor } booking { state price { amountMinor } } } } }`;
  const seen = async (viewer: Viewer, id = asked.itineraryId) =>
    (await story.world.execute('bookings', look, { id }, viewer)).data.itinerary;
  const entity = async (viewer: Viewer, __typename: string, id: string, selection = '{ __typename }') =>
    (await story.world.entities('bookings', [{ __typename, id }], selection, viewer)).data[0];

  test('the sender sees every price and booking', async () => {
    const { carriersTotal, legs } = await seen(sara);
    expect(carriersTotal).toEqual({ amountMinor: '8000' });
    expect(legs.map(({ price }: { price: object }) => price)).toEqual(
      ['4000', '3000', '1000'].map((amountMinor) => ({ amountMinor })),
    );
    expect(legs.every(({ booking }: { booking: { state: string } }) => booking.state === 'REQUESTED')).toBe(
      true,
    );
  });

  test.each([
    [ava, 0, '4000'],
    [ben, 1, '3000'],
    [cleo, 2, '1000'],
  ])('a carrier sees the chain, but only their own price and booking', async (carrier, own, amountMinor) => {
    const { carriersTotal, legs } = await seen(carrier);
    expect(carriersTotal).toBeNull();
    expect(legs.map(({ price, booking }: Record<string, unknown>) => [price, booking])).toEqual(
      [0, 1, 2].map((index) =>
        index === own ? [{ amountMinor }, { state: 'REQUESTED', price: { amountMinor } }] : [null, null],
      ),
    );
  });

  test('the recipient sees the way and no price, by link or by account', async () => {
    const noMoney = [null, null, null];
    const byLink = await seen(link(asked.shipmentId, recipientId));
    expect(byLink.carriersTotal).toBeNull();
    expect(byLink.legs.map(({ price }: { price: unknown }) => price)).toEqual(noMoney);
    expect(byLink.legs.map(({ booking }: { booking: unknown }) => booking)).toEqual(noMoney);
    const rosa = await story.signUp('rosa@example.com');
    expect(await seen(rosa)).toBeNull();
    await story.world.settle();
    expect((await seen(rosa)).legs).toHaveLength(3);
    expect((await story.cancel(asked, rosa)).codes).toEqual(['NOT_YOUR_ITINERARY']);
  });

  test('nobody else sees it, by id or through an entity', async () => {
    const [legId] = await legsOf(asked);
    const bookingId = await story.bookingOf(asked, ava);
    const strangers: Viewer[] = [
      eve,
      anonymous,
      link(asked.shipmentId, newId()),
      link(newId(), recipientId),
      { kind: 'link', shipmentId: planned.shipmentId, recipientId },
    ];
    for (const viewer of strangers) {
      expect(await seen(viewer)).toBeNull();
      expect(await entity(viewer, 'Itinerary', asked.itineraryId)).toBeNull();
      expect(await entity(viewer, 'ItineraryLeg', legId!)).toBeNull();
      expect(await entity(viewer, 'Booking', bookingId)).toBeNull();
      expect(
        await entity(viewer, 'Shipment', asked.shipmentId, '{ ... on Shipment { itinerary { id } } }'),
      ).toEqual({ itinerary: null });
      expect(
        await entity(viewer, 'TripLeg', offers.firstLegId, '{ ... on TripLeg { bookings { id } } }'),
      ).toEqual({ bookings: null });
    }
  });

  test('a carrier sees no other carrier’s booking, and no plan that nobody was asked for', async () => {
    const bookingId = await story.bookingOf(asked, ava);
    expect(await entity(ben, 'Booking', bookingId)).toBeNull();
    expect(await entity(ava, 'Booking', bookingId)).not.toBeNull();
    expect(await entity(sara, 'Booking', bookingId)).not.toBeNull();
    const { data } = await story.world.execute(
      'bookings',
      'query ($id: ID!) { booking(id: $id) { id } }',
      { id: bookingId },
      ben,
    );
    expect(data.booking).toBeNull();
    expect(await seen(ava, planned.itineraryId)).toBeNull();
    const bookingsOf = '{ ... on TripLeg { bookings { id } } }';
    expect((await entity(ava, 'TripLeg', offers.firstLegId, bookingsOf)).bookings).toContainEqual({
      id: bookingId,
    });
    expect((await entity(ben, 'TripLeg', offers.firstLegId, bookingsOf)).bookings).toBeNull();
  });

  test('what is no id is nothing, and spoils nothing beside it', async () => {
    expect(await seen(sara, 'no id')).toBeNull();
    const { data, codes } = await story.world.entities(
      'bookings',
      [
        { __typename: 'Itinerary', id: "'; drop table itineraries; --" },
        { __typename: 'Itinerary', id: asked.itineraryId },
      ],
      '{ ... on Itinerary { id } }',
      sara,
    );
    expect(codes).toEqual([]);
    expect(data).toEqual([null, { id: asked.itineraryId }]);
  });

  test('a carrier pages through what they were asked, newest first', async () => {
    await story.requested();
    const page = (variables: object, viewer: Viewer = ava) =>
      story.world.execute(
        'bookings',
        `query ($first: Int, $after: String, $state: BookingState) {
           myBookingRequests(first: $first, after: $after, state: $state) {
             edges { node { id state } } pageInfo { hasNextPage endCursor } } }`,
        { ...variables },
        viewer,
      );
    const first = (await page({ first: 1 })).data.myBookingRequests;
    expect(first.pageInfo.hasNextPage).toBe(true);
    const rest = (await page({ after: first.pageInfo.endCursor })).data.myBookingRequests;
    expect(rest.edges.map(({ node }: { node: { id: string } }) => node.id)).toContain(
      await story.bookingOf(asked, ava),
    );
    expect(rest.edges).not.toContainEqual(first.edges[0]);
    expect((await page({ state: 'CONFIRMED' })).data.myBookingRequests.edges).toEqual([]);
    expect((await page({}, eve)).data.myBookingRequests.edges).toEqual([]);
    expect((await page({ first: 101 })).codes).toEqual(['PAGE_SIZE_INVALID']);
    expect((await page({ after: '%' })).codes).toEqual(['CURSOR_INVALID']);
    expect((await page({}, anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
  });
});

describe('fifty are fetched with as many queries as one', () => {
  const clones: Record<string, string[]> = {};
  beforeAll(async () => {
    // Copies of what was requested, as fifty requests would have left them.
    await story.world.database('bookings').transaction(async (tx) => {
      await tx.sql(
        `create temporary table copies on commit drop as
           select gen_random_uuid() as itinerary_id, gen_random_uuid() as shipment_id from generate_series(1, 50)`,
      );
      await tx.sql(
        `insert into itineraries select (jsonb_populate_record(i, to_jsonb(copies) - 'itinerary_id' || jsonb_build_object('id', copies.itinerary_id))).*
           from itineraries i, copies where i.id = ?`,
        [asked.itineraryId],
      );
      await tx.sql(
        `insert into itinerary_legs select (jsonb_populate_record(l, jsonb_build_object('id', gen_random_uuid(), 'itinerary_id', copies.itinerary_id, 'leg_id', gen_random_uuid(), 'trip_id', case when l.trip_id is not null then gen_random_uuid() end))).*
           from itinerary_legs l, copies where l.itinerary_id = ?`,
        [asked.itineraryId],
      );
      await tx.sql(
        `insert into leg_bookings select (jsonb_populate_record(b, jsonb_build_object('id', gen_random_uuid(), 'itinerary_id', l.itinerary_id, 'itinerary_leg_id', l.id, 'leg_id', l.leg_id))).*
           from leg_bookings b, itinerary_legs l, copies
          where l.itinerary_id = copies.itinerary_id and b.itinerary_id = ? and l.carrier_id = b.carrier_id`,
        [asked.itineraryId],
      );
      const ids = async (sql: string) => (await tx.sql<{ id: string }>(sql)).map(({ id }) => id);
      clones.Itinerary = await ids('select itinerary_id as id from copies');
      clones.Shipment = await ids('select shipment_id as id from copies');
      clones.ItineraryLeg = await ids(
        'select l.id from itinerary_legs l join copies using (itinerary_id) where sequence = 1',
      );
      clones.TripLeg = await ids(
        'select leg_id as id from itinerary_legs join copies using (itinerary_id) where sequence = 1',
      );
      clones.Trip = await ids(
        'select trip_id as id from itinerary_legs join copies using (itinerary_id) where sequence = 1',
      );
      clones.Booking = await ids(
        `select b.id from leg_bookings b join itinerary_legs l on l.id = b.itinerary_leg_id
           join copies on copies.itinerary_id = l.itinerary_id where sequence = 1`,
      );
    });
  });

  const leg = 'id price { amountMinor } booking { id state price { amountMinor } assignment { id } }';
  test.each([
    ['Itinerary', `id carriersTotal { amountMinor } legs { ${leg} }`],
    ['ItineraryLeg', leg],
    ['Shipment', `itinerary { id legs { ${leg} } }`],
    ['TripLeg', 'bookings { id state itinerary { id } leg { id price { amountMinor } } }'],
    ['Trip', 'bookings { id state price { amountMinor } }'],
    ['Booking', 'id itinerary { id state } leg { id price { amountMinor } } assignment { id }'],
  ])('%s', async (__typename, fields) => {
    const fetch = async (ids: readonly string[]) => {
      const { data, codes } = await story.world.entities(
        'bookings',
        ids.map((id) => ({ __typename, id })),
        `{ ... on ${__typename} { ${fields} } }`,
        __typename.startsWith('Trip') ? ava : sara,
      );
      expect(codes).toEqual([]);
      expect(data).toHaveLength(ids.length);
      expect(JSON.stringify(data)).toContain('amountMinor');
      expect(data).not.toContain(null);
    };
    const ids = clones[__typename]!;
    expect(ids).toHaveLength(50);
    const one = await story.world.countQueries(() => fetch(ids.slice(0, 1)));
    expect(one).toBeGreaterThan(0);
    expect(await story.world.countQueries(() => fetch(ids))).toBe(one);
  });
});
