/**
 * Stage 3, for one fetch of a plan: compiled into a function that finds its targets in the gathered data, sends
 * one representation for each distinct entity, and merges the answer into all of them. It never rejects: what a
 * subgraph fails to answer is noted on the objects that it cost.
 */
import type { FetchNode } from '@apollo/query-planner';
import type { FormattedExecutionResult, GraphQLSchema } from 'graphql';
import type { RequestFacts } from '#shared/runtime/server/local-subgraph.ts';
import {
  type PlannedFetch,
  type SubgraphClient,
  SubgraphFailure,
} from '../subgraph-client/subgraph-client.ts';
import type { RunObserver } from '../telemetry/observer.ts';
import {
  answeredFields,
  entitiesOf,
  errorsOf,
  failureOf,
  failureOfAnswer,
  isExplained,
  pathOf,
} from './answers.ts';
import { isObject } from './complete.ts';
import { type Context, compileContexts } from './contexts.ts';
import { clone, merge } from './merge.ts';
import type { Failure, Notes } from './notes.ts';
import { compileRepresentation, type Represent, requiredFields } from './representations.ts';
import { compileRewrites, type Rewrite } from './rewrites.ts';
import { compilePath, type FindTargets } from './targets.ts';

type Json = Record<string, unknown>;

/** One execution of a plan. */
export interface Run {
  /** What is known so far. */
  readonly root: Json;
  readonly variables: Readonly<Json>;
  readonly facts: RequestFacts;
  /** `performance.now()` by which the answer is due. */
  readonly deadline: number;
  readonly notes: Notes;
  /** Told of each subgraph that failed. */
  readonly onFailure: (subgraph: string, error: unknown, requestId: string) => void;
  readonly observer?: RunObserver | undefined;
  /** Entities that were asked for in this run; none where asking again may tell something new, as in mutations. */
  readonly asked: Map<PlannedFetch, Map<string, Asked>> | undefined;
}

/** An entity that a subgraph was asked for. Other fetches of the run that ask the same wait for the same answer. */
interface Asked {
  answered: Promise<void>;
  entity: unknown;
  /** Why there is no answer at all. */
  failure: Failure | undefined;
  readonly errors: { readonly failure: Failure; readonly below: readonly (string | number)[] }[];
}

export type Step = (run: Run) => Promise<void> | undefined;

export interface FetchSource {
  readonly schema: GraphQLSchema;
  readonly clients: ReadonlyMap<string, SubgraphClient>;
  /** Names of the types that each subgraph knows. */
  readonly typesOf: ReadonlyMap<string, ReadonlySet<unknown>>;
  /** Names of the supergraph's interfaces. */
  readonly interfaces: ReadonlySet<unknown>;
}

/** The fetches of one plan by what they ask: two of one text are one, at two paths. */
export type PlannedFetches = Map<string, PlannedFetch>;

export function compileFetch(
  node: FetchNode,
  path: readonly (string | number)[],
  source: FetchSource,
  planned: PlannedFetches,
): Step {
  const client = source.clients.get(node.serviceName);
  if (!client) throw new Error(`The plan names an unknown subgraph ${node.serviceName}`);
  const fetch: CompiledFetch = {
    client,
    operation: plannedFetch(node, planned),
    variableNames: node.variableUsages ?? [],
    find: path.length > 0 ? compilePath(path, source.schema) : undefined,
    output: compileRewrites(node.outputRewrites, source.schema),
    lostFields: answeredFields(node),
    interfaces: source.interfaces,
  };
  if (!node.requires) return (run) => fetchRoot(fetch, run);
  const entities: CompiledEntityFetch = {
    ...fetch,
    represent: compileRepresentation(node.requires, source.schema),
    requiredFields: requiredFields(node.requires),
    input: compileRewrites(node.inputRewrites, source.schema),
    knownTypes: source.typesOf.get(node.serviceName) ?? new Set(),
    contexts: compileContexts(node.contextRewrites, path, source.schema),
  };
  return (run) => fetchEntities(entities, run);
}

interface CompiledFetch {
  readonly client: SubgraphClient;
  readonly operation: PlannedFetch;
  readonly variableNames: readonly string[];
  readonly find: FindTargets | undefined;
  readonly output: Rewrite | undefined;
  /** Response names that the fetch brings: of the root, or of each entity. */
  readonly lostFields: readonly string[];
  readonly interfaces: ReadonlySet<unknown>;
}

interface CompiledEntityFetch extends CompiledFetch {
  readonly knownTypes: ReadonlySet<unknown>;
  readonly represent: Represent;
  readonly requiredFields: readonly string[];
  readonly input: Rewrite | undefined;
  readonly contexts: Context | undefined;
}

let fetches = 0;

function plannedFetch(node: FetchNode, planned: PlannedFetches): PlannedFetch {
  const { serviceName, operationKind } = node;
  // The planner numbers the fetches of a plan; without the number, equal ones have equal texts.
  const operationName = node.operationName?.replace(/__\d+$/, '');
  const query =
    node.operationName && operationName
      ? node.operation.replace(node.operationName, operationName)
      : node.operation;
  const key = `${serviceName} ${query}`;
  const known = planned.get(key);
  if (known) return known;
  const name = operationName === undefined ? '' : `"operationName":${JSON.stringify(operationName)},`;
  const fetch = {
    id: ++fetches,
    query,
    operationName,
    mutation: operationKind === 'mutation',
    bodyHead: `{"query":${JSON.stringify(query)},${name}"variables":`,
  };
  planned.set(key, fetch);
  return fetch;
}

export function pickVariables(names: readonly string[], variables: Readonly<Json>): Json {
  const picked: Json = {};
  for (const name of names) {
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (value === undefined) continue;
    if (name === '__proto__') Object.defineProperty(picked, name, { value, enumerable: true });
    else picked[name] = value;
  }
  return picked;
}

function targetsOf(fetch: CompiledFetch, run: Run): Json[] {
  if (!fetch.find) return [run.root];
  const targets: Json[] = [];
  fetch.find(run.root, targets);
  return targets;
}

function fetchRoot(fetch: CompiledFetch, run: Run): Promise<void> | undefined {
  const targets = targetsOf(fetch, run);
  if (targets.length === 0) return undefined;
  const variables = pickVariables(fetch.variableNames, run.variables);
  return ask(fetch, variables, JSON.stringify(variables), run).then((answer) => {
    const { data } = answer;
    if (isObject(data)) {
      fetch.output?.(data);
      for (const [index, target] of targets.entries())
        merge(target, index === 0 ? data : clone(data), fetch.interfaces);
    } else if (!isExplained(answer)) return loseAll(fetch, targets, failureOfAnswer(answer), run.notes);
    for (const error of errorsOf(answer))
      for (const target of targets) run.notes.place(target, pathOf(error), failureOf(error));
    return undefined;
  });
}

/** Objects that stand for one entity, and what is sent for it. */
interface Group {
  readonly representations: Json[];
  readonly texts: string[];
  /** For each representation the objects that it stands for. */
  readonly targets: Json[][];
  readonly variables: Readonly<Json>;
}

function fetchEntities(fetch: CompiledEntityFetch, run: Run): Promise<void> | undefined {
  const targets = targetsOf(fetch, run);
  if (targets.length === 0) return undefined;
  if (!fetch.contexts) {
    const group = represented(fetch, targets, run);
    return group && fetchGroup(fetch, group, run);
  }
  // Entities under different contexts are asked with different variables, so each context is a fetch.
  const groups = fetch.contexts(run.root).map(({ objects, variables }) => ({
    group: represented(fetch, objects, run, variables),
  }));
  const running = groups.flatMap(({ group }) => (group ? [fetchGroup(fetch, group, run)] : []));
  return Promise.all(running).then(() => undefined);
}

function represented(
  fetch: CompiledEntityFetch,
  objects: readonly Json[],
  run: Run,
  contextual?: Readonly<Json>,
): Group | undefined {
  const group: Group = {
    representations: [],
    texts: [],
    targets: [],
    variables: { ...pickVariables(fetch.variableNames, run.variables), ...contextual },
  };
  const places = new Map<string, number>();
  const seen = new Set<Json>();
  for (const object of objects) {
    // One object may stand at several places: an earlier fetch put one answer there.
    if (seen.has(object)) continue;
    seen.add(object);
    const representation = fetch.represent(object);
    const cause = blameFor(fetch, object, representation, run.notes);
    if (cause) run.notes.lose(object, fetch.lostFields, cause);
    if (cause || !representation) continue;
    fetch.input?.(representation);
    // A type of the interface for which nothing is asked here.
    if (!fetch.knownTypes.has(representation.__typename)) continue;
    const text = JSON.stringify(representation);
    const place = places.get(text);
    if (place !== undefined) {
      group.targets[place]?.push(object);
      continue;
    }
    places.set(text, group.texts.length);
    group.texts.push(text);
    group.representations.push(representation);
    group.targets.push([object]);
  }
  return group.texts.length > 0 ? group : undefined;
}

/** Where what is needed of an object failed, the same is to blame for what is then not asked. */
function blameFor(
  fetch: CompiledEntityFetch,
  object: Json,
  representation: Json | undefined,
  notes: Notes,
): Failure | undefined {
  const noted = notes.of(object);
  if (!noted) return undefined;
  return representation ? noted.failureOf(fetch.requiredFields) : noted.anyFailure;
}

async function fetchGroup(fetch: CompiledEntityFetch, group: Group, run: Run): Promise<void> {
  const others = JSON.stringify(group.variables);
  const asked = askForEntities(fetch, group, others, run);
  await Promise.all(new Set(asked.map(({ answered }) => answered)));
  for (const [index, { entity, failure, errors }] of asked.entries()) {
    const targets = group.targets[index] as Json[];
    if (failure) {
      loseAll(fetch, targets, failure, run.notes);
      continue;
    }
    for (const target of targets) {
      if (isObject(entity)) merge(target, entity, fetch.interfaces);
      for (const error of errors) placeInEntity(fetch, target, error.below, error.failure, run);
    }
  }
}

/** One for each representation of the group; those that nobody in this run has asked for yet are sent together. */
function askForEntities(fetch: CompiledEntityFetch, group: Group, others: string, run: Run): Asked[] {
  const known = knownEntities(fetch, run);
  const fresh: Asked[] = [];
  const send: Group = { ...group, representations: [], texts: [] };
  const asked = group.texts.map((text, index) => {
    const key = fetch.contexts ? `${others} ${text}` : text;
    const before = known?.get(key);
    if (before) return before;
    const first: Asked = { answered: Promise.resolve(), entity: null, failure: undefined, errors: [] };
    known?.set(key, first);
    fresh.push(first);
    send.texts.push(text);
    send.representations.push(group.representations[index] as Json);
    return first;
  });
  if (fresh.length > 0) {
    const answered = sendForEntities(fetch, send, others, fresh, run);
    for (const each of fresh) each.answered = answered;
  }
  return asked;
}

function knownEntities({ operation }: CompiledFetch, { asked }: Run): Map<string, Asked> | undefined {
  if (!asked) return undefined;
  const known = asked.get(operation) ?? new Map<string, Asked>();
  asked.set(operation, known);
  return known;
}

async function sendForEntities(
  fetch: CompiledEntityFetch,
  group: Group,
  others: string,
  fresh: readonly Asked[],
  run: Run,
): Promise<void> {
  const variables: Json = { ...group.variables, representations: group.representations };
  const list = `"representations":[${group.texts.join(',')}]}`;
  const text = others === '{}' ? `{${list}` : `${others.slice(0, -1)},${list}`;
  const answer = await ask(fetch, variables, text, run, group);
  const entities = entitiesOf(answer, fresh.length);
  const failure = entities || isExplained(answer) ? undefined : failureOfAnswer(answer);
  for (const [index, each] of fresh.entries()) {
    each.failure = failure;
    each.entity = entities?.[index];
    if (isObject(each.entity)) fetch.output?.(each.entity);
  }
  if (failure) return;
  for (const error of errorsOf(answer)) {
    const [root, index, ...below] = pathOf(error);
    const hit = root === '_entities' && typeof index === 'number' ? fresh[index] : undefined;
    for (const each of hit ? [hit] : fresh)
      each.errors.push({ failure: failureOf(error), below: hit ? below : [] });
  }
}

function placeInEntity(
  fetch: CompiledFetch,
  target: Json,
  below: readonly (string | number)[],
  failure: Failure,
  { notes }: Run,
): void {
  if (below.length > 0) notes.place(target, below, failure);
  else notes.lose(target, fetch.lostFields, failure);
}

function loseAll(fetch: CompiledFetch, targets: readonly Json[], failure: Failure, notes: Notes): void {
  for (const target of targets) notes.lose(target, fetch.lostFields, failure);
}

async function ask(
  { client, operation }: CompiledFetch,
  variables: Readonly<Json>,
  variablesText: string,
  run: Run,
  group?: Group,
): Promise<FormattedExecutionResult> {
  const { facts, deadline, observer } = run;
  const watched = observer?.fetchStarted({
    subgraph: client.name,
    entities: group?.texts.length ?? 0,
    places: group?.targets.reduce((count, objects) => count + objects.length, 0) ?? 0,
  });
  try {
    const answer = await client.execute({
      operation,
      variables,
      variablesText,
      facts,
      deadline,
      traceparent: watched?.traceparent,
    });
    watched?.ended(undefined, errorsOf(answer).length);
    return answer;
  } catch (error) {
    const code = error instanceof SubgraphFailure ? error.code : 'SUBGRAPH_UNAVAILABLE';
    watched?.ended(facts.signal.aborted ? 'abandoned' : code, 0);
    if (!facts.signal.aborted) run.onFailure(client.name, error, facts.requestId);
    return {
      errors: [{ message: `Part of the answer is missing: ${client.name} failed`, extensions: { code } }],
    };
  }
}
