import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DocumentNode, print } from 'graphql';
import { projectRoot } from '#shared/runtime/rover.ts';
import * as generated from './operations/operations.generated.ts';

test('every document is trusted as a client that was built with it prints it', () => {
  const trusted = JSON.parse(readFileSync(join(projectRoot, 'schema/trusted-documents.json'), 'utf8'));
  const documents = Object.values(generated).filter((each) => typeof each === 'object') as DocumentNode[];
  expect(documents.length).toBeGreaterThan(50);
  expect(new Set(documents.map(print))).toEqual(new Set(Object.values(trusted)));
});
