/**
 * What a document may be at most, over every transport. All is measured with fragments written out, each
 * fragment once: a few lines of nested fragments can mean millions of fields.
 */
import {
  type DirectiveNode,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

export interface DocumentLimits {
  readonly MAX_DEPTH: number;
  readonly MAX_ALIASES: number;
  readonly MAX_MUTATION_FIELDS: number;
  readonly MAX_DIRECTIVES: number;
  readonly MAX_SELECTIONS: number;
}

interface Measure {
  depth: number;
  selections: number;
  aliases: number;
  directives: number;
  /** Fields at the top level. */
  fields: number;
}

const nothing: Measure = { depth: 0, selections: 0, aliases: 0, directives: 0, fields: 0 };

const faults: [keyof Measure, keyof DocumentLimits, string][] = [
  ['depth', 'MAX_DEPTH', 'The operation is nested too deeply'],
  ['selections', 'MAX_SELECTIONS', 'The operation selects too much'],
  ['aliases', 'MAX_ALIASES', 'The operation has too many aliases'],
  ['directives', 'MAX_DIRECTIVES', 'The operation has too many directives'],
];

export function documentLimits(limits: DocumentLimits): ValidationRule {
  return (context) => {
    const measured = new Measuring(context);
    return {
      OperationDefinition(operation) {
        const size = measured.operation(operation);
        const fault = faults.find(([name, limit]) => size[name] > limits[limit])?.[2];
        if (fault) context.reportError(new GraphQLError(fault, { nodes: operation }));
        else if (
          operation.operation === OperationTypeNode.MUTATION &&
          size.fields > limits.MAX_MUTATION_FIELDS
        )
          context.reportError(new GraphQLError('The mutation does too much at once', { nodes: operation }));
        return undefined;
      },
    };
  };
}

class Measuring {
  readonly #context: ValidationContext;
  readonly #fragments = new Map<string, Measure>();

  constructor(context: ValidationContext) {
    this.#context = context;
  }

  operation({ directives, variableDefinitions, selectionSet }: OperationDefinitionNode): Measure {
    const size = this.#set(selectionSet);
    size.directives += count(directives);
    for (const each of variableDefinitions ?? []) size.directives += count(each.directives);
    return size;
  }

  #set({ selections }: SelectionSetNode): Measure {
    const total = { ...nothing };
    for (const selection of selections) {
      const inner = this.#inner(selection);
      const isField = selection.kind === Kind.FIELD;
      total.depth = Math.max(total.depth, inner.depth + (isField ? 1 : 0));
      total.selections += inner.selections + 1;
      total.aliases += inner.aliases + (isField && selection.alias ? 1 : 0);
      total.directives += inner.directives + count(selection.directives);
      total.fields += isField ? 1 : inner.fields;
    }
    return total;
  }

  #inner(selection: SelectionNode): Measure {
    if (selection.kind === Kind.FRAGMENT_SPREAD) return this.#fragment(selection.name.value);
    return selection.selectionSet ? this.#set(selection.selectionSet) : nothing;
  }

  #fragment(name: string): Measure {
    const known = this.#fragments.get(name);
    if (known) return known;
    // A cycle counts nothing here: another rule refuses it.
    this.#fragments.set(name, nothing);
    const fragment = this.#context.getFragment(name);
    if (!fragment) return nothing;
    const size = this.#set(fragment.selectionSet);
    size.directives += count(fragment.directives);
    this.#fragments.set(name, size);
    return size;
  }
}

const count = (directives: readonly DirectiveNode[] | undefined): number => directives?.length ?? 0;
