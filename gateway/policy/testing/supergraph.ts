/** A composed supergraph from the SDL of its subgraphs, as policy looks at it. */
import { composeServices } from '@apollo/composition';
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import {
  type DocumentNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';

const everything = [
  '@key',
  '@shareable',
  '@cost',
  '@listSize',
  '@authenticated',
  '@requiresScopes',
  '@policy',
];

/** Every subgraph may use every directive that policy knows. */
export function supergraphOf(...subgraphs: string[]): GraphQLSchema {
  const link = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ${JSON.stringify(everything)})`;
  return composed(...subgraphs.map((sdl) => `${link}\n${sdl}`));
}

export function composed(...subgraphs: string[]): GraphQLSchema {
  const services = subgraphs.map((sdl, index) => ({
    name: `s${index}`,
    url: `http://s${index}.example`,
    typeDefs: parse(sdl),
  }));
  const { supergraphSdl, errors } = composeServices(services);
  if (!supergraphSdl) throw new Error(errors?.map(String).join('\n'));
  const supportedFeatures = ROUTER_SUPPORTED_SUPERGRAPH_FEATURES;
  return Supergraph.build(supergraphSdl, { supportedFeatures }).schema.toGraphQLJSSchema();
}

/** A valid document and its only operation. */
export function operationIn(
  schema: GraphQLSchema,
  text: string,
): { document: DocumentNode; operation: OperationDefinitionNode } {
  const document = parse(text);
  const faults = validate(schema, document);
  if (faults.length > 0) throw new Error(faults.map(String).join('\n'));
  const operation = document.definitions.find((each) => each.kind === Kind.OPERATION_DEFINITION);
  return { document, operation: operation as OperationDefinitionNode };
}
