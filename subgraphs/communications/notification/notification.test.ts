import {
  BookingAnswered,
  ItineraryCancelled,
  ItineraryConfirmed,
  ItineraryRequested,
} from '#shared/events/bookings.ts';
import { HandoffReady, HandoffTransferred, ScanRefused } from '#shared/events/custody.ts';
import {
  OtpRequested,
  ProfileChanged,
  SessionFamilyRevoked,
  SessionOpened,
} from '#shared/events/identity.ts';
import {
  EscrowClosed,
  EscrowReleased,
  PaymentCaptured,
  PaymentRefused,
  PayoutBlocked,
  PayoutPaid,
} from '#shared/events/payments.ts';
import { RecipientLinked } from '#shared/events/shipments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { anonymous, type UserViewer } from '#shared/kernel/viewer.ts';
import { link, user } from '../../testing/actors.ts';
import { addressOf, Correspondence } from '../testing/correspondence.ts';
import { categories } from './notification.vocabulary.ts';

let post: Correspondence;
beforeAll(async () => {
  post = await Correspondence.start();
});
afterAll(() => post[Symbol.asyncDispose]());

const amount = money(12_345, 'EUR');
const recipientOf = (email: string) => ({ recipientId: newId(), name: 'Rita', email, userId: null });

/** An itinerary of two carriers for a recipient without an account. */
async function confirmed(sender: UserViewer, carriers: UserViewer[], email: string) {
  const itinerary = {
    itineraryId: newId(),
    shipmentId: newId(),
    senderId: sender.userId,
    recipient: recipientOf(email),
    packageIds: [newId()],
    legs: carriers.map((carrier, index) => post.leg(carrier, index + 1)),
    total: amount,
    confirmedAt: post.world.clock.now(),
  };
  await post.world.hear(ItineraryConfirmed, itinerary);
  await post.world.settle();
  return itinerary;
}

test('a booking’s facts reach its parties, each once and by mail as inside the application', async () => {
  const [sender, tom, lea] = [await post.person('Sam'), await post.person('Tom'), await post.person('Lea')];
  const { world } = post;
  const about = { itineraryId: newId(), shipmentId: newId(), senderId: sender.userId };
  const legs = [post.leg(tom, 1), post.leg(tom, 2), post.leg(lea, 3)];
  await world.hear(ItineraryRequested, { ...about, legs, total: amount, answerBy: post.hours(12) });
  const answer = { ...about, bookingId: newId(), carrierId: tom.userId };
  await world.hear(BookingAnswered, { ...answer, answer: 'declined', reason: 'No <b>room</b>' });
  await world.hear(ItineraryCancelled, {
    ...about,
    carrierIds: [tom.userId, lea.userId, lea.userId],
    reason: 'CARRIER_DECLINED',
    cancelledAt: world.clock.now(),
  });
  await world.settle();
  const carrier = ['Welcome to Baton', 'Somebody asks you to carry a parcel', 'A booking was cancelled'];
  for (const [name, viewer, expected] of [
    ['Tom', tom, carrier],
    ['Lea', lea, carrier],
    ['Sam', sender, [carrier[0], 'A carrier declined your request', carrier[2]]],
  ] as const) {
    expect((await post.subjects(addressOf(name))).sort()).toEqual([...expected].sort());
    expect((await post.titles(viewer)).sort()).toEqual([...expected].sort());
  }
  const request = (await post.letters('tom@example.com')).find(({ subject }) => subject === carrier[1])!;
  expect(request.text.match(/20\.00 EUR/g)).toHaveLength(2);
  const letters = await post.letters('sam@example.com');
  const declined = letters.find(({ subject }) => subject.includes('declined'))!;
  expect(declined.text).toContain('“No <b>room</b>”');
  expect(declined.html).toContain('“No &lt;b&gt;room&lt;/b&gt;”');
  expect(letters.find(({ subject }) => subject === carrier[2])!.text).toContain('a carrier declined');
});

test('a confirmed itinerary is told to all, to a recipient without an account with their signed link', async () => {
  const [sender, carrier] = [await post.person('Sibyl'), await post.person('Cora')];
  const { shipmentId, recipient } = await confirmed(sender, [carrier], 'rita@example.com');
  expect(await post.subjects('sibyl@example.com')).toContain('Your parcel is booked');
  expect(await post.subjects('cora@example.com')).toContain('You carry a parcel');
  const [letter] = await post.letters('rita@example.com');
  const token = encodeURIComponent(`link/${shipmentId}/${recipient.recipientId}`);
  expect(letter!.text).toContain(`http://baton.test/track?token=${token}`);
  expect(letter!.text).toContain('Hello Rita');
  const others = [
    ...(await post.letters('sibyl@example.com')),
    ...(await post.letters('cora@example.com')),
  ].map(({ text }) => text);
  expect(others.join()).not.toMatch(/token|rita@example/i);
});

test('hand-overs, deliveries and wrong scans are told to those whom they concern', async () => {
  const { world } = post;
  const [sender, carrier] = [await post.person('Sven'), await post.person('Carl')];
  const { itineraryId, shipmentId, recipient } = await confirmed(sender, [carrier], 'rosa@example.com');
  const from = { type: 'traveller' as const, id: carrier.userId };
  const to = { type: 'recipient' as const, id: recipient.recipientId };
  const step = { shipmentId, itineraryId, stepId: newId(), sequence: 2, from, to };
  const at = world.clock.now();
  await world.hear(HandoffReady, { ...step, locationId: newId(), opensAt: at });
  const partyIds = [carrier.userId, recipient.recipientId];
  await world.hear(ScanRefused, { shipmentId, stepId: step.stepId, result: 'WRONG_PARTY', partyIds, at });
  await world.hear(HandoffTransferred, {
    ...step,
    finishedBookingId: newId(),
    startedBookingId: null,
    packageIds: [newId()],
    custodyEventIds: [newId()],
    discrepancy: true,
    lastLegStarted: false,
    delivered: true,
    transferredAt: at,
  });
  await world.settle();
  const wrongScan = 'Somebody tried to scan your hand-over code';
  expect((await post.subjects('carl@example.com')).slice(-2).sort()).toEqual([
    wrongScan,
    'Time to hand the parcel over',
  ]);
  expect((await post.subjects('rosa@example.com')).sort()).toEqual([
    'A parcel is on its way to you',
    wrongScan,
    'The parcel was delivered',
    'Time to receive the parcel',
  ]);
  expect((await post.letters('sven@example.com')).at(-1)!.text).toContain('something was wrong with it');
});

test('a recipient with an account is told as a user, and a hand-over heard too early is told later', async () => {
  const { world } = post;
  const [sender, carrier, recipient] = [
    await post.person('Stan'),
    await post.person('Cleo'),
    await post.person('Rolf'),
  ];
  const shipmentId = newId();
  const recipientId = newId();
  const early = {
    shipmentId,
    itineraryId: newId(),
    stepId: newId(),
    sequence: 2,
    from: { type: 'traveller' as const, id: carrier.userId },
    to: { type: 'recipient' as const, id: recipientId },
    locationId: newId(),
    opensAt: world.clock.now(),
  };
  await world.hear(HandoffReady, early);
  await world.settle();
  expect(await post.subjects('cleo@example.com')).toEqual(['Welcome to Baton']);
  await world.hear(RecipientLinked, { shipmentId, recipientId, userId: recipient.userId });
  await world.hear(ItineraryConfirmed, {
    ...early,
    senderId: sender.userId,
    recipient: { ...recipientOf('somewhere-else@example.com'), recipientId },
    packageIds: [newId()],
    legs: [post.leg(carrier)],
    total: amount,
    confirmedAt: world.clock.now(),
  });
  await world.clock.advance('1m');
  await world.settle();
  expect(await post.titles(recipient)).toEqual(
    expect.arrayContaining(['A parcel is on its way to you', 'Time to receive the parcel']),
  );
  expect(await post.letters('somewhere-else@example.com')).toEqual([]);
});

test('money’s facts reach whom they concern, with amounts in words of money', async () => {
  const { world } = post;
  const [sender, carrier] = [await post.person('Sara'), await post.person('Cem')];
  const { itineraryId, shipmentId } = await confirmed(sender, [carrier], 'rex@example.com');
  const now = world.clock.now();
  const about = { itineraryId, shipmentId };
  const payment = { ...about, paymentId: newId(), payerId: sender.userId, amount };
  const payeeId = carrier.userId;
  await world.hear(PaymentRefused, { ...payment, code: 'insufficient_funds' });
  await world.hear(PaymentCaptured, { ...payment, capturedAt: now });
  const proof = { bookingId: newId(), custodyEventId: newId() };
  await world.hear(EscrowReleased, { ...about, ...proof, payeeId, amount, releasedAt: now });
  await world.hear(PayoutBlocked, { payeeId, amount, requirements: ['individual.<id>'] });
  await world.hear(PayoutPaid, { payoutId: newId(), payeeId, amount, paidAt: now });
  await world.hear(EscrowClosed, { ...about, closedAt: now });
  await world.settle();
  const toSender = (await post.letters('sara@example.com')).slice(2);
  expect(toSender.map(({ subject }) => subject).sort()).toEqual([
    'Everything is settled',
    'We hold your payment',
    'Your payment was refused',
  ]);
  expect(toSender.find(({ subject }) => subject.includes('refused'))!.text).toMatch(
    /123\.45 EUR .* not enough money on the card/,
  );
  const toCarrier = (await post.letters('cem@example.com')).slice(2);
  expect(toCarrier.map(({ subject }) => subject).sort()).toEqual([
    'A payout is on its way',
    'Your payout waits for you',
    'Your share was released',
  ]);
  expect(toCarrier.every(({ text }) => text.includes('123.45 EUR'))).toBe(true);
  expect(toCarrier.map(({ html }) => html).join()).not.toContain('<id>');
});

test('what guards an account is mailed; an ordinary sign-in is not', async () => {
  const { world } = post;
  const { userId } = await post.person('Olga', 'Asia/Tokyo');
  const session = { userId, sessionId: newId(), openedAt: world.clock.now() };
  await world.hear(SessionOpened, { ...session, newDevice: false, userAgent: 'known' });
  await world.hear(SessionOpened, {
    ...session,
    newDevice: true,
    userAgent: '<script>x</script>\r\nBcc: a@b',
  });
  await world.hear(SessionFamilyRevoked, { ...session, reason: 'replayed', revokedAt: session.openedAt });
  await world.settle();
  const letters = (await post.letters('olga@example.com')).slice(1);
  expect(letters.map(({ subject }) => subject).sort()).toEqual([
    'New sign-in to your account',
    'We ended a session of yours',
  ]);
  const device = letters.find(({ subject }) => subject.startsWith('New'))!;
  expect(device.text).toMatch(/18:0\d \(Asia\/Tokyo\): <script>x<\/script> Bcc: a@b\./);
  expect(device.html).not.toContain('<script>');
});

test('a sign-in code is in its mail and nowhere else, and not sent once it has expired', async () => {
  const { world } = post;
  const code = (email: string, minutes: number) => ({
    challengeId: newId(),
    email,
    sealedCode: world.shared.secrets.seal('otp', '483920'),
    expiresAt: post.hours(minutes / 60),
  });
  await world.hear(OtpRequested, code('new@example.com', 10));
  await world.hear(OtpRequested, code('late@example.com', 0));
  await world.settle();
  const [letter] = await post.letters('NEW@example.com');
  expect(letter).toMatchObject({ subject: 'Your sign-in code', to: 'new@example.com' });
  expect(letter!.text).toContain('483920');
  expect(await post.letters('late@example.com')).toEqual([]);
  const kept = await world.database('communications').read((em) =>
    em.execute(
      `select to_jsonb(d) as row from mail_deliveries d where template = 'SIGN_IN_CODE'
       union all select to_jsonb(n) from notifications n`,
    ),
  );
  expect(JSON.stringify(kept)).not.toMatch(/483920|sealedCode|new@example/);
});

test('an address with a second recipient or a header in it is refused and nothing is sent', async () => {
  const { world } = post;
  const bad = [
    'eve@example.com\r\nBcc: victim@example.com',
    'eve@example.com, victim@example.com',
    'eve@example.com> RCPT TO:<victim@example.com',
    '"Eve" <eve@example.com>',
    `${'a'.repeat(10_000)}@example.com`,
    'no-address',
  ];
  const sealedCode = world.shared.secrets.seal('otp', '111111');
  for (const email of bad) {
    await world.hear(OtpRequested, { challengeId: newId(), email, sealedCode, expiresAt: post.hours(1) });
  }
  await world.settle();
  expect(await post.letters('victim@example.com')).toEqual([]);
  expect(await post.letters('eve@example.com')).toEqual([]);
  const failures = await world
    .database('communications')
    .read((em) =>
      em.execute(`select failure, count(*)::int from mail_deliveries where state = 'refused' group by 1`),
    );
  expect(failures).toEqual([{ failure: 'MAIL_ADDRESS_INVALID', count: bad.length }]);
});

test('facts heard again tell nobody anything again', async () => {
  const { world } = post;
  const count = () =>
    world.database('communications').read((em) =>
      em.execute(
        `select (select count(*)::int from notifications) as told, (select count(*)::int from mail_deliveries) as mails,
                (select count(*)::int from mailbox_messages) as received`,
      ),
    );
  await post.person('Zoe');
  const before = await count();
  await world.database('communications').transaction(async (tx) => {
    await tx.sql('delete from inbox');
    await tx.sql(`update inbox_cursors set xid = '0', position = 0`);
  });
  await world.settle();
  expect(before[0]).toMatchObject({ told: expect.any(Number) });
  expect(before[0]!.mails).toBeGreaterThan(10);
  expect(await count()).toEqual(before);
  const [gaps] = await world.database('communications').read((em) =>
    em.execute(
      `select count(*)::int as gaps from notification_streams s
        where last_seq <> (select count(*) from notifications n where n.user_id = s.user_id)`,
    ),
  );
  expect(gaps).toEqual({ gaps: 0 });
});

test('each category is switched off per channel, the critical one never', async () => {
  const viewer = await post.person('Mia');
  const change =
    'mutation ($input: UpdateNotificationPreferencesInput!) { updateNotificationPreferences(input: $input) { categories { category email inApp critical } quietHours { from to } timeZone } }';
  const set = (input: object) => post.run(change, { input }, viewer);
  const facts: Record<string, () => Promise<void>> = {
    SECURITY: () =>
      post.world.hear(SessionFamilyRevoked, {
        userId: viewer.userId,
        sessionId: newId(),
        reason: 'replayed',
        revokedAt: post.hours(0),
      }),
    BOOKINGS: () =>
      post.world.hear(ItineraryCancelled, {
        itineraryId: newId(),
        shipmentId: newId(),
        senderId: viewer.userId,
        carrierIds: [],
        reason: 'SENDER_CANCELLED',
        cancelledAt: post.hours(0),
      }),
    PAYMENTS: () =>
      post.world.hear(PayoutPaid, {
        payoutId: newId(),
        payeeId: viewer.userId,
        amount,
        paidAt: post.hours(0),
      }),
  };
  const arrives = async (category: string) => {
    const counts = async () => [
      (await post.letters('mia@example.com')).length,
      (await post.titles(viewer)).length,
    ];
    const before = await counts();
    await facts[category]!();
    await post.world.settle();
    const now = await counts();
    return { email: now[0]! > before[0]!, inApp: now[1]! > before[1]! };
  };
  for (const category of ['BOOKINGS', 'PAYMENTS']) {
    for (const email of [true, false]) {
      for (const inApp of [true, false]) {
        const { data } = await set({ categories: [{ category, email, inApp }] });
        expect(data.updateNotificationPreferences.categories).toContainEqual({
          category,
          email,
          inApp,
          critical: false,
        });
        expect(await arrives(category)).toEqual({ email, inApp });
      }
    }
  }
  expect((await set({ categories: [{ category: 'SECURITY', email: false }] })).codes).toEqual([
    'CATEGORY_CRITICAL',
  ]);
  expect(await arrives('SECURITY')).toEqual({ email: true, inApp: true });
  expect((await set({ quietHours: { from: '7:00', to: '08:00' } })).codes).toEqual(['QUIET_HOURS_INVALID']);
  expect((await set({ quietHours: { from: '07:00', to: '07:00' } })).codes).toEqual(['QUIET_HOURS_INVALID']);
  const { data } = await set({ quietHours: { from: '22:00', to: '07:00' } });
  expect(data.updateNotificationPreferences).toMatchObject({
    quietHours: { from: '22:00', to: '07:00' },
    timeZone: 'Europe/Paris',
  });
  expect((await set({})).data.updateNotificationPreferences.quietHours).not.toBeNull();
  const off = await set({ quietHours: null });
  expect(off.data.updateNotificationPreferences.quietHours).toBeNull();
  expect(off.data.updateNotificationPreferences.categories).toHaveLength(categories.length);
});

test('nobody sees, counts or marks what another was told', async () => {
  const mine = await post.person('Nora');
  const eve = await post.person('Eve');
  const page = '{ notifications { edges { cursor node { id } } } }';
  const { data } = await post.run(page, {}, mine);
  const [{ cursor, node }] = data.notifications.edges;
  const mark =
    'mutation ($input: MarkNotificationsReadInput!) { markNotificationsRead(input: $input) { id readAt } }';
  const markRead = (ids: string[], viewer = mine) =>
    post.run(mark, { input: { notificationIds: ids } }, viewer);
  expect((await markRead([node.id], eve)).codes).toEqual(['NOTIFICATION_NOT_FOUND']);
  expect((await markRead([newId()])).codes).toEqual(['NOTIFICATION_NOT_FOUND']);
  expect((await markRead(['1'])).codes).toEqual(['ID_MALFORMED']);
  expect((await markRead(Array.from({ length: 101 }, newId))).codes).toEqual(['TOO_MANY_IDS']);
  const after = 'query ($after: String) { notifications(after: $after) { edges { cursor } } }';
  expect((await post.run(after, { after: cursor }, eve)).codes).toEqual(['CURSOR_INVALID']);
  for (const viewer of [anonymous, link(newId(), newId())]) {
    expect((await post.run(page, {}, viewer)).codes).toEqual(['SIGN_IN_REQUIRED']);
  }
  const unread = async (viewer: UserViewer) => {
    const people = [mine, eve].map(({ userId }) => ({ __typename: 'User', id: userId }));
    const answer = await post.world.entities(
      'communications',
      people,
      '{ ... on User { unreadNotifications } }',
      viewer,
    );
    return answer.data.map((each: { unreadNotifications: number | null }) => each.unreadNotifications);
  };
  expect(await unread(mine)).toEqual([1, null]);
  expect((await markRead([node.id])).data.markNotificationsRead).toEqual([
    { id: node.id, readAt: expect.any(String) },
  ]);
  expect(await unread(mine)).toEqual([0, null]);
  expect(await unread(eve)).toEqual([null, 1]);
});

test('counting unread ones asks the database as often for fifty users as for one', async () => {
  const { userId } = user('Nora');
  const ask = (count: number) =>
    post.world.countQueries(() =>
      post.world.entities(
        'communications',
        [userId, ...Array.from({ length: count - 1 }, newId)].map((id) => ({ __typename: 'User', id })),
        '{ ... on User { unreadNotifications } }',
        user('Nora'),
      ),
    );
  expect(await ask(50)).toBe(await ask(1));
});

test('following resumes after any cursor without loss or repetition, then goes on live', async () => {
  const viewer = await post.person('Finn');
  const tell = async (count: number) => {
    for (let each = 0; each < count; each += 1) {
      const payout = { payoutId: newId(), payeeId: viewer.userId, paidAt: post.hours(0) };
      await post.world.hear(PayoutPaid, { ...payout, amount: money(each + 1, 'EUR') });
    }
    await post.world.settle();
  };
  await tell(2);
  const { data } = await post.run('{ notifications { edges { cursor node { title } } } }', {}, viewer);
  const oldest = data.notifications.edges.at(-1);
  expect(oldest.node.title).toBe('Welcome to Baton');
  using stop = { controller: new AbortController(), [Symbol.dispose]: () => stop.controller.abort() };
  const feed = await post.follow(viewer, oldest.cursor, stop.controller.signal);
  const live = await post.follow(viewer, null, stop.controller.signal);
  const whole = await post.follow(viewer, '', stop.controller.signal);
  expect(await whole.next()).toMatchObject({ cursor: oldest.cursor });
  const seen = [await feed.next(), await feed.next()];
  await tell(1);
  seen.push(await feed.next());
  expect(new Set(seen.map(({ cursor }) => cursor)).size).toBe(3);
  expect(await live.next()).toEqual(seen[2]);
  await expect(post.follow(user('Eve'), oldest.cursor, stop.controller.signal)).rejects.toMatchObject({
    extensions: { code: 'CURSOR_INVALID' },
  });
  await Promise.all([feed.end(), live.end(), whole.end()]);
});

test('a browser is registered once, and only as a browser makes it', async () => {
  const viewer = user('Nora');
  const subscribe = 'mutation ($input: SubscribePushInput!) { subscribePush(input: $input) { id endpoint } }';
  const good = {
    endpoint: 'https://push.example.com/abc',
    p256dh: Buffer.alloc(65, 4).toString('base64url'),
    auth: Buffer.alloc(16, 1).toString('base64url'),
  };
  const first = await post.run(subscribe, { input: good }, viewer);
  const again = await post.run(subscribe, { input: good }, viewer);
  expect(again.data).toEqual(first.data);
  for (const wrong of [{ endpoint: 'http://push.example.com' }, { p256dh: 'AA' }, { auth: '%%' }]) {
    expect((await post.run(subscribe, { input: { ...good, ...wrong } }, viewer)).codes).toEqual([
      'PUSH_SUBSCRIPTION_INVALID',
    ]);
  }
  const remove = 'mutation ($input: UnsubscribePushInput!) { unsubscribePush(input: $input) { id } }';
  const input = { subscriptionId: first.data.subscribePush.id };
  expect((await post.run(remove, { input }, user('Eve'))).codes).toEqual(['PUSH_SUBSCRIPTION_NOT_FOUND']);
  expect((await post.run(remove, { input }, viewer)).errors).toEqual([]);
});

test('a mail waits for the end of its reader’s quiet hours; a critical one and one that would be useless do not', async () => {
  const { world } = post;
  const viewer = await post.person('Quinn', 'America/Montreal');
  const change =
    'mutation ($input: UpdateNotificationPreferencesInput!) { updateNotificationPreferences(input: $input) { timeZone } }';
  await post.run(change, { input: { quietHours: { from: '22:00', to: '07:00' } } }, viewer);
  await world.hear(ProfileChanged, {
    userId: viewer.userId,
    displayName: 'Quinn',
    locale: 'en',
    timeZone: 'Europe/Paris',
  });
  await world.settle();
  // The night in which Paris skips an hour: 23:00 there.
  await world.clock.set('2026-03-28T22:00:00Z');
  const payout = { payoutId: newId(), payeeId: viewer.userId, amount, paidAt: post.hours(0) };
  await world.hear(PayoutPaid, payout);
  const request = { itineraryId: newId(), shipmentId: newId(), senderId: newId(), total: amount };
  await world.hear(ItineraryRequested, { ...request, legs: [post.leg(viewer)], answerBy: post.hours(3) });
  const session = { userId: viewer.userId, sessionId: newId() };
  await world.hear(SessionFamilyRevoked, { ...session, reason: 'replayed', revokedAt: post.hours(0) });
  await world.settle();
  expect((await post.subjects('quinn@example.com')).slice(1).sort()).toEqual([
    'Somebody asks you to carry a parcel',
    'We ended a session of yours',
  ]);
  expect(await post.titles(viewer)).toContain('A payout is on its way');
  await world.pass('6h');
  expect(await post.subjects('quinn@example.com')).not.toContain('A payout is on its way');
  await world.pass('1h');
  expect(world.clock.now()).toEqual(new Date('2026-03-29T05:00:00Z'));
  expect(await post.subjects('quinn@example.com')).toContain('A payout is on its way');
});
