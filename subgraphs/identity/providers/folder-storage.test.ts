import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newId } from '#shared/kernel/ids.ts';
import { createLogger } from '#shared/runtime/logger.ts';
import { FolderStorage } from './folder-storage.ts';

async function open() {
  const folder = await mkdtemp(join(tmpdir(), 'baton-files-'));
  return {
    folder,
    storage: new FolderStorage(folder, createLogger('silent')),
    entries: () => readdir(folder, { recursive: true, withFileTypes: true }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

const place = () => ({ fileId: newId(), attempt: newId() });

test('what was written is read', async () => {
  await using opened = await open();
  const at = place();
  await opened.storage.write(at, chunks('half ', 'and half'));
  expect(await new Response(await opened.storage.read(at)).text()).toBe('half and half');
});

test('until its last byte is there a file cannot be read', async () => {
  await using opened = await open();
  const at = place();
  const half = Promise.withResolvers<void>();
  const rest = Promise.withResolvers<void>();
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half ');
    half.resolve();
    await rest.promise;
    yield Buffer.from('and half');
  }
  const writing = opened.storage.write(at, slow());
  await half.promise;
  await expect(opened.storage.read(at)).rejects.toMatchObject({ code: 'FILE_STORAGE_UNAVAILABLE' });
  rest.resolve();
  await writing;
  expect(await new Response(await opened.storage.read(at)).text()).toBe('half and half');
});

test('a source that fails leaves nothing, and its own error is thrown', async () => {
  await using opened = await open();
  const fault = new Error('cut off');
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half ');
    throw fault;
  }
  await expect(opened.storage.write(place(), broken())).rejects.toBe(fault);
  expect((await opened.entries()).filter((entry) => entry.isFile())).toEqual([]);
});

test('a folder that cannot be written is an unavailable storage', async () => {
  await using opened = await open();
  const file = join(opened.folder, 'in-the-way');
  await writeFile(file, '');
  const storage = new FolderStorage(file, createLogger('silent'));
  await expect(storage.write(place(), chunks('x'))).rejects.toMatchObject({
    kind: 'UNAVAILABLE',
    code: 'FILE_STORAGE_UNAVAILABLE',
  });
});

test('a sweep keeps one attempt, or none', async () => {
  await using opened = await open();
  const [fileId, kept, other] = [newId(), newId(), newId()];
  for (const attempt of [kept, other]) await opened.storage.write({ fileId, attempt }, chunks(attempt));
  const names = async () =>
    (await opened.entries()).filter((entry) => entry.isFile()).map(({ name }) => name);
  await opened.storage.sweep(fileId, kept);
  expect(await names()).toEqual([kept]);
  await opened.storage.sweep(fileId, null);
  expect(await names()).toEqual([]);
  await opened.storage.sweep(fileId, null);
});

test('no name leads out of the folder', async () => {
  await using opened = await open();
  const escaping = { fileId: newId(), attempt: '../../../etc/passwd' };
  await expect(opened.storage.write(escaping, chunks('x'))).rejects.toMatchObject({ code: 'ID_MALFORMED' });
  await expect(opened.storage.sweep('..', null)).rejects.toMatchObject({ code: 'ID_MALFORMED' });
});
