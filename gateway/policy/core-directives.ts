/**
 * Directives of the shared specifications (`https://specs.apollo.dev/<feature>/v…`) as one supergraph uses them:
 * it may link them under names of its own.
 */
import {
  type ConstDirectiveNode,
  type GraphQLSchema,
  getDirectiveValues,
  valueFromASTUntyped,
} from 'graphql';

interface Annotated {
  readonly astNode?: { readonly directives?: readonly ConstDirectiveNode[] } | null | undefined;
}

interface Link {
  readonly url?: string;
  readonly as?: string | null;
  readonly import?: readonly (string | { name: string; as?: string })[] | null;
}

/** What reads the arguments of one directive; `null` where the supergraph does not link it. */
export type DirectiveReader = (annotated: Annotated) => Readonly<Record<string, unknown>> | undefined;

export function directiveReader(
  supergraph: GraphQLSchema,
  feature: string,
  element: string = feature,
): DirectiveReader | null {
  const name = nameOf(supergraph, feature, element);
  const directive = name && supergraph.getDirective(name);
  if (!directive) return null;
  return ({ astNode }) => (astNode ? getDirectiveValues(directive, astNode) : undefined);
}

function nameOf(supergraph: GraphQLSchema, feature: string, element: string): string | null {
  const nodes = [supergraph.astNode, ...supergraph.extensionASTNodes];
  const applied = nodes.flatMap((node) => node?.directives ?? []).filter(({ name }) => name.value === 'link');
  for (const node of applied) {
    const link = argumentsOf(node) as Link;
    const [, linked] = /^https:\/\/specs\.apollo\.dev\/([^/]+)\/v[\d.]+$/.exec(link.url ?? '') ?? [];
    if (linked === feature) return nameIn(link, feature, element);
  }
  return null;
}

const argumentsOf = (node: ConstDirectiveNode): Record<string, unknown> =>
  Object.fromEntries(
    (node.arguments ?? []).map(({ name, value }) => [name.value, valueFromASTUntyped(value)]),
  );

function nameIn(link: Link, feature: string, element: string): string {
  for (const each of link.import ?? []) {
    const imported = typeof each === 'string' ? { name: each } : each;
    if (imported.name === `@${element}`) return (imported.as ?? imported.name).slice(1);
  }
  const space = link.as ?? feature;
  return element === feature ? space : `${space}__${element}`;
}
