/** The value that a field's argument takes: literal, from a variable, from either's default, or none. */
import {
  type FieldNode,
  type GraphQLArgument,
  Kind,
  type OperationDefinitionNode,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import type { Amount, Variables } from './amount.ts';

/** A value; `fixed` where no variable has a say in it. */
export interface Reading {
  readonly fixed: boolean;
  readonly read: (variables: Variables) => unknown;
}

const fixed = (value: unknown): Reading => ({ fixed: true, read: () => value });

/** What a number makes of a value: reckoned at once where the value is fixed. */
export function amountOf(reading: Reading, reckon: (value: unknown) => number): Amount {
  return reading.fixed ? reckon(reading.read({})) : (variables) => reckon(reading.read(variables));
}

/** The value at `first`, or inside an argument at `input.first`. */
export function valueAt(
  readings: ReadonlyMap<string, Reading>,
  [argument = '', ...path]: readonly string[],
  variables: Variables,
): unknown {
  let value = readings.get(argument)?.read(variables);
  for (const name of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

export class ArgumentReader {
  readonly #defaults: Variables;

  constructor(operation: OperationDefinitionNode) {
    this.#defaults = Object.fromEntries(
      (operation.variableDefinitions ?? []).flatMap(({ variable, defaultValue }) =>
        defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)]] : [],
      ),
    );
  }

  of(node: FieldNode, argument: GraphQLArgument): Reading {
    const given = node.arguments?.find(({ name }) => name.value === argument.name)?.value;
    if (!given) return fixed(argument.defaultValue);
    const reading = this.value(given);
    if (reading.fixed) return reading;
    return {
      fixed: false,
      read: (variables) => {
        const value = reading.read(variables);
        return value === undefined ? argument.defaultValue : value;
      },
    };
  }

  value(node: ValueNode): Reading {
    if (!hasVariable(node)) return fixed(valueFromASTUntyped(node));
    if (node.kind === Kind.VARIABLE) {
      const { value: name } = node.name;
      const fallback = this.#defaults[name];
      return {
        fixed: false,
        read: (variables) => (variables[name] === undefined ? fallback : variables[name]),
      };
    }
    return {
      fixed: false,
      read: (variables) => valueFromASTUntyped(node, { ...this.#defaults, ...variables }),
    };
  }
}

function hasVariable(value: ValueNode): boolean {
  if (value.kind === Kind.VARIABLE) return true;
  if (value.kind === Kind.LIST) return value.values.some(hasVariable);
  return value.kind === Kind.OBJECT && value.fields.some((field) => hasVariable(field.value));
}
