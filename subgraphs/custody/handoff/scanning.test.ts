import { ScanRefused } from '#shared/events/custody.ts';
import { RecipientLinked } from '#shared/events/shipments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { anonymous } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import { anna, ben, courier, sender, startStory, stranger } from '../testing/story.ts';

test('a forged, changed, early, late, foreign or withdrawn code moves nothing, and each try is kept', async () => {
  await using story = await startStory();
  const { world } = story;
  const codes = async (viewer: typeof anna, token: string) => (await story.scan(viewer, { token })).codes;
  const give = await story.token(1, sender);
  const other = give[5] === 'A' ? 'B' : 'A';
  expect(await codes(anna, `${give.slice(0, 5)}${other}${give.slice(6)}`)).toEqual(['BAD_SIGNATURE']);
  expect(await codes(anna, 'PAPER')).toEqual(['BAD_SIGNATURE']);
  expect(await codes(ben, await story.token(2, anna))).toEqual(['WRONG_SEQUENCE']);
  const now = world.clock.now();
  await world.clock.set('2025-01-01T00:00:00Z');
  expect(await codes(anna, give)).toEqual(['NOT_YET']);
  await world.clock.set('2027-01-01T00:00:00Z');
  expect(await codes(anna, give)).toEqual(['TOKEN_EXPIRED']);
  await world.clock.set(now);
  await story.token(1, sender);
  expect(await codes(anna, give)).toEqual(['TOKEN_REVOKED']);
  expect(await codes(sender, await story.token(1, sender))).toEqual(['WRONG_PARTY']);
  expect(await story.scanResults()).toEqual([
    'bad_signature',
    'bad_signature',
    'wrong_sequence',
    'not_yet',
    'expired',
    'revoked',
    'wrong_party',
  ]);
  expect(await story.chainLength()).toBe(1);
  expect((await story.handoff(1)).state).toBe('READY');
  expect(await world.told(ScanRefused)).toEqual([]);
});

test('a code signed with a key of a later platform is said to be unknown', async () => {
  await using later = await startStory({ env: { QR_SIGNING_KEY_ID: '2' } });
  const token = await later.token(1, sender);
  await using story = await startStory();
  expect((await story.scan(anna, { token })).codes).toEqual(['UNKNOWN_KEY']);
  expect(await story.scanResults()).toEqual(['unknown_key']);
});

test('a scan repeated with its key gets the same answer; the same code later was used, and by whom is not told', async () => {
  await using story = await startStory();
  const give = await story.token(1, sender);
  const receive = await story.token(1, anna);
  const first = { token: give, idempotencyKey: newId() };
  const once = await story.scan(anna, first);
  expect((await story.scan(anna, first)).data.scanHandoff.id).toBe(once.data.scanHandoff.id);
  const second = { token: receive, idempotencyKey: newId(), photoFileIds: [await story.photo(sender)] };
  const done = await story.scan(sender, second);
  expect(done.data.scanHandoff).toMatchObject({ outcome: 'TRANSFERRED', handoff: { state: 'TRANSFERRED' } });
  expect((await story.scan(sender, second)).data).toEqual(done.data);
  expect((await story.scan(anna, first)).data.scanHandoff).toMatchObject({
    id: once.data.scanHandoff.id,
    outcome: 'HALF_CONFIRMED',
  });
  const late = await story.scan(sender, { token: receive });
  expect(late.codes).toEqual(['TOKEN_CONSUMED']);
  expect(late.errors[0]!.extensions).toEqual({
    code: 'TOKEN_CONSUMED',
    kind: 'CONFLICT',
    details: { consumedAt: expect.anything() },
  });
  expect(await story.chainLength()).toBe(2);
});

test('fifty scans of one code at once move custody once', async () => {
  await using story = await startStory();
  const receive = await story.token(1, anna);
  await story.scan(anna, { token: await story.token(1, sender) });
  const photoFileIds = [await story.photo(sender)];
  const idempotencyKey = newId();
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      story.scan(sender, {
        token: receive,
        photoFileIds,
        idempotencyKey: index % 2 ? idempotencyKey : newId(),
      }),
    ),
  );
  const accepted = answers.filter(({ errors }) => errors.length === 0).map(({ data }) => data.scanHandoff.id);
  expect(new Set(accepted).size).toBe(1);
  expect(new Set(answers.flatMap(({ codes }) => codes))).toEqual(new Set(['TOKEN_CONSUMED']));
  expect(await story.chainLength()).toBe(2);
  expect(await story.rows("select 1 from qr_codes where state = 'consumed'")).toHaveLength(2);
});

test('two devices of one traveller count as one side', async () => {
  await using story = await startStory();
  const give = await story.token(1, sender);
  const tablet = user('Anna, who flies to London');
  expect((await story.scan(anna, { token: give })).data.scanHandoff.result).toBe('OK');
  const again = await story.scan(tablet, { token: give });
  expect(again.data.scanHandoff).toMatchObject({ result: 'DUPLICATE', outcome: 'HALF_CONFIRMED' });
  expect(await story.scanResults()).toEqual(['ok', 'duplicate']);
  const sessions = await story.rows('select distinct session_id from handoff_scans');
  expect(sessions).toHaveLength(2);
  expect((await story.handoff(1)).state).toBe('HALF_CONFIRMED');
});

test("a stranger's scan uses nothing up, tells them nothing, alerts both parties, and the third revokes the code", async () => {
  await using story = await startStory();
  const give = await story.token(1, sender);
  for (const _ of [1, 2, 3]) {
    const { codes, errors } = await story.scan(stranger, { token: give });
    expect(codes).toEqual(['WRONG_PARTY']);
    expect(errors[0]!.extensions).toEqual({ code: 'WRONG_PARTY', kind: 'FORBIDDEN' });
  }
  expect((await story.scan(anna, { token: give })).codes).toEqual(['TOKEN_REVOKED']);
  const told = await story.world.told(ScanRefused);
  expect(told).toHaveLength(3);
  expect(told[0]!.partyIds).toEqual([sender.userId, anna.userId]);
  expect(await story.chainLength()).toBe(1);
  expect((await story.scan(anna, { token: await story.token(1, sender) })).errors).toEqual([]);
});

test('a carrier whose turn is later is told which hand-over comes first, and costs the code nothing', async () => {
  await using story = await startStory();
  const { id } = await story.handoff(1);
  const token = await story.token(1, sender);
  for (const later of [ben, courier, story.recipient]) {
    const { codes, errors } = await story.scan(later, { token });
    expect(codes).toEqual(['WRONG_SEQUENCE']);
    expect(errors[0]!.extensions).toMatchObject({ details: { expectedStepId: id, expectedSequence: 1 } });
  }
  expect((await story.scan(anna, { token })).errors).toEqual([]);
  expect(await story.world.told(ScanRefused)).toEqual([]);
});

test('a picture proves one hand-over only, however often it is uploaded', async () => {
  await using story = await startStory({ declaredMinor: 60_000 });
  const pictures = () => Promise.all([story.photo(sender, 'the parcel'), story.photo(sender, 'its seal')]);
  const give = await story.token(1, sender);
  const receive = await story.token(1, anna);
  await story.scan(anna, { token: give });
  const twice = [await story.photo(sender, 'the parcel'), await story.photo(sender, 'the parcel')];
  const short = await story.scan(sender, { token: receive, photoFileIds: twice });
  expect(short.codes).toEqual(['REQUIREMENTS_MISSING']);
  expect(short.details[0].photos).toBe(1);
  expect((await story.scan(sender, { token: receive, photoFileIds: await pictures() })).errors).toEqual([]);
  const next = await story.token(2, anna);
  const reused = await story.scan(ben, { token: next, photoFileIds: [await story.photo(ben, 'the parcel')] });
  expect(reused.codes).toEqual(['PHOTO_REUSED']);
  const borrowed = await story.scan(ben, { token: next, photoFileIds: [await story.photo(anna)] });
  expect(borrowed.codes).toEqual(['PHOTO_NOT_FOUND']);
  expect((await story.scan(ben, { token: next, photoFileIds: [newId()] })).codes).toEqual([
    'PHOTO_NOT_FOUND',
  ]);
  expect((await story.handoff(2)).state).toBe('READY');
  expect((await story.scanResults()).slice(-3)).toEqual(Array(3).fill('requirements_missing'));
});

test('eight spoken characters do what a scan does, but only five wrong ones may be said', async () => {
  await using story = await startStory();
  const { id } = await story.handoff(1);
  const { spokenCode } = (await story.issue(id, sender)).data.issueQrCode;
  const say = (viewer: typeof anna, code: string) => story.scan(viewer, { stepId: id, spokenCode: code });
  expect((await say(stranger, spokenCode)).codes).toEqual(['HANDOFF_NOT_FOUND']);
  const unknown = await story.scan(anna, { stepId: newId(), spokenCode });
  expect(unknown.codes).toEqual(['HANDOFF_NOT_FOUND']);
  const spaced = `${spokenCode.slice(0, 4).toLowerCase()} ${spokenCode.slice(4)}`;
  expect((await say(anna, spaced)).data.scanHandoff.outcome).toBe('HALF_CONFIRMED');
  await story.issue(id, anna);
  for (const triesLeft of [4, 3, 2, 1, 0]) {
    const { codes, details } = await say(sender, '22222222');
    expect(codes).toEqual(['SPOKEN_CODE_WRONG']);
    expect(details[0].triesLeft).toBe(triesLeft);
  }
  const right = (await story.issue(id, anna)).data.issueQrCode.spokenCode;
  expect((await say(sender, right)).codes).toEqual(['SPOKEN_CODE_LOCKED']);
  const token = await story.token(1, anna);
  const scanned = await story.scan(sender, { token, photoFileIds: [await story.photo(sender)] });
  expect(scanned.data.scanHandoff.outcome).toBe('TRANSFERRED');
});

test('a recipient acts by link, or by the account that turned out to be theirs', async () => {
  await using story = await startStory({ carriers: [anna] });
  await story.handOver(1);
  const rita = user('Rita, the recipient');
  const token = await story.token(2, anna);
  expect((await story.scan(rita, { token })).codes).toEqual(['WRONG_PARTY']);
  await story.world.hear(RecipientLinked, {
    shipmentId: story.shipmentId,
    recipientId: story.recipientId,
    userId: rita.userId,
  });
  await story.world.settle();
  expect((await story.scan(rita, { token })).data.scanHandoff.outcome).toBe('HALF_CONFIRMED');
  const receive = await story.token(2, story.recipient);
  const last = await story.scan(anna, { token: receive, photoFileIds: [await story.photo(anna)] });
  expect(last.data.scanHandoff.outcome).toBe('TRANSFERRED');
});

test('what was noted about the goods stays with them', async () => {
  await using story = await startStory({ carriers: [anna, ben] });
  await story.handOver(1, { discrepancy: 'The seal is broken', weightGrams: 1_900 });
  await story.handOver(2);
  const { data } = await story.world.entities(
    'custody',
    [{ __typename: 'Package', id: story.packageIds[0] }],
    '{ ... on Package { custodyState { condition holder { id } } } }',
    sender,
  );
  expect(data[0].custodyState).toEqual({ condition: 'DISCREPANCY', holder: { id: ben.userId } });
});

test('a device whose clock is wrong is noted, and judged by ours', async () => {
  await using story = await startStory();
  const token = await story.token(1, sender);
  const { errors } = await story.scan(anna, { token, scannedAt: '2001-01-01T00:00:00Z' });
  expect(errors).toEqual([]);
  expect(await story.rows('select clock_suspect from handoff_scans')).toEqual([{ clock_suspect: true }]);
});

test.each([
  ['by nobody', { token: 'X' }, 'SIGN_IN_REQUIRED'],
  ['of nothing', {}, 'SCAN_MALFORMED'],
  ['of two codes', { token: 'X', spokenCode: 'ABCDEFGH' }, 'SCAN_MALFORMED'],
  ['of a spoken code for no hand-over', { spokenCode: 'ABCDEFGH' }, 'SCAN_MALFORMED'],
  ['of a weightless parcel', { token: 'X', weightGrams: 0 }, 'SCAN_MALFORMED'],
  ['with a key that is too short', { token: 'X', idempotencyKey: 'short' }, 'IDEMPOTENCY_KEY_MALFORMED'],
  ['of something that is no hand-over', { spokenCode: 'ABCDEFGH', stepId: 'step' }, 'ID_MALFORMED'],
  ['with 21 photos', { token: 'X', photoFileIds: Array.from({ length: 21 }, newId) }, 'PHOTOS_TOO_MANY'],
])('a scan %s is refused', async (who, input, code) => {
  shared ??= startStory();
  const story = await shared;
  const { codes } = await story.scan(who === 'by nobody' ? anonymous : anna, input);
  expect(codes).toEqual([code]);
});

let shared: ReturnType<typeof startStory> | undefined;
afterAll(async () => {
  await (await shared)?.[Symbol.asyncDispose]();
});
