import { federated, type Thing } from './federated.ts';

const asIs = (representation: Thing) => representation;

describe('@requires', () => {
  const box = (id: string, weight: number | null) => ({
    __typename: 'Box',
    id,
    weight,
    size: weight === null ? null : { width: weight + 1, depth: 2 },
    label: `box ${id}`,
    shipping: weight === null ? 'unknown' : `${weight} kg`,
    volume: weight === null ? null : (weight + 1) * 2,
    tariff: weight === null ? 'no tariff' : `${weight} kg at 3`,
  });
  const boxes = [box('1', 10), box('2', null), box('1', 10)];
  const shipping = ({ weight }: Thing) => (weight === null ? 'unknown' : `${weight} kg`);
  const graph = federated(
    {
      boxes: `
        type Query { boxes: [Box]  box: Box }
        type Box @key(fields: "id") { id: ID!  label: String }`,
      scales:
        'type Box @key(fields: "id") { id: ID!  weight: Int  size: Size } type Size { width: Int  depth: Int }',
      shipping: {
        sdl: `
          type Box @key(fields: "id") {
            id: ID!
            weight: Int @external
            size: Size @external
            shipping: String @requires(fields: "weight")
            volume: Int @requires(fields: "size { width depth }")
          }
          type Size { width: Int @external  depth: Int @external }`,
        resolvers: {
          Box: {
            __resolveReference: asIs,
            shipping,
            volume: ({ size }: { size?: { width: number; depth: number } }) =>
              size && size.width * size.depth,
          },
        },
      },
      tariffs: {
        sdl: `
          type Box @key(fields: "id") {
            id: ID!
            shipping: String @external
            tariff: String @requires(fields: "shipping")
          }`,
        resolvers: {
          Box: {
            __resolveReference: asIs,
            tariff: (it: Thing) => (it.shipping === 'unknown' ? 'no tariff' : `${it.shipping} at 3`),
          },
        },
      },
    },
    { roots: { boxes, box: boxes[0] }, entities: boxes },
  );
  test('gets a field of another subgraph', () => graph.agrees('{ box { shipping } }'));
  test('shows the required field only to who asks for it', () => graph.agrees('{ box { weight shipping } }'));
  test('of a null gives the null', () => graph.agrees('{ boxes { id shipping } }'));
  test('of nested fields', () => graph.agrees('{ boxes { volume } }'));
  test('of nested fields of which the client sees others', () =>
    graph.agrees('{ box { size { depth wide: width } volume label } }'));
  test('of what requires something itself, over three subgraphs', () =>
    graph.agrees('{ boxes { tariff label } }'));
  test('everything at once, under other names', () =>
    graph.agrees('{ boxes { t: tariff v: volume s: shipping l: label w: weight size { width } } }'));
  test('where the client uses the name of the required field for another', () =>
    graph.agrees('{ box { weight: label shipping } }'));
  test('in fragments', () =>
    graph.agrees('{ box { ...A ...B } } fragment A on Box { tariff } fragment B on Box { volume tariff }'));
  test('sends each distinct representation once', async () => {
    graph.forget();
    await graph.agrees('{ boxes { shipping } }');
    const received = graph.references.filter(({ subgraph }) => subgraph === 'shipping');
    expect(received.map(({ representation }) => representation)).toEqual([
      { __typename: 'Box', id: '1', weight: 10 },
      { __typename: 'Box', id: '2', weight: null },
    ]);
  });
});

describe('@requires with arguments', () => {
  const trip = {
    __typename: 'Trip',
    id: '1',
    price: ({ currency }: Thing) => (currency === 'EUR' ? 9 : 11),
    fee: 'fee of 9',
    tax: 'tax of 11',
  };
  const graph = federated(
    {
      trips: `
        type Query { trip: Trip }
        type Trip @key(fields: "id") { id: ID!  price(currency: Currency!): Int }
        enum Currency { EUR USD }`,
      fees: {
        sdl: `
          type Trip @key(fields: "id") {
            id: ID!
            price(currency: Currency!): Int @external
            fee: String @requires(fields: "price(currency: EUR)")
          }
          enum Currency { EUR USD }`,
        resolvers: { Trip: { __resolveReference: asIs, fee: ({ price }: Thing) => `fee of ${price}` } },
      },
      taxes: {
        sdl: `
          type Trip @key(fields: "id") {
            id: ID!
            price(currency: Currency!): Int @external
            tax: String @requires(fields: "price(currency: USD)")
          }
          enum Currency { EUR USD }`,
        resolvers: { Trip: { __resolveReference: asIs, tax: ({ price }: Thing) => `tax of ${price}` } },
      },
    },
    { roots: { trip }, entities: [trip] },
  );
  test('asks with them', () => graph.agrees('{ trip { fee } }'));
  test('beside the same field with other arguments', () =>
    graph.agrees('{ trip { price(currency: USD) eur: price(currency: EUR) fee } }'));
  test('with variables of the client beside it', () =>
    graph.agrees('query ($in: Currency!) { trip { price(currency: $in) fee } }', { in: 'USD' }));
});

describe('@requires of an abstract type', () => {
  const cat = { __typename: 'Cat', name: 'Tom', lives: 9, paws: 4 };
  const fish = { __typename: 'Fish', name: 'Wanda', fins: 5 };
  const home = (id: string, pet: Thing | null, guest: Thing | null) => ({
    __typename: 'Home',
    id,
    pet,
    guest,
    sign: describePet(pet),
    welcome: describePet(guest),
  });
  function describePet(pet: Thing | null | undefined) {
    if (!pet) return 'nobody';
    return 'lives' in pet ? `${pet.name} with ${pet.lives} lives` : `${pet.name} with ${pet.fins} fins`;
  }
  const homes = [home('1', cat, fish), home('2', fish, null), home('3', null, cat)];
  const types = (external: string) => `
    interface Pet { name: String }
    type Cat implements Pet { name: String ${external}  lives: Int ${external} }
    type Fish implements Pet { name: String ${external}  fins: Int ${external} }
    union Guest = Cat | Fish`;
  const graph = federated(
    {
      homes: `type Query { homes: [Home] } type Home @key(fields: "id") { id: ID!  pet: Pet  guest: Guest } ${types('')}`,
      signs: {
        sdl: `
          type Home @key(fields: "id") {
            id: ID!
            pet: Pet @external
            guest: Guest @external
            sign: String @requires(fields: "pet { name ... on Cat { lives } ... on Fish { fins } }")
            welcome: String @requires(fields: "guest { ... on Cat { name lives } ... on Fish { name fins } }")
          }
          ${types('@external')}`,
        resolvers: {
          Home: {
            __resolveReference: asIs,
            sign: ({ pet }: { pet: Thing }) => describePet(pet),
            welcome: ({ guest }: { guest: Thing }) => describePet(guest),
          },
        },
      },
    },
    { roots: { homes }, entities: homes },
  );
  test('an interface, by fragments', () => graph.agrees('{ homes { sign } }'));
  test('a union, by fragments', () => graph.agrees('{ homes { welcome } }'));
  test('while the client selects it otherwise', () =>
    graph.agrees(
      '{ homes { pet { __typename ... on Fish { f: fins } } sign guest { ... on Cat { lives: name } } welcome } }',
    ));
});

describe('@requires of a list of entities', () => {
  const line = (id: string, price: number) => ({ __typename: 'Product', id, price });
  const cheap = line('1', 2);
  const dear = line('2', 50);
  const carts = [
    { __typename: 'Cart', id: 'a', items: [cheap, dear, cheap], total: 54 },
    { __typename: 'Cart', id: 'b', items: [], total: 0 },
  ];
  const graph = federated(
    {
      carts: `
        type Query { carts: [Cart] }
        type Cart @key(fields: "id") { id: ID!  items: [Product!]! }
        type Product @key(fields: "id") { id: ID! }`,
      prices: 'type Product @key(fields: "id") { id: ID!  price: Int! }',
      totals: {
        sdl: `
          type Cart @key(fields: "id") {
            id: ID!
            items: [Product!]! @external
            total: Int @requires(fields: "items { price }")
          }
          type Product @key(fields: "id") { id: ID!  price: Int! @external }`,
        resolvers: {
          Cart: {
            __resolveReference: asIs,
            total: ({ items }: { items: { price: number }[] }) =>
              items.reduce((sum, { price }) => sum + price, 0),
          },
        },
      },
    },
    { roots: { carts }, entities: [...carts, cheap, dear] },
  );
  test('collects the field of each from a third subgraph', () => graph.agrees('{ carts { total } }'));
  test('also where the client selects the same list', () =>
    graph.agrees('{ carts { items { id } total id } }'));
});

describe('@requires that cannot be had', () => {
  const box = { __typename: 'Box', id: '1', label: 'it', weight: null as unknown };
  const graph = federated(
    {
      boxes: 'type Query { box: Box } type Box @key(fields: "id") { id: ID!  label: String }',
      scales: {
        sdl: 'type Box @key(fields: "id") { id: ID!  weight: Int }',
        resolvers: {
          Box: {
            weight: () => {
              throw new Error('The scales are broken');
            },
          },
        },
      },
      shipping: {
        sdl: `
          type Box @key(fields: "id") { id: ID!  weight: Int @external  shipping: String @requires(fields: "weight") }`,
        resolvers: { Box: { __resolveReference: asIs, shipping: ({ weight }: Thing) => `${weight} kg` } },
      },
    },
    { roots: { box }, entities: [box] },
  );
  test('costs what required it, with an error, and nothing else', async () => {
    const { data, errors } = await graph.ask('{ box { label shipping } }');
    expect(data).toMatchObject({ box: { label: 'it' } });
    expect(errors?.length).toBeGreaterThan(0);
  });
});
