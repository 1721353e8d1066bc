/** Apollo Server over our policy and executor, for requests whose form has to be judged. */
import type { IncomingMessage } from 'node:http';
import { ApolloServer, HeaderMap } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginLandingPageDisabled,
} from '@apollo/server/plugin/disabled';
import type { Logger } from 'pino';
import { formatClientError, refusal } from '../errors.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { admitValidDocument } from '../pipeline/operation.ts';
import type { Policy } from '../policy/policy.ts';
import type { Supergraph } from '../supergraph.ts';
import { type Context, overHttp, runOnce, withStatus } from './execution.ts';

export interface ApolloOptions {
  readonly config: GatewayConfig;
  readonly policy: Policy;
  readonly logger: Logger;
}

/** The only headers that Apollo Server looks at. */
const HEADERS = ['content-type', 'accept', 'x-apollo-operation-name', 'apollo-require-preflight'] as const;

export function headersFor({ headers }: IncomingMessage): HeaderMap {
  const seen = new HeaderMap();
  for (const name of HEADERS) {
    const value = headers[name];
    if (value !== undefined) seen.set(name, String(value));
  }
  return seen;
}

export function createApolloServer(options: ApolloOptions, supergraph: Supergraph): ApolloServer<Context> {
  const { config, policy, logger } = options;
  const production = config.PRODUCTION;
  return new ApolloServer<Context>({
    gateway: {
      onSchemaLoadOrUpdate: (listener) => {
        const tell = ({ schema }: Supergraph['graph']) =>
          listener({ apiSchema: schema, coreSupergraphSdl: '' });
        tell(supergraph.graph);
        return supergraph.onChange(tell);
      },
      load: async () => ({
        executor: async ({ document, request, context: given }) => {
          const context = given as Context;
          context.observer?.stage('validate');
          const { graph } = supergraph;
          const admitted = await admitValidDocument(policy, graph, document, request, context.caller);
          // Without `data`, since nothing is executed.
          if (!('operation' in admitted)) return { errors: admitted.map((error) => withStatus(error, 400)) };
          return (await runOnce(options, admitted, context)) ?? { errors: [overHttp()] };
        },
      }),
      stop: async () => undefined,
    },
    nodeEnv: production ? 'production' : 'development',
    // Policy decides by caller who may ask about the schema.
    introspection: true,
    hideSchemaDetailsFromClientErrors: production,
    includeStacktraceInErrorResponses: false,
    csrfPrevention: config.CSRF_PREVENTION,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: policy.maxTokens },
    validationRules: [...policy.rulesFor(supergraph.graph)],
    logger,
    formatError: (error) => formatClientError(error, production),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginCacheControlDisabled(),
      {
        requestDidStart: async () => ({
          didEncounterErrors: async ({ contextValue, errors }) => contextValue.observer?.failed(errors),
          didResolveOperation: async ({ operation }) => {
            if (!operation)
              throw refusal(
                'OPERATION_RESOLUTION_FAILURE',
                'Name one of the operations in the document',
                400,
              );
          },
        }),
      },
    ],
  });
}
