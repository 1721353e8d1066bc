/** `node ours.ts <supergraph> <query>`: our executor on subgraphs in memory, behind the clients that a gateway gives it. */
import { OperationTypeNode, parse } from 'graphql';
import { pino } from 'pino';
import { GuardedClient } from '../../subgraph-client/guarded-client.ts';
import { LocalClient } from '../../subgraph-client/local-client.ts';
import { Supergraph } from '../../supergraph.ts';
import { subgraphSchema } from '../shop/data.ts';
import type { SubgraphName } from '../shop/schemas.ts';
import { driveOnOrder } from './drive.ts';

const [, , path = '', query = ''] = process.argv;
const logger = pino({ level: 'warn' });
const limits = { query: 5_000, mutation: 30_000, route: 30_000, eventsBehind: 256 };
const guards = { concurrency: 200, failuresInARow: 20, restAfterFailures: 2_000 };
const { graph } = await Supergraph.open({
  path,
  pollInterval: 60_000,
  connect: ({ name }) => {
    const local = { name, schema: subgraphSchema(name as SubgraphName), createContext: () => ({}) };
    return new GuardedClient(new LocalClient(local, limits, logger), guards);
  },
  logger,
});
const document = parse(query);
const operation = document.definitions.find(
  (each) => each.kind === 'OperationDefinition' && each.operation === OperationTypeNode.QUERY,
);
if (operation?.kind !== 'OperationDefinition') throw new Error('There is no query in the document');
const { signal } = new AbortController();
const facts = { viewer: { kind: 'anonymous' }, requestId: 'bench', signal } as const;

driveOnOrder(
  (variables) =>
    graph.executor.execute({ document, operation, variables, denied: new Set() }, { facts, budget: 30_000 }),
  Number(process.argv[4]),
);
