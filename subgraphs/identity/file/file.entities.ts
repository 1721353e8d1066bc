import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

export const StoredFile = defineEntity({
  name: 'StoredFile',
  tableName: 'files',
  properties: {
    id: p.uuid().primary(),
    /** User, or recipient who came by a signed link. */
    ownerId: p.uuid().index(),
    purpose: p.text(),
    mediaType: p.text(),
    /** Announced before the upload, and kept to by it. */
    bytes: p.integer(),
    filename: p.text().nullable(),
    createdAt: p.datetime(),
    uploadUntil: p.datetime(),
    /** The attempt that became the file; null, with the next two, until it is stored. */
    attempt: p.uuid().nullable(),
    sha256: p.text().nullable(),
    storedAt: p.datetime().nullable(),
  },
  checks: [
    { name: 'files_bytes', expression: 'bytes > 0' },
    {
      name: 'files_stored_whole',
      expression: '(attempt is null) = (sha256 is null) and (attempt is null) = (stored_at is null)',
    },
    { name: 'files_sha256', expression: "sha256 ~ '^[0-9a-f]{64}$'" },
  ],
});
export type StoredFile = InferEntity<typeof StoredFile>;

export const fileEntities = [StoredFile];
