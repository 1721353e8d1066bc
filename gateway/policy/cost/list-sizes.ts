/**
 * How long the lists under a field can be, by `@listSize`. Where a field does not say so, `first`, `last` and
 * `limit` are taken for page sizes, and the `edges` and `nodes` of what it returns for the page.
 */
import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  GraphQLInt,
  type GraphQLSchema,
  getNullableType,
  isInputObjectType,
  isInterfaceType,
  isListType,
  isObjectType,
} from 'graphql';
import { z } from 'zod';
import { directiveReader } from '../core-directives.ts';

export type Field = GraphQLField<unknown, unknown>;

export interface ListSize {
  /** Arguments that say how many entries come: `first`, or `input.first`. */
  readonly slicing: readonly string[];
  /** Whether exactly one of them must be given. */
  readonly one: boolean;
  /** Entries where no argument says it. */
  readonly assumed: number;
  /** Fields of what is returned that have this size; none: the field's own list has it. */
  readonly sized: readonly string[];
  /** Arguments whose value is refused beyond the greatest page. */
  readonly pages: readonly string[];
}

const directiveShape = z.object({
  assumedSize: z.number().nullish(),
  slicingArguments: z.array(z.string()).nullish(),
  sizedFields: z.array(z.string()).nullish(),
  requireOneSlicingArgument: z.boolean().nullish(),
});

const pageNames = ['first', 'last', 'limit'];

export function listSizes(supergraph: GraphQLSchema, assumedListSize: number): (field: Field) => ListSize {
  const read = directiveReader(supergraph, 'cost', 'listSize');
  const known = new WeakMap<Field, ListSize>();
  return (field) => {
    const before = known.get(field);
    if (before) return before;
    const declared = read?.(field);
    const size = declared
      ? declaredSize(field, declared, assumedListSize)
      : inferredSize(field, assumedListSize);
    known.set(field, size);
    return size;
  };
}

function declaredSize(field: Field, values: Readonly<Record<string, unknown>>, fallback: number): ListSize {
  const { assumedSize, slicingArguments, sizedFields, requireOneSlicingArgument } =
    directiveShape.parse(values);
  const slicing = slicingArguments ?? [];
  return {
    slicing,
    one: slicing.length > 0 && requireOneSlicingArgument !== false,
    assumed: assumedSize ?? fallback,
    sized: sizedFields ?? [],
    pages: [...new Set([...slicing, ...pageArguments(field)])],
  };
}

function inferredSize(field: Field, fallback: number): ListSize {
  const pages = pageArguments(field);
  const returned = getNullableType(field.type);
  const fields = isObjectType(returned) || isInterfaceType(returned) ? returned.getFields() : {};
  const sized = pages.length > 0 ? ['edges', 'nodes'].filter((name) => name in fields) : [];
  return { slicing: pages, one: false, assumed: fallback, sized, pages };
}

/** Integers called `first`, `last` or `limit`: arguments, or fields of an argument's input object. */
function pageArguments({ args }: Field): string[] {
  return args.flatMap((argument: GraphQLArgument) => {
    if (isPage(argument)) return [argument.name];
    const type = getNullableType(argument.type);
    if (!isInputObjectType(type)) return [];
    const inner = Object.values(type.getFields()).filter(isPage);
    return inner.map(({ name }) => `${argument.name}.${name}`);
  });
}

const isPage = ({ name, type }: { name: string; type: GraphQLInputType }): boolean =>
  pageNames.includes(name) && getNullableType(type) === GraphQLInt;

export const isList = (field: Field): boolean => isListType(getNullableType(field.type));
