import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  limitedBody,
  passedHeaders,
  sendWebResponse,
  toWebRequest,
} from '#shared/runtime/server/web-bridge.ts';
import { user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';
import { atSubgraph, begin, png, sha256 } from '../testing/uploads.ts';

const ana = user('Ana');

let folder: string;
let world: World;
let server: Server;
let origin: string;
let answered: Promise<Response>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'baton-files-'));
  world = await startWorld({ subgraphs: ['identity'], env: { FILES_DIR: folder } });
  server = createServer((request, response) => {
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    answered = world.route(
      'identity',
      toWebRequest({
        method: request.method!,
        url: `http://x${request.url}`,
        headers: passedHeaders(request.headers),
        body: limitedBody(request, 20_000_000).stream,
        signal: gone.signal,
      }),
    );
    answered
      .then((answer) => sendWebResponse(request.method === 'PUT' ? answer.clone() : answer, response))
      .catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const atServer = (url: string): string => atSubgraph(url).replace('http://x', origin);

test('ten megabytes go over HTTP and come back unchanged', async () => {
  const bytes = png(1_000, 1_000, Buffer.alloc(10_000_000, 'parcel '));
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  const put = await fetch(atServer(uploadUrl), { method: 'PUT', body: bytes });
  expect(await put.json()).toEqual({ id, bytes: bytes.length, sha256: sha256(bytes) });
  const { data } = await world.execute(
    'identity',
    'query ($id: ID!) { file(id: $id) { downloadUrl } }',
    { id },
    ana,
  );
  const got = await fetch(atServer(data.file.downloadUrl));
  expect(got.headers.get('content-length')).toBe(String(bytes.length));
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes));
});

test('a connection that breaks at 99 % leaves nothing, and the upload may be sent again', async () => {
  const bytes = png(100, 100, Buffer.alloc(1_000_000));
  const { id, uploadUrl } = await begin(world, ana, { bytes: bytes.length });
  const { hostname, port, pathname, search } = new URL(atServer(uploadUrl));
  const arrived = new Promise<void>((resolve) => server.once('request', () => resolve()));
  const socket = connect(Number(port), hostname);
  socket.write(`PUT ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes.length}\r\n\r\n`);
  await new Promise<void>((resolve) => socket.write(bytes.subarray(0, 990_000), () => resolve()));
  await arrived;
  socket.destroy();
  expect(await (await answered).json()).toMatchObject({ code: 'UPLOAD_INCOMPLETE' });
  expect(await readdir(join(folder, id.slice(-2), id))).toEqual([]);
  expect((await fetch(atServer(uploadUrl), { method: 'PUT', body: bytes })).status).toBe(200);
});
