/** What the arguments of a field cost: each value its weight, and input objects all that is in them. */
import { type GraphQLArgument, type GraphQLInputField, getNamedType, isInputObjectType } from 'graphql';
import type { Amount } from './amount.ts';
import { amountOf, type Reading } from './arguments.ts';
import type { Weights } from './weights.ts';

type Input = GraphQLArgument | GraphQLInputField;

export class InputCost {
  readonly #weights: Weights;

  constructor(weights: Weights) {
    this.#weights = weights;
  }

  of(argument: GraphQLArgument, reading: Reading): Amount {
    // The usual argument is a scalar that weighs nothing: it costs no reckoning either.
    if (this.#weights.input(argument) === 0 && !isInputObjectType(getNamedType(argument.type))) return 0;
    return amountOf(reading, (value) => this.#cost(value, argument));
  }

  #cost(value: unknown, input: Input): number {
    if (value === null || value === undefined) return 0;
    if (Array.isArray(value))
      return value.reduce<number>((total, each) => total + this.#cost(each, input), 0);
    const own = this.#weights.input(input);
    const type = getNamedType(input.type);
    if (!isInputObjectType(type) || typeof value !== 'object') return own;
    const fields = type.getFields();
    return Object.entries(value).reduce((total, [name, inner]) => {
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      return field ? total + this.#cost(inner, field) : total;
    }, own);
  }
}
