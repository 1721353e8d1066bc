/**
 * Files in a folder: `<folder>/<last two digits>/<file id>/<attempt>`. A part is written beside its place under
 * another name, synced, and renamed: the rename is the moment in which the file exists.
 */
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ReadableStream } from 'node:stream/web';
import type { Logger } from 'pino';
import { Unavailable } from '#shared/kernel/errors.ts';
import { requireId } from '#shared/kernel/ids.ts';
import type { FilePlace, FileStorage } from './storage.ts';

export class FolderStorage implements FileStorage {
  readonly #folder: string;
  readonly #logger: Logger;

  constructor(folder: string, logger: Logger) {
    this.#folder = folder;
    this.#logger = logger;
  }

  async write(place: FilePlace, content: AsyncIterable<Uint8Array>): Promise<void> {
    const path = this.#pathOf(place);
    const part = `${path}.part`;
    let failedSource: { error: unknown } | undefined;
    async function* watched(): AsyncGenerator<Uint8Array> {
      try {
        yield* content;
      } catch (error) {
        failedSource = { error };
        throw error;
      }
    }
    try {
      await mkdir(dirname(path), { recursive: true });
      {
        await using file = await open(part, 'wx', 0o600);
        await file.writeFile(watched());
        await file.sync();
      }
      await rename(part, path);
      await syncFolder(dirname(path));
    } catch (error) {
      await rm(part, { force: true }).catch(() => {});
      if (failedSource) throw failedSource.error;
      throw this.#unavailable(error);
    }
  }

  async read(place: FilePlace): Promise<ReadableStream<Uint8Array>> {
    const path = this.#pathOf(place);
    try {
      await access(path, constants.R_OK);
      const file = await open(path);
      return file.readableWebStream({ autoClose: true }) as ReadableStream<Uint8Array>;
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  async remove(place: FilePlace): Promise<void> {
    await rm(this.#pathOf(place), { force: true }).catch(() => {});
  }

  async sweep(fileId: string, keep: string | null): Promise<void> {
    const folder = this.#folderOf(fileId);
    try {
      if (keep === null) {
        await rm(folder, { recursive: true, force: true });
        return;
      }
      const entries = await readdir(folder).catch(() => []);
      for (const entry of entries) if (entry !== keep) await rm(join(folder, entry), { force: true });
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  #folderOf(fileId: string): string {
    requireId(fileId);
    return join(this.#folder, fileId.slice(-2), fileId);
  }

  #pathOf({ fileId, attempt }: FilePlace): string {
    return join(this.#folderOf(fileId), requireId(attempt));
  }

  #unavailable(error: unknown): Unavailable {
    this.#logger.error({ err: error, folder: this.#folder }, 'file storage failed');
    return new Unavailable('FILE_STORAGE_UNAVAILABLE', 'Files cannot be stored or read at the moment');
  }
}

/** Makes the rename itself survive a power cut; not every platform can open a folder. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  if (!folder) return;
  await folder.sync().catch(() => {});
  await folder.close();
}
