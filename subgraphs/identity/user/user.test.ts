import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IdentityContract } from '#shared/contracts/identity.ts';
import { HandoffTransferred } from '#shared/events/custody.ts';
import { ProfileChanged } from '#shared/events/identity.ts';
import { EscrowReleased } from '#shared/events/payments.ts';
import { ShipmentStateChanged } from '#shared/events/shipments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { link, user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';
import { signIn, someAddress } from '../testing/sign-in.ts';
import { begin, png, upload } from '../testing/uploads.ts';

let world: World;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baton-files-'));
  world = await startWorld({ subgraphs: ['identity'], env: { FILES_DIR: folder } });
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const profile = `{ id displayName memberSince email profileCompletedAt settings { locale timeZone currency measurement }
  avatar { id sha256 } stats { carriedLegs carriedPackages releasedLegs deliveredShipments lastCarriedAt } }`;

const me = (viewer: Viewer) => world.execute('identity', `{ me ${profile} }`, {}, viewer);
const userOf = (id: string, viewer: Viewer) =>
  world.execute('identity', `query ($id: ID!) { user(id: $id) ${profile} }`, { id }, viewer);
const updateProfile = (input: object, viewer: Viewer) =>
  world.execute(
    'identity',
    `mutation ($input: UpdateProfileInput!) { updateProfile(input: $input) ${profile} }`,
    { input },
    viewer,
  );
const updateSettings = (input: object, viewer: Viewer) =>
  world.execute(
    'identity',
    `mutation ($input: UpdateSettingsInput!) { updateSettings(input: $input) ${profile} }`,
    { input },
    viewer,
  );
const newcomer = async (name: string) => (await signIn(world, `${name}@example.com`)).viewer;

test('a user names themselves, shows a picture, and this is told', async () => {
  const ana = await newcomer('ana');
  const avatarFileId = await upload(world, ana, png(), { purpose: 'AVATAR' });
  const { data } = await updateProfile({ displayName: '  Ana   Çelik ', avatarFileId }, ana);
  expect(data.updateProfile).toMatchObject({
    displayName: 'Ana Çelik',
    avatar: { id: avatarFileId },
    profileCompletedAt: world.clock.now().toISOString(),
  });
  expect((await world.told(ProfileChanged)).at(-1)).toEqual({
    userId: ana.userId,
    displayName: 'Ana Çelik',
    locale: 'en',
    timeZone: 'UTC',
  });
  const removed = await updateProfile({ avatarFileId: null }, ana);
  expect(removed.data.updateProfile).toMatchObject({ displayName: 'Ana Çelik', avatar: null });
});

test('a user changes their settings, and what is left out stays', async () => {
  const bo = await newcomer('bo');
  await updateSettings({ locale: 'fr-ca', timeZone: 'America/Montreal' }, bo);
  const { data } = await updateSettings({ currency: 'CAD', measurement: 'IMPERIAL' }, bo);
  expect(data.updateSettings.settings).toEqual({
    locale: 'fr-CA',
    timeZone: 'America/Montreal',
    currency: 'CAD',
    measurement: 'IMPERIAL',
  });
  expect((await world.told(ProfileChanged)).at(-1)).toMatchObject({ userId: bo.userId, locale: 'fr-CA' });
});

test('others see a public profile: no address, no settings', async () => {
  const cy = await newcomer('cy');
  const avatarFileId = await upload(world, cy, png(), { purpose: 'AVATAR' });
  await updateProfile({ displayName: 'Cy', avatarFileId }, cy);
  expect((await me(cy)).data.me.email).toBe('cy@example.com');
  for (const viewer of [await newcomer('di'), link(newId(), newId())]) {
    const { data, errors } = await userOf(cy.userId, viewer);
    expect(errors).toEqual([]);
    expect(data.user).toMatchObject({
      displayName: 'Cy',
      memberSince: expect.any(String),
      avatar: { id: avatarFileId },
      stats: { carriedLegs: 0, lastCarriedAt: null },
      email: null,
      settings: null,
      profileCompletedAt: null,
    });
  }
});

test('without any token there is no profile to see', async () => {
  const ed = await newcomer('ed');
  expect((await userOf(ed.userId, anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
  const reference = [{ __typename: 'User', id: ed.userId }];
  const hop = await world.entities('identity', reference, '{ ... on User { displayName email } }', anonymous);
  expect(hop.codes).toEqual(['SIGN_IN_REQUIRED']);
  expect(hop.data).toEqual([null]);
  expect((await me(anonymous)).data).toEqual({ me: null });
});

test.each(['0193d5a8-7b1e-7000-8000-000000000000', "' or 1=1 --", ''])('there is no user %j', async (id) => {
  const { data, errors } = await userOf(id, user('Ana'));
  expect(errors).toEqual([]);
  expect(data.user).toBeNull();
});

test.each([
  ['DISPLAY_NAME_INVALID', { displayName: ' ' }],
  ['DISPLAY_NAME_INVALID', { displayName: 'x'.repeat(61) }],
  ['DISPLAY_NAME_INVALID', { displayName: 'nul\0' }],
  ['DISPLAY_NAME_INVALID', { displayName: 'right\u202eto left' }],
  ['DISPLAY_NAME_INVALID', { displayName: `stack${'\u0301'.repeat(50)}` }],
  ['DISPLAY_NAME_INVALID', { displayName: '\ud800' }],
  ['FILE_NOT_FOUND', { avatarFileId: '0193d5a8-7b1e-7000-8000-000000000000' }],
  ['FILE_NOT_FOUND', { avatarFileId: 'no id' }],
])('a profile is not changed: %s', async (code, input) => {
  const { viewer } = await signIn(world, someAddress());
  expect((await updateProfile(input, viewer)).codes).toEqual([code]);
  expect((await me(viewer)).data.me.profileCompletedAt).toBeNull();
});

test.each(['Zoë', '李小龍', 'محمد', 'Ana 🚲', "O'Brien; drop table users --", '<b>bold</b>'])(
  'somebody may be called %j',
  async (displayName) => {
    const { viewer } = await signIn(world, someAddress());
    expect((await updateProfile({ displayName }, viewer)).data.updateProfile.displayName).toBe(displayName);
  },
);

test('a picture is a stored avatar of one’s own', async () => {
  const fi = await newcomer('fi');
  const gus = await newcomer('gus');
  const cases: [string, string][] = [
    ['FILE_NOT_FOUND', await upload(world, gus, png(), { purpose: 'AVATAR' })],
    ['FILE_PURPOSE_WRONG', await upload(world, fi, png(), { purpose: 'PACKAGE_PHOTO' })],
    ['FILE_NOT_STORED', (await begin(world, fi, { purpose: 'AVATAR', bytes: 10 })).id],
  ];
  for (const [code, avatarFileId] of cases)
    expect((await updateProfile({ avatarFileId }, fi)).codes).toEqual([code]);
});

test.each([
  ['LOCALE_INVALID', { locale: 'x' }],
  ['TIME_ZONE_UNKNOWN', { timeZone: 'Europe/Atlantis' }],
  ['TIME_ZONE_UNKNOWN', { timeZone: '+02:00' }],
  ['CURRENCY_UNKNOWN', { currency: 'ABC' }],
])('settings are not changed: %s', async (code, input) => {
  const { viewer } = await signIn(world, someAddress());
  expect((await updateSettings(input, viewer)).codes).toEqual([code]);
});

test('changes want a sign-in', async () => {
  expect((await updateProfile({ displayName: 'x' }, anonymous)).codes).toEqual(['SIGN_IN_REQUIRED']);
  expect((await updateSettings({ locale: 'en' }, link(newId(), newId()))).codes).toEqual([
    'SIGN_IN_REQUIRED',
  ]);
});

test('other subgraphs learn how known users are written to', async () => {
  const hal = await newcomer('hal');
  const contract = world.ask(IdentityContract);
  expect(await contract.users({ userIds: [newId(), hal.userId, hal.userId] })).toEqual([
    {
      userId: hal.userId,
      email: 'hal@example.com',
      displayName: expect.stringMatching(/^Member /),
      locale: 'en',
      timeZone: 'UTC',
    },
  ]);
  expect(await contract.users({ userIds: [] })).toEqual([]);
  expect(await contract.userByEmail({ email: ' HAL@example.com' })).toEqual({ userId: hal.userId });
  expect(await contract.userByEmail({ email: 'nobody@example.com' })).toEqual({ userId: null });
  expect(await contract.userByEmail({ email: 'no address' })).toEqual({ userId: null });
});

test('what a user did is counted from what others tell, each fact once', async () => {
  const carrier = await newcomer('carrier');
  const sender = await newcomer('sender');
  const handoff = {
    shipmentId: newId(),
    itineraryId: newId(),
    stepId: newId(),
    sequence: 2,
    from: { type: 'traveller' as const, id: carrier.userId },
    to: { type: 'recipient' as const, id: newId() },
    finishedBookingId: newId(),
    startedBookingId: null,
    packageIds: [newId(), newId()],
    custodyEventIds: [newId(), newId()],
    discrepancy: false,
    lastLegStarted: false,
    delivered: true,
    transferredAt: world.clock.now(),
  };
  await world.hear(HandoffTransferred, handoff);
  await world.hear(HandoffTransferred, {
    ...handoff,
    from: { type: 'sender', id: sender.userId },
    finishedBookingId: null,
  });
  await world.hear(EscrowReleased, {
    itineraryId: handoff.itineraryId,
    shipmentId: handoff.shipmentId,
    bookingId: handoff.finishedBookingId,
    payeeId: carrier.userId,
    amount: money(1_000, 'EUR'),
    custodyEventId: handoff.custodyEventIds[0]!,
    releasedAt: world.clock.now(),
  });
  for (const to of ['in_transit', 'delivered', 'completed'] as const)
    await world.hear(ShipmentStateChanged, {
      shipmentId: handoff.shipmentId,
      senderId: sender.userId,
      from: null,
      to,
      at: world.clock.now(),
    });
  await world.settle();
  expect((await me(carrier)).data.me.stats).toEqual({
    carriedLegs: 1,
    carriedPackages: 2,
    releasedLegs: 1,
    deliveredShipments: 0,
    lastCarriedAt: world.clock.now().toISOString(),
  });
  expect((await me(sender)).data.me.stats).toMatchObject({ carriedLegs: 0, deliveredShipments: 1 });
});

test('fifty users are fetched with as many statements as one', async () => {
  const viewers = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const { userId } = await world.database('identity').transaction(async (tx) => {
        const [row] = await tx.sql<{ userId: string }>(
          `insert into users (id, email, registered_at) values (?, ?, now()) returning id as "userId"`,
          [newId(), `crowd-${index}@example.com`],
        );
        await tx.sql('insert into user_profiles (user_id, display_name) values (?, ?)', [
          row!.userId,
          `${index}`,
        ]);
        await tx.sql('insert into user_stats (user_id) values (?)', [row!.userId]);
        return row!;
      });
      return userId;
    }),
  );
  const fetch = (ids: string[]) => async () => {
    const references = ids.map((id) => ({ __typename: 'User', id }));
    const selection = '{ ... on User { id displayName avatar { id } stats { carriedLegs } email } }';
    const { data, errors } = await world.entities('identity', references, selection, user('Ana'));
    expect(errors).toEqual([]);
    expect(data.map(({ id }: { id: string }) => id)).toEqual(ids);
  };
  const one = await world.countQueries(fetch(viewers.slice(0, 1)));
  expect(one).toBeGreaterThan(0);
  expect(await world.countQueries(fetch(viewers))).toBe(one);
});
