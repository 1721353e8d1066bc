import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { projectRoot } from './rover.ts';

/** A subgraph's SDL: the common part, then the SDL of every service, in the order of their names. */
export async function readSdl(subgraphFolder: string): Promise<string> {
  const services = (await readdir(subgraphFolder, { recursive: true }))
    .filter((file) => file.endsWith('.graphql'))
    .sort();
  const files = [
    join(projectRoot, 'schema/common.graphql'),
    ...services.map((file) => join(subgraphFolder, file)),
  ];
  const parts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  return `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`;
}
