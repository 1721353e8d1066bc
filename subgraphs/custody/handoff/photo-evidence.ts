/**
 * Owns the photos of hand-overs (`handoff_photos`). It promises that a photo is a stored file of whoever shows it
 * and that a picture proves one hand-over only, however often and by whomever it is uploaded again.
 */
import type { IdentityContract } from '#shared/contracts/identity.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Invalid } from '#shared/kernel/errors.ts';
import { requireId } from '#shared/kernel/ids.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Transaction } from '#shared/runtime/database.ts';
import { HandoffPhotoRow } from './handoff.entities.ts';
import type { Side } from './handoff.states.ts';

const mostPhotos = 20;

export interface Photo {
  readonly fileId: string;
  readonly sha256: string;
}

export class PhotoEvidence {
  readonly #identity: Pick<Caller<typeof IdentityContract>, 'files'>;
  readonly #clock: Clock;

  constructor(identity: Pick<Caller<typeof IdentityContract>, 'files'>, clock: Clock) {
    this.#identity = identity;
    this.#clock = clock;
  }

  /** The viewer's own stored files among these ids. Asks identity, so call it outside of transactions. Refuses `PHOTO_NOT_FOUND` {fileIds}, `PHOTOS_TOO_MANY`. */
  async ofViewer(viewer: Viewer, fileIds: readonly string[]): Promise<Photo[]> {
    const wanted = [...new Set(fileIds)].map((fileId) => requireId(fileId, 'photoFileIds'));
    if (wanted.length === 0) return [];
    if (wanted.length > mostPhotos)
      throw new Invalid('PHOTOS_TOO_MANY', `At most ${mostPhotos} photos`, { max: mostPhotos });
    const owner = viewer.kind === 'user' ? viewer.userId : viewer.kind === 'link' ? viewer.recipientId : null;
    const files = (await this.#identity.files({ fileIds: wanted })).filter(
      ({ ownerId, mediaType }) => ownerId === owner && mediaType.startsWith('image/'),
    );
    const missing = wanted.filter((fileId) => !files.some((file) => file.fileId === fileId));
    if (missing.length > 0)
      throw new Invalid('PHOTO_NOT_FOUND', 'A photo is no stored picture of yours', { fileIds: missing });
    return files.map(({ fileId, sha256 }) => ({ fileId, sha256 }));
  }

  /** Binds photos to a hand-over, within its transaction. Refuses `PHOTO_REUSED` {fileIds} what proved another one. */
  async attach(
    tx: Transaction,
    to: { stepId: string; scanId: string | null; side: Side },
    photos: readonly Photo[],
  ): Promise<void> {
    if (photos.length === 0) return;
    for (const { fileId, sha256 } of photos.toSorted((one, other) => (one.sha256 < other.sha256 ? -1 : 1))) {
      await tx.sql(
        `insert into handoff_photos (sha256, step_id, scan_id, file_id, side, attached_at)
         values (?, ?, ?, ?, ?, ?) on conflict (sha256) do nothing`,
        [sha256, to.stepId, to.scanId, fileId, to.side, this.#clock.now()],
      );
    }
    const hashes = photos.map(({ sha256 }) => sha256);
    const elsewhere = await tx.em.find(HandoffPhotoRow, {
      sha256: { $in: hashes },
      stepId: { $ne: to.stepId },
    });
    if (elsewhere.length === 0) return;
    const reused = photos.filter(({ sha256 }) => elsewhere.some((photo) => photo.sha256 === sha256));
    throw new Conflict('PHOTO_REUSED', 'A photo already proves another hand-over', {
      fileIds: reused.map(({ fileId }) => fileId),
    });
  }

  /** Different pictures of a hand-over so far. */
  async of({ em }: Pick<Transaction, 'em'>, stepId: string): Promise<Photo[]> {
    return em.find(HandoffPhotoRow, { stepId }, { orderBy: { attachedAt: 'asc', sha256: 'asc' } });
  }
}
