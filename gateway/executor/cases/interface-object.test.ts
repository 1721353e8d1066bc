import { federated } from './federated.ts';

const film = {
  __typename: 'Film',
  id: '1',
  title: 'Solaris',
  minutes: 167,
  stars: 5,
  reviews: [{ text: 'long' }],
  verdict: 'Solaris: 5',
};
const song = {
  __typename: 'Song',
  id: '2',
  title: 'Hey',
  bars: 32,
  stars: 3,
  reviews: [],
  verdict: 'Hey: 3',
};
const unrated = {
  __typename: 'Song',
  id: '3',
  title: 'Low',
  bars: 8,
  stars: null,
  reviews: null,
  verdict: 'Low: null',
};

describe('@interfaceObject', () => {
  const entities = [
    { ...film, similar: [song, unrated] },
    { ...song, similar: [film] },
    { ...unrated, similar: null },
  ];
  const [f, s, u] = entities;
  const graph = federated(
    {
      library: `
        type Query { media: [Media]  film: Film  songs: [Song!]  either: [Either] }
        union Either = Film | Song
        interface Media @key(fields: "id") { id: ID!  title: String }
        type Film implements Media @key(fields: "id") { id: ID!  title: String  minutes: Int }
        type Song implements Media @key(fields: "id") { id: ID!  title: String  bars: Int }`,
      charts: {
        sdl: `
          type Query { best: Media  top: [Media] }
          type Media @key(fields: "id") @interfaceObject {
            id: ID!
            stars: Int
            reviews: [Review!]
            similar: [Media!]
            title: String @external
            verdict: String @requires(fields: "title")
          }
          type Review { text: String }`,
        resolvers: {
          Media: { verdict: (it: { title: string; stars: number }) => `${it.title}: ${it.stars}` },
        },
      },
    },
    { roots: { media: [f, s, u], film: f, songs: [s, u], either: [u, f], best: s, top: [f, u] }, entities },
  );
  test('its field on the interface', () => graph.agrees('{ media { stars } }'));
  test('its field on a type of the interface', () =>
    graph.agrees('{ film { stars minutes } songs { stars } }'));
  test('its field within a fragment on one type', () =>
    graph.agrees('{ media { ... on Film { stars title } ... on Song { reviews { text } } } }'));
  test('from it to the fields of the interface', () => graph.agrees('{ best { title stars } }'));
  test('from it to the fields of one type', () =>
    graph.agrees('{ top { stars ... on Song { bars } ... on Film { minutes } } }'));
  test('the type that the client asks for is the true one', () =>
    graph.agrees('{ top { __typename } best { t: __typename } }'));
  test('beside its own fields too', () => graph.agrees('{ top { stars __typename id } }'));
  test('a list of it, there and back', () => graph.agrees('{ film { similar { __typename title stars } } }'));
  test('a list of it, deeper', () =>
    graph.agrees(
      '{ media { title similar { ... on Film { minutes } similar { __typename id ... on Song { bars } } } } }',
    ));
  test('its field that requires one of the interface', () =>
    graph.agrees('{ media { verdict } top { verdict title } }'));
  test('its field that requires one of the interface, for one type alone', () =>
    graph.agrees('{ media { ... on Film { verdict } title } }'));
  test('the same beside a field for all types', () =>
    graph.agrees(
      '{ media { stars ... on Film { verdict } } film { similar { stars ... on Song { verdict } } } }',
    ));
  test('the true type stays, in a union', () =>
    graph.agrees('{ either { ... on Film { __typename stars } ... on Song { verdict } } }'));
  test('the true type stays, there and back', () =>
    graph.agrees('{ best { similar { ... on Film { __typename verdict } ... on Song { bars } } } }'));
  test('fragments of the interface on itself', () =>
    graph.agrees(
      '{ top { ...M } media { ...M } } fragment M on Media { id stars ... on Media { reviews { text } } }',
    ));
});

describe('@interfaceObject of two subgraphs', () => {
  const entities = [
    { __typename: 'Admin', id: '1', name: 'Ada', karma: 7, visits: 1 },
    { __typename: 'Guest', id: '2', name: 'Bob', karma: 0, visits: null },
  ];
  const graph = federated(
    {
      people: `
        type Query { people: [Person] }
        interface Person @key(fields: "id") { id: ID!  name: String }
        type Admin implements Person @key(fields: "id") { id: ID!  name: String }
        type Guest implements Person @key(fields: "id") { id: ID!  name: String }`,
      karma:
        'type Query { wise: [Person] } type Person @key(fields: "id") @interfaceObject { id: ID!  karma: Int }',
      visits: 'type Person @key(fields: "id") @interfaceObject { id: ID!  visits: Int }',
    },
    { roots: { people: entities, wise: entities.toReversed() }, entities },
  );
  test('both add to the interface', () => graph.agrees('{ people { karma visits name } }'));
  test('one reaches the other without the owner', async () => {
    graph.forget();
    await graph.agrees('{ wise { visits } }');
    expect(graph.fetches).toEqual(['karma', 'visits']);
  });
  test('unless the type is asked for', () =>
    graph.agrees('{ wise { visits ... on Admin { name } __typename } }'));
});
