import { federated, type Thing } from './federated.ts';

describe('identical queries at the same time', () => {
  const ada: Thing = { __typename: 'User', id: '1', name: 'Ada', rank: 3, echo: ({ n }: Thing) => n };
  const graph = federated(
    {
      users:
        'type Query { user: User  hello(to: String): String } type Mutation { greet: String } type User @key(fields: "id") { id: ID!  name: String }',
      ranks: 'type User @key(fields: "id") { id: ID!  rank: Int  echo(n: Int): Int }',
    },
    { roots: { user: ada, hello: ({ to }: Thing) => `hello ${to}`, greet: 'hi' }, entities: [ada] },
    { served: ['users', 'ranks'] },
  );
  /** Subgraphs answer when all of these were asked. */
  async function together(queries: readonly string[], fetches: (received: readonly string[]) => boolean) {
    graph.forget();
    const gate = Promise.withResolvers<void>();
    for (const name of ['users', 'ranks'])
      graph.lies(name, async (_request, truth) => {
        await gate.promise;
        return truth();
      });
    const answers = queries.map((query) => graph.ask(query));
    const deadline = performance.now() + 300;
    while (!fetches(graph.fetches) && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 10));
    gate.resolve();
    return Promise.all(answers);
  }

  test('are sent once to each subgraph', async () => {
    const query = '{ user { name rank } }';
    const answers = await together([query, query, query, query, query], (received) => received.length >= 5);
    expect(answers).toEqual(Array(5).fill({ data: { user: { name: 'Ada', rank: 3 } } }));
    expect(graph.fetches).toEqual(['users', 'ranks']);
  });
  test('are each shaped for who asked', async () => {
    const answers = await together(
      ['{ user { id name } }', '{ user { id name } }'],
      (received) => received.length >= 2,
    );
    expect(answers).toEqual(Array(2).fill({ data: { user: { id: '1', name: 'Ada' } } }));
    expect(graph.fetches).toEqual(['users']);
  });
  test('are sent again once they were answered', async () => {
    graph.forget();
    graph.lies('users', (_request, truth) => truth());
    await graph.ask('{ user { name } }');
    await graph.ask('{ user { name } }');
    expect(graph.fetches).toEqual(['users', 'users']);
  });
  test('with other variables are others', async () => {
    const ask = (n: number) => `{ hello(to: "${n}") }`;
    const answers = await together([ask(1), ask(2), ask(1)], (received) => received.length >= 3);
    expect(answers).toEqual(['1', '2', '1'].map((n) => ({ data: { hello: `hello ${n}` } })));
    expect(graph.fetches).toHaveLength(2);
  });
  test('are never mutations', async () => {
    const answers = await together(
      ['mutation { greet }', 'mutation { greet }'],
      (received) => received.length >= 2,
    );
    expect(answers).toEqual(Array(2).fill({ data: { greet: 'hi' } }));
    expect(graph.fetches).toEqual(['users', 'users']);
  });
});

describe('what subgraphs receive', () => {
  const user = (id: string): Thing => ({
    __typename: 'User',
    id,
    name: `n${id}`,
    rank: Number(id),
    secret: 'x',
  });
  const [ada, bob] = [user('1'), user('2')] as const;
  const graph = federated(
    {
      users:
        'type Query { users: [User] } type User @key(fields: "id") { id: ID!  name: String  secret: String }',
      ranks: 'type User @key(fields: "id") { id: ID!  rank(of: Int, by: String = "x"): Int }',
    },
    { roots: { users: [ada, bob, ada, null, bob] }, entities: [ada, bob] },
    { served: ['users', 'ranks'] },
  );
  const sentTo = (name: string) => graph.requests.filter(({ subgraph }) => subgraph === name);
  beforeEach(() => graph.forget());

  test('is each distinct representation once, with its key and nothing else', async () => {
    await graph.agrees('{ users { name secret rank } }');
    expect(sentTo('ranks').map(({ variables }) => variables.representations)).toEqual([
      [
        { __typename: 'User', id: '1' },
        { __typename: 'User', id: '2' },
      ],
    ]);
  });
  test('is no field that nobody asked for', async () => {
    await graph.agrees('{ users { name rank } }');
    expect(sentTo('users')[0]?.query).not.toContain('secret');
  });
  test('is the variables that its operation uses and no others', async () => {
    await graph.ask('query ($of: Int, $by: String) { users { rank(of: $of, by: $by) } }', {
      of: 3,
      other: 4,
    });
    expect(sentTo('users').map(({ variables }) => variables ?? {})).toEqual([{}]);
    const { representations, ...rest } = sentTo('ranks')[0]?.variables ?? {};
    expect(representations).toHaveLength(2);
    expect(rest).toEqual({ of: 3 });
  });
});
