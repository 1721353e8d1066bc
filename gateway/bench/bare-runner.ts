/**
 * `node bare-runner.ts <supergraph> <port> <query>`: the floor. One query's plan with nothing around it: parse the
 * body, run the fetches, merge, pick what was asked for, serialise. It validates nothing, limits nothing, and
 * survives no subgraph that fails. What a gateway costs beyond this is the price of everything it promises.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { operationFromDocument, Supergraph } from '@apollo/federation-internals';
import {
  type FetchNode,
  type PlanNode,
  QueryPlanner,
  type QueryPlanSelectionNode,
} from '@apollo/query-planner';
import { type FragmentDefinitionNode, Kind, parse, type SelectionSetNode } from 'graphql';
import { Pool } from 'undici';

type Json = Record<string, unknown>;
type Step = (root: Json, variables: Json) => Promise<void>;

const [, , supergraph = '', port = '0', query = ''] = process.argv;
const model = Supergraph.build(await readFile(supergraph, 'utf8'));
const document = parse(query);
const urls = new Map(model.subgraphsMetadata().map(({ name, url }) => [name, new URL(url)] as const));
const pools = new Map([...urls].map(([name, { origin }]) => [name, new Pool(origin, { connections: 64 })]));

const operation = operationFromDocument(model.apiSchema(), document);
const plan = compile(new QueryPlanner(model).buildQueryPlan(operation).node as PlanNode, []);
const fragments = new Map(
  document.definitions
    .filter((each): each is FragmentDefinitionNode => each.kind === Kind.FRAGMENT_DEFINITION)
    .map((each) => [each.name.value, each.selectionSet]),
);
const [definition] = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
const project = projection([(definition as { selectionSet: SelectionSetNode }).selectionSet]);

function compile(node: PlanNode, path: readonly (string | number)[]): Step {
  switch (node.kind) {
    case 'Sequence': {
      const steps = node.nodes.map((each) => compile(each, path));
      return async (root, variables) => {
        for (const step of steps) await step(root, variables);
      };
    }
    case 'Parallel': {
      const steps = node.nodes.map((each) => compile(each, path));
      return async (root, variables) => {
        await Promise.all(steps.map((step) => step(root, variables)));
      };
    }
    case 'Flatten':
      return compile(node.node, [...path, ...node.path]);
    case 'Fetch':
      return compileFetch(node, path);
    default:
      throw new Error(`The bench's queries have no ${node.kind}`);
  }
}

function compileFetch(node: FetchNode, path: readonly (string | number)[]): Step {
  const { serviceName, requires, variableUsages = [] } = node;
  const pool = pools.get(serviceName)!;
  const { pathname } = urls.get(serviceName)!;
  const head = `{"query":${JSON.stringify(node.operation)},"variables":`;
  const steps = path.filter((step) => step !== '@').map(String);
  const own = (variables: Json): Json => {
    const picked: Json = {};
    for (const name of variableUsages) picked[name] = variables[name];
    return picked;
  };
  if (!requires)
    return async (root, variables) => {
      const body = `${head}${JSON.stringify(own(variables))}}`;
      Object.assign(root, (await post(pool, pathname, body)).data);
    };
  return async (root, variables) => {
    const found = new Set<Json>();
    collect(root, steps, 0, found);
    const groups = new Map<string, Json[]>();
    for (const object of found) {
      const text = JSON.stringify(represent(object, requires));
      const group = groups.get(text);
      if (group) group.push(object);
      else groups.set(text, [object]);
    }
    if (groups.size === 0) return;
    const others = JSON.stringify(own(variables)).slice(1, -1);
    const list = `"representations":[${[...groups.keys()].join()}]`;
    const body = `${head}{${others}${others && ','}${list}}}`;
    const entities = (await post(pool, pathname, body)).data._entities as Json[];
    let index = 0;
    for (const objects of groups.values()) {
      const entity = entities[index++]!;
      for (const object of objects) merge(object, entity);
    }
  };
}

function collect(value: unknown, path: readonly string[], depth: number, found: Set<Json>): void {
  if (value === null || value === undefined) return;
  if (Array.isArray(value)) for (const each of value) collect(each, path, depth, found);
  else if (depth === path.length) found.add(value as Json);
  else collect((value as Json)[path[depth]!], path, depth + 1, found);
}

function represent(object: Json, selections: readonly QueryPlanSelectionNode[], into: Json = {}): Json {
  for (const each of selections)
    if (each.kind === 'InlineFragment') represent(object, each.selections, into);
    else into[each.name] = object[each.name];
  return into;
}

function merge(target: Json, source: Json): void {
  for (const key in source) {
    const present = target[key];
    if (typeof present === 'object' && present !== null && !Array.isArray(present))
      merge(present as Json, source[key] as Json);
    else target[key] = source[key];
  }
}

function projection(sets: readonly SelectionSetNode[]): (value: unknown) => unknown {
  const nodes = new Map<string, SelectionSetNode[]>();
  const visit = (set: SelectionSetNode): void => {
    for (const each of set.selections)
      if (each.kind === Kind.FRAGMENT_SPREAD) visit(fragments.get(each.name.value)!);
      else if (each.kind === Kind.INLINE_FRAGMENT) visit(each.selectionSet);
      else
        nodes.set(each.name.value, [...(nodes.get(each.name.value) ?? []), each.selectionSet ?? []].flat());
  };
  for (const set of sets) visit(set);
  const fields = [...nodes].map(([name, inner]) => ({
    name,
    pick: inner.length > 0 ? projection(inner) : undefined,
  }));
  const pickObject = (value: unknown): unknown => {
    if (value === null || value === undefined) return null;
    if (Array.isArray(value)) return value.map(pickObject);
    const picked: Json = {};
    for (const { name, pick } of fields) {
      const given = (value as Json)[name];
      picked[name] = pick ? pick(given) : (given ?? null);
    }
    return picked;
  };
  return pickObject;
}

/** By the same means as the gateway's own client: undici's dispatcher. */
function post(pool: Pool, path: string, body: string): Promise<{ data: Json }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    pool.dispatch(
      {
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body,
      },
      {
        onRequestStart: () => undefined,
        onResponseStart: () => undefined,
        onResponseData: (_controller, chunk) => void chunks.push(chunk),
        onResponseEnd: () =>
          resolve(JSON.parse(String(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)))),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', async () => {
    const { variables } = JSON.parse(String(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    const root: Json = {};
    await plan(root, variables);
    const text = JSON.stringify({ data: project(root) });
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
    });
    response.end(text);
  });
}).listen(Number(port), '127.0.0.1');
