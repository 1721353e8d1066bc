/** What a subgraph answered, read with care: it may break its contract, and then says why its fields are lost. */
import type { FetchNode } from '@apollo/query-planner';
import {
  type FormattedExecutionResult,
  type GraphQLFormattedError,
  Kind,
  parse,
  type SelectionSetNode,
} from 'graphql';
import { isObject, SUBGRAPH_RESPONSE_INVALID } from './complete.ts';
import type { Failure } from './notes.ts';

export const pathOf = ({ path }: Partial<GraphQLFormattedError>): readonly (string | number)[] =>
  Array.isArray(path) ? path : [];

const DOWNSTREAM = 'DOWNSTREAM_SERVICE_ERROR';

export function failureOf(error: GraphQLFormattedError): Failure {
  const { message, extensions } = error as Partial<GraphQLFormattedError>;
  return {
    message: typeof message === 'string' ? message : 'A subgraph answered with an error',
    extensions: isObject(extensions) ? { code: DOWNSTREAM, ...extensions } : { code: DOWNSTREAM },
  };
}

const broken: Failure = {
  message: 'A subgraph answered with something that is no answer to its question',
  extensions: { code: SUBGRAPH_RESPONSE_INVALID },
};

/** The errors of an answer, as far as they are any. */
export const errorsOf = ({ errors }: FormattedExecutionResult): readonly GraphQLFormattedError[] =>
  Array.isArray(errors) ? (errors as GraphQLFormattedError[]).filter(isObject) : [];

/** Whether an answer without data says by paths which fields are to blame for that. */
export const isExplained = (answer: FormattedExecutionResult): boolean =>
  (answer.data === null || answer.data === undefined) &&
  errorsOf(answer).some((each) => pathOf(each).length > 0);

/** Why an answer has no usable data. */
export function failureOfAnswer(answer: FormattedExecutionResult): Failure {
  const [error] = errorsOf(answer);
  return error ? failureOf(error) : broken;
}

/** The response names at the top of what a fetch brings. */
export function answeredFields({ operation, requires }: FetchNode): string[] {
  const document = parse(operation, { noLocation: true });
  const fragments = new Map(
    document.definitions
      .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
      .map((each) => [each.name.value, each.selectionSet]),
  );
  const fields = (set: SelectionSetNode): string[] =>
    set.selections.flatMap((each): string[] => {
      if (each.kind === Kind.FIELD)
        return each.name.value === '__typename' ? [] : [each.alias?.value ?? each.name.value];
      const inner = each.kind === Kind.INLINE_FRAGMENT ? each.selectionSet : fragments.get(each.name.value);
      return inner ? fields(inner) : [];
    });
  const definition = document.definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION);
  if (!definition) return [];
  const [first] = definition.selectionSet.selections;
  const top = requires && first?.kind === Kind.FIELD ? first.selectionSet : definition.selectionSet;
  return [...new Set(top ? fields(top) : [])];
}

/** The entities of an answer in the order of the representations; `undefined` where it breaks its contract. */
export function entitiesOf({ data }: FormattedExecutionResult, count: number): unknown[] | undefined {
  const entities = isObject(data) ? data._entities : undefined;
  if (!Array.isArray(entities) || entities.length !== count) return undefined;
  return entities.every((each) => each === null || isObject(each)) ? entities : undefined;
}
