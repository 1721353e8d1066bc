import { GraphQLError } from 'graphql';
import { Conflict } from '#shared/kernel/errors.ts';
import { federated, places, type Thing } from './federated.ts';

describe('a forbidden null', () => {
  const row = (id: string, name: string | null, strict: string | null): Thing => ({
    __typename: 'Row',
    id,
    name,
    strict,
    child: null,
    sure: null,
    parts: [{ note: name }],
  });
  const [fine, poor]: Thing[] = [row('1', 'a', 'A'), row('2', null, null)];
  Object.assign(fine as object, { child: fine, sure: fine });
  Object.assign(poor as object, { child: poor, sure: fine });
  const broken = { ...row('3', 'c', 'C'), child: fine, sure: poor };
  const fields = 'soft: [Row]  hard: [Row!]  grid: [[Row!]]  row: Row  must: Row!  rows: [Row!]!  deep: Row';
  const graph = federated(
    {
      rows: `
        type Query { ${fields} }
        type Row @key(fields: "id") { id: ID!  name: String  child: Row  sure: Row!  parts: [Part!] }
        type Part { note: String! }`,
      strict: 'type Row @key(fields: "id") { id: ID!  strict: String! }',
    },
    {
      roots: {
        soft: [fine, poor],
        hard: [fine, poor],
        grid: [[fine], [fine, poor], null, []],
        row: poor,
        must: poor,
        rows: [poor],
        deep: broken,
      },
      entities: [fine, poor, broken] as Thing[],
    },
  );
  test('makes its object null', () => graph.agrees('{ row { name strict } }'));
  test('makes the item of a list null', () => graph.agrees('{ soft { id strict } }'));
  test('makes the list null where its items must not be', () =>
    graph.agrees('{ hard { strict } soft { name } }'));
  test('makes the inner list of lists null', () => graph.agrees('{ grid { strict id } }'));
  test('makes the whole answer null where nothing may be', () => graph.agrees('{ must { strict } }'));
  test('makes the whole answer null through a list', () => graph.agrees('{ rows { s: strict } }'));
  test('goes up to the nearest that may be null', () =>
    graph.agrees('{ deep { name sure { sure { strict } id } child { name } } }'));
  test('goes up through several', () => graph.agrees('{ deep { sure { strict } child { strict } } }'));
  test('within one subgraph', () => graph.agrees('{ soft { parts { note } strict: name } }'));
  test('is told where it is, under the names of the client', () =>
    graph.agrees('{ x: soft { y: child { z: strict } } }'));
  test('that the client does not select does no harm', () => graph.agrees('{ row { name id } must { id } }'));
  test('that is skipped does no harm', () =>
    graph.agrees('query ($a: Boolean!) { must { id strict @skip(if: $a) } }', { a: true }));
  test('in an absent entity: one error', async () => {
    const absent = await graph.ask('{ row { id strict } }');
    expect([absent.data, places(absent)]).toEqual([{ row: null }, ['row.strict']]);
  });
});

describe('a forbidden null of an entity that is not there', () => {
  const ghost = { __typename: 'Row', id: '404' };
  const graph = federated(
    {
      rows: 'type Query { row: Row  rows: [Row!] } type Row @key(fields: "id") { id: ID! }',
      strict: 'type Row @key(fields: "id") { id: ID!  strict: String!  soft: String }',
    },
    { roots: { row: ghost, rows: [ghost, ghost] } },
  );
  test('makes its object null and has a code', async () => {
    const answer = await graph.ask('{ row { strict } }');
    expect([answer.data, places(answer, true)]).toEqual([
      { row: null },
      ['row.strict INTERNAL_SERVER_ERROR'],
    ]);
  });
  test('makes a list null', async () => {
    const answer = await graph.ask('{ rows { id strict } }');
    expect(answer.data).toEqual({ rows: null });
    expect(places(answer)).toContain('rows.0.strict');
  });
  test('beside one that is allowed', () =>
    graph.answers('{ row { id soft } }', { row: { id: '404', soft: null } }));
});

describe('errors of resolvers', () => {
  const fail = (message: string, extensions: object) => () => {
    throw new GraphQLError(message, { extensions: { ...extensions } });
  };
  const user = (id: string): Thing => ({ __typename: 'User', id, name: `n${id}` });
  const users = ['1', '2', '3'].map(user);
  const [ada, bob, eve] = users;
  const rate = ({ id }: Thing) => {
    if (id === '2')
      throw new GraphQLError('No rate', { extensions: { code: 'RATE_UNKNOWN', details: { id } } });
    return Number(id);
  };
  const graph = federated(
    {
      users: {
        sdl: `
          type Query { users: [User]  pairs: [[User]]  ada: User  bob: User  teams: [Team]  oops: String  fine: String  must: String! }
          type Team { name: String  lead: User  members: [User!] }
          type User @key(fields: "id") { id: ID!  name: String  bad: String }`,
        resolvers: {
          Query: {
            oops: fail('Oops', { code: 'OOPS', kind: 'CONFLICT', details: { a: [1] } }),
            must: fail('Must', { code: 'MUST' }),
          },
          User: {
            bad: () => {
              throw new Conflict('BAD_USER', 'Bad user', { why: 'bad' });
            },
          },
        },
      },
      rates: {
        sdl: 'type User @key(fields: "id") { id: ID!  rate: Int  sure: Int!  tags: [Tag!] } type Tag { text: String!  user: User }',
        resolvers: {
          User: {
            rate,
            sure: rate,
            tags: ({ id }: Thing) => [
              { text: 'x', user: { __typename: 'User', id } },
              { text: fail('No text', { code: 'NO_TEXT' }), user: null },
            ],
          },
        },
      },
    },
    {
      roots: {
        users,
        pairs: [[ada, bob], null, [bob]],
        ada,
        bob,
        teams: [
          { name: 'a', lead: bob, members: [ada, eve] },
          { name: 'b', lead: ada, members: [bob, ada] },
        ],
        fine: 'fine',
      },
      entities: users,
    },
  );
  test('keep message, code, kind and details', async () => {
    const { data, errors } = await graph.ask('{ oops fine }');
    expect(data).toEqual({ oops: null, fine: 'fine' });
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'Oops',
        path: ['oops'],
        extensions: expect.objectContaining({ code: 'OOPS', kind: 'CONFLICT', details: { a: [1] } }),
      }),
    ]);
  });
  test('keep them through an entity', async () => {
    const { data, errors } = await graph.ask('{ bob { name rate } }');
    expect(data).toEqual({ bob: { name: 'n2', rate: null } });
    expect(errors).toEqual([
      expect.objectContaining({
        message: 'No rate',
        path: ['bob', 'rate'],
        extensions: expect.objectContaining({ code: 'RATE_UNKNOWN', details: { id: '2' } }),
      }),
    ]);
  });
  const answers = async (query: string) => {
    const answer = await graph.ask(query);
    return { data: answer.data, errors: places(answer, true) };
  };
  test('of an entity in a list have its index', async () =>
    expect(await answers('{ users { rate } }')).toEqual({
      data: { users: [{ rate: 1 }, { rate: null }, { rate: 3 }] },
      errors: ['users.1.rate RATE_UNKNOWN'],
    }));
  test('of an entity in lists of lists have its indexes', async () =>
    expect(await answers('{ pairs { rate } }')).toEqual({
      data: { pairs: [[{ rate: 1 }, { rate: null }], null, [{ rate: null }]] },
      errors: ['pairs.0.1.rate RATE_UNKNOWN', 'pairs.2.0.rate RATE_UNKNOWN'],
    }));
  test('are told at every place of the entity', async () =>
    expect(await answers('{ users { rate } bob { rate } teams { lead { rate } members { rate } } }')).toEqual(
      {
        data: {
          users: [{ rate: 1 }, { rate: null }, { rate: 3 }],
          bob: { rate: null },
          teams: [
            { lead: { rate: null }, members: [{ rate: 1 }, { rate: 3 }] },
            { lead: { rate: 1 }, members: [{ rate: null }, { rate: 1 }] },
          ],
        },
        errors: [
          'bob.rate RATE_UNKNOWN',
          'teams.0.lead.rate RATE_UNKNOWN',
          'teams.1.members.0.rate RATE_UNKNOWN',
          'users.1.rate RATE_UNKNOWN',
        ],
      },
    ));
  test('have the names of the client', async () =>
    expect(await answers('{ them: users { r: rate } he: bob { a: rate b: rate } }')).toEqual({
      data: { them: [{ r: 1 }, { r: null }, { r: 3 }], he: { a: null, b: null } },
      errors: ['he.a RATE_UNKNOWN', 'he.b RATE_UNKNOWN', 'them.1.r RATE_UNKNOWN'],
    }));
  test('that null an object are the only ones told of it', async () =>
    expect(await answers('{ bob { name sure } users { sure } }')).toEqual({
      data: { bob: null, users: [{ sure: 1 }, null, { sure: 3 }] },
      errors: ['bob.sure RATE_UNKNOWN', 'users.1.sure RATE_UNKNOWN'],
    }));
  test('that null a list of entities in a list', async () =>
    expect(await answers('{ teams { name members { sure } } }')).toEqual({
      data: {
        teams: [
          { name: 'a', members: [{ sure: 1 }, { sure: 3 }] },
          { name: 'b', members: null },
        ],
      },
      errors: ['teams.1.members.0.sure RATE_UNKNOWN'],
    }));
  test('deep in the answer of an entity', async () =>
    expect(await answers('{ ada { list: tags { word: text } } }')).toEqual({
      data: { ada: { list: null } },
      errors: ['ada.list.1.word NO_TEXT'],
    }));
  test('two hops away', async () =>
    expect(await answers('{ bob { tags { owner: user { name bad } } } }')).toEqual({
      data: { bob: { tags: [{ owner: { name: 'n2', bad: null } }, { owner: null }] } },
      errors: ['bob.tags.0.owner.bad BAD_USER'],
    }));
  test('of several fields of one subgraph', async () =>
    expect(await answers('{ bob { bad rate } oops ada { bad } }')).toEqual({
      data: { bob: { bad: null, rate: null }, oops: null, ada: { bad: null } },
      errors: ['ada.bad BAD_USER', 'bob.bad BAD_USER', 'bob.rate RATE_UNKNOWN', 'oops OOPS'],
    }));
  test('that null the whole answer', async () =>
    expect(await answers('{ fine must }')).toEqual({ data: null, errors: ['must MUST'] }));
  test('do not outlive the branch that is skipped', async () =>
    expect(await answers('{ fine bob { name bad @skip(if: true) } }')).toEqual({
      data: { fine: 'fine', bob: { name: 'n2' } },
      errors: [],
    }));
});
