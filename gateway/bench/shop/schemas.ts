/**
 * The shop of the public federation benchmarks: accounts, inventory, products and reviews. Its root fields take a
 * store, and every id names that store: so no two requests ask for the same, at any level.
 */
import { composeServices } from '@apollo/composition';
import { type DocumentNode, parse } from 'graphql';

export const subgraphNames = ['accounts', 'inventory', 'products', 'reviews'] as const;
export type SubgraphName = (typeof subgraphNames)[number];

const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@external", "@requires", "@provides", "@shareable"])';

const texts: Readonly<Record<SubgraphName, string>> = {
  accounts: `
    ${federation}
    type Query { users(store: ID!): [User!]! }
    type User @key(fields: "id") { id: ID!  name: String  username: String @shareable }
  `,
  inventory: `
    ${federation}
    type Product @key(fields: "upc") {
      upc: String!
      weight: Int @external
      price: Int @external
      inStock: Boolean
      shippingEstimate: Int @requires(fields: "price weight")
    }
  `,
  products: `
    ${federation}
    type Query { topProducts(store: ID!, first: Int = 5): [Product!]! }
    type Product @key(fields: "upc") { upc: String!  name: String  price: Int  weight: Int }
  `,
  reviews: `
    ${federation}
    type Review @key(fields: "id") { id: ID!  body: String  author: User @provides(fields: "username")  product: Product }
    type User @key(fields: "id") { id: ID!  username: String @external  reviews: [Review] }
    type Product @key(fields: "upc") { upc: String!  reviews: [Review] }
  `,
};

export const typeDefs = Object.fromEntries(
  Object.entries(texts).map(([name, text]) => [name, parse(text)]),
) as Record<SubgraphName, DocumentNode>;

export function composeShop(urls: Readonly<Record<SubgraphName, string>>): string {
  const services = subgraphNames.map((name) => ({ name, typeDefs: typeDefs[name], url: urls[name] }));
  const { supergraphSdl, errors } = composeServices(services);
  if (!supergraphSdl) throw new Error(errors?.map(String).join('\n'));
  return supergraphSdl;
}

/** Stores are names of one length, so that every answer to a query is as long as every other. */
export const storeOf = (index: number): string => `s${String(index).padStart(7, '0')}`;
export const STORE = /s\d{7}/;
export const STORE_LENGTH = 8;
