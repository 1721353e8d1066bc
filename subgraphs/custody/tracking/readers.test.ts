import { type ExecutionResult, parse, subscribe } from 'graphql';
import { newId } from '#shared/kernel/ids.ts';
import { anonymous, type PartnerViewer, type Viewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import { anna, type Story, sender, startStory, stranger } from '../testing/story.ts';

let story: Story;
beforeEach(async () => {
  story = await startStory({ carriers: [anna], env: { TRACKING_POLL: '1h' } });
});
afterEach(() => story?.[Symbol.asyncDispose]());

/** A program of a partner that identity knows. */
async function newPartner(scopes = ['tracking:read']): Promise<PartnerViewer & { name: string }> {
  const name = `Partner ${newId()}`;
  const { data, errors } = await story.world.execute(
    'identity',
    'mutation ($input: CreatePartnerInput!) { createPartner(input: $input) { id } }',
    { input: { name, contactEmail: 'keys@partner.example' } },
    user('Ada', ['admin']),
  );
  if (errors[0]) throw errors[0];
  return { kind: 'partner', partnerId: data.createPartner.id, keyId: newId(), scopes, name };
}

const run = (text: string, variables: object, viewer: Viewer) =>
  story.world.execute('custody', text, { ...variables }, viewer);

const share = (partnerId: string, viewer: Viewer = sender, shipmentId = story.shipmentId) =>
  run(
    `mutation ($input: ShareTrackingInput!) { shareTracking(input: $input) {
       id shipment { id } partnerId partnerName sharedAt endedAt } }`,
    { input: { shipmentId, partnerId } },
    viewer,
  );

const stop = (shareId: string, viewer: Viewer = sender) =>
  run(
    'mutation ($input: StopSharingTrackingInput!) { stopSharingTracking(input: $input) { id endedAt } }',
    { input: { shareId } },
    viewer,
  );

const shares = (viewer: Viewer, ids = [story.shipmentId]) =>
  story.world.entities(
    'custody',
    ids.map((id) => ({ __typename: 'Shipment', id })),
    '{ ... on Shipment { trackingShares { id partnerName } custody { packageId } tracking { edges { cursor } } } }',
    viewer,
  );

const status = (viewer: Viewer) =>
  run(
    `query ($id: ID!) { trackingStatus(shipmentId: $id) {
       lastEvent { type } custody { packageId holderType } deliveryProof { id } } }`,
    { id: story.shipmentId },
    viewer,
  );

const reads: [string, () => [string, object]][] = [
  [
    'trackingStatus',
    () => [
      'query ($id: ID!) { trackingStatus(shipmentId: $id) { shipment { id } } }',
      { id: story.shipmentId },
    ],
  ],
  [
    'trackingHistory',
    () => [
      'query ($id: ID!) { trackingHistory(shipmentId: $id) { edges { cursor } } }',
      { id: story.shipmentId },
    ],
  ],
  [
    'custodyProof',
    () => ['query ($id: ID!) { custodyProof(packageId: $id) { intact } }', { id: story.packageIds[0] }],
  ],
];

async function follow(viewer: Viewer) {
  const { local } = story.world.subgraph('custody');
  return (await subscribe({
    schema: local.schema,
    document: parse(
      'subscription ($id: ID!) { trackingEvents(shipmentId: $id, after: "") { type package { custodyState { phase } } } }',
    ),
    variableValues: { id: story.shipmentId },
    contextValue: local.createContext({
      viewer,
      requestId: newId(),
      signal: new AbortController().signal,
    }),
  })) as AsyncGenerator<ExecutionResult> | ExecutionResult;
}

test.each(reads)('by the sender’s leave a partner reads %s, and not before or after', async (_, read) => {
  const partner = await newPartner();
  const before = await run(...read(), partner);
  expect(before.codes).toEqual([expect.stringMatching(/_NOT_FOUND$/)]);
  const { data } = await share(partner.partnerId);
  expect((await run(...read(), partner)).errors).toEqual([]);
  expect((await run(...read(), await newPartner())).codes).toEqual(before.codes);
  await stop(data.shareTracking.id);
  expect((await run(...read(), partner)).codes).toEqual(before.codes);
});

test('a partner follows live, until the sender takes the leave back', async () => {
  const partner = await newPartner();
  const { data } = await share(partner.partnerId);
  const events = (await follow(partner)) as AsyncGenerator<ExecutionResult>;
  const types: unknown[] = [];
  while (types.length < 3) {
    const { value } = await events.next();
    types.push((value.data as { trackingEvents: { type: string } }).trackingEvents.type);
  }
  expect(types).toEqual(['ITINERARY_CONFIRMED', 'HANDOFF_READY', 'HANDOFF_READY']);
  const next = events.next();
  next.catch(() => {});
  await stop(data.shareTracking.id);
  await expect(next).rejects.toMatchObject({ code: 'SHIPMENT_NOT_FOUND' });
});

test('a key without the scope reads nothing of what is shared', async () => {
  const partner = await newPartner(['search:read']);
  await share(partner.partnerId);
  const refused = await status(partner);
  expect(refused.codes).toEqual(['SCOPE_MISSING']);
  expect(refused.details).toEqual([{ scope: 'tracking:read' }]);
  const feed = (await follow(partner)) as ExecutionResult;
  expect(feed.errors!.map(({ extensions }) => extensions.code)).toEqual(['SCOPE_MISSING']);
  expect((await shares(partner)).data[0]).toEqual({ trackingShares: null, custody: null, tracking: null });
});

test('a partner reads and never acts', async () => {
  const partner = await newPartner();
  await share(partner.partnerId);
  const { id: stepId } = await story.handoff(1);
  expect((await story.issue(stepId, partner)).codes).toEqual(['HANDOFF_NOT_FOUND']);
  const report = {
    shipmentId: story.shipmentId,
    type: 'DEPARTED',
    message: 'x',
    idempotencyKey: 'key number 1',
  };
  const told = await run(
    'mutation ($input: RecordTrackingEventInput!) { recordTrackingEvent(input: $input) { id } }',
    { input: report },
    partner,
  );
  expect(told.codes).toEqual(['SIGN_IN_REQUIRED']);
  expect((await share(partner.partnerId, partner)).codes).toEqual(['SIGN_IN_REQUIRED']);
  const step = await run('query ($id: ID!) { handoffStep(id: $id) { id } }', { id: stepId }, partner);
  expect(step.data.handoffStep).toBeNull();
});

test('leave given twice is given once, also at once, and taken twice is taken once', async () => {
  const partner = await newPartner();
  const answers = await Promise.all([1, 2, 3].map(() => share(partner.partnerId)));
  const ids = new Set(answers.map(({ data }) => data.shareTracking.id));
  expect(ids.size).toBe(1);
  expect(answers[0]!.data.shareTracking).toMatchObject({
    shipment: { id: story.shipmentId },
    partnerId: partner.partnerId,
    partnerName: partner.name,
    endedAt: null,
  });
  expect((await share(partner.partnerId.toUpperCase())).data.shareTracking.id).toBe([...ids][0]);
  const [id] = ids;
  const first = await stop(id);
  await story.world.clock.advance('1m');
  expect(await stop(id)).toEqual(first);
  const again = await share(partner.partnerId);
  expect(again.data.shareTracking.id).not.toBe(id);
});

test('its sender alone sees with whom it is shared', async () => {
  const partner = await newPartner();
  const { data } = await share(partner.partnerId);
  const { id } = data.shareTracking;
  expect((await shares(sender)).data[0].trackingShares).toEqual([{ id, partnerName: partner.name }]);
  for (const viewer of [anna, story.recipient, stranger, anonymous, partner])
    expect((await shares(viewer)).data[0].trackingShares).toBeNull();
  await stop(id);
  expect((await shares(sender)).data[0].trackingShares).toEqual([]);
});

test('leaves of fifty shipments are read with as many queries as those of one', async () => {
  const ask = (count: number) =>
    story.world.countQueries(() =>
      shares(sender, [story.shipmentId, ...Array.from({ length: count }, newId)]),
    );
  expect(await ask(49)).toBe(await ask(0));
});

test('nobody but the sender gives or takes leave', async () => {
  const partner = await newPartner();
  const { data } = await share(partner.partnerId);
  const { id } = data.shareTracking;
  for (const [viewer, giving, taking] of [
    [anna, 'NOT_SENDER', 'NOT_SENDER'],
    [stranger, 'SHIPMENT_NOT_FOUND', 'TRACKING_SHARE_NOT_FOUND'],
    [story.recipient, 'SIGN_IN_REQUIRED', 'SIGN_IN_REQUIRED'],
    [anonymous, 'SIGN_IN_REQUIRED', 'SIGN_IN_REQUIRED'],
  ] as const) {
    expect((await share(partner.partnerId, viewer)).codes).toEqual([giving]);
    expect((await stop(id, viewer)).codes).toEqual([taking]);
  }
  expect((await status(partner)).errors).toEqual([]);
});

test.each([
  [() => share(newId()), 'PARTNER_NOT_FOUND'],
  [() => share('no id'), 'ID_MALFORMED'],
  [() => share(newId(), sender, newId()), 'SHIPMENT_NOT_FOUND'],
  [() => stop(newId()), 'TRACKING_SHARE_NOT_FOUND'],
  [() => stop('no id'), 'TRACKING_SHARE_NOT_FOUND'],
])('%s is refused as %s', async (ask, code) => {
  expect((await ask()).codes).toEqual([code]);
});

test('ten partners at most follow one shipment', async () => {
  const partners: PartnerViewer[] = [];
  for (let count = 0; count < 11; count += 1) partners.push(await newPartner());
  const answers = await Promise.all(partners.map(({ partnerId }) => share(partnerId)));
  expect(answers.flatMap(({ codes }) => codes)).toEqual(['TRACKING_SHARES_FULL']);
  await stop(answers.find(({ data }) => data)!.data.shareTracking.id);
  expect((await share((await newPartner()).partnerId)).errors).toEqual([]);
});
