import type { ServerResponse } from 'node:http';
import type { FormattedExecutionResult } from 'graphql';
import { type Answer, federated, type Lie, places, type Thing } from './federated.ts';

const cat: Thing = { __typename: 'Cat', name: 'Tom', lives: 9 };
const dog: Thing = { __typename: 'Dog', name: 'Rex', tricks: 2 };
const person = (id: string): Thing => ({
  __typename: 'Person',
  id,
  name: `name ${id}`,
  nick: `nick ${id}`,
  age: Number(id),
  score: 1.5,
  alive: true,
  code: `c${id}`,
  tags: ['a', 'b'],
  grid: [[1], [2, 3]],
  address: { city: 'Rome', zip: '1' },
  mood: 'GLAD',
  pet: cat,
  thing: dog,
  must: 'must',
  friends: [{ name: 'f' }],
});
const people = [person('1'), person('2')];
const graph = federated(
  {
    people:
      'type Query { people: [Person]  self: Int } type Person @key(fields: "id") { id: ID!  name: String }',
    facts: `
      type Query { motto: String  count: Int  words: [String]  leader: Person  place: Address }
      type Person @key(fields: "id") {
        id: ID!  nick: String  age: Int  score: Float  alive: Boolean  code: ID  tags: [String]  grid: [[Int]]
        address: Address  mood: Mood  pet: Pet  thing: Thing  must: String!  friends: [Friend!]
      }
      type Address { city: String  zip: String! }
      type Friend { name: String! }
      enum Mood { GLAD SAD }
      interface Pet { name: String }
      type Cat implements Pet { name: String  lives: Int }
      type Dog implements Pet { name: String  tricks: Int }
      union Thing = Cat | Dog`,
  },
  {
    roots: {
      people,
      self: 1,
      motto: 'on',
      count: 2,
      words: ['a'],
      leader: people[0],
      place: { city: 'Rome', zip: '1' },
    },
    entities: people,
  },
  { served: ['facts'], freshForEach: true, env: { SUBGRAPH_TIMEOUT: '300ms' } },
);

const INVALID = 'SUBGRAPH_RESPONSE_INVALID';
const UNAVAILABLE = 'SUBGRAPH_UNAVAILABLE';
const TIMEOUT = 'SUBGRAPH_TIMEOUT';

type Entities = (Record<string, unknown> | null)[];
const entitiesOf = (answer: FormattedExecutionResult) => answer.data?._entities as Entities;

/** The first entity with these fields instead of its own. */
const patched =
  (patch: Thing): Lie =>
  async (_request, truth) => {
    const answer = await truth();
    Object.assign(entitiesOf(answer)[0] ?? {}, patch);
    return answer;
  };
const says =
  (json: unknown): Lie =>
  () =>
    json;
const writes =
  (write: (response: ServerResponse) => void): Lie =>
  () =>
    write;
/** As JSON text, for what no object literal can say. */
const text = (body: string) =>
  writes((response) => response.setHeader('content-type', 'application/json').end(body));

const wellFormed = ({ errors = [] }: Answer) =>
  errors.every(
    ({ message, path }) =>
      typeof message === 'string' &&
      (path === undefined ||
        (Array.isArray(path) && path.every((step) => ['string', 'number'].includes(typeof step)))),
  );

describe('a value that breaks its type is null with an error, and the rest is whole', () => {
  const query = `{ people {
    name nick age score alive code tags grid address { city zip } mood pet { name __typename } thing { ... on Dog { tricks } }
  } self }`;
  test.each<[string, string, unknown, { at?: string; left?: unknown; code?: string }?]>([
    ['an object for a String', 'nick', { a: 1 }],
    ['a list for a String', 'nick', ['x']],
    ['a text for an Int', 'age', 'seven'],
    ['a Boolean for an Int', 'age', {}],
    ['a fraction for an Int', 'age', 3.5],
    ['an Int beyond its range', 'age', 2 ** 31],
    ['an Int below its range', 'age', -(2 ** 31) - 1],
    ['a text for a Float', 'score', 'NaN'],
    ['a list for a Float', 'score', [1]],
    ['a text for a Boolean', 'alive', 'yes'],
    ['an object for an ID', 'code', {}],
    ['a fraction for an ID', 'code', 1.5],
    ['an object for a list', 'tags', { 0: 'a', length: 1 }],
    ['a text for a list', 'tags', 'ab'],
    ['an object within a list', 'tags', ['a', {}, 'b'], { at: 'tags.1', left: ['a', null, 'b'] }],
    ['a number for an inner list', 'grid', [1, [2]], { at: 'grid.0', left: [null, [2]] }],
    ['a text within an inner list', 'grid', [[1, 'x'], [2]], { at: 'grid.0.1', left: [[1, null], [2]] }],
    ['a list for an object', 'address', [{ city: 'Rome', zip: '1' }]],
    ['a text for an object', 'address', 'Rome'],
    ['a number for an object', 'address', 0],
    ['false for an object', 'address', false],
    ['a value that its enum does not have', 'mood', 'HUNGRY'],
    ['a number for an enum', 'mood', 3],
    ['a name that objects have anyway for an enum', 'mood', 'constructor'],
    ['a type that there is not', 'pet', { __typename: 'Dragon', name: 'x' }],
    ['a type that its interface does not have', 'pet', { __typename: 'Person', name: 'x' }],
    ['a type that its union does not have', 'thing', { __typename: 'Address', tricks: 1 }],
    ['a type that is a name that objects have anyway', 'pet', { __typename: 'constructor', name: 'x' }],
    ['no type where one is needed', 'pet', { name: 'x' }],
    ['a type that is no text', 'pet', { __typename: { a: 1 }, name: 'x' }],
    [
      'null where it must not be',
      'address',
      { city: 'Rome', zip: null },
      { at: 'address.zip', code: 'INTERNAL_SERVER_ERROR' },
    ],
    ['a wrong value where null must not be', 'address', { city: 'Rome', zip: {} }, { at: 'address.zip' }],
  ])('%s', async (_, field, value, { at = field, left = null, code = INVALID } = {}) => {
    const truth = await graph.truth(query);
    graph.lies('facts', patched({ [field]: value }));
    const answer = await graph.ask(query);
    const {
      people: [first, ...rest],
    } = truth.data as { people: Thing[] };
    expect(answer.data).toEqual({ ...truth.data, people: [{ ...first, [field]: left }, ...rest] });
    expect(places(answer, true)).toEqual([`people.0.${at} ${code}`]);
  });

  test('a wrong value in a field that must not be null costs its object, with one error', async () => {
    graph.lies('facts', patched({ must: [] }));
    const answer = await graph.ask('{ people { name must } self }');
    expect(answer.data).toEqual({ people: [null, { name: 'name 2', must: 'must' }], self: 1 });
    expect(places(answer, true)).toEqual([`people.0.must ${INVALID}`]);
  });
  test('a wrong item in a list that has no nulls costs the list', async () => {
    graph.lies('facts', patched({ friends: [{ name: 'f' }, 'g', { name: null }] }));
    const answer = await graph.ask('{ people { name friends { name } } }');
    expect(answer.data?.people).toMatchObject([
      { name: 'name 1', friends: null },
      { friends: [{ name: 'f' }] },
    ]);
    expect(places(answer, true)).toEqual([`people.0.friends.1 ${INVALID}`]);
  });
  test('fields that nobody asked for are not told', async () => {
    graph.lies('facts', patched({ extra: 'x', name: 'stolen', id: '7', __typename: 'Cat' }));
    const answer = await graph.ask('{ people { nick } }');
    expect(answer).toEqual({ data: { people: [{ nick: 'nick 1' }, { nick: 'nick 2' }] } });
  });
  test('a root field', async () => {
    graph.lies('facts', says({ data: { motto: {}, count: '2', words: 'a', place: [], leader: [] } }));
    const answer = await graph.ask('{ people { name } motto count words place { city } leader { name } }');
    expect(answer.data).toEqual({
      people: [{ name: 'name 1' }, { name: 'name 2' }],
      motto: null,
      count: null,
      words: null,
      place: null,
      leader: null,
    });
    expect(places(answer, true)).toEqual(
      ['count', 'leader', 'motto', 'place', 'words'].map((each) => `${each} ${INVALID}`),
    );
  });
});

describe('an answer that is none costs its own fields', () => {
  const query = '{ people { name nick age } self }';
  const lost = [
    { name: 'name 1', nick: null, age: null },
    { name: 'name 2', nick: null, age: null },
  ];
  const fields = ['people.0.age', 'people.0.nick', 'people.1.age', 'people.1.nick'];
  const withStatus = (status: number) =>
    writes((response) =>
      response.writeHead(status).end('{"data":{"_entities":[{"nick":"x"},{"nick":"y"}]}}'),
    );

  test.each<[string, Lie, (string | RegExp)?]>([
    ['no _entities', says({ data: {} })],
    ['_entities is null', says({ data: { _entities: null } })],
    ['_entities is no list', says({ data: { _entities: { 0: { nick: 'x' }, 1: {}, length: 2 } } })],
    ['_entities is a text', says({ data: { _entities: 'ab' } })],
    ['too few entities', says({ data: { _entities: [{ nick: 'x', age: 1 }] } })],
    ['too many entities', says({ data: { _entities: [{ nick: 'x' }, { nick: 'y' }, { nick: 'z' }] } })],
    ['no entities at all', says({ data: { _entities: [] } })],
    ['data is a list', says({ data: [] })],
    ['data is a text', says({ data: 'x' })],
    ['data is null and nothing says why', says({ data: null })],
    ['data is null and the list of errors is empty', says({ data: null, errors: [] })],
    ['only an empty list of errors', says({ errors: [] })],
    ['neither data nor errors', says({}), /INVALID|UNAVAILABLE/],
    ['a list', says([]), /INVALID|UNAVAILABLE/],
    ['a number', text('7'), /INVALID|UNAVAILABLE/],
    ['null', text('null'), /INVALID|UNAVAILABLE/],
    [
      'a page',
      writes((response) => response.setHeader('content-type', 'text/html').end('<html>')),
      /INVALID|UNAVAILABLE/,
    ],
    ['half of it', text('{"data":{"_entities":[{"nick":"x"'), /INVALID|UNAVAILABLE/],
    ['nothing', text(''), /INVALID|UNAVAILABLE/],
    ['two of it', text('{"data":{"_entities":[{},{}]}}{}'), /INVALID|UNAVAILABLE/],
    ['NaN, which is no JSON', text('{"data":{"_entities":[{"age":NaN},{"age":1}]}}'), /INVALID|UNAVAILABLE/],
    ['no content', writes((response) => response.writeHead(204).end()), /INVALID|UNAVAILABLE/],
    ['status 500', withStatus(500), UNAVAILABLE],
    ['status 404', withStatus(404), UNAVAILABLE],
    ['status 503', withStatus(503), UNAVAILABLE],
    [
      'a redirection',
      writes((response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()),
      UNAVAILABLE,
    ],
    ['a connection that breaks', writes((response) => response.destroy()), UNAVAILABLE],
    [
      'a body that breaks off',
      writes((response) => {
        response.writeHead(200, { 'content-length': 1_000 }).write('{"data":');
        setTimeout(() => response.destroy(), 20);
      }),
      UNAVAILABLE,
    ],
    ['silence', writes(() => undefined), TIMEOUT],
    ['silence after the headers', writes((response) => void response.writeHead(200).flushHeaders()), TIMEOUT],
    [
      'a body that drips',
      writes((response) => {
        const drip = setInterval(() => response.write(' '), 50);
        response.on('close', () => clearInterval(drip));
      }),
      TIMEOUT,
    ],
  ])('%s', async (_, lie, code = INVALID) => {
    graph.lies('facts', lie);
    const started = performance.now();
    const answer = await graph.ask(query);
    expect(performance.now() - started).toBeLessThan(2_500);
    expect(answer.data).toEqual({ people: lost, self: 1 });
    expect(places(answer)).toEqual(fields);
    for (const { extensions } of answer.errors ?? []) expect(String(extensions?.code)).toMatch(code);
  });

  test.each<[string, Lie, string | RegExp]>([
    ['data without the fields', says({ data: {} }), INVALID],
    ['data is null and nothing says why', says({ data: null }), INVALID],
    ['a page', text('<html>'), /INVALID|UNAVAILABLE/],
    ['status 500', withStatus(500), UNAVAILABLE],
    ['silence', writes(() => undefined), TIMEOUT],
  ])('also at the root: %s', async (_, lie, code) => {
    graph.lies('facts', lie);
    const answer = await graph.ask('{ motto people { name } count leader { name nick } }');
    expect(answer.data).toEqual({
      motto: null,
      people: [{ name: 'name 1' }, { name: 'name 2' }],
      count: null,
      leader: null,
    });
    // That a field which may be null is simply missing need not be told.
    if (_ !== 'data without the fields') expect(places(answer)).toEqual(['count', 'leader', 'motto']);
    for (const { extensions } of answer.errors ?? []) expect(String(extensions?.code)).toMatch(code);
  });

  test('entities of another type have none of the fields', async () => {
    graph.lies(
      'facts',
      says({
        data: {
          _entities: [
            { __typename: 'Cat', lives: 9 },
            { __typename: 'Person', nick: 'n', age: 2 },
          ],
        },
      }),
    );
    const answer = await graph.ask(query);
    expect(answer.data?.people).toEqual([
      { name: 'name 1', nick: null, age: null },
      { name: 'name 2', nick: 'n', age: 2 },
    ]);
  });
  test('what was not answered costs an object whose field must not be null, once each', async () => {
    graph.lies('facts', text('<html>'));
    const answer = await graph.ask('{ people { name must nick } self }');
    expect(answer.data).toEqual({ people: [null, null], self: 1 });
    expect(new Set(places(answer)).size).toBe(answer.errors?.length);
    expect(places(answer)).toEqual(expect.arrayContaining(['people.0.must', 'people.1.must']));
  });
});

describe('errors that a subgraph tells', () => {
  const query = '{ people { name nick age } self }';
  const nick = {
    message: 'No nick',
    path: ['_entities', 1, 'nick'],
    extensions: { code: 'NO_NICK', details: { a: 1 } },
  };
  const entities = [
    { nick: 'a', age: 1 },
    { nick: null, age: 2 },
  ];

  test('without data keep message and code at each field that is lost', async () => {
    graph.lies('facts', says({ errors: [{ message: 'Closed', extensions: { code: 'CLOSED' } }] }));
    const answer = await graph.ask(query);
    expect(answer.data?.people).toMatchObject([{ nick: null }, { nick: null }]);
    expect(places(answer, true)).toEqual(
      ['people.0.age', 'people.0.nick', 'people.1.age', 'people.1.nick'].map((each) => `${each} CLOSED`),
    );
    expect(answer.errors?.every(({ message }) => message === 'Closed')).toBe(true);
  });
  test('with a path into an entity lie at that field', async () => {
    graph.lies('facts', says({ data: { _entities: entities }, errors: [nick] }));
    const answer = await graph.ask(query);
    expect(answer.data?.people).toMatchObject([
      { nick: 'a', age: 1 },
      { nick: null, age: 2 },
    ]);
    expect(answer.errors).toEqual([
      expect.objectContaining({
        message: 'No nick',
        path: ['people', 1, 'nick'],
        extensions: expect.objectContaining({ code: 'NO_NICK', details: { a: 1 } }),
      }),
    ]);
  });
  test('with a status that is not 200 are still heard', async () => {
    const body = JSON.stringify({
      data: null,
      errors: [{ message: 'Not you', extensions: { code: 'NOT_YOU' } }],
    });
    graph.lies(
      'facts',
      writes((response) =>
        response.writeHead(403, { 'content-type': 'application/graphql-response+json' }).end(body),
      ),
    );
    const answer = await graph.ask(query);
    expect(answer.data?.people).toMatchObject([{ nick: null }, { nick: null }]);
    expect(answer.errors?.length).toBeGreaterThan(0);
    for (const { extensions } of answer.errors ?? [])
      expect(String(extensions?.code)).toMatch(/NOT_YOU|UNAVAILABLE/);
  });
  test('of an entity that is null lie at its fields', async () => {
    const gone = { message: 'Gone', path: ['_entities', 0], extensions: { code: 'GONE' } };
    graph.lies('facts', says({ data: { _entities: [null, { nick: 'b', age: 2 }] }, errors: [gone] }));
    const answer = await graph.ask(query);
    expect(answer.data?.people).toMatchObject([
      { nick: null, age: null },
      { nick: 'b', age: 2 },
    ]);
    expect(answer.errors?.length).toBeGreaterThan(0);
    for (const { path, extensions } of answer.errors ?? [])
      expect([path?.slice(0, 2), extensions?.code]).toEqual([['people', 0], 'GONE']);
  });
  test.each<[string, unknown]>([
    ['no list', 'boom'],
    ['an object', { message: 'boom' }],
    ['a list of nothing', [null, 7, 'boom', []]],
    ['without a message', [{ path: ['_entities', 0, 'nick'] }]],
    ['with a message that is no text', [{ message: { a: 1 }, path: ['_entities', 0, 'nick'] }]],
    ['with a path that is no list', [{ message: 'x', path: '_entities.0.nick' }]],
    ['with a path of objects', [{ message: 'x', path: [{}, null, ['y']] }]],
    ['with a path to an entity that was not asked for', [{ message: 'x', path: ['_entities', 99, 'nick'] }]],
    ['with a path below a scalar', [{ message: 'x', path: ['_entities', 0, 'nick', 'deeper', 3] }]],
    [
      'with a path through the prototype',
      [{ message: 'x', path: ['_entities', 0, '__proto__', 'polluted'] }],
    ],
    ['with a path to what nobody asked for', [{ message: 'x', path: ['elsewhere', 'secret'] }]],
    [
      'with extensions that are no object',
      [{ message: 'x', extensions: 'code', path: ['_entities', 0, 'nick'] }],
    ],
    ['with a code that is no text', [{ message: 'x', extensions: { code: { a: 1 } } }]],
  ])('that are malformed harm nobody: %s', async (_, errors) => {
    graph.lies(
      'facts',
      says({
        data: {
          _entities: [
            { nick: 'a', age: 1 },
            { nick: 'b', age: 2 },
          ],
        },
        errors,
      }),
    );
    const answer = await graph.ask(query);
    expect(answer.data).toEqual({
      people: [
        { name: 'name 1', nick: 'a', age: 1 },
        { name: 'name 2', nick: 'b', age: 2 },
      ],
      self: 1,
    });
    expect(wellFormed(answer)).toBe(true);
    expect(({} as Thing).polluted).toBeUndefined();
  });
});

describe('names of the language in data', () => {
  const poison =
    '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1},"polluted":1},"toString":1';
  const pollutedAnywhere = () =>
    [{}, [], Object, JSON.parse('{}')].some((each) => (each as Thing).polluted !== undefined);

  test('of an entity reach nobody', async () => {
    graph.lies(
      'facts',
      text(
        `{"data":{"_entities":[{"nick":"a","address":{"city":"x","zip":"1",${poison}},${poison}},{"nick":"b"}],${poison}},${poison}}`,
      ),
    );
    const answer = await graph.ask('{ people { nick address { city zip } } }');
    expect(answer.data?.people).toMatchObject([
      { nick: 'a', address: { city: 'x', zip: '1' } },
      { nick: 'b' },
    ]);
    expect(JSON.stringify(answer)).not.toContain('polluted');
    expect(pollutedAnywhere()).toBe(false);
  });
  test('of a root reach nobody', async () => {
    graph.lies('facts', text(`{"data":{"motto":"m","place":{"city":"x","zip":"1",${poison}},${poison}}}`));
    const answer = await graph.ask('{ motto place { city } people { name } }');
    expect(answer.data).toMatchObject({ motto: 'm', place: { city: 'x' } });
    expect(JSON.stringify(answer)).not.toContain('polluted');
    expect(pollutedAnywhere()).toBe(false);
  });
  test('do not stand in for fields that are missing', async () => {
    graph.lies('facts', says({ data: { _entities: [{}, {}] } }));
    const answer = await graph.ask('{ people { constructor: nick toString: age valueOf: tags } }');
    const empty = { constructor: null, toString: null, valueOf: null };
    expect(JSON.stringify(answer.data)).toBe(JSON.stringify({ people: [empty, empty] }));
  });
});
