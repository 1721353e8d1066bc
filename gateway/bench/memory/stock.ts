/** `node stock.ts <supergraph> <query>`: the stock gateway's executor on `LocalGraphQLDataSource`s. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ApolloGateway, LocalGraphQLDataSource } from '@apollo/gateway';
import { type GraphQLSchema, parse } from 'graphql';
import { subgraphSchema } from '../shop/data.ts';
import type { SubgraphName } from '../shop/schemas.ts';
import { driveOnOrder } from './drive.ts';

const [, , path = '', query = ''] = process.argv;
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error };
const gateway = new ApolloGateway({
  supergraphSdl: await readFile(path, 'utf8'),
  buildService: ({ name }) => new LocalGraphQLDataSource(subgraphSchema(name as SubgraphName)),
  logger,
});
let schema: GraphQLSchema | undefined;
gateway.onSchemaLoadOrUpdate(({ apiSchema }) => {
  schema = apiSchema;
});
const { executor } = await gateway.load();
const document = parse(query);
const operation = document.definitions.find((each) => each.kind === 'OperationDefinition');
const queryHash = createHash('sha256').update(query).digest('hex');

driveOnOrder(
  (variables) =>
    executor({
      document,
      operation,
      operationName: null,
      queryHash,
      source: query,
      request: { query, variables },
      context: {},
      cache: undefined,
      schema,
      logger,
      metrics: {},
      overallCachePolicy: undefined,
    } as unknown as Parameters<typeof executor>[0]),
  Number(process.argv[4]),
);
