/**
 * Composes the services' SDL into schema/subgraphs/*.graphql, supergraph.graphql and api.graphql.
 * `--check` writes nothing and fails where the committed files differ from what the SDL says.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { composeServices } from '@apollo/composition';
import { printSchema, Supergraph } from '@apollo/federation-internals';
import { parse } from 'graphql';
import { listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';
import { readSdl } from '#shared/runtime/sdl.ts';

export interface Composed {
  /** Contents by path relative to the project's root. */
  readonly files: ReadonlyMap<string, string>;
}

/** Throws with every composition error at once. */
export async function compose(): Promise<Composed> {
  const subgraphs = await Promise.all(
    listSubgraphs()
      .filter(({ name }) => existsSync(join(projectRoot, 'subgraphs', name)))
      .map(async (listed) => ({
        ...listed,
        sdl: await readSdl(join(projectRoot, 'subgraphs', listed.name)),
      })),
  );
  const result = composeServices(
    subgraphs.map(({ name, routingUrl, sdl }) => ({ name, url: routingUrl, typeDefs: parse(sdl) })),
  );
  if (!result.supergraphSdl) throw new Error(result.errors?.map((error) => error.message).join('\n'));
  const api = Supergraph.build(result.supergraphSdl).apiSchema();
  return {
    files: new Map([
      ...subgraphs.map(({ schemaFile, sdl }) => [schemaFile.replace(/^\.\//, ''), sdl] as const),
      ['schema/supergraph.graphql', `${result.supergraphSdl.trimEnd()}\n`],
      ['schema/api.graphql', `${printSchema(api).trimEnd()}\n`],
    ]),
  };
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  const { files } = await compose();
  const drifted: string[] = [];
  for (const [path, content] of files) {
    const full = join(projectRoot, path);
    const current = existsSync(full) ? await readFile(full, 'utf8') : undefined;
    if (current === content) continue;
    drifted.push(path);
    if (check) continue;
    await mkdir(join(full, '..'), { recursive: true });
    await writeFile(full, content);
  }
  if (check && drifted.length > 0) {
    console.error(`Not what the services' SDL says: ${drifted.join(', ')}. Run npm run compose.`);
    process.exit(1);
  }
  console.log(drifted.length > 0 ? `Composed: ${drifted.join(', ')}` : 'The composed schema is up to date.');
}
