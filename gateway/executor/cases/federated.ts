/**
 * A small supergraph behind the real gateway, and the monolith that says what its answers must be.
 *
 * Subgraphs are written as SDL. Their resolvers come from one world: root fields by name, entities by what a
 * representation says of them. The monolith is the composed API schema, executed by graphql-js over that world.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { composeServices } from '@apollo/composition';
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { execute, type FormattedExecutionResult, type GraphQLSchema, graphql, Kind, parse } from 'graphql';
import { pino } from 'pino';
import { systemClock } from '#shared/kernel/time.ts';
import { closeServer, listen } from '#shared/runtime/server/http-server.ts';
import type { LocalSubgraph } from '#shared/runtime/server/local-subgraph.ts';
import { readGatewayConfig } from '../../gateway.config.ts';
import { startGateway } from '../../server.ts';

export type Thing = Readonly<Record<string, unknown>>;
type Variables = Readonly<Record<string, unknown>>;
type Resolvers = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** SDL without its `@link`, and resolvers where this subgraph does other than tell of the world. */
export type Toy = string | { readonly sdl: string; readonly resolvers?: Resolvers };

export interface World {
  /** Fields of Query and Mutation: values, or functions of their arguments. */
  readonly roots?: Thing;
  /** Whatever representations may mean; each with its `__typename`. */
  readonly entities?: readonly Thing[];
}

export interface SubgraphRequest {
  readonly query: string;
  readonly variables: { readonly representations?: readonly Thing[] } & Variables;
}

/** What a served subgraph says instead of the truth: JSON, or whatever is written to the response. */
export type Lie = (
  request: SubgraphRequest,
  truth: () => Promise<FormattedExecutionResult>,
) => unknown | ((response: ServerResponse) => void);

export interface Options {
  /** Over HTTP instead of in memory; only such a subgraph can lie. */
  readonly served?: readonly string[];
  /** A gateway for each case, for what would outlive one. */
  readonly freshForEach?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Answer extends FormattedExecutionResult {
  readonly data?: Record<string, never> | null;
}

/** To be called in a `describe`: runs while its cases run. */
export function federated(
  toys: Readonly<Record<string, Toy>>,
  world: World,
  options: Options = {},
): Federation {
  const federation = new Federation(toys, world, options);
  const [before, after] = options.freshForEach ? [beforeEach, afterEach] : [beforeAll, afterAll];
  before(() => federation.start());
  after(() => federation.stop());
  return federation;
}

export class Federation {
  /** One entry per fetch: the subgraph's name. */
  readonly fetches: string[] = [];
  /** What subgraphs in memory were asked to resolve. */
  readonly references: { readonly subgraph: string; readonly representation: Thing }[] = [];
  /** What served subgraphs received. */
  readonly requests: (SubgraphRequest & { readonly subgraph: string })[] = [];
  readonly #toys: Readonly<Record<string, Toy>>;
  readonly #world: World;
  readonly #options: Options;
  readonly #lies = new Map<string, Lie>();
  #running = new AsyncDisposableStack();
  #monolith: GraphQLSchema | undefined;
  #url = '';

  constructor(toys: Readonly<Record<string, Toy>>, world: World, options: Options) {
    this.#toys = toys;
    this.#world = world;
    this.#options = options;
  }

  get url(): string {
    return this.#url;
  }

  /** What clients see. */
  get schema(): GraphQLSchema {
    if (!this.#monolith) throw new Error('not started');
    return this.#monolith;
  }

  /** From now on the subgraph answers so. */
  lies(subgraph: string, lie: Lie): void {
    this.#lies.set(subgraph, lie);
  }

  async start(): Promise<void> {
    await using opened = new AsyncDisposableStack();
    const { served = [], env = {} } = this.#options;
    const locals = new Map<string, LocalSubgraph>();
    const services = [];
    for (const [name, toy] of Object.entries(this.#toys)) {
      const sdl = linked(typeof toy === 'string' ? toy : toy.sdl);
      const schema = this.#schemaOf(name, sdl, typeof toy === 'string' ? {} : (toy.resolvers ?? {}));
      const url = served.includes(name)
        ? await this.#serve(opened, name, schema)
        : 'http://in.memory/graphql';
      services.push({ name, typeDefs: parse(sdl), url });
      const createContext = () => {
        this.fetches.push(name);
        return {};
      };
      if (!served.includes(name)) locals.set(name, { name, schema, createContext });
    }
    const { supergraphSdl, errors } = composeServices(services);
    if (!supergraphSdl) throw new Error(errors?.map(String).join('\n'));
    const supportedFeatures = ROUTER_SUPPORTED_SUPERGRAPH_FEATURES;
    this.#monolith = Supergraph.build(supergraphSdl, { supportedFeatures }).apiSchema().toGraphQLJSSchema();
    const folder = await mkdtemp(join(tmpdir(), 'executor-case-'));
    opened.defer(() => rm(folder, { recursive: true }));
    const SUPERGRAPH_PATH = join(folder, 'supergraph.graphql');
    await writeFile(SUPERGRAPH_PATH, supergraphSdl);
    const config = readGatewayConfig({
      PORT: '0',
      SUPERGRAPH_PATH,
      SUPERGRAPH_POLL: '1h',
      DRAIN_TIMEOUT: '1s',
      MAX_DEPTH: '100',
      ...(served.length > 0 ? { INTERNAL_SECRETS: `k1:${'s'.repeat(32)}` } : {}),
      ...env,
    });
    const logger = pino({ level: 'silent' });
    const gateway = opened.use(
      await startGateway({ config, localSubgraphs: locals, logger, clock: systemClock }),
    );
    this.#url = gateway.url;
    this.#running = opened.move();
  }

  async stop(): Promise<void> {
    await this.#running.disposeAsync();
    this.#lies.clear();
    this.forget();
  }

  /** Starts the records anew. */
  forget(): void {
    for (const record of [this.fetches, this.references, this.requests]) record.length = 0;
  }

  async ask(query: string, variables?: Variables): Promise<Answer> {
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(10_000),
    });
    return (await response.json()) as Answer;
  }

  /** What a single schema over the same world answers. */
  async truth(query: string, variables: Variables = {}): Promise<FormattedExecutionResult> {
    const source = { schema: this.schema, source: query, rootValue: this.#world.roots };
    const result = await graphql({ ...source, variableValues: variables });
    if (result.data === undefined) throw new Error(`The monolith refuses: ${result.errors?.join('\n')}`);
    return JSON.parse(JSON.stringify(result)) as FormattedExecutionResult;
  }

  /** Data, order of fields and places of errors are those of the monolith. */
  async agrees(query: string, variables?: Variables): Promise<void> {
    const [answer, truth] = await Promise.all([this.ask(query, variables), this.truth(query, variables)]);
    expect(comparable(answer)).toEqual(comparable(truth));
  }

  /** Data in this order of fields, and these errors; for what no monolith knows. */
  async answers(query: string, expected: unknown, errors: readonly string[] = []): Promise<void> {
    const answer = await this.ask(query);
    expect({ data: inOrder(answer.data), errors: places(answer) }).toEqual({
      data: inOrder(expected),
      errors: [...errors].sort(),
    });
  }

  #schemaOf(name: string, sdl: string, own: Resolvers): GraphQLSchema {
    const resolvers: Record<string, Record<string, unknown>> = {};
    for (const definition of parse(sdl).definitions) {
      if (!('fields' in definition) || definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION) continue;
      const type = definition.name.value;
      const known = resolvers[type] ?? {};
      resolvers[type] = known;
      if (definition.directives?.some((each) => each.name.value === 'key'))
        known.__resolveReference = (representation: Thing) => this.#find(representation);
      if (type !== 'Query' && type !== 'Mutation') continue;
      for (const { name: field } of definition.fields ?? [])
        known[field.value] = (_: unknown, args: Thing) => {
          const value = this.#world.roots?.[field.value];
          return typeof value === 'function' ? value(args) : value;
        };
    }
    for (const [type, fields] of Object.entries(own)) resolvers[type] = { ...resolvers[type], ...fields };
    for (const fields of Object.values(resolvers)) {
      const resolve = fields.__resolveReference as ((representation: Thing) => unknown) | undefined;
      if (!resolve) continue;
      fields.__resolveReference = (representation: Thing) => {
        this.references.push({ subgraph: name, representation });
        return resolve(representation);
      };
    }
    return buildSubgraphSchema([{ typeDefs: parse(sdl), resolvers: resolvers as never }]);
  }

  #find(representation: Thing): Thing | null {
    const { __typename, ...known } = representation;
    const all = this.#world.entities ?? [];
    const ofType = all.filter((each) => each.__typename === __typename);
    // An interface, or an object that stands for one: any type may be meant.
    const candidates = ofType.length > 0 ? ofType : all;
    return candidates.find((each) => includes(each, known)) ?? null;
  }

  async #serve(opened: AsyncDisposableStack, subgraph: string, schema: GraphQLSchema): Promise<string> {
    const server = createServer(async (request, response) => {
      const body = JSON.parse(await text(request)) as SubgraphRequest;
      this.fetches.push(subgraph);
      this.requests.push({ ...body, subgraph });
      const document = parse(body.query);
      const truth = async () => {
        const result = await execute({ schema, document, variableValues: body.variables });
        return JSON.parse(JSON.stringify(result)) as FormattedExecutionResult;
      };
      const reply = await (this.#lies.get(subgraph)?.(body, truth) ?? truth());
      if (typeof reply === 'function') return reply(response);
      response.setHeader('content-type', 'application/json').end(JSON.stringify(reply));
    });
    const port = await listen(server, 0, '127.0.0.1');
    opened.defer(() => closeServer(server, 0));
    return `http://127.0.0.1:${port}/graphql`;
  }
}

/** The places of an answer's errors, `users.0.name`, or `users.0.name CODE` where asked. */
export function places({ errors = [] }: FormattedExecutionResult, coded = false): string[] {
  return errors
    .map(({ path = [], extensions }) => path.join('.') + (coded ? ` ${String(extensions?.code)}` : ''))
    .sort();
}

const inOrder = (data: unknown): string => JSON.stringify(data ?? null, null, 1);

const comparable = (answer: FormattedExecutionResult) => ({
  data: inOrder(answer.data),
  errors: places(answer),
});

function includes(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part))
    return (
      Array.isArray(whole) &&
      whole.length === part.length &&
      part.every((each, index) => includes(whole[index], each))
    );
  if (typeof part !== 'object' || part === null) return String(whole ?? null) === String(part);
  return Object.entries(part).every(
    ([field, value]) => field === '__typename' || includes((whole as Thing | null)?.[field], value),
  );
}

const federationDirectives = [
  'key requires provides external shareable override interfaceObject inaccessible tag',
  'composeDirective context fromContext authenticated cost listSize',
].flatMap((names) => names.split(' '));

/** With the `@link` that imports what the SDL uses of federation. */
function linked(sdl: string): string {
  const used = federationDirectives.filter((name) => new RegExp(`@${name}\\b`).test(sdl));
  const names = [
    ...used.map((name) => `"@${name}"`),
    ...(sdl.includes('ContextFieldValue') ? ['"ContextFieldValue"'] : []),
  ];
  return `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [${names.join(', ')}])\n${sdl}`;
}
