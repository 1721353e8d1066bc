import { federated } from './federated.ts';

describe('unions of entities', () => {
  const book = { __typename: 'Book', id: '1', title: 'Eden', pages: 9, price: 5, size: 'A5' };
  const toy = { __typename: 'Toy', id: '2', title: 'Top', size: 3, price: 2 };
  const map = { __typename: 'Map', id: '3', scale: '1:100' };
  const graph = federated(
    {
      shop: `
        type Query { goods: [Good]  shelf: [[Good!]]  hero: Good }
        union Good = Book | Toy | Map
        type Book @key(fields: "id") { id: ID!  title: String  size: String }
        type Toy @key(fields: "id") { id: ID!  title: String!  size: Int }
        type Map { scale: String }`,
      prices: `
        type Book @key(fields: "id") { id: ID!  price: Int  pages: Int }
        type Toy @key(fields: "id") { id: ID!  price: Int }`,
    },
    {
      roots: { goods: [toy, book, map, null, toy], shelf: [[book, toy], null, [], [map]], hero: book },
      entities: [book, toy],
    },
  );
  test('each member is joined by its own type', () =>
    graph.agrees('{ goods { ... on Book { price pages } ... on Toy { price title } } }'));
  test('a member of which nothing is asked is an empty object', () =>
    graph.agrees('{ goods { ... on Book { price } } }'));
  test('__typename of each, and under another name', () =>
    graph.agrees('{ goods { __typename kind: __typename } }'));
  test('one name for fields of different types', () =>
    graph.agrees('{ goods { ... on Book { label: title } ... on Map { label: scale } } }'));
  test('one name for fields of different subgraphs', () =>
    graph.agrees('{ goods { ... on Book { number: pages } ... on Toy { number: price } } }'));
  test('in lists of lists', () =>
    graph.agrees('{ shelf { __typename ... on Book { price } ... on Toy { size price } } }'));
  test('in named fragments within fragments', () =>
    graph.agrees(`{ goods { ...G } hero { ...G } }
      fragment G on Good { ...B ... on Toy { id price } }
      fragment B on Book { pages ... on Good { ... on Book { title } } }`));
});

describe('interfaces', () => {
  const chair = {
    __typename: 'Chair',
    id: '1',
    name: 'Low',
    legs: 4,
    maker: null as unknown,
    price: 3,
    near: null as unknown,
  };
  const lamp = {
    __typename: 'Lamp',
    id: '2',
    name: 'Lit',
    watts: 7,
    maker: null as unknown,
    price: 8,
    near: null as unknown,
  };
  const maker = { __typename: 'Maker', id: 'm', name: 'Ada', made: [chair, lamp] };
  Object.assign(chair, { maker, near: [lamp] });
  Object.assign(lamp, { maker, near: [chair, lamp] });
  const graph = federated(
    {
      things: `
        type Query { things: [Thing]  nodes: [Node] }
        interface Node { id: ID! }
        interface Thing implements Node { id: ID!  name: String  maker: Maker  near: [Thing!] }
        type Chair implements Node & Thing @key(fields: "id") { id: ID!  name: String  maker: Maker  near: [Thing!]  legs: Int }
        type Lamp implements Node & Thing @key(fields: "id") { id: ID!  name: String  maker: Maker  near: [Thing!]  watts: Int }
        type Maker implements Node @key(fields: "id") { id: ID! }`,
      makers: `
        type Maker @key(fields: "id") { id: ID!  name: String  made: [Thing] }
        interface Thing { price: Int }
        type Chair implements Thing @key(fields: "id") { id: ID!  price: Int }
        type Lamp implements Thing @key(fields: "id") { id: ID!  price: Int }`,
    },
    { roots: { things: [chair, lamp, null], nodes: [maker, chair, lamp] }, entities: [chair, lamp, maker] },
  );
  test('a field that another subgraph gives to each type', () => graph.agrees('{ things { price name } }'));
  test('a list that comes from the other subgraph', () =>
    graph.agrees('{ things { maker { name made { name price } } } }'));
  test('type conditions of an interface on an interface', () =>
    graph.agrees('{ nodes { id ... on Thing { name price } ... on Maker { name } } }'));
  test('type conditions within each other, that never hold too', () =>
    graph.agrees(
      '{ things { ... on Node { ... on Chair { legs ... on Thing { price ... on Lamp { watts } } } } } }',
    ));
  test('deep in each other', () =>
    graph.agrees(
      '{ things { near { near { maker { made { near { __typename price ... on Lamp { watts } } } } } } } }',
    ));
  test('the same field asked by interface and by type is answered once, in its first place', () =>
    graph.agrees('{ things { ... on Lamp { watts name } name id ... on Chair { id legs } price } }'));
});

describe('unions whose members differ by subgraph', () => {
  const post = { __typename: 'Post', id: '1', text: 'hi', likes: 3 };
  const video = { __typename: 'Video', id: '2', url: 'u', likes: 4 };
  const ad = { __typename: 'Ad', id: '3', sponsor: 's', likes: 0 };
  const user = { __typename: 'User', id: 'u', pinned: post, watched: [video, ad] };
  const graph = federated(
    {
      posts: `
        type Query { user: User  feed: [Item] @shareable }
        type User @key(fields: "id") { id: ID!  pinned: Item }
        union Item = Post | Video
        type Post @key(fields: "id") { id: ID!  text: String }
        type Video @key(fields: "id") { id: ID!  url: String @shareable }`,
      videos: `
        type User @key(fields: "id") { id: ID!  watched: [Item] }
        union Item = Video | Ad
        type Video @key(fields: "id") { id: ID!  url: String @shareable  likes: Int }
        type Ad @key(fields: "id") { id: ID!  sponsor: String  likes: Int }`,
      likes: 'type Post @key(fields: "id") { id: ID!  likes: Int }',
    },
    { roots: { user, feed: [post, video, post] }, entities: [post, video, ad, user] },
  );
  const all = '__typename ... on Post { text likes } ... on Video { url likes } ... on Ad { sponsor likes }';
  test('from the one', () => graph.agrees(`{ user { pinned { ${all} } } }`));
  test('from the other', () => graph.agrees(`{ user { watched { ${all} } } }`));
  test('from both', () => graph.agrees(`{ feed { ${all} } user { pinned { ${all} } watched { ${all} } } }`));
});

describe('an interface that differs by subgraph', () => {
  const cat = { __typename: 'Cat', id: '1', name: 'Tom', lives: 9, toys: 2 };
  const dog = { __typename: 'Dog', id: '2', name: 'Rex', tricks: 3, toys: 5 };
  const graph = federated(
    {
      cats: `
        type Query { pets: [Pet] }
        interface Pet { id: ID!  name: String }
        type Cat implements Pet @key(fields: "id") { id: ID!  name: String  lives: Int }
        type Dog implements Pet @key(fields: "id") { id: ID!  name: String @external }`.replace(
        '@external',
        '@shareable',
      ),
      dogs: `
        type Query { toyOwners: [Pet] }
        interface Pet { id: ID!  toys: Int }
        type Dog implements Pet @key(fields: "id") { id: ID!  name: String @shareable  tricks: Int  toys: Int }
        type Cat implements Pet @key(fields: "id") { id: ID!  toys: Int }`,
    },
    { roots: { pets: [cat, dog], toyOwners: [dog, cat] }, entities: [cat, dog] },
  );
  test('its fields come from where they are', () =>
    graph.agrees('{ pets { name toys } toyOwners { toys name } }'));
  test('and its types too', () =>
    graph.agrees('{ toyOwners { name ... on Cat { lives } ... on Dog { tricks } } }'));
});
