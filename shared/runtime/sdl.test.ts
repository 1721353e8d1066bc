import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { listSubgraphs, projectRoot } from './rover.ts';
import { readSdl } from './sdl.ts';

const subgraphs = listSubgraphs();

test('every subgraph has a name, an address and a schema file of its own', () => {
  expect(subgraphs.length).toBeGreaterThan(0);
  for (const part of ['name', 'routingUrl', 'schemaFile'] as const)
    expect(new Set(subgraphs.map((each) => each[part])).size).toBe(subgraphs.length);
});

test.each(subgraphs.map(({ name }) => name))(
  'the SDL of %s opens with the common part and is whole',
  async (name) => {
    const folder = join(projectRoot, 'subgraphs', name);
    expect(existsSync(folder)).toBe(true);
    const sdl = await readSdl(folder);
    expect(sdl.indexOf('extend schema')).toBe(0);
    expect(buildSubgraphSchema(parse(sdl)).getQueryType()).toBeDefined();
  },
);
