import { HandoffReady, HandoffTransferred, ScanRefused } from '#shared/events/custody.ts';
import { sender, startStory } from '../testing/story.ts';

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
