/** Reads rover.yaml, the only list of subgraphs. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

export const projectRoot = fileURLToPath(new URL('../../', import.meta.url));

const Rover = z.object({
  federation_version: z.string(),
  subgraphs: z.record(z.string(), z.object({ routing_url: z.url(), schema: z.object({ file: z.string() }) })),
});

export interface ListedSubgraph {
  readonly name: string;
  /** Where it listens in the split form. */
  readonly routingUrl: string;
  /** Path of its composed SDL, relative to the project's root. */
  readonly schemaFile: string;
}

export function listSubgraphs(): ListedSubgraph[] {
  const rover = Rover.parse(parse(readFileSync(`${projectRoot}rover.yaml`, 'utf8')));
  return Object.entries(rover.subgraphs).map(([name, entry]) => ({
    name,
    routingUrl: entry.routing_url,
    schemaFile: entry.schema.file,
  }));
}
