/**
 * `node stock-gateway.ts <supergraph> <port>`: `@apollo/gateway` as it is, behind Apollo Server for HTTP and
 * behind graphql-ws for subscriptions, which its executor does not support. For comparison.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { ApolloGateway } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { expressMiddleware } from '@as-integrations/express5';
import express from 'express';
import {
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  type GraphQLSchema,
  OperationTypeNode,
  print,
} from 'graphql';
import { useServer as serveSubscriptions } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const [, , supergraph = '', port = '0'] = process.argv;
const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: console.error };
const gateway = new ApolloGateway({ supergraphSdl: await readFile(supergraph, 'utf8'), logger });
let schema: GraphQLSchema | undefined;
gateway.onSchemaLoadOrUpdate(({ apiSchema }) => {
  schema = apiSchema;
});
const apollo = new ApolloServer({ gateway, logger });
await apollo.start();
const server = createServer(express().use('/graphql', express.json(), expressMiddleware(apollo)));

async function run({ document, operationName, variableValues }: ExecutionArgs) {
  const query = print(document);
  const operation = document.definitions.find((each) => each.kind === 'OperationDefinition')!;
  const subscription = operation.operation === OperationTypeNode.SUBSCRIPTION;
  try {
    return (await gateway.executor({
      document,
      operation,
      operationName: operationName ?? null,
      queryHash: `${subscription} ${operationName} ${query}`,
      request: { query, operationName: operationName ?? undefined, variables: { ...variableValues } },
      context: {},
      cache: apollo.cache,
      schema: schema!,
      logger,
      metrics: {},
      overallCachePolicy: undefined,
      source: query,
    } as never)) as ExecutionResult;
  } catch (error) {
    // Uncaught it would close the socket, and all other subscriptions with it.
    return { errors: [error instanceof GraphQLError ? error : new GraphQLError(String(error))] };
  }
}

serveSubscriptions(
  { schema: () => schema!, execute: run, subscribe: run },
  new WebSocketServer({ server, path: '/graphql' }),
);
server.listen(Number(port), '127.0.0.1');
