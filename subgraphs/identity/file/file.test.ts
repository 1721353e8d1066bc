import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IdentityContract } from '#shared/contracts/identity.ts';
import { newId } from '#shared/kernel/ids.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { link, user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';
import { atSubgraph, begin, beginUpload, pdf, png, put, sha256, upload } from '../testing/uploads.ts';

const ana = user('Ana');
const eve = user('Eve');

let folder: string;
let world: World;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baton-files-'));
  world = await startWorld({
    subgraphs: ['identity'],
    env: { FILES_DIR: folder, FILE_MAX_BYTES: '2000000' },
  });
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const fileOf = (id: string, viewer: Viewer) =>
  world.execute(
    'identity',
    'query ($id: ID!) { file(id: $id) { id sha256 storedAt downloadUrl } }',
    { id },
    viewer,
  );

const download = (url: string) => world.route('identity', new Request(atSubgraph(url)));

/** Attempts of one file that lie in the folder. */
const stored = async (id: string): Promise<string[]> =>
  (await readdir(join(folder, id.slice(-2), id)).catch(() => [])).sort();

/** Other bytes of the same length that are a picture too. */
const otherPicture = (bytes: Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])]);

test('what is uploaded is read back byte for byte, with its hash', async () => {
  const bytes = png(20, 20, Buffer.alloc(300_000, 7));
  const { data } = await beginUpload(world, ana, { bytes: bytes.length, filename: 'parcel.png' });
  expect(data.createUpload).toMatchObject({
    uploadUrl: expect.stringMatching(
      /^http:\/\/baton\.test\/services\/identity\/files\/[0-9a-f-]{36}\?token=/,
    ),
    expiresAt: new Date(world.clock.now().getTime() + 30 * 60_000).toISOString(),
    file: { bytes: bytes.length, sha256: null, storedAt: null, downloadUrl: null },
  });
  const { id } = data.createUpload.file;
  expect(await put(world, data.createUpload.uploadUrl, bytes)).toEqual({
    status: 200,
    body: { id, bytes: bytes.length, sha256: sha256(bytes) },
  });
  const file = (await fileOf(id, ana)).data.file;
  expect(file).toMatchObject({ sha256: sha256(bytes), storedAt: world.clock.now().toISOString() });
  const response = await download(file.downloadUrl);
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'image/png',
    'content-length': String(bytes.length),
    'content-disposition': "attachment; filename*=UTF-8''parcel.png",
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
  });
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
});

test.each([
  ['SIGN_IN_REQUIRED', anonymous, {}],
  ['MEDIA_TYPE_UNSUPPORTED', ana, { mediaType: 'image/svg+xml' }],
  ['MEDIA_TYPE_UNSUPPORTED', ana, { mediaType: 'application/pdf', purpose: 'AVATAR' }],
  ['FILE_EMPTY', ana, { bytes: 0 }],
  ['FILE_EMPTY', ana, { bytes: -1 }],
  ['FILE_TOO_LARGE', ana, { bytes: 2_000_001 }],
  ['FILENAME_INVALID', ana, { filename: '../../etc/x.png' }],
  ['FILENAME_INVALID', ana, { filename: 'x.php' }],
  ['FILENAME_INVALID', ana, { filename: 'x\u202egnp.png' }],
  ['FILENAME_INVALID', ana, { filename: 'x\0.png' }],
  ['FILE_PURPOSE_FORBIDDEN', link(newId(), newId()), { purpose: 'IDENTITY_DOCUMENT' }],
])('no upload begins: %s', async (code, viewer, input) => {
  expect((await beginUpload(world, viewer, { bytes: 10, ...input })).codes).toEqual([code]);
});

test.each([
  ['FILE_TYPE_MISMATCH', () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>')],
  ['FILE_UNSAFE', () => png(2, 2, '<script>alert(1)</script>')],
  ['FILE_DIMENSIONS', () => png(50_000, 50_000)],
])('bytes are refused and nothing of them stays: %s', async (code, make) => {
  const bytes = make();
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  expect(await put(world, uploadUrl, bytes)).toMatchObject({ status: 400, body: { code } });
  expect(await stored(id)).toEqual([]);
  expect((await fileOf(id, ana)).data.file.storedAt).toBeNull();
});

test('an upload of another length than announced is refused; the announced one may follow', async () => {
  const bytes = png();
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  for (const [body, code] of [
    [Buffer.alloc(0), 'FILE_EMPTY'],
    [bytes.subarray(0, -1), 'FILE_SIZE_MISMATCH'],
    [Buffer.concat([bytes, Buffer.alloc(1)]), 'FILE_SIZE_MISMATCH'],
  ] as const)
    expect(await put(world, uploadUrl, body)).toMatchObject({ status: 400, body: { code } });
  expect(await stored(id)).toEqual([]);
  expect((await put(world, uploadUrl, bytes)).status).toBe(200);
});

test('an upload that is cut off leaves nothing', async () => {
  const bytes = png(2, 2, Buffer.alloc(100_000));
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  let sent = false;
  const cut = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent) controller.error(new Error('connection lost'));
      else controller.enqueue(bytes.subarray(0, 99_000));
      sent = true;
    },
  });
  expect(await put(world, uploadUrl, cut)).toMatchObject({
    status: 400,
    body: { code: 'UPLOAD_INCOMPLETE' },
  });
  expect(await stored(id)).toEqual([]);
});

test('an upload that stalls is given up', async () => {
  await using impatient = await startWorld({
    subgraphs: ['identity'],
    env: { FILES_DIR: folder, UPLOAD_TIMEOUT: '50ms' },
  });
  const { id, uploadUrl } = await begin(impatient, ana, { bytes: 100 });
  const stalled = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(png().subarray(0, 20)),
  });
  expect(await put(impatient, uploadUrl, stalled)).toMatchObject({
    status: 400,
    body: { code: 'UPLOAD_INCOMPLETE' },
  });
  expect(await stored(id)).toEqual([]);
});

test('the same bytes again change nothing, other bytes are refused', async () => {
  const bytes = png();
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  await put(world, uploadUrl, bytes);
  const before = await stored(id);
  expect((await put(world, uploadUrl, bytes)).status).toBe(200);
  expect(await put(world, uploadUrl, otherPicture(bytes))).toMatchObject({
    status: 409,
    body: { code: 'FILE_ALREADY_STORED' },
  });
  expect(await stored(id)).toEqual(before);
  expect((await fileOf(id, ana)).data.file.sha256).toBe(sha256(bytes));
});

test('of two different uploads at once one is stored, whole', async () => {
  const bytes = png(9, 9, Buffer.alloc(200_000, 1));
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  const bodies = [bytes, otherPicture(bytes), bytes, otherPicture(bytes)];
  const answers = await Promise.all(bodies.map((body) => put(world, uploadUrl, body)));
  const file = (await fileOf(id, ana)).data.file;
  const won = Buffer.from(await (await download(file.downloadUrl)).arrayBuffer());
  expect(sha256(won)).toBe(file.sha256);
  expect(answers.map(({ status }) => status)).toEqual(bodies.map((body) => (body.equals(won) ? 200 : 409)));
});

test.each([
  ['another file', (one: string, other: string) => one.replace(/token=.*/, other.match(/token=.*/)![0])],
  ['nothing', (one: string) => one.replace(/token=.*/, '')],
  ['other characters', (one: string) => `${one}x`],
])('an address with the token of %s takes no bytes', async (_, tamper) => {
  const bytes = png();
  const own = await begin(world, ana, { bytes: bytes.length });
  const others = await begin(world, eve, { bytes: bytes.length });
  expect(await put(world, tamper(own.uploadUrl, others.uploadUrl), bytes)).toMatchObject({
    status: 403,
    body: { code: 'UPLOAD_TOKEN_INVALID' },
  });
});

test('an address for uploads does not download, and one for downloads does not upload', async () => {
  const bytes = png();
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  await put(world, uploadUrl, bytes);
  expect((await download(uploadUrl)).status).toBe(403);
  const { downloadUrl } = (await fileOf(id, ana)).data.file;
  expect((await put(world, downloadUrl, bytes)).status).toBe(403);
});

test('addresses work for a while only', async () => {
  const bytes = png();
  const late = await begin(world, ana, { bytes: bytes.length });
  const id = await upload(world, ana, bytes);
  const { downloadUrl } = (await fileOf(id, ana)).data.file;
  await world.clock.advance('5m');
  expect((await download(downloadUrl)).status).toBe(403);
  await world.clock.advance('25m');
  expect(await put(world, late.uploadUrl, bytes)).toMatchObject({
    status: 403,
    body: { code: 'UPLOAD_EXPIRED' },
  });
});

test('an upload that never came is forgotten, a stored one stays, and broken attempts are swept', async () => {
  const bytes = png();
  const never = await begin(world, ana, { bytes: bytes.length });
  const id = await upload(world, ana, bytes);
  const [attempt] = await stored(id);
  await writeFile(join(folder, id.slice(-2), id, `${newId()}.part`), 'left by a crash');
  await world.pass('1h');
  expect((await fileOf(never.id, ana)).codes).toEqual(['FILE_NOT_FOUND']);
  expect(await put(world, never.uploadUrl, bytes)).toMatchObject({ status: 403 });
  expect(await stored(id)).toEqual([attempt]);
  expect((await fileOf(id, ana)).data.file.sha256).toBe(sha256(bytes));
});

test('a stored file cannot be turned to other bytes or taken away, whoever writes the record', async () => {
  const id = await upload(world, ana, png());
  const db = world.database('identity');
  for (const statement of [
    `update files set sha256 = repeat('0', 64) where id = ?`,
    'update files set owner_id = id where id = ?',
    'delete from files where id = ?',
  ])
    await expect(db.transaction((tx) => tx.sql(statement, [id]))).rejects.toThrow(
      'a stored file does not change',
    );
});

test('a folder that cannot be written is told as unavailable, and the upload may be tried again', async () => {
  const blocked = join(folder, 'blocked');
  await writeFile(blocked, 'a file where a folder should be');
  await using faulty = await startWorld({ subgraphs: ['identity'], env: { FILES_DIR: blocked } });
  const bytes = png();
  const { id, uploadUrl } = await begin(faulty, ana, { bytes: bytes.length });
  expect(await put(faulty, uploadUrl, bytes)).toMatchObject({
    status: 503,
    body: { code: 'FILE_STORAGE_UNAVAILABLE' },
  });
  expect(await faulty.ask(IdentityContract).files({ fileIds: [id] })).toEqual([]);
  await rm(blocked);
  expect((await put(faulty, uploadUrl, bytes)).status).toBe(200);
});

test('another’s file is as absent as one that never was', async () => {
  const id = await upload(world, ana, png());
  for (const viewer of [eve, link(newId(), newId()), anonymous] as const) {
    const [others, absent] = [await fileOf(id, viewer), await fileOf(newId(), viewer)];
    expect(others.codes).toEqual(['FILE_NOT_FOUND']);
    expect(others.errors[0]?.message).toBe(absent.errors[0]?.message);
  }
  const references = [id, newId(), 'no id'].map((each) => ({ __typename: 'File', id: each }));
  expect((await world.entities('identity', references, '{ ... on File { sha256 } }', eve)).data).toEqual([
    null,
    null,
    null,
  ]);
});

test('a recipient who came by a link owns what they upload at a hand-over', async () => {
  const recipient = link(newId(), newId());
  const id = await upload(world, recipient, png(), { purpose: 'HANDOFF_PHOTO' });
  expect((await fileOf(id, recipient)).data.file.id).toBe(id);
  const [file] = await world.ask(IdentityContract).files({ fileIds: [id] });
  expect(file?.ownerId).toBe(recipient.recipientId);
});

test('other subgraphs learn of stored files alone', async () => {
  const bytes = pdf();
  const id = await upload(world, ana, bytes, { purpose: 'TRIP_DOCUMENT', mediaType: 'application/pdf' });
  const { id: awaited } = await begin(world, ana, { bytes: 10 });
  expect(await world.ask(IdentityContract).files({ fileIds: [awaited, id, newId()] })).toEqual([
    {
      fileId: id,
      ownerId: ana.userId,
      mediaType: 'application/pdf',
      bytes: bytes.length,
      sha256: sha256(bytes),
      storedAt: world.clock.now(),
    },
  ]);
});

test('nobody begins more uploads, or stores more, than their share', async () => {
  await using small = await startWorld({
    subgraphs: ['identity'],
    env: { FILES_DIR: folder, FILES_AWAITING: '3', FILE_QUOTA_BYTES: '1000' },
  });
  const begun = await Promise.all(Array.from({ length: 10 }, () => beginUpload(small, ana, { bytes: 10 })));
  expect(begun.filter(({ errors }) => errors.length === 0)).toHaveLength(3);
  expect(begun.flatMap(({ codes }) => codes)).toEqual(Array(7).fill('FILE_QUOTA_REACHED'));
  expect((await beginUpload(small, eve, { bytes: 1001 })).codes).toEqual(['FILE_QUOTA_REACHED']);
});

test('fifty files are fetched with as many statements as one', async () => {
  const ids = await Promise.all(Array.from({ length: 50 }, () => upload(world, eve, png())));
  const fetch = (some: string[]) => async () => {
    const references = some.map((id) => ({ __typename: 'File', id }));
    const { data } = await world.entities(
      'identity',
      references,
      '{ ... on File { id sha256 downloadUrl } }',
      eve,
    );
    expect(data.map(({ id }: { id: string }) => id)).toEqual(some);
  };
  const one = await world.countQueries(fetch(ids.slice(0, 1)));
  expect(one).toBeGreaterThan(0);
  expect(await world.countQueries(fetch(ids))).toBe(one);
});
