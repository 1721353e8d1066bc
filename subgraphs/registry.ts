/** Finds the composition roots that rover.yaml lists. Subgraphs never import each other; this loads them by name. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type ListedSubgraph, listSubgraphs, projectRoot } from '#shared/runtime/rover.ts';
import type { SubgraphDefinition } from '#shared/runtime/subgraph.ts';

export interface RegisteredSubgraph {
  readonly listed: ListedSubgraph;
  readonly definition: SubgraphDefinition<never>;
}

/** The named subgraphs, or all; throws on a name that rover.yaml does not list. */
export async function loadSubgraphs(names: readonly string[] = []): Promise<RegisteredSubgraph[]> {
  const listed = listSubgraphs().filter(({ name }) =>
    existsSync(join(projectRoot, `subgraphs/${name}/${name}.subgraph.ts`)),
  );
  const unknown = names.filter((name) => !listed.some((each) => each.name === name));
  if (unknown.length > 0) throw new RangeError(`rover.yaml lists no subgraph ${unknown.join(', ')}`);
  const wanted = names.length > 0 ? listed.filter(({ name }) => names.includes(name)) : listed;
  return Promise.all(
    wanted.map(async (each) => {
      const root = (await import(`./${each.name}/${each.name}.subgraph.ts`)) as {
        default: SubgraphDefinition<never>;
      };
      return { listed: each, definition: root.default };
    }),
  );
}
