/** The subgraph of the live benches: shipments that move, told by a resumable subscription. */
import { composeServices } from '@apollo/composition';
import { parse } from 'graphql';

const schema = (more: string) => `
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key"])
  type Query { shipment(id: ID!): Shipment }
  type Subscription { shipmentMoved(shipment: ID!, after: String): Movement }
  type Movement { cursor: String!  number: Int!  at: Float!  shipment: Shipment!  place: Place!  note: String }
  type Shipment @key(fields: "id") { id: ID!  state: String  ${more} }
  type Place { latitude: Float!  longitude: Float! }
`;

/** The supergraph, and the same with a harmless field more. */
export function composeShipments(url: string, more: '' | 'added: String' = ''): string {
  const typeDefs = parse(schema(more));
  const { supergraphSdl, errors } = composeServices([{ name: 'shipments', typeDefs, url }]);
  if (!supergraphSdl) throw new Error(errors?.map(String).join('\n'));
  return supergraphSdl;
}

export const SUBSCRIPTION = `
  subscription Moved($shipment: ID!) {
    shipmentMoved(shipment: $shipment) {
      cursor number at shipment { id state } place { latitude longitude } note
    }
  }
`;
export const FIELD = 'shipmentMoved';

/** Milliseconds that latencies are counted by. */
export const LATENCY_STEP = 0.5;
export const now = (): number => performance.timeOrigin + performance.now();
export const shipmentOf = (index: number): string => `shipment-${String(index).padStart(6, '0')}`;

/** What an event brings; as long as every other, up to the digits of its number. */
export const movement = (shipment: string, number: number) => ({
  cursor: `${shipment}.${number}`,
  number,
  at: now(),
  shipment: { id: shipment, state: 'IN_TRANSIT' },
  place: { latitude: 52.520008, longitude: 13.404954 },
  note: 'Handed over by one carrier to the next, at the place where both of them stand',
});

/** Frames of graphql-transport-ws, written without a library. */
export const nextFrame = (id: string, data: object, extensions?: object): string =>
  JSON.stringify({ id, type: 'next', payload: { data, extensions } });
export const ACK = '{"type":"connection_ack"}';
