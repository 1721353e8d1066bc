import { federated, type Thing } from './federated.ts';

describe('mutations', () => {
  const log: string[] = [];
  const act =
    (name: string) =>
    async (_: unknown, { id, ms = 0 }: { id: string; ms?: number }) => {
      log.push(`${name} ${id} began`);
      await new Promise((resolve) => setTimeout(resolve, ms));
      log.push(`${name} ${id} ended`);
      return { __typename: 'Order', id, state: name };
    };
  const refuse = async (_: unknown, { id }: { id: string }) => {
    log.push(`refuse ${id}`);
    throw new Error('refused');
  };
  const graph = federated(
    {
      orders: {
        sdl: `
          type Query { order(id: ID!): Order }
          type Mutation { place(id: ID!, ms: Int): Order  cancel(id: ID!, ms: Int): Order!  refuse(id: ID!): Order  refuseHard(id: ID!): Order! }
          type Order @key(fields: "id") { id: ID!  state: String }`,
        resolvers: { Mutation: { place: act('place'), cancel: act('cancel'), refuse, refuseHard: refuse } },
      },
      payments: {
        sdl: `
          type Mutation { pay(id: ID!, ms: Int): Order }
          type Order @key(fields: "id") { id: ID!  paid: Boolean  seen: Int }`,
        resolvers: {
          Mutation: { pay: act('pay') },
          Order: {
            __resolveReference: ({ id }: Thing) => ({ id, paid: true }),
            seen: () => log.length,
            paid: () => true,
          },
        },
      },
    },
    {},
  );
  beforeEach(() => {
    log.length = 0;
  });
  const ran = async (query: string, variables?: Thing) => {
    const { data, errors = [] } = await graph.ask(query, variables);
    return {
      data: JSON.stringify(data),
      errors: errors.map(({ path }) => path?.join('.')),
      log: log.join(', '),
    };
  };

  test('run one after the other, over several subgraphs', async () =>
    expect(
      await ran(
        'mutation { a: place(id: 1, ms: 30) { id } b: pay(id: 1, ms: 10) { id } c: cancel(id: 1) { id } }',
      ),
    ).toEqual({
      data: '{"a":{"id":"1"},"b":{"id":"1"},"c":{"id":"1"}}',
      errors: [],
      log: 'place 1 began, place 1 ended, pay 1 began, pay 1 ended, cancel 1 began, cancel 1 ended',
    }));
  test('run in the order of the document, within one subgraph too', async () =>
    expect(await ran('mutation { b: cancel(id: 2, ms: 20) { id } a: place(id: 1) { id } }')).toEqual({
      data: '{"b":{"id":"2"},"a":{"id":"1"}}',
      errors: [],
      log: 'cancel 2 began, cancel 2 ended, place 1 began, place 1 ended',
    }));
  test('answer with entities joined from others', async () =>
    expect(await ran('mutation { place(id: 7) { state paid __typename } }')).toMatchObject({
      data: '{"place":{"state":"place","paid":true,"__typename":"Order"}}',
    }));
  test('a join sees its own mutation done, and the next waits for nothing else', async () =>
    expect(await ran('mutation { place(id: 1) { paid } pay(id: 1) { state } }')).toMatchObject({
      errors: [],
      log: 'place 1 began, place 1 ended, pay 1 began, pay 1 ended',
    }));
  test('that fail do not stop the next', async () =>
    expect(await ran('mutation { refuse(id: 1) { id } pay(id: 1) { id } }')).toEqual({
      data: '{"refuse":null,"pay":{"id":"1"}}',
      errors: ['refuse'],
      log: 'refuse 1, pay 1 began, pay 1 ended',
    }));
  test('with variables and under conditions', async () =>
    expect(
      await ran(
        'mutation ($id: ID!, $no: Boolean!) { place(id: $id) @include(if: $no) { id } pay(id: $id) { id paid } }',
        {
          id: '5',
          no: false,
        },
      ),
    ).toEqual({ data: '{"pay":{"id":"5","paid":true}}', errors: [], log: 'pay 5 began, pay 5 ended' }));
  test('__typename of the root', async () =>
    expect(await ran('mutation { __typename pay(id: 1) { id } t: __typename }')).toMatchObject({
      data: '{"__typename":"Mutation","pay":{"id":"1"},"t":"Mutation"}',
    }));
  test('whose answer must not be null null everything', async () =>
    expect(await ran('mutation { refuseHard(id: 1) { id } }')).toEqual({
      data: 'null',
      errors: ['refuseHard'],
      log: 'refuse 1',
    }));
  test('that are the same are all run', async () => {
    const same = 'mutation { pay(id: 9, ms: 50) { id } }';
    await Promise.all([ran(same), ran(same), ran(same)]);
    expect(log.filter((each) => each === 'pay 9 began')).toHaveLength(3);
  });
});
