/** What the shop's subgraphs know: five users, nine products, ten reviews, the same in every store. */
import { buildSubgraphSchema } from '@apollo/subgraph';
import type { GraphQLResolverMap } from '@apollo/subgraph/dist/schema-helper/resolverMap.js';
import type { GraphQLSchema } from 'graphql';
import { STORE_LENGTH, type SubgraphName, typeDefs } from './schemas.ts';

interface Keyed {
  readonly id?: string;
  readonly upc?: string;
}

const users = ['Ada', 'Grace', 'Barbara', 'Frances', 'Margaret'].map((name, index) => ({
  id: `u${index}`,
  name: `${name} of the accounts`,
  username: `@${name.toLowerCase()}`,
}));
const products = ['Table', 'Couch', 'Chair', 'Lamp', 'Shelf', 'Bed', 'Desk', 'Stool', 'Rug'].map(
  (name, index) => ({
    upc: `p${index}`,
    name: `${name} for the living room`,
    price: 100 + 90 * index,
    weight: 50 + 7 * index,
    inStock: index % 3 !== 0,
  }),
);
const reviews = Array.from({ length: 10 }, (_, index) => ({
  id: `r${index}`,
  body: `Review ${index}: I would buy it again, and have it delivered by the same hands.`,
  author: users[index % 5]!,
  product: products[index % 9]!,
}));

const storeOf = (key = ''): string => key.slice(0, STORE_LENGTH);
const rowOf = (key = ''): string => key.slice(STORE_LENGTH + 1);

const user = (store: string, id: string) => {
  const found = users.find((each) => each.id === id);
  return found && { __typename: 'User', ...found, id: `${store}-${id}` };
};
const product = (store: string, upc: string) => {
  const found = products.find((each) => each.upc === upc);
  return found && { __typename: 'Product', ...found, upc: `${store}-${upc}` };
};
const review = (store: string, row: (typeof reviews)[number]) => ({
  id: `${store}-${row.id}`,
  body: row.body,
  author: user(store, row.author.id),
  product: product(store, row.product.upc),
});

const resolveUser = { __resolveReference: ({ id }: Keyed) => user(storeOf(id), rowOf(id)) };
const resolveProduct = { __resolveReference: ({ upc }: Keyed) => product(storeOf(upc), rowOf(upc)) };

const resolvers: Readonly<Record<SubgraphName, GraphQLResolverMap<unknown>>> = {
  accounts: {
    Query: { users: (_: unknown, { store }: { store: string }) => users.map(({ id }) => user(store, id)) },
    User: resolveUser,
  },
  inventory: {
    Product: {
      // What the subgraph requires comes with the reference.
      __resolveReference: (given: Keyed) => ({ ...product(storeOf(given.upc), rowOf(given.upc)), ...given }),
      shippingEstimate: ({ price, weight }: { price: number; weight: number }) =>
        price > 500 ? 0 : Math.round(weight / 2),
    },
  },
  products: {
    Query: {
      topProducts: (_: unknown, { store, first }: { store: string; first: number }) =>
        products.slice(0, first).map(({ upc }) => product(store, upc)),
    },
    Product: resolveProduct,
  },
  reviews: {
    User: {
      ...resolveUser,
      reviews: ({ id }: Keyed) =>
        reviews.filter(({ author }) => author.id === rowOf(id)).map((row) => review(storeOf(id), row)),
    },
    Product: {
      ...resolveProduct,
      reviews: ({ upc }: Keyed) =>
        reviews
          .filter(({ product: { upc: of } }) => of === rowOf(upc))
          .map((row) => review(storeOf(upc), row)),
    },
  },
};

export const subgraphSchema = (name: SubgraphName): GraphQLSchema =>
  buildSubgraphSchema({ typeDefs: typeDefs[name], resolvers: resolvers[name] });
