import { HandoffReady, HandoffTransferred, ScanRefused } from '#shared/events/custody.ts';
import { newId } from '#shared/kernel/ids.ts';
import { nextState } from '#shared/kernel/states.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { link } from '../../testing/actors.ts';
import { anna, ben, courier, sender, startStory, stranger } from '../testing/story.ts';
import { handoffStateNames, handoffStates } from './handoff.states.ts';

const status = 'query ($id: ID!) { trackingStatus(shipmentId: $id) { lastEvent { type } } }';

test('a parcel goes from the sender over two travellers and a courier to the recipient', async () => {
  await using story = await startStory();
  for (const sequence of [1, 2, 3, 4]) {
    const { data, errors } = await story.handOver(sequence);
    expect(errors).toEqual([]);
    expect(data.scanHandoff).toMatchObject({ result: 'OK', outcome: 'TRANSFERRED' });
  }
  expect((await story.handoffs()).map(({ state }) => state)).toEqual(Array(4).fill('TRANSFERRED'));
  expect(await story.world.told(HandoffReady)).toHaveLength(4);
  expect(await story.world.told(ScanRefused)).toEqual([]);
  const told = await story.world.told(HandoffTransferred);
  const [a, b, c] = story.bookingIds;
  expect(
    told.map((fact) => [
      fact.finishedBookingId,
      fact.startedBookingId,
      fact.lastLegStarted,
      fact.delivered,
      fact.custodyEventIds.length,
    ]),
  ).toEqual([
    [null, a, false, false, 1],
    [a, b, false, false, 1],
    [b, c, true, false, 1],
    [c, null, false, true, 1],
  ]);
  const { data } = await story.world.execute(
    'custody',
    `query ($id: ID!, $p: ID!) {
       trackingStatus(shipmentId: $id) {
         lastEvent { type package { id } place { id } handoffStep { sequence } } nextHandoff { id }
         custody { holderType holder { id } phase condition } deliveryProof { photoHashes scanIds custodyHashes } }
       trackingHistory(shipmentId: $id, first: 100) { edges { node { type leg { id } carrier { id } } } }
       custodyProof(packageId: $p) { intact firstBadNumber events { number fromType toType } } }`,
    { id: story.shipmentId, p: story.packageIds[0] },
    sender,
  );
  expect(data.trackingStatus).toMatchObject({
    lastEvent: { type: 'DELIVERED', package: { id: story.packageIds[0] }, handoffStep: { sequence: 4 } },
    nextHandoff: null,
    custody: [{ holderType: 'RECIPIENT', holder: null, phase: 'HELD', condition: 'INTACT' }],
    deliveryProof: { photoHashes: [expect.any(String)], custodyHashes: [expect.any(String)] },
  });
  expect(data.custodyProof).toMatchObject({ intact: true, firstBadNumber: null });
  expect(data.custodyProof.events.map((event: { toType: string }) => event.toType)).toEqual([
    'SENDER',
    'TRAVELLER',
    'TRAVELLER',
    'LOCAL_COURIER',
    'RECIPIENT',
  ]);
  const types = data.trackingHistory.edges.map(({ node }: { node: { type: string } }) => node.type);
  expect(types).toEqual([
    'ITINERARY_CONFIRMED',
    ...Array(4).fill('HANDOFF_READY'),
    ...['SCANNED', 'SCANNED', 'PICKED_UP'],
    ...['SCANNED', 'SCANNED', 'TRANSFERRED'],
    ...['SCANNED', 'SCANNED', 'TRANSFERRED', 'OUT_FOR_DELIVERY'],
    ...['SCANNED', 'SCANNED', 'DELIVERED'],
  ]);
});

test('a hand-over opens when its window does, and only then gives codes', async () => {
  await using story = await startStory({ env: { HANDOFF_WINDOW_BEFORE: '24h' } });
  const [first, second] = await story.handoffs();
  expect([first!.state, second!.state]).toEqual(['PLANNED', 'PLANNED']);
  expect((await story.issue(first!.id, sender)).codes).toEqual(['HANDOFF_NOT_READY']);
  await story.world.pass('24h');
  expect((await story.handoffs()).map(({ state }) => state)).toEqual(['READY', ...Array(3).fill('PLANNED')]);
  expect((await story.world.told(HandoffReady)).map(({ stepId }) => stepId)).toEqual([first!.id]);
  expect((await story.issue(first!.id, sender)).errors).toEqual([]);
  await story.world.pass('12h');
  expect((await story.world.told(HandoffReady)).map(({ stepId }) => stepId)).toEqual([first!.id, second!.id]);
  await story.world.pass('10d');
  expect((await story.issue(first!.id, sender)).codes).toEqual(['HANDOFF_WINDOW_CLOSED']);
});

test('one side alone moves nothing: after half an hour the hand-over waits for both again', async () => {
  await using story = await startStory();
  await story.scan(anna, { token: await story.token(1, sender) });
  const phase = async () => (await story.rows('select phase, holder_type from custody_states'))[0];
  expect(await phase()).toEqual({ phase: 'in_handoff', holder_type: 'sender' });
  await story.world.pass('29m');
  expect((await story.handoff(1)).state).toBe('HALF_CONFIRMED');
  await story.world.pass('1m');
  expect((await story.handoff(1)).state).toBe('READY');
  expect(await phase()).toEqual({ phase: 'held', holder_type: 'sender' });
  await story.scan(anna, { token: await story.token(1, sender) });
  await story.world.pass('29m');
  expect((await story.handoff(1)).state).toBe('HALF_CONFIRMED');
  const token = await story.token(1, anna);
  await story.scan(sender, { token, photoFileIds: [await story.photo(sender)] });
  await story.world.pass('1d');
  expect((await story.handoff(1)).state).toBe('TRANSFERRED');
});

test('a receiver may refuse; the giver keeps the goods and the codes are worth nothing', async () => {
  await using story = await startStory();
  const { id } = await story.handoff(1);
  const give = await story.token(1, sender);
  const refuse = (viewer: Viewer, reason = 'The box is open', photoFileIds: string[] = []) =>
    story.world.execute(
      'custody',
      'mutation ($input: RefuseHandoffInput!) { refuseHandoff(input: $input) { state refusedReason photos { side } } }',
      { input: { stepId: id, reason, photoFileIds } },
      viewer,
    );
  for (const other of [sender, ben, stranger])
    expect((await refuse(other)).codes).toEqual(['HANDOFF_NOT_FOUND']);
  expect((await refuse(anna, ' ')).codes).toEqual(['REASON_MISSING']);
  const { data } = await refuse(anna, 'The box is open', [await story.photo(anna)]);
  expect(data.refuseHandoff).toEqual({
    state: 'REFUSED',
    refusedReason: 'The box is open',
    photos: [{ side: 'RECEIVER' }],
  });
  expect((await refuse(anna)).codes).toEqual(['INVALID_TRANSITION']);
  expect((await story.scan(anna, { token: give })).codes).toEqual(['TOKEN_EXPIRED']);
  expect((await story.issue(id, sender)).codes).toEqual(['HANDOFF_CLOSED']);
  expect(await story.chainLength()).toBe(1);
});

test('a cancelled itinerary leaves no hand-over open, no code usable and no carrier looking on', async () => {
  await using story = await startStory();
  const give = await story.token(1, sender);
  const looking = () => story.world.execute('custody', status, { id: story.shipmentId }, anna);
  expect((await looking()).errors).toEqual([]);
  await story.cancel();
  expect((await story.handoffs()).map(({ state }) => state)).toEqual(Array(4).fill('CANCELLED'));
  expect((await story.scan(anna, { token: give })).codes).toEqual(['WRONG_PARTY']);
  expect(await story.rows('select state from qr_codes')).toEqual([{ state: 'expired' }]);
  expect((await looking()).codes).toEqual(['SHIPMENT_NOT_FOUND']);
});

test('a shipment that is booked again goes on with the chain it has', async () => {
  await using first = await startStory({ carriers: [anna] });
  await first.cancel();
  const again = first.bookAgain([ben]);
  await again.confirm();
  expect(await again.chainLength()).toBe(1);
  expect((await again.handOver(1)).errors).toEqual([]);
  expect((await first.world.told(HandoffTransferred)).at(-1)).toMatchObject({
    itineraryId: again.itineraryId,
  });
});

test('a carrier of two legs in a row keeps the goods between them, and ends both at once', async () => {
  await using story = await startStory({ carriers: [anna, anna, courier] });
  expect(await story.handoffs()).toHaveLength(3);
  for (const sequence of [1, 2, 3]) expect((await story.handOver(sequence)).errors).toEqual([]);
  const [one, two, three] = story.bookingIds;
  const told = await story.world.told(HandoffTransferred);
  expect(
    told.map((fact) => [fact.finishedBookingId, fact.startedBookingId, fact.lastLegStarted, fact.delivered]),
  ).toEqual([
    [null, one, false, false],
    [one, two, false, false],
    [two, three, true, false],
    [three, null, false, true],
  ]);
});

test('several packages move together, each with a chain of its own', async () => {
  await using story = await startStory({ carriers: [anna], packages: 3 });
  await story.handOver(1);
  await story.handOver(2);
  const told = await story.world.told(HandoffTransferred);
  expect(
    told.map(({ packageIds, custodyEventIds }) => [packageIds.length, new Set(custodyEventIds).size]),
  ).toEqual([
    [3, 3],
    [3, 3],
  ]);
  expect(await story.rows("select 1 from tracking_events where type = 'DELIVERED'")).toHaveLength(3);
});

test.each(['custody_states', 'tracking_streams', 'qr_codes', 'outbox'])(
  'a transfer that breaks at %s has not happened at all, and happens when tried again',
  async (table) => {
    await using story = await startStory({ carriers: [anna] });
    await story.scan(anna, { token: await story.token(1, sender) });
    const input = {
      token: await story.token(1, anna),
      photoFileIds: [await story.photo(sender)],
      idempotencyKey: 'the same key again',
    };
    const everything = () =>
      Promise.all(
        [
          'custody_events',
          'custody_states',
          'tracking_events',
          'qr_codes',
          'handoff_scans',
          'handoff_steps',
          'handoff_photos',
          'outbox',
        ].map((name) => story.rows(`select * from ${name} order by 1`)),
      );
    const before = await everything();
    const database = story.world.database('custody');
    await database.transaction(async (tx) => {
      await tx.sql(
        `create function break() returns trigger language plpgsql as $$ begin raise exception 'broken'; end $$`,
      );
      await tx.sql(
        `create trigger break after insert or update on ${table} for each statement execute function break()`,
      );
    });
    expect((await story.scan(sender, input)).codes).toEqual(['INTERNAL_SERVER_ERROR']);
    expect(await everything()).toEqual(before);
    await database.transaction((tx) => tx.sql('drop function break cascade'));
    expect((await story.scan(sender, input)).data.scanHandoff.outcome).toBe('TRANSFERRED');
    expect(await story.chainLength()).toBe(2);
  },
);

test('whoever is no party learns nothing, by id or through others', async () => {
  await using story = await startStory();
  const { id } = await story.handoff(1);
  for (const viewer of [stranger, anonymous, link(newId(), story.recipientId)]) {
    const ask = (text: string, variables: object) =>
      story.world.execute('custody', text, { ...variables }, viewer);
    expect((await ask('query ($id: ID!) { handoffStep(id: $id) { id } }', { id })).data).toEqual({
      handoffStep: null,
    });
    expect((await ask(status, { id: story.shipmentId })).codes).toEqual(['SHIPMENT_NOT_FOUND']);
    const { data, errors } = await story.world.entities(
      'custody',
      [
        { __typename: 'Shipment', id: story.shipmentId },
        { __typename: 'Itinerary', id: story.itineraryId },
        { __typename: 'Package', id: story.packageIds[0] },
        { __typename: 'CustodyState', packageId: story.packageIds[0] },
        { __typename: 'HandoffStep', id },
      ],
      `{ ... on Shipment { custody { phase } handoffs { id } tracking { edges { cursor } } }
         ... on Itinerary { handoffs { id } } ... on Package { custodyState { phase } }
         ... on CustodyState { phase } ... on HandoffStep { sequence } }`,
      viewer,
    );
    expect(errors).toEqual([]);
    expect(data).toEqual([
      { custody: null, handoffs: null, tracking: null },
      { handoffs: null },
      { custodyState: null },
      null,
      null,
    ]);
  }
});

test('fifty entities cost as many statements as one', async () => {
  await using story = await startStory();
  for (const _ of Array(49)) story.packageIds.push(newId());
  await story.submit();
  const count = (times: number) => {
    const step = (index: number) => story.packageIds[index]!;
    const representations = Array.from({ length: times }, (_, index) => [
      { __typename: 'Package', id: step(index) },
      { __typename: 'Shipment', id: index === 0 ? story.shipmentId : newId() },
      { __typename: 'Itinerary', id: index === 0 ? story.itineraryId : newId() },
    ]).flat();
    return story.world.countQueries(() =>
      story.world.entities(
        'custody',
        representations,
        `{ ... on Package { custodyState { holder { id } } }
           ... on Shipment { custody { holder { id } } tracking(first: 5) { edges { node { handoffStep { from { user { id } } } } } } handoffs { mySide photos { sha256 } to { user { id } } } }
           ... on Itinerary { handoffs { mySide } } }`,
        sender,
      ),
    );
  };
  const one = await count(1);
  expect(one).toBeGreaterThan(0);
  expect(await count(50)).toBe(one);
});

const states = handoffStateNames.flatMap((from) =>
  [...new Set(handoffStates.transitions.map(({ event }) => event))].map((event) => [from, event] as const),
);
test.each(states)('a hand-over that is %s answers %s by the table', (from, event) => {
  const row = handoffStates.transitions.find(
    (each) => each.event === event && each.from.some((s) => s === from),
  );
  if (row) expect(nextState(handoffStates, from, event, row.by[0]!)).toBe(row.to);
  else
    for (const by of ['giver', 'receiver', 'system'] as const)
      expect(() => nextState(handoffStates, from, event, by)).toThrow(
        expect.objectContaining({ code: 'INVALID_TRANSITION' }),
      );
});
