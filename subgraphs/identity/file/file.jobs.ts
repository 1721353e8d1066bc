import { z } from 'zod';
import { id } from '#shared/kernel/wire.ts';
import { defineJob, type JobDefinition } from '#shared/runtime/durable.ts';

/** Runs once per upload, well after its address has expired. */
export const uploadCleanup = (files: {
  cleanUp(fileId: string): Promise<void>;
}): JobDefinition<{ fileId: string }> =>
  defineJob({
    name: 'identity.upload-cleanup',
    payload: z.object({ fileId: id }),
    run: ({ fileId }) => files.cleanUp(fileId),
  });
