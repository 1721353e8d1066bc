/**
 * What an operation may cost at most, before it runs: by the GraphQL cost specification (`@cost`, `@listSize`) as
 * Apollo's demand control reads it. A mutation costs ten; each thing that may come back costs its weight, times
 * the length of the lists it is in; arguments cost theirs. What is selected twice is counted twice.
 *
 * Reckoned once per operation, into a function of its variables; with it go the checks of page sizes.
 */
import {
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { type Amount, product, sum, type Variables } from './amount.ts';
import { ArgumentReader, amountOf, type Reading, valueAt } from './arguments.ts';
import { InputCost } from './input-cost.ts';
import { type Field, isList, type ListSize, listSizes } from './list-sizes.ts';
import { PageSizes } from './page-sizes.ts';
import { type Weights, weights } from './weights.ts';

export interface ReckoningLimits {
  readonly MAX_PAGE_SIZE: number;
  readonly ASSUMED_LIST_SIZE: number;
}

export interface Reckoning {
  readonly cost: Amount;
  /** Whether every page that is asked for may be. */
  readonly pagesFit: (variables: Variables) => boolean;
}

const MUTATION = 10;

/** One supergraph's costs. */
export class CostModel {
  readonly supergraph: GraphQLSchema;
  readonly weights: Weights;
  readonly inputs: InputCost;
  readonly listSize: (field: Field) => ListSize;
  readonly pages: PageSizes;
  readonly #known = new WeakMap<OperationDefinitionNode, Reckoning>();

  constructor(supergraph: GraphQLSchema, limits: ReckoningLimits) {
    this.supergraph = supergraph;
    this.weights = weights(supergraph);
    this.inputs = new InputCost(this.weights);
    this.listSize = listSizes(supergraph, limits.ASSUMED_LIST_SIZE);
    this.pages = new PageSizes(limits.MAX_PAGE_SIZE);
  }

  reckon(document: DocumentNode, operation: OperationDefinitionNode): Reckoning {
    const known = this.#known.get(operation) ?? new OperationReckoner(this, document, operation).reckon();
    this.#known.set(operation, known);
    return known;
  }
}

type Sized = ReadonlyMap<string, Amount>;
const unsized: Sized = new Map();

class OperationReckoner {
  readonly #model: CostModel;
  readonly #operation: OperationDefinitionNode;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #arguments: ArgumentReader;
  readonly #pageChecks: ((variables: Variables) => boolean)[] = [];

  constructor(model: CostModel, document: DocumentNode, operation: OperationDefinitionNode) {
    this.#model = model;
    this.#operation = operation;
    this.#arguments = new ArgumentReader(operation);
    this.#fragments = new Map(
      document.definitions
        .filter((each) => each.kind === Kind.FRAGMENT_DEFINITION)
        .map((each) => [each.name.value, each]),
    );
  }

  reckon(): Reckoning {
    const { operation, selectionSet } = this.#operation;
    const root = this.#model.supergraph.getRootType(operation) ?? undefined;
    const base = operation === OperationTypeNode.MUTATION ? MUTATION : 0;
    const cost = sum([base, this.#set(selectionSet, root, unsized)]);
    const checks = this.#pageChecks;
    return { cost, pagesFit: (variables) => checks.every((fits) => fits(variables)) };
  }

  /** `sized`: how long those lists are that the field above says the length of. */
  #set({ selections }: SelectionSetNode, parent: GraphQLNamedType | undefined, sized: Sized): Amount {
    return sum(selections.map((each) => this.#where(each.directives, this.#selection(each, parent, sized))));
  }

  #selection(node: SelectionNode, parent: GraphQLNamedType | undefined, sized: Sized): Amount {
    if (node.kind === Kind.FIELD) {
      const field =
        isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[node.name.value] : null;
      return field ? this.#field(node, field, sized) : 0;
    }
    const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : this.#fragments.get(node.name.value);
    if (!fragment) return 0;
    const condition = fragment.typeCondition?.name.value;
    const type = condition === undefined ? parent : this.#model.supergraph.getType(condition);
    return this.#set(fragment.selectionSet, type, sized);
  }

  #field(node: FieldNode, field: Field, sized: Sized): Amount {
    const readings = new Map(field.args.map((each) => [each.name, this.#arguments.of(node, each)]));
    const size = this.#model.listSize(field);
    this.#checkPages(size, readings);
    const length = lengthOf(size, readings);
    const type = getNamedType(field.type);
    const below =
      isCompositeType(type) && node.selectionSet
        ? this.#set(node.selectionSet, type, new Map(size.sized.map((name) => [name, length])))
        : 0;
    const count = isList(field) ? (sized.get(node.name.value) ?? length) : 1;
    const inputs = field.args.map((each) => this.#model.inputs.of(each, readings.get(each.name)!));
    return sum([product(count, sum([this.#model.weights.field(field), below])), ...inputs]);
  }

  #checkPages(size: ListSize, readings: ReadonlyMap<string, Reading>): void {
    const check = this.#model.pages.check(size, readings);
    if (check) this.#pageChecks.push(check);
  }

  /** Nothing where `@skip` or `@include` leaves it out. */
  #where(directives: readonly DirectiveNode[] | undefined, amount: Amount): Amount {
    let result = amount;
    for (const { name, arguments: given } of directives ?? []) {
      const condition = given?.find((each) => each.name.value === 'if')?.value;
      if (!condition || (name.value !== 'skip' && name.value !== 'include')) continue;
      const wanted = name.value === 'include';
      result = product(
        amountOf(this.#arguments.value(condition), (value) => (value === wanted ? 1 : 0)),
        result,
      );
    }
    return result;
  }
}

/** The longest that the arguments ask for, or what is assumed. */
function lengthOf({ slicing, assumed }: ListSize, readings: ReadonlyMap<string, Reading>): Amount {
  const paths = slicing.map((path) => path.split('.'));
  const used = paths.map(([name]) => readings.get(name!)).filter((each) => each !== undefined);
  const length = (variables: Variables): number => {
    const asked = paths
      .map((path) => valueAt(readings, path, variables))
      .filter((each) => typeof each === 'number');
    return asked.length > 0 ? Math.max(0, ...asked) : assumed;
  };
  return used.every(({ fixed }) => fixed) ? length({}) : length;
}
