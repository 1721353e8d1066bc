/**
 * Stages 2 and 3: plan an operation, and compile the plan into one function. A compiled plan holds no request's
 * state and may run any number of times at once.
 */
import { operationFromDocument, type Schema } from '@apollo/federation-internals';
import type { DeferNode, PlanNode, QueryPlanner, SubscriptionNode } from '@apollo/query-planner';
import { GraphQLError } from 'graphql';
import { compileFetch, type FetchSource, type PlannedFetches, type Run, type Step } from './fetch.ts';
import { booleanOf, type NormalOperation } from './normalise.ts';

export interface PlanSource extends FetchSource {
  readonly planner: QueryPlanner;
  /** The schema that clients see, in the planner's own model. */
  readonly apiSchema: Schema;
}

/** A deferred part of a plan. */
export interface DeferredPlan {
  /** As in the shape of the same operation. */
  readonly label: string;
  /** Fetches that have to be done before this part begins. */
  readonly after: readonly string[];
  readonly plan: CompiledPlan;
}

export interface CompiledPlan {
  /** `undefined` where nothing has to be fetched. */
  readonly step: Step | undefined;
  readonly deferred: readonly DeferredPlan[];
}

export interface CompiledSubscription {
  readonly primary: SubscriptionNode['primary'];
  readonly rest: Step | undefined;
}

/** Labels of progressive `@override` that are on. */
export type Overrides = ReadonlyMap<string, boolean>;

export const FETCH_DONE = Symbol('fetch done');

/** A run in which parts wait for fetches of other parts. */
export interface DeferringRun extends Run {
  readonly [FETCH_DONE]: (fetchId: string) => void;
}

export function planOperation(
  source: PlanSource,
  normal: NormalOperation,
  overrides: Overrides,
): CompiledPlan {
  const node = buildPlan(source, normal, overrides) as PlanNode | undefined;
  return compilePlan(node, { ...source, normal, planned: new Map() });
}

export function planSubscription(
  source: PlanSource,
  normal: NormalOperation,
  overrides: Overrides,
): CompiledSubscription {
  const node = buildPlan(source, normal, overrides) as SubscriptionNode | undefined;
  if (node?.kind !== 'Subscription') {
    throw new GraphQLError('This subscription cannot be served', {
      extensions: { code: 'SUBSCRIPTION_NOT_PLANNED' },
    });
  }
  return {
    primary: node.primary,
    rest: compileNode(node.rest, [], { ...source, normal, planned: new Map() }),
  };
}

function buildPlan(
  { planner, apiSchema }: PlanSource,
  { document, operation }: NormalOperation,
  overrides: Overrides,
): PlanNode | SubscriptionNode | undefined {
  const operationName = operation.name?.value;
  const model = operationFromDocument(apiSchema, document, {
    validate: false,
    ...(operationName ? { operationName } : {}),
  });
  return planner.buildQueryPlan(model, { overrideConditions: new Map(overrides) }).node;
}

interface CompileContext extends PlanSource {
  readonly normal: NormalOperation;
  readonly planned: PlannedFetches;
}

function compilePlan(node: PlanNode | undefined, context: CompileContext): CompiledPlan {
  const defer = node && deferOf(node);
  if (!defer) return { step: compileNode(node, [], context), deferred: [] };
  return {
    step: compileNode(defer.primary.node, [], context),
    deferred: defer.deferred.map(({ label, depends, node: part }) => ({
      label: label ?? '',
      after: depends.map(({ id }) => id),
      plan: compilePlan(part, context),
    })),
  };
}

const deferOf = (node: PlanNode): DeferNode | undefined => (node.kind === 'Defer' ? node : undefined);

function compileNode(
  node: PlanNode | undefined,
  path: readonly (string | number)[],
  context: CompileContext,
): Step | undefined {
  switch (node?.kind) {
    case undefined:
      return undefined;
    case 'Sequence':
      return sequence(node.nodes.map((each) => compileNode(each, path, context)));
    case 'Parallel':
      return parallel(node.nodes.map((each) => compileNode(each, path, context)));
    case 'Flatten':
      return compileNode(node.node, [...path, ...node.path], context);
    case 'Condition': {
      const { operation } = context.normal;
      const yes = compileNode(node.ifClause, path, context);
      const no = compileNode(node.elseClause, path, context);
      return (run) => (booleanOf(node.condition, operation, run.variables) ? yes : no)?.(run);
    }
    case 'Fetch':
      return announced(node.id, compileFetch(node, path, context, context.planned));
    case 'Defer':
      throw new Error('A deferred part lies where the planner puts none');
  }
}

const isStep = (step: Step | undefined): step is Step => step !== undefined;

function sequence(nodes: readonly (Step | undefined)[]): Step | undefined {
  const steps = nodes.filter(isStep);
  if (steps.length <= 1) return steps[0];
  return async (run) => {
    for (const step of steps) {
      const running = step(run);
      if (running) await running;
    }
  };
}

function parallel(nodes: readonly (Step | undefined)[]): Step | undefined {
  const steps = nodes.filter(isStep);
  if (steps.length <= 1) return steps[0];
  return async (run) => {
    await Promise.all(steps.map((step) => step(run)));
  };
}

/** Tells a run that waits for it that a fetch is done. */
function announced(id: string | undefined, step: Step): Step {
  if (id === undefined) return step;
  return async (run) => {
    await step(run);
    (run as Partial<DeferringRun>)[FETCH_DONE]?.(id);
  };
}
