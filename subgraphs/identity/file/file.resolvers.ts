import type { Resolvers } from '../identity.generated.ts';
import type { FileService } from './file.service.ts';

export const fileResolvers = (files: FileService): Resolvers => ({
  Query: {
    file: (_, { id }, { viewer }) => files.file(viewer, id),
  },
  Mutation: {
    createUpload: (_, { input }, { viewer }) => files.createUpload(viewer, input),
  },
  File: {
    __resolveReference: ({ id }, { load }) => load(files.loadFile, id),
    downloadUrl: (file) => files.downloadUrl(file),
  },
});
