/** What things weigh, by `@cost`; objects and input objects weigh one, and scalars nothing, where it is silent. */
import {
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isAbstractType,
  isInputObjectType,
  isLeafType,
} from 'graphql';
import { directiveReader } from '../core-directives.ts';
import type { Field } from './list-sizes.ts';

export interface Weights {
  /** Whether the supergraph speaks of cost at all. */
  readonly declared: boolean;
  /** Of one thing that the field returns, without what is selected of it. */
  field(field: Field): number;
  /** Of one value that is not null, without what is in it. */
  input(input: GraphQLArgument | GraphQLInputField): number;
}

type Annotated = Parameters<NonNullable<ReturnType<typeof directiveReader>>>[0];

export function weights(supergraph: GraphQLSchema): Weights {
  const read = directiveReader(supergraph, 'cost');
  const stated = (annotated: Annotated): number | undefined => {
    const weight = read?.(annotated)?.weight;
    return typeof weight === 'number' ? weight : undefined;
  };
  const ofType = (type: GraphQLNamedType): number => {
    const own = stated(type);
    if (own !== undefined) return own;
    if (isAbstractType(type)) return Math.max(1, ...supergraph.getPossibleTypes(type).map(ofType));
    return isLeafType(type) ? 0 : 1;
  };
  const inputs = new WeakMap<GraphQLArgument | GraphQLInputField, number>();
  return {
    declared: read !== null || directiveReader(supergraph, 'cost', 'listSize') !== null,
    field: (field) => stated(field) ?? ofType(getNamedType(field.type)),
    input: (input) => {
      const known = inputs.get(input);
      if (known !== undefined) return known;
      const type = getNamedType(input.type);
      const weight = stated(input) ?? stated(type) ?? (isInputObjectType(type) ? 1 : 0);
      inputs.set(input, weight);
      return weight;
    },
  };
}
