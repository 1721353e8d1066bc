/**
 * A contract: the supergraph with everything that a tag does not name put out of sight, as Apollo's contracts do
 * with a list of included tags. An object or interface type, or a field of one, is in it where it carries the
 * tag or its type does; a type of which no field is left is out, all others are in where they carry the tag.
 * Arguments, enum values and input fields go with what they belong to. The result is a supergraph again: the
 * planner still sees what is out of sight, such as keys, and nobody else does.
 */
import { type Schema, Supergraph } from '@apollo/federation-internals';
import {
  type ConstDirectiveNode,
  type DocumentNode,
  GraphQLError,
  Kind,
  parse,
  print,
  type TypeDefinitionNode,
  visit,
} from 'graphql';

const feature = 'https://specs.apollo.dev/inaccessible/v0.2';
const definition = `directive @inaccessible on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION`;

const directive = (text: string): ConstDirectiveNode => {
  const [schema] = parse(`extend schema ${text}`).definitions;
  if (schema?.kind !== Kind.SCHEMA_EXTENSION || !schema.directives?.[0]) throw new TypeError(text);
  return schema.directives[0];
};

interface Tagged {
  readonly directives?: readonly ConstDirectiveNode[];
}

const hasTag = (node: Tagged, tag: string): boolean =>
  (node.directives ?? []).some(
    ({ name, arguments: given }) =>
      name.value === 'tag' &&
      given?.some(({ value }) => value.kind === Kind.STRING && value.value === tag) === true,
  );

const isHidden = (node: Tagged): boolean =>
  (node.directives ?? []).some(({ name }) => name.value === 'inaccessible');

function hide<Node extends Tagged>(node: Node): Node {
  if (isHidden(node)) return node;
  return { ...node, directives: [...(node.directives ?? []), directive('@inaccessible')] };
}

/** Machinery of the supergraph itself, which no API shows. */
const isInternal = ({ name }: TypeDefinitionNode): boolean => /^(join|link|core)__/.test(name.value);

/** The supergraph file of one contract. Throws with everything that does not fit, each on a line of its own. */
export function contractOf(supergraphSdl: string, tag: string): string {
  const within = (node: TypeDefinitionNode): TypeDefinitionNode => {
    if (isInternal(node)) return node;
    const whole = hasTag(node, tag);
    if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.INTERFACE_TYPE_DEFINITION)
      return whole ? node : hide(node);
    const shown = (node.fields ?? []).filter((field) => !isHidden(field) && (whole || hasTag(field, tag)));
    if (shown.length === 0) return hide(node);
    return { ...node, fields: node.fields?.map((field) => (shown.includes(field) ? field : hide(field))) };
  };
  const marked = visit(withFeature(parse(supergraphSdl)), {
    ObjectTypeDefinition: within,
    InterfaceTypeDefinition: within,
    UnionTypeDefinition: within,
    EnumTypeDefinition: within,
    InputObjectTypeDefinition: within,
    ScalarTypeDefinition: within,
  });
  const sdl = print(marked);
  contractApi(sdl);
  return sdl;
}

/** What a client of a contract sees. */
export function contractApi(contractSdl: string): Schema {
  try {
    return Supergraph.build(contractSdl, { validateSupergraph: true }).apiSchema();
  } catch (error) {
    const causes = (error as { causes?: readonly GraphQLError[] }).causes ?? [error as Error];
    throw new Error(
      causes.map((cause) => (cause instanceof GraphQLError ? cause.message : String(cause))).join('\n'),
    );
  }
}

function withFeature(document: DocumentNode): DocumentNode {
  const known = document.definitions.some(
    (node) => node.kind === Kind.DIRECTIVE_DEFINITION && node.name.value === 'inaccessible',
  );
  if (known) return document;
  const definitions = document.definitions.map((node) =>
    node.kind === Kind.SCHEMA_DEFINITION
      ? {
          ...node,
          directives: [...(node.directives ?? []), directive(`@link(url: "${feature}", for: SECURITY)`)],
        }
      : node,
  );
  return { ...document, definitions: [...definitions, ...parse(definition).definitions] };
}
