/**
 * Composes the services' SDL into schema/subgraphs/*.graphql, supergraph.graphql, api.graphql and the partners'
 * contract partner.graphql, which is a supergraph too. `--check` writes nothing and fails where the committed
 * files differ from what the SDL says. A change of what partners see is told them: it needs `--note "…"`, which
 * goes with the changes into partner-changes.json.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { composeServices } from '@apollo/composition';
import { printSchema, Supergraph } from '@apollo/federation-internals';
import { parse } from 'graphql';
import { listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';
import { readSdl } from '#shared/runtime/sdl.ts';
import { contractApi, contractOf } from './contract.ts';
import { type ContractChange, type ContractRelease, changesBetween } from './contract-changes.ts';

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
      [contractFile, `${contractOf(result.supergraphSdl, 'partner').trimEnd()}\n`],
    ]),
  };
}

const contractFile = 'schema/partner.graphql';
const changesFile = 'schema/partner-changes.json';

const committed = (path: string): Promise<string | undefined> =>
  readFile(join(projectRoot, path), 'utf8').catch(() => undefined);

/** How partners' view of the schema differs from the one that was told them last. */
async function contractChanges(files: ReadonlyMap<string, string>): Promise<ContractChange[]> {
  const api = (sdl: string) => contractApi(sdl).toGraphQLJSSchema();
  const told = await committed(contractFile);
  return changesBetween(told === undefined ? null : api(told), api(files.get(contractFile)!));
}

/** The change log with one more release, the newest first. */
async function withRelease(note: string, changes: readonly ContractChange[]): Promise<string> {
  const releases = JSON.parse((await committed(changesFile)) ?? '[]') as ContractRelease[];
  const date = new Date().toISOString().slice(0, 10);
  return `${JSON.stringify([{ date, note, changes }, ...releases], null, 2)}\n`;
}

const lineOf = ({ kind, what, breaking, detail }: ContractChange): string =>
  `  ${breaking ? 'BREAKING ' : ''}${kind} ${what}${detail ? ` (${detail})` : ''}`;

if (import.meta.main) {
  const { check, note } = parseArgs({
    options: { check: { type: 'boolean', default: false }, note: { type: 'string' } },
  }).values;
  const composed = await compose();
  const files = new Map(composed.files);
  const changes = await contractChanges(files);
  if (changes.length > 0 && !check) {
    if (!note?.trim()) {
      console.error(
        `Partners would see another schema. Say what it means to them: npm run compose -- --note "…"\n${changes.map(lineOf).join('\n')}`,
      );
      process.exit(1);
    }
    files.set(changesFile, await withRelease(note.trim(), changes));
  }
  const drifted: string[] = [];
  for (const [path, content] of files) {
    if ((await committed(path)) === content) continue;
    drifted.push(path);
    if (check) continue;
    const full = join(projectRoot, path);
    await mkdir(join(full, '..'), { recursive: true });
    await writeFile(full, content);
  }
  if (check && drifted.length > 0) {
    console.error(`Not what the services' SDL says: ${drifted.join(', ')}. Run npm run compose.`);
    process.exit(1);
  }
  console.log(drifted.length > 0 ? `Composed: ${drifted.join(', ')}` : 'The composed schema is up to date.');
}
