/** Variables for somebody to fill in: everything that an operation demands, and nothing that it does not. */
import {
  type GraphQLInputType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  type OperationDefinitionNode,
  type TypeNode,
  typeFromAST,
} from 'graphql';

const scalars: Readonly<Record<string, unknown>> = { Int: 1, Float: 1, Boolean: false };

export function exampleVariables(schema: GraphQLSchema, operation: OperationDefinitionNode): object {
  const demanded = (operation.variableDefinitions ?? []).filter(
    ({ type, defaultValue }) => type.kind === 'NonNullType' && !defaultValue,
  );
  return Object.fromEntries(
    demanded.map(({ variable, type }) => {
      const known = typeFromAST(schema, type as TypeNode) as GraphQLInputType | undefined;
      return [variable.name.value, known ? exampleOf(known, new Set()) : null];
    }),
  );
}

/** An input type may hold itself, though never without a way out. */
function exampleOf(type: GraphQLInputType, within: ReadonlySet<string>): unknown {
  if (isNonNullType(type)) return exampleOf(type.ofType, within);
  if (isListType(type)) return [];
  if (isEnumType(type)) return type.getValues()[0]?.name ?? null;
  if (!isInputObjectType(type)) return scalars[type.name] ?? '';
  if (within.has(type.name)) return {};
  const deeper = new Set(within).add(type.name);
  const fields = Object.values(type.getFields()).filter(isRequiredInputField);
  return Object.fromEntries(fields.map((field) => [field.name, exampleOf(field.type, deeper)]));
}
