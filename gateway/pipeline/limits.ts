/** What a document may be at most, over every transport. */
import {
  GraphQLError,
  Kind,
  type SelectionSetNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';

export const MAX_TOKENS = 1_000;
/** Of a document with all its fragments written out: a few lines of nested fragments can mean millions. */
const MAX_SELECTIONS = 5_000;

export const selectionLimit: ValidationRule = (context: ValidationContext) => {
  const sizes = new Map<string, number>();
  function size(set: SelectionSetNode): number {
    let total = 0;
    for (const selection of set.selections) {
      total += 1;
      if (selection.kind === Kind.FRAGMENT_SPREAD) total += fragmentSize(selection.name.value);
      else if (selection.selectionSet) total += size(selection.selectionSet);
    }
    return total;
  }
  function fragmentSize(name: string): number {
    const known = sizes.get(name);
    if (known !== undefined) return known;
    // A cycle counts nothing here: another rule refuses it.
    sizes.set(name, 0);
    const fragment = context.getFragment(name);
    const total = fragment ? size(fragment.selectionSet) : 0;
    sizes.set(name, total);
    return total;
  }
  return {
    OperationDefinition(operation) {
      if (size(operation.selectionSet) > MAX_SELECTIONS)
        context.reportError(new GraphQLError('The operation selects too much', { nodes: operation }));
    },
  };
};
