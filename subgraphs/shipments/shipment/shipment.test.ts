import { ShipmentsContract } from '#shared/contracts/shipments.ts';
import { UserRegistered } from '#shared/events/identity.ts';
import {
  RecipientLinked,
  ShipmentStateChanged,
  ShipmentSubmitted,
  shipmentState,
} from '#shared/events/shipments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { link } from '../../testing/actors.ts';
import {
  carrier,
  eur,
  itineraryOf,
  lyon,
  montreal,
  paper,
  parcel,
  paris,
  photo,
  recipient,
  rosa,
  Story,
  sara,
  scarf,
  sender,
  stranger,
  tell,
} from '../testing/story.ts';
import { shipmentStates } from './shipment.states.ts';

let story: Story;
beforeAll(async () => {
  story = await Story.begin();
});
afterAll(() => story.world[Symbol.asyncDispose]());

const statesTold = async (shipmentId: string) =>
  (await story.world.told(ShipmentStateChanged))
    .filter((each) => each.shipmentId === shipmentId)
    .map(({ to }) => to);

test('a complete draft is submitted and told with its recipient and packages', async () => {
  const { shipmentId, packageId } = await story.ready();
  const answer = await story.did('submitShipment', { shipmentId }, '{ state submittedAt missing }');
  expect(answer).toEqual({
    state: 'SEARCHING',
    submittedAt: story.world.clock.now().toISOString(),
    missing: [],
  });
  const told = (await story.world.told(ShipmentSubmitted)).find((each) => each.shipmentId === shipmentId);
  expect(told).toMatchObject({
    senderId: sender.userId,
    recipient: { name: rosa.name, email: rosa.email, userId: null },
    packages: [{ packageId, category: 'CLOTHING', grams: 500, declaredValue: { amountMinor: 4_000n } }],
    originLocationId: montreal.locationId,
    destinationLocationId: paris.locationId,
    international: true,
  });
  expect(await statesTold(shipmentId)).toEqual(['draft', 'searching']);
});

test('a draft says what it lacks, and cannot be submitted before', async () => {
  const shipmentId = await story.draft();
  const missing = async () => {
    const { missing: codes } = await story.seen(sender, shipmentId, '{ missing }');
    const { errors } = await story.run('submitShipment', { shipmentId });
    expect(errors[0]?.extensions).toMatchObject({
      code: 'SHIPMENT_INCOMPLETE',
      details: { missing: codes },
    });
    return codes;
  };
  expect(await missing()).toEqual(['PACKAGES_MISSING', 'RECIPIENT_MISSING', 'CUSTOMS_DECLARATION_MISSING']);
  const first = await story.package(shipmentId);
  const second = await story.package(shipmentId);
  await story.did('addPackagePhoto', { packageId: first, fileId: photo });
  expect(await missing()).toEqual(['PHOTOS_MISSING', 'RECIPIENT_MISSING', 'CUSTOMS_DECLARATION_MISSING']);
  await story.did('removePackage', { packageId: second });
  await story.did('setRecipient', { shipmentId, ...rosa });
  expect(await missing()).toEqual(['CUSTOMS_DECLARATION_MISSING']);
  const uncoded = { ...scarf, hsCode: null, unitValue: eur(0) };
  const third = await story.package(shipmentId, { items: [uncoded] });
  await story.did('addPackagePhoto', { packageId: third, fileId: photo });
  await story.did('declareCustoms', { shipmentId, contentType: 'GIFT', signerName: 'Sara' });
  expect(await missing()).toEqual(['CUSTOMS_DECLARATION_INCOMPLETE']);
  await story.did('removePackage', { packageId: third });
  await story.did('submitShipment', { shipmentId });
});

test('forbidden contents are named with their reasons and keep a shipment from being submitted', async () => {
  const { shipmentId, packageId } = await story.ready({
    origin: lyon,
    items: [
      { ...scarf, description: 'Fireworks', weightGrams: 100, quantity: 1 },
      { ...scarf, description: 'E-bike battery', weightGrams: 100, quantity: 1, lithiumWattHours: 160.5 },
    ],
  });
  const { errors } = await story.run('submitShipment', { shipmentId });
  expect(errors[0]?.extensions).toMatchObject({
    code: 'CONTENT_FORBIDDEN',
    details: {
      reasons: [
        { rule: 'EXPLOSIVE', description: 'Fireworks', reason: expect.stringContaining('class 1') },
        { rule: 'LITHIUM_TOO_LARGE', description: 'E-bike battery' },
      ],
    },
  });
  const [seen] = (await story.seen(sender, shipmentId, '{ packages { id contentProblems { rule } } }'))
    .packages;
  expect(seen).toEqual({
    id: packageId,
    contentProblems: [{ rule: 'EXPLOSIVE' }, { rule: 'LITHIUM_TOO_LARGE' }],
  });
  expect(await story.state(shipmentId)).toBe('DRAFT');
});

test.each<[string, object]>([
  ['PACKAGE_INVALID', { weightGrams: 0 }],
  ['PACKAGE_INVALID', { dimensions: { lengthMm: 1, widthMm: 1, heightMm: 0 } }],
  ['PACKAGE_INVALID', { declaredValue: eur(-1) }],
  ['CURRENCY_UNKNOWN', { declaredValue: { amountMinor: '1', currency: 'XXX' } }],
  ['CURRENCY_MIXED', { declaredValue: { amountMinor: '9000', currency: 'CAD' } }],
  ['ITEMS_MISSING', { items: [] }],
  ['ITEM_INVALID', { items: [{ ...scarf, quantity: 0 }] }],
  ['ITEM_INVALID', { items: [{ ...scarf, description: 'a\u0000b' }] }],
  ['ITEM_INVALID', { items: [{ ...scarf, lithiumWattHours: -1 }] }],
  ['ITEMS_TOO_HEAVY', { items: [scarf, scarf] }],
  ['ITEMS_ABOVE_DECLARED_VALUE', { declaredValue: eur(3_999) }],
  ['HS_CODE_INVALID', { items: [{ ...scarf, hsCode: '61171' }] }],
  ['COUNTRY_INVALID', { items: [{ ...scarf, originCountry: 'ZZ' }] }],
  ['ID_MALFORMED', { shipmentId: "'; drop table packages; --" }],
  ['SHIPMENT_NOT_FOUND', { shipmentId: newId() }],
])('a package that does not add up is refused with %s', async (code, change) => {
  const shipmentId = await story.draft();
  expect((await story.run('addPackage', { ...parcel(shipmentId), ...change })).codes).toEqual([code]);
});

test('packages of one shipment are declared in one currency', async () => {
  const shipmentId = await story.draft();
  await story.package(shipmentId);
  const dollars = { amountMinor: '4000', currency: 'CAD' };
  const one = { ...scarf, quantity: 1, unitValue: dollars };
  const other = { ...parcel(shipmentId), declaredValue: dollars, items: [one] };
  expect((await story.run('addPackage', other)).codes).toEqual(['CURRENCY_MIXED']);
});

test.each<[string, string, object]>([
  ['createShipment', 'LOCATION_NOT_FOUND', { destinationLocationId: newId() }],
  ['createShipment', 'ROUTE_INVALID', { destinationLocationId: montreal.locationId }],
  ['createShipment', 'ID_MALFORMED', { originLocationId: 'Montréal' }],
  ['createShipment', 'SPECIAL_HANDLING_INVALID', { specialHandling: 'x'.repeat(501) }],
  ['createShipment', 'PHONE_INVALID', { senderInfo: { ...sara, phone: '42 68 53 00' } }],
  ['createShipment', 'ADDRESS_INVALID', { senderInfo: { ...sara, address: '  ' } }],
  ['createShipment', 'CONTACT_NAME_INVALID', { senderInfo: { ...sara, name: 'Sara\nBcc: eve@example.com' } }],
  ['createShipment', 'EMAIL_INVALID', { senderInfo: { ...sara, email: 'sara' } }],
  ['setRecipient', 'EMAIL_INVALID', { email: 'rosa@example.com\r\nBcc: eve@example.com' }],
])('%s refuses %s', async (mutation, code, change) => {
  const frame = {
    originLocationId: montreal.locationId,
    destinationLocationId: paris.locationId,
    senderInfo: sara,
  };
  const whole = mutation === 'createShipment' ? frame : { shipmentId: await story.draft(), ...rosa };
  expect((await story.run(mutation, { ...whole, ...change })).codes).toEqual([code]);
});

test('a photo is a stored image of the sender’s own, counts once, and its hash is kept', async () => {
  const packageId = await story.package(await story.draft());
  expect((await story.run('addPackagePhoto', { packageId, fileId: newId() })).codes).toEqual([
    'FILE_NOT_FOUND',
  ]);
  expect((await story.run('addPackagePhoto', { packageId, fileId: paper })).codes).toEqual([
    'PHOTO_NOT_IMAGE',
  ]);
  await story.did('addPackagePhoto', { packageId, fileId: photo });
  const answer = await story.did(
    'addPackagePhoto',
    { packageId, fileId: photo },
    '{ photos { sha256 file { id } } }',
  );
  expect(answer.photos).toEqual([{ sha256: 'a'.repeat(64), file: { id: photo } }]);
});

test('what was submitted is written no more, not even in the database', async () => {
  const { shipmentId, packageId } = await story.submitted();
  const declaration = { shipmentId, contentType: 'GIFT', signerName: 'Sara' };
  for (const [mutation, input] of [
    ['addPackage', parcel(shipmentId)],
    ['removePackage', { packageId }],
    ['addPackagePhoto', { packageId, fileId: photo }],
    ['setRecipient', { shipmentId, ...rosa }],
    ['declareCustoms', declaration],
  ] as const)
    expect((await story.run(mutation, input)).codes).toEqual(['SHIPMENT_NOT_DRAFT']);
  const database = story.world.database('shipments');
  for (const statement of [
    'update packages set weight_grams = 1 where id = ?',
    'delete from package_items where package_id = ?',
    "update package_photos set sha256 = 'swapped' where package_id = ?",
  ])
    await expect(database.transaction((tx) => tx.sql(statement, [packageId]))).rejects.toThrow(
      'only a draft can be written',
    );
});

test('strangers find nothing, not to read and not to write; other parties may not write', async () => {
  const { shipmentId, packageId } = await story.submitted('other.rosa@example.com');
  for (const viewer of [stranger, carrier, anonymous, link(shipmentId, newId())] as Viewer[]) {
    expect(await story.seen(viewer, shipmentId)).toBeNull();
    const joined = await story.world.entities(
      'shipments',
      [
        { __typename: 'Shipment', id: shipmentId },
        { __typename: 'Package', id: packageId },
        { __typename: 'CustodyState', packageId },
        { __typename: 'Shipment', id: 'no id' },
      ],
      '{ ... on Shipment { state } ... on Package { weightGrams } ... on CustodyState { declaredGrams } }',
      viewer,
    );
    expect(joined.data).toEqual([null, null, { declaredGrams: null }, null]);
  }
  expect(await story.seen(sender, 'no id')).toBeNull();
  const cancel = (viewer: Viewer) => story.run('cancelShipment', { shipmentId }, viewer);
  expect((await cancel(stranger)).codes).toEqual(['SHIPMENT_NOT_FOUND']);
  expect((await cancel(anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
  expect((await story.run('addPackagePhoto', { packageId, fileId: photo }, stranger)).codes).toEqual([
    'FILE_NOT_FOUND',
  ]);
  expect((await story.run('removePackage', { packageId }, stranger)).codes).toEqual(['PACKAGE_NOT_FOUND']);
  await tell(story.world, itineraryOf(shipmentId, story.world.clock).requested);
  expect((await cancel(carrier)).codes).toEqual(['NOT_YOUR_SHIPMENT']);
});

test('a shipment is carried from request to completion, each state told once', async () => {
  const { shipmentId } = await story.submitted();
  const itinerary = itineraryOf(shipmentId, story.world.clock);
  const { requested, confirmed, pickedUp, lastLeg, delivered, closed } = itinerary;
  await tell(story.world, requested, confirmed, pickedUp, lastLeg, delivered);
  await tell(story.world, itineraryOf(shipmentId, story.world.clock).closed);
  expect(await story.state(shipmentId)).toBe('DELIVERED');
  await tell(story.world, closed, closed);
  expect(await statesTold(shipmentId)).toEqual(
    shipmentState.options.filter((state) => state !== 'cancelled'),
  );
});

test('facts of several subgraphs that overtake each other lead to the same states', async () => {
  const { shipmentId } = await story.submitted();
  const { requested, confirmed, pickedUp, lastLeg, delivered, closed } = itineraryOf(
    shipmentId,
    story.world.clock,
  );
  await tell(story.world, requested, pickedUp, closed, confirmed, lastLeg, delivered);
  expect(await statesTold(shipmentId)).toEqual(
    shipmentState.options.filter((state) => state !== 'cancelled'),
  );
});

test('a shipment whose itinerary ends before custody is searched for again, without its carriers', async () => {
  const { shipmentId } = await story.submitted();
  const former = itineraryOf(shipmentId, story.world.clock);
  await tell(story.world, former.requested);
  expect(await story.seen(carrier, shipmentId)).toEqual({ id: shipmentId, state: 'AWAITING_ACCEPTANCE' });
  expect((await story.run('cancelShipment', { shipmentId })).codes).toEqual(['INVALID_TRANSITION']);
  await tell(story.world, former.declined);
  expect(await story.seen(carrier, shipmentId)).toBeNull();
  await tell(story.world, former.cancelled, former.closed);
  expect(await story.state(shipmentId)).toBe('SEARCHING');
  const next = itineraryOf(shipmentId, story.world.clock);
  await tell(story.world, next.requested, former.cancelled);
  expect(await story.state(shipmentId)).toBe('AWAITING_ACCEPTANCE');
  await tell(story.world, next.confirmed);
  expect(await story.state(shipmentId)).toBe('BOOKED');
  await tell(story.world, next.cancelled);
  expect(await story.state(shipmentId)).toBe('SEARCHING');
  expect(await story.seen(carrier, shipmentId)).toBeNull();
  await story.did('cancelShipment', { shipmentId });
  await tell(story.world, itineraryOf(shipmentId, story.world.clock).requested);
  expect(await story.state(shipmentId)).toBe('CANCELLED');
});

test('what the transition table does not list is refused', async () => {
  const { shipmentId } = await story.submitted();
  expect((await story.run('submitShipment', { shipmentId })).codes).toEqual(['INVALID_TRANSITION']);
  const { requested, confirmed, pickedUp, lastLeg, delivered, closed } = itineraryOf(
    shipmentId,
    story.world.clock,
  );
  for (const fact of [requested, confirmed, pickedUp, lastLeg, delivered, closed]) {
    await tell(story.world, fact);
    for (const mutation of ['submitShipment', 'cancelShipment'])
      expect((await story.run(mutation, { shipmentId })).codes).toEqual(['INVALID_TRANSITION']);
  }
  for (const terminal of shipmentStates.terminal)
    expect(shipmentStates.transitions.some(({ from }) => from.includes(terminal))).toBe(false);
});

test('of two submits at once one wins and one is told of', async () => {
  const { shipmentId } = await story.ready({ origin: lyon });
  const answers = await Promise.all([1, 2].map(() => story.run('submitShipment', { shipmentId })));
  expect(answers.flatMap(({ codes }) => codes)).toEqual(['INVALID_TRANSITION']);
  const told = await story.world.told(ShipmentSubmitted);
  expect(told.filter((each) => each.shipmentId === shipmentId)).toHaveLength(1);
});

test('an account with the recipient’s address sees the shipment from its submission on', async () => {
  story.accounts.set('known@example.com', recipient.userId);
  const { shipmentId } = await story.ready({ email: ' Known@Example.COM ' });
  expect(await story.seen(recipient, shipmentId)).toBeNull();
  await story.did('submitShipment', { shipmentId });
  expect(await story.seen(recipient, shipmentId, '{ state recipient { email user { id } } }')).toEqual({
    state: 'SEARCHING',
    recipient: { email: 'known@example.com', user: { id: recipient.userId } },
  });
  const list = await story.world.execute(
    'shipments',
    '{ receivedShipments(first: 1) { edges { node { id } } pageInfo { hasNextPage } } }',
    {},
    recipient,
  );
  expect(list.data.receivedShipments).toEqual({
    edges: [{ node: { id: shipmentId } }],
    pageInfo: { hasNextPage: false },
  });
});

test('a recipient who signs up later is linked to what was sent to them, drafts silently', async () => {
  const email = 'later@example.com';
  const { shipmentId: draftId } = await story.ready({ origin: lyon, email });
  const { shipmentId } = await story.submitted(email);
  const userId = newId();
  const registered = { userId, email, displayName: 'Rosa', locale: 'fr', timeZone: 'Europe/Paris' };
  await tell(story.world, [UserRegistered, registered], [UserRegistered, registered]);
  expect(await story.world.told(RecipientLinked)).toEqual([
    { shipmentId, recipientId: expect.any(String), userId },
  ]);
  await story.did('submitShipment', { shipmentId: draftId });
  const told = await story.world.told(ShipmentSubmitted);
  expect(told.find((each) => each.shipmentId === draftId)?.recipient.userId).toBe(userId);
});

test('the recipient’s link opens exactly one shipment, and none after the recipient was replaced', async () => {
  const ask = (shipmentId: string, viewer: Viewer = sender) =>
    story.world.execute(
      'shipments',
      'query ($id: ID!) { recipientLink(shipmentId: $id) { url expiresAt } }',
      { id: shipmentId },
      viewer,
    );
  const { shipmentId: draftId } = await story.ready({ origin: lyon });
  expect((await ask(draftId)).codes).toEqual(['SHIPMENT_NOT_SUBMITTED']);
  const replaced = (await story.seen(sender, draftId, '{ recipient { id } }')).recipient;
  await story.did('setRecipient', { shipmentId: draftId, ...rosa, email: 'someone.else@example.com' });
  await story.did('submitShipment', { shipmentId: draftId });
  expect(await story.seen(link(draftId, replaced.id), draftId)).toBeNull();

  const { shipmentId } = await story.submitted();
  const { url, expiresAt } = (await ask(shipmentId)).data.recipientLink;
  const token = new URL(url).searchParams.get('token')!;
  const [tokenShipment, recipientId, until] = token.split(' ');
  expect(url).toMatch(/^http:\/\/baton\.test\/track\?token=/);
  expect([tokenShipment, until]).toEqual([shipmentId, expiresAt]);
  expect(expiresAt).toBe('2026-05-01T09:00:00.000Z');
  expect(await story.seen(link(shipmentId, recipientId!), shipmentId)).toEqual({
    id: shipmentId,
    state: 'SEARCHING',
  });
  expect(await story.seen(link(shipmentId, recipientId!), draftId)).toBeNull();
  expect(await story.seen(link(draftId, recipientId!), draftId)).toBeNull();
  expect(await story.seen(link(draftId, recipientId!), shipmentId)).toBeNull();
  expect((await ask(shipmentId, stranger)).codes).toEqual(['SHIPMENT_NOT_FOUND']);
  expect((await ask(shipmentId, link(shipmentId, recipientId!))).codes).toEqual(['SHIPMENT_NOT_FOUND']);
});

test('the contract tells bookings what a shipment is and what a draft lacks', async () => {
  const shipments = story.world.ask(ShipmentsContract);
  const { shipmentId, packageId } = await story.ready();
  expect(await shipments.shipment({ shipmentId })).toMatchObject({
    state: 'draft',
    missing: ['NOT_SUBMITTED'],
  });
  await story.did('submitShipment', { shipmentId });
  expect(await shipments.shipment({ shipmentId })).toMatchObject({
    senderId: sender.userId,
    state: 'searching',
    recipient: { email: rosa.email, userId: null },
    packages: [{ packageId, grams: 500 }],
    international: true,
    missing: [],
  });
  const empty = await shipments.shipment({ shipmentId: await story.draft() });
  expect(empty).toMatchObject({ recipient: null, packages: [] });
  await expect(shipments.shipment({ shipmentId: newId() })).rejects.toMatchObject({
    code: 'SHIPMENT_NOT_FOUND',
  });
});

test('a list is read page by page, newest first', async () => {
  const text = `query ($first: Int, $after: String) {
    myShipments(first: $first, after: $after) { edges { node { id } } pageInfo { hasNextPage endCursor } } }`;
  const ids = [await story.draft(), await story.draft(), await story.draft()].reverse();
  const page = async (variables: object) =>
    (await story.world.execute('shipments', text, { ...variables }, sender)).data.myShipments;
  const first = await page({ first: 2 });
  const second = await page({ first: 1, after: first.pageInfo.endCursor });
  const read = [...first.edges, ...second.edges].map(({ node }) => node.id);
  expect(read).toEqual(ids);
  expect(first.pageInfo.hasNextPage).toBe(true);
  const wrong = async (variables: object, viewer: Viewer = sender) =>
    (await story.world.execute('shipments', text, { ...variables }, viewer)).codes;
  expect(await wrong({ first: 101 })).toEqual(['PAGE_SIZE_INVALID']);
  expect(await wrong({ after: '*' })).toEqual(['CURSOR_INVALID']);
  expect(await wrong({}, anonymous)).toEqual(['SIGN_IN_REQUIRED']);
});

test('fifty shipments and packages are fetched with as many statements as one', async () => {
  const made: { shipmentId: string; packageId: string }[] = [];
  for (let count = 0; count < 10; count += 1) made.push(await story.ready());
  const fetch = (some: typeof made) =>
    story.world.entities(
      'shipments',
      Array.from({ length: 5 }, () => some)
        .flat()
        .flatMap(({ shipmentId, packageId }) => [
          { __typename: 'Shipment', id: shipmentId },
          { __typename: 'Package', id: packageId },
          { __typename: 'CustodyState', packageId },
        ]),
      `{ ... on Shipment { missing recipient { name } customsDeclaration { complete } packages { items { description } photos { sha256 } } }
         ... on Package { shipment { state } contentProblems { rule } } ... on CustodyState { declaredGrams } }`,
      sender,
    );
  const one = await story.world.countQueries(() => fetch(made.slice(0, 1)));
  const many = await story.world.countQueries(() => fetch(made));
  expect(one).toBeGreaterThan(0);
  expect(many).toBe(one);
});
