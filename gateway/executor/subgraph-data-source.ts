/** Sends what the plan executor asks to one subgraph; a failure becomes coded errors with the paths it cost. */
import type { ApolloGateway, GraphQLDataSource } from '@apollo/gateway';
import {
  type FormattedExecutionResult,
  type GraphQLFormattedError,
  Kind,
  parse,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Logger } from 'pino';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import { type SubgraphClient, SubgraphFailure } from '../subgraph-client/subgraph-client.ts';

export type PlanRequestContext = Parameters<ApolloGateway['executor']>[0];
type FetchOptions = Parameters<GraphQLDataSource['process']>[0];
type FetchAnswer = Awaited<ReturnType<GraphQLDataSource['process']>>;

/** A long list whose fields are all lost gets no more errors than this. */
const ERRORS_PER_FETCH = 100;

export class SubgraphDataSource implements GraphQLDataSource {
  readonly #client: SubgraphClient;
  readonly #logger: Logger;

  constructor(client: SubgraphClient, logger: Logger) {
    this.#client = client;
    this.#logger = logger;
  }

  async process({ request, context }: FetchOptions): Promise<FetchAnswer> {
    const { viewer, requestId, signal } = context as RequestFacts;
    const { query = '', operationName, variables } = request;
    try {
      const answer: FormattedExecutionResult = await this.#client.execute({
        query,
        operationName,
        variables,
        viewer,
        requestId,
        signal,
      });
      return answer;
    } catch (error) {
      const code = error instanceof SubgraphFailure ? error.code : 'SUBGRAPH_UNAVAILABLE';
      // A client that left is no trouble of the subgraph's.
      if (!signal.aborted)
        this.#logger.warn(
          { err: error, subgraph: this.#client.name, requestId },
          'a subgraph gave no answer',
        );
      const message = `Part of the answer is missing: ${this.#client.name} failed`;
      return { errors: lostPaths(query, variables).map((path) => ({ message, path, extensions: { code } })) };
    }
  }
}

/** The fields of a fetch as paths into its answer: root fields, or the fields of each entity. */
function lostPaths(
  query: string,
  variables: Record<string, unknown> | undefined,
): GraphQLFormattedError['path'][] {
  const document = parse(query, { noLocation: true });
  const operation = document.definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION);
  const fragments = new Map(
    document.definitions
      .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
      .map((each) => [each.name.value, each.selectionSet]),
  );
  const fields = (set: SelectionSetNode): string[] => [
    ...new Set(
      set.selections.flatMap((each: SelectionNode): string[] => {
        if (each.kind === Kind.FIELD)
          return each.name.value === '__typename' ? [] : [each.alias?.value ?? each.name.value];
        const inner = each.kind === Kind.INLINE_FRAGMENT ? each.selectionSet : fragments.get(each.name.value);
        return inner ? fields(inner) : [];
      }),
    ),
  ];
  const selections = operation?.selectionSet.selections ?? [];
  const entities = selections.find((each) => each.kind === Kind.FIELD && each.name.value === '_entities');
  if (entities?.kind !== Kind.FIELD || !entities.selectionSet) {
    return operation ? fields(operation.selectionSet).map((field) => [field]) : [];
  }
  const lost = fields(entities.selectionSet);
  const representations = Array.isArray(variables?.representations) ? variables.representations : [];
  return representations
    .flatMap((_, index) => lost.map((field) => ['_entities', index, field]))
    .slice(0, ERRORS_PER_FETCH);
}
