/** One confirmed parcel of the story's people, and every question by which others might learn of it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { buildSchema, parse } from 'graphql';
import { newId } from '#shared/kernel/ids.ts';
import { projectRoot } from '#shared/runtime/rover.ts';
import { CreateTripDocument, HandoffsDocument } from '../../schema/operations/operations.generated.ts';
import type { Client } from './client.ts';
import { askedBooking, type Route } from './flight.ts';
import { questions } from './hops.ts';
import { type Parcel, submitShipment } from './parcel.ts';
import { acceptAll, type Cast, findChain, gatherCast, offerCarriage, pay, requestChain } from './story.ts';

export type Json = Record<string, unknown>;
export const write = (text: string) => parse(text) as TypedDocumentNode<Json, Json>;
export const quietly = (): void => {};

/** What a carrier is shown of an itinerary that they are one of several carriers of. */
export const AsCarrier = write(`query AsCarrier($id: ID!) { itinerary(id: $id) {
  state carriersTotal { amountMinor } payment { id }
  legs { carrier { id } price { amountMinor } booking { id price { amountMinor } escrow { amount { amountMinor } } } }
  shipment {
    senderContact { email } escrow { amount { amountMinor } payee { id } }
    recipient { name email phone address }
  }
} }`);

const AsSender = write(`query AsSender($id: ID!) { itinerary(id: $id) {
  payment { id }
  legs { id tripLeg { id trip { id documents { id file { id } } } } booking { id escrow { id } } }
  handoffs { id }
  shipment { recipient { id } packages { id photos { id file { id } } } tracking { edges { node { id cursor } } } }
} }`);

export interface PrivateParcel {
  readonly route: Route;
  readonly cast: Cast;
  readonly parcel: Parcel;
  readonly itineraryId: string;
  readonly draftTripId: string;
  readonly tripId: string;
  /** What the first carrier was shown while all were asked, and once it was confirmed. */
  readonly whenAsked: Json;
  readonly whenConfirmed: Json;
  /** Ids and addresses that nobody but the parties may ever be shown. */
  readonly secrets: ReadonlyMap<string, string>;
}

/** Books the story's parcel up to its confirmation, and notes what is private about it. */
export async function bookPrivately(url: string, route: Route): Promise<PrivateParcel> {
  const cast = await gatherCast(url, quietly);
  const lane = await offerCarriage(cast, quietly);
  const parcel = await submitShipment(cast.sender, cast.recipient, lane, quietly);
  const option = await findChain(cast, lane, quietly);
  const itineraryId = await requestChain(cast, parcel.shipmentId, option.token, quietly);
  const { client } = cast.first;
  await askedBooking(cast.first, itineraryId);
  const whenAsked = await client.until(AsCarrier, { id: itineraryId }, ({ itinerary }) =>
    // Shipments hears a moment later who was asked.
    Boolean((itinerary as { shipment?: { recipient?: unknown } } | null)?.shipment?.recipient),
  );
  await acceptAll(cast, itineraryId, quietly);
  await pay(cast, itineraryId, quietly);
  const whenConfirmed = await client.run(AsCarrier, { id: itineraryId });
  const { createTrip } = await client.run(CreateTripDocument, {
    input: {
      originLocationId: route.from.id,
      destinationLocationId: route.to.id,
      transportMode: 'FLIGHT',
      earliestDeparture: lane.departsAt.toISOString(),
      latestArrival: lane.arrivesAt.toISOString(),
    },
  });
  await cast.sender.client.until(
    HandoffsDocument,
    { itineraryId },
    ({ itinerary }) => itinerary?.handoffs?.length === 4,
  );
  const { itinerary } = await cast.sender.client.run(AsSender, { id: itineraryId });
  return {
    cast,
    parcel,
    itineraryId,
    route,
    draftTripId: createTrip.id,
    tripId: idAt(itinerary, 'legs.0.tripLeg.trip.id'),
    whenAsked,
    whenConfirmed,
    secrets: new Map<string, string>([
      ['shipment', parcel.shipmentId],
      ['itinerary', itineraryId],
      ['draft trip', createTrip.id],
      ["recipient's e-mail", cast.recipient.email],
      ["sender's e-mail", cast.sender.email],
      ...[
        'payment.id',
        'legs.0.id',
        'legs.0.booking.id',
        'legs.0.booking.escrow.id',
        'handoffs.0.id',
        'shipment.recipient.id',
        'shipment.packages.0.id',
        'shipment.packages.0.photos.0.file.id',
        'shipment.tracking.edges.0.node.id',
      ].map((path): [string, string] => [path, idAt(itinerary, path)]),
    ]),
  };
}

function idAt(value: unknown, path: string): string {
  const found = path.split('.').reduce<unknown>((each, key) => (each as Json | null)?.[key], value);
  if (typeof found !== 'string') throw new Error(`nothing at ${path} of ${JSON.stringify(value)}`);
  return found;
}

/** Everything that a viewer is shown who asks every question of the schema with these people's ids. */
export async function everythingShownTo(client: Client, it: PrivateParcel) {
  const schema = buildSchema(await readFile(join(projectRoot, 'schema/api.graphql'), 'utf8'));
  const { secrets, tripId, draftTripId, cast, parcel, route } = it;
  const id = (name: string) => secrets.get(name);
  const args = (trip: string, user: string): Json => ({
    'shipment.id': parcel.shipmentId,
    'itinerary.id': it.itineraryId,
    'booking.id': id('legs.0.booking.id'),
    'payment.id': id('payment.id'),
    'handoffStep.id': id('handoffs.0.id'),
    'file.id': id('shipment.packages.0.photos.0.file.id'),
    'custodyProof.packageId': id('shipment.packages.0.id'),
    'trackingStatus.shipmentId': parcel.shipmentId,
    'trackingHistory.shipmentId': parcel.shipmentId,
    'recipientLink.shipmentId': parcel.shipmentId,
    'customsDuties.shipmentId': parcel.shipmentId,
    'payoutStatus.id': newId(),
    'partner.id': newId(),
    'myLedgerEntries.currency': 'EUR',
    'location.id': route.from.id,
    'trip.id': trip,
    'user.id': user,
  });
  const { asked, left } = questions(schema, args(draftTripId, cast.sender.id));
  const published = questions(schema, args(tripId, cast.first.id)).asked.filter(({ name }) =>
    ['trip', 'user'].includes(name),
  );
  const answers = await Promise.all(
    [...asked, ...published].map(async ({ name, document, variables }) => ({
      name,
      ...(await client.ask(document, variables)),
    })),
  );
  return { answers, left };
}

/** Names of the secrets that stand in answers. */
export const secretsIn = ({ secrets }: PrivateParcel, answers: readonly { data?: unknown }[]): string[] => {
  const text = JSON.stringify(answers.map(({ data }) => data));
  return [...secrets].filter(([, secret]) => text.includes(secret)).map(([name]) => name);
};
