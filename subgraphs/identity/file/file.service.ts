/**
 * Owns files: their records here, their bytes behind the storage port. Promises that a file is what it says it
 * is, that its bytes never change once stored, that its SHA-256 was computed over exactly these bytes, and that
 * half a file is never seen. Called by the resolvers, the routes, UserService and the contract.
 */

import type { ReadableStream } from 'node:stream/web';
import { LockMode } from '@mikro-orm/core';
import { z } from 'zod';
import { Conflict, Forbidden, Invalid, NotFound, Refusal } from '#shared/kernel/errors.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { IdentityConfig } from '../identity.config.ts';
import type { FilePlace, FileStorage } from '../providers/storage.ts';
import { inspect } from './content-inspection.ts';
import { StoredFile } from './file.entities.ts';
import { uploadCleanup } from './file.jobs.ts';
import {
  allowedMediaTypes,
  extensions,
  type FilePurpose,
  linkPurposes,
  type MediaType,
  maxAvatarBytes,
} from './file.purposes.ts';

export interface FileView {
  readonly id: string;
  readonly ownerId: string;
  readonly purpose: FilePurpose;
  readonly mediaType: MediaType;
  readonly bytes: number;
  readonly filename: string | null;
  readonly sha256: string | null;
  readonly createdAt: Date;
  readonly storedAt: Date | null;
}

export interface UploadView {
  readonly file: FileView;
  readonly uploadUrl: string;
  readonly expiresAt: Date;
}

/** A stored file, open for reading. */
export interface OpenFile {
  readonly file: FileView;
  /** A name that is safe to save under, with the ending of its type. */
  readonly saveAs: string;
  readonly content: ReadableStream<Uint8Array>;
}

const ticket = z.object({ file: z.string(), until: z.number() });
type TicketPurpose = 'file-upload' | 'file-download';

export class FileService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #secrets: Secrets;
  readonly #durable: Durable;
  readonly #storage: FileStorage;
  readonly #config: IdentityConfig;
  readonly #address: string;

  constructor(deps: {
    db: Database;
    clock: Clock;
    secrets: Secrets;
    durable: Durable;
    storage: FileStorage;
    config: IdentityConfig;
    publicUrl: string;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#secrets = deps.secrets;
    this.#durable = deps.durable;
    this.#storage = deps.storage;
    this.#config = deps.config;
    this.#address = `${deps.publicUrl}/services/identity/files`;
  }

  /**
   * Begins an upload; without its bytes it is forgotten after a while. Refuses `SIGN_IN_REQUIRED`,
   * `FILE_PURPOSE_FORBIDDEN`, `MEDIA_TYPE_UNSUPPORTED` {allowed}, `FILE_EMPTY`, `FILE_TOO_LARGE` {maxBytes},
   * `FILENAME_INVALID`, `FILE_QUOTA_REACHED`.
   */
  async createUpload(
    viewer: Viewer,
    input: { purpose: FilePurpose; mediaType: string; bytes: number; filename?: string | null | undefined },
  ): Promise<UploadView> {
    const ownerId = uploaderOf(viewer, input.purpose);
    const mediaType = requireMediaType(input.purpose, input.mediaType);
    const limit = this.#config.FILE_MAX_BYTES;
    const maxBytes = input.purpose === 'AVATAR' ? Math.min(limit, maxAvatarBytes) : limit;
    if (input.bytes < 1) throw new Invalid('FILE_EMPTY', 'A file has at least one byte');
    if (input.bytes > maxBytes)
      throw new Invalid('FILE_TOO_LARGE', `A file has at most ${maxBytes} bytes`, { maxBytes });
    const filename = input.filename == null ? null : requireFilename(input.filename, mediaType);
    const createdAt = this.#clock.now();
    const expiresAt = after(createdAt, this.#config.UPLOAD_WINDOW);
    const file = await this.#db.transaction(async (tx) => {
      await tx.sql('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`files:${ownerId}`]);
      const [used] = await tx.sql<{ bytes: string; awaiting: string }>(
        'select coalesce(sum(bytes), 0) as bytes, count(*) filter (where stored_at is null) as awaiting from files where owner_id = ?',
        [ownerId],
      );
      if (
        Number(used!.bytes) + input.bytes > this.#config.FILE_QUOTA_BYTES ||
        Number(used!.awaiting) >= this.#config.FILES_AWAITING
      )
        throw new Conflict('FILE_QUOTA_REACHED', 'Too many uploads are open, or too much is stored already');
      const made = tx.em.create(StoredFile, {
        id: newId(),
        ownerId,
        purpose: input.purpose,
        mediaType,
        bytes: input.bytes,
        filename,
        createdAt,
        uploadUntil: expiresAt,
      });
      // Uploads that began in time may still be coming in; none takes this long.
      const runAt = after(expiresAt, this.#config.UPLOAD_WINDOW);
      await this.#durable.schedule(tx, uploadCleanup(this), { id: made.id, runAt }, { fileId: made.id });
      return viewOf(made);
    });
    return { file, uploadUrl: this.#url('file-upload', file.id, expiresAt), expiresAt };
  }

  /**
   * Takes the bytes of an upload. Sending the same again changes nothing. Refuses `UPLOAD_TOKEN_INVALID`,
   * `UPLOAD_EXPIRED`, `FILE_NOT_FOUND`, `FILE_ALREADY_STORED`, `FILE_STORAGE_UNAVAILABLE` and what `inspect` refuses.
   */
  async store(fileId: string, token: string, source: AsyncIterable<Uint8Array>): Promise<FileView> {
    this.#requireTicket('file-upload', fileId, token);
    const file = await this.#db.read((em) => em.findOne(StoredFile, { id: fileId }));
    if (!file) throw notFound();
    const { content, sha256 } = inspect(source, viewOf(file));
    if (file.sha256 !== null && file.sha256 !== undefined) {
      for await (const _ of content);
      if (sha256() !== file.sha256) throw alreadyStored();
      return viewOf(file);
    }
    const place = { fileId, attempt: newId() };
    await this.#storage.write(place, content);
    try {
      const kept = await this.#keep(place, sha256());
      if (kept.attempt !== place.attempt) await this.#storage.remove(place);
      return viewOf(kept);
    } catch (error) {
      // Where the commit's outcome is unknown the bytes stay: the clean-up asks the record and decides.
      if (error instanceof Refusal) await this.#storage.remove(place);
      throw error;
    }
  }

  /** Makes an attempt the file, unless an earlier one with the same bytes is it already. */
  #keep({ fileId, attempt }: FilePlace, sha256: string): Promise<StoredFile> {
    return this.#db.transaction(async (tx) => {
      const lock = { lockMode: LockMode.PESSIMISTIC_WRITE } as const;
      const file = await tx.em.findOne(StoredFile, { id: fileId }, lock);
      if (!file) throw notFound();
      if (file.attempt && file.sha256 !== sha256) throw alreadyStored();
      if (file.attempt) return file;
      file.attempt = attempt;
      file.sha256 = sha256;
      file.storedAt = this.#clock.now();
      return file;
    });
  }

  /** A file of the viewer. Refuses `FILE_NOT_FOUND`, also where it is another's. */
  async file(viewer: Viewer, id: string): Promise<FileView> {
    const [file] = await this.loadFile(viewer, [id]);
    if (!file || file instanceof Error) throw notFound();
    return file;
  }

  /** The viewer's own files, and avatars of anybody. */
  readonly loadFile: Batch<string, FileView> = async (viewer, ids) => {
    const files = await this.#db.read((em) => em.find(StoredFile, { id: { $in: ids.filter(isId) } }));
    const visible = files.map(viewOf).filter((file) => file.purpose === 'AVATAR' || isOwner(viewer, file));
    return inOrder(ids, visible, (file) => file.id);
  };

  /** A stored file of the viewer for a purpose. Refuses `FILE_NOT_FOUND`, `FILE_PURPOSE_WRONG`, `FILE_NOT_STORED`. */
  async requireStored(viewer: Viewer, id: string, purpose: FilePurpose): Promise<void> {
    const file = await this.file(viewer, id);
    if (!isOwner(viewer, file)) throw notFound();
    if (file.purpose !== purpose)
      throw new Invalid('FILE_PURPOSE_WRONG', `This file was not uploaded as ${purpose}`, { purpose });
    if (!file.storedAt) throw new Conflict('FILE_NOT_STORED', 'The upload of this file has not come yet');
  }

  /** Where the bytes of a file that the viewer was shown can be read for a while; null until it is stored. */
  downloadUrl(file: FileView): string | null {
    const until = after(this.#clock.now(), this.#config.DOWNLOAD_WINDOW);
    return file.storedAt && this.#url('file-download', file.id, until);
  }

  /** Opens a file for whoever holds its address. Refuses `DOWNLOAD_TOKEN_INVALID`, `FILE_NOT_FOUND`. */
  async openFile(fileId: string, token: string): Promise<OpenFile> {
    this.#requireTicket('file-download', fileId, token);
    const file = await this.#db.read((em) => em.findOne(StoredFile, { id: fileId }));
    if (!file?.attempt) throw notFound();
    const view = viewOf(file);
    const saveAs = view.filename ?? `${view.id}.${extensions[view.mediaType][0]}`;
    return { file: view, saveAs, content: await this.#storage.read({ fileId, attempt: file.attempt }) };
  }

  /** The stored ones among these files. For other subgraphs. */
  async storedAmong(ids: readonly string[]): Promise<FileView[]> {
    const files = await this.#db.read((em) =>
      em.find(StoredFile, { id: { $in: [...ids] }, storedAt: { $ne: null } }),
    );
    return files.map(viewOf);
  }

  /** Forgets an upload that never came, and whatever broken attempts left behind. */
  async cleanUp(fileId: string): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql('delete from files where id = ? and attempt is null', [fileId]),
    );
    const file = await this.#db.read((em) => em.findOne(StoredFile, { id: fileId }));
    await this.#storage.sweep(fileId, file?.attempt ?? null);
  }

  #url(purpose: TicketPurpose, fileId: string, until: Date): string {
    const token = this.#secrets.sign(purpose, { file: fileId, until: until.getTime() });
    return `${this.#address}/${fileId}?token=${token}`;
  }

  #requireTicket(purpose: TicketPurpose, fileId: string, token: string): void {
    const kind = purpose === 'file-upload' ? 'UPLOAD' : 'DOWNLOAD';
    let content: z.output<typeof ticket>;
    try {
      content = ticket.parse(this.#secrets.verify(purpose, token));
    } catch {
      throw new Forbidden(`${kind}_TOKEN_INVALID`, 'This address was not made here or was changed');
    }
    if (content.file !== fileId || !isId(fileId))
      throw new Forbidden(`${kind}_TOKEN_INVALID`, 'This address belongs to another file');
    if (content.until <= this.#clock.now().getTime())
      throw new Forbidden(`${kind}_EXPIRED`, 'This address was for a short time, which has passed');
  }
}

function uploaderOf(viewer: Viewer, purpose: FilePurpose): string {
  if (viewer.kind !== 'link') return requireUser(viewer).userId;
  if (linkPurposes.includes(purpose)) return viewer.recipientId;
  throw new Forbidden('FILE_PURPOSE_FORBIDDEN', `A signed link cannot upload a ${purpose}`, {
    allowed: linkPurposes,
  });
}

const isOwner = (viewer: Viewer, file: FileView): boolean =>
  (viewer.kind === 'user' && viewer.userId === file.ownerId) ||
  (viewer.kind === 'link' && viewer.recipientId === file.ownerId);

function requireMediaType(purpose: FilePurpose, text: string): MediaType {
  const allowed: readonly MediaType[] = allowedMediaTypes[purpose];
  const found = allowed.find((mediaType) => mediaType === text.trim().toLowerCase());
  if (found) return found;
  throw new Invalid('MEDIA_TYPE_UNSUPPORTED', `A ${purpose} cannot be ${text.slice(0, 60)}`, { allowed });
}

/** Nothing that leads out of a folder, hides its ending or runs. */
function requireFilename(text: string, mediaType: MediaType): string {
  const name = text.normalize('NFC').trim();
  const [, ending = ''] = /\.([a-z0-9]{1,5})$/i.exec(name) ?? [];
  const plain = !/[\p{C}/\\:*?"<>|\u2028\u2029]/u.test(name) && !name.startsWith('.') && name.length <= 120;
  if (plain && extensions[mediaType].includes(ending.toLowerCase())) return name;
  throw new Invalid('FILENAME_INVALID', `A filename is plain and ends in .${extensions[mediaType][0]}`);
}

const notFound = (): NotFound => new NotFound('FILE_NOT_FOUND', 'No such file');
const alreadyStored = (): Conflict =>
  new Conflict('FILE_ALREADY_STORED', 'This file is stored already, with other bytes');

const viewOf = (file: StoredFile): FileView => ({
  id: file.id,
  ownerId: file.ownerId,
  purpose: file.purpose as FilePurpose,
  mediaType: file.mediaType as MediaType,
  bytes: file.bytes,
  filename: file.filename ?? null,
  sha256: file.sha256 ?? null,
  createdAt: file.createdAt,
  storedAt: file.storedAt ?? null,
});
