/** The schemas of the suite's three subgraphs, and the supergraphs that are composed from them. */
import { composeServices } from '@apollo/composition';
import { type DocumentNode, Kind, parse, visit } from 'graphql';

export const subgraphNames = ['orders', 'products', 'people'] as const;
export type SubgraphName = (typeof subgraphNames)[number];

const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@external", "@requires"])';

/** What each subgraph can answer; a supergraph shows all of it but what its version leaves out. */
export const schemas: Readonly<Record<SubgraphName, string>> = {
  orders: `
    ${federation}
    type Query { lastOrder(store: ID!): Order }
    type Subscription {
      "Backed by a log: with \`after\` it begins behind that cursor, with an empty one at the beginning."
      orderPlaced(store: ID!, after: String): Order
      "Not replayable."
      priceChanged(store: ID!, filter: PriceFilter): PriceChange
      "Never null, it says; null where the order is called \`null\`."
      requiredOrder(store: ID!): Order!
      activity(store: ID!): Activity
      "Ends by itself after 1."
      countdown(store: ID!, from: Int!): Int!
      "What reached this subgraph together with the subscription, as JSON."
      caller(store: ID!): String
    }
    input PriceFilter { atLeast: Int  oneOf: [Int!] }
    type Order {
      cursor: String!
      number: Int!
      note: String
      legacy: String
      product: Product
      products: [Product]
      requiredProduct: Product!
      buyer: Person
      subject: Subject
      subjects: [Subject!]
      "Fails where the note says so."
      fragile: String
    }
    union Subject = Product | Person
    type PriceChange { price: Int!  product: Product }
    interface Activity { number: Int!  by: Person }
    type Sale implements Activity { number: Int!  by: Person  product: Product }
    type Signup implements Activity { number: Int!  by: Person  invitedBy: Person }
    type Product @key(fields: "id") { id: ID!  label: String }
    type Person @key(fields: "id", resolvable: false) { id: ID! }
  `,
  products: `
    ${federation}
    type Query { product(id: ID!): Product }
    type Product @key(fields: "id") {
      id: ID!
      name: String
      requiredName: String!
      price: Int
      maker: Person
      weight: Int
      rating: String
      label: String
    }
    type Person @key(fields: "id", resolvable: false) { id: ID! }
  `,
  people: `
    ${federation}
    type Query { person(id: ID!): Person }
    type Subscription { statusChanged(store: ID!): StatusChange }
    type StatusChange { status: String!  person: Person  product: Product }
    type Person @key(fields: "id") { id: ID!  name: String  favourite: Product  friends: [Person!] }
    type Product @key(fields: "id") {
      id: ID!
      price: Int @external
      tax: Int @requires(fields: "price")
      rating: String
    }
  `,
};

/** A version of the supergraph, by the fields (`Type.field`) that each subgraph keeps to itself. */
export type Version = Partial<Record<SubgraphName, readonly string[]>>;

/** What only later versions show. */
const later = {
  orders: ['Product.label'],
  products: ['Product.weight'],
  people: ['Product.rating'],
} as const;

export const versions = {
  first: later,
  weightAdded: { ...later, products: [] },
  legacyRemoved: { ...later, orders: ['Product.label', 'Order.legacy'] },
  /** `Product.rating` is answered by people instead of products. */
  ratingMoved: { ...later, products: ['Product.weight', 'Product.rating'], people: [] },
  /** `Product.label` is answered by orders, together with the event, instead of products. */
  labelMoved: { ...later, orders: [], products: ['Product.weight', 'Product.label'] },
} satisfies Record<string, Version>;

export function composeSupergraph(urls: Readonly<Record<SubgraphName, string>>, version: Version): string {
  const services = subgraphNames.map((name) => ({
    name,
    url: urls[name],
    typeDefs: withoutFields(parse(schemas[name]), version[name] ?? []),
  }));
  const { supergraphSdl, errors } = composeServices(services);
  if (!supergraphSdl) throw new Error(errors?.map(String).join('\n'));
  return supergraphSdl;
}

const withoutFields = (document: DocumentNode, hidden: readonly string[]): DocumentNode =>
  visit(document, {
    [Kind.OBJECT_TYPE_DEFINITION]: (type) => ({
      ...type,
      fields: type.fields?.filter(({ name }) => !hidden.includes(`${type.name.value}.${name.value}`)) ?? [],
    }),
  });
