/** What tests of shipments share: the neighbours' answers, and the way from nothing to a submitted shipment. */
import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { IdentityContract } from '#shared/contracts/identity.ts';
import {
  BookingAnswered,
  ItineraryCancelled,
  ItineraryConfirmed,
  ItineraryRequested,
} from '#shared/events/bookings.ts';
import { HandoffTransferred } from '#shared/events/custody.ts';
import { EscrowClosed } from '#shared/events/payments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { answer } from '#shared/runtime/subgraph.ts';
import { user } from '../../testing/actors.ts';
import { type Answer, startWorld, type World } from '../../testing/world.ts';

export const sender = user('Sara');
export const recipient = user('Rosa');
export const carrier = user('Carl');
export const stranger = user('Eve');

const place = (name: string, customsTerritory: string, timeZone: string) => ({
  locationId: newId(),
  name,
  iata: null,
  countryCode: customsTerritory.slice(0, 2),
  customsTerritory,
  timeZone,
  latitude: 0,
  longitude: 0,
});
export const montreal = place('Montréal', 'CA', 'America/Toronto');
export const paris = place('Paris', 'EU', 'Europe/Paris');
export const lyon = place('Lyon', 'EU', 'Europe/Paris');
export const newYork = place('New York', 'US', 'America/New_York');
export const oslo = place('Oslo', 'NO', 'Europe/Oslo');
const places = [montreal, paris, lyon, newYork, oslo];

export const photo = newId();
export const paper = newId();
const files = [
  { fileId: photo, ownerId: sender.userId, mediaType: 'image/jpeg', sha256: 'a'.repeat(64) },
  { fileId: paper, ownerId: sender.userId, mediaType: 'application/pdf', sha256: 'b'.repeat(64) },
];

export const sara = {
  name: 'Sara Sender',
  email: 'sara@example.com',
  phone: '+1 514 555 0100',
  address: '1 Rue Sainte-Catherine\nMontréal',
};
export const rosa = {
  name: 'Rosa Recipient',
  email: 'rosa@example.com',
  phone: '+33 1 42 68 53 00',
  address: '2 Rue de Rivoli\nParis',
};
export const eur = (amountMinor: number) => ({ amountMinor: String(amountMinor), currency: 'EUR' });

export const scarf = {
  description: 'Wool scarf',
  quantity: 2,
  unitValue: eur(2_000),
  weightGrams: 400,
  hsCode: '6117.10',
  originCountry: 'CA',
};

/** What an answer written as text holds. */
type Json = Answer['data'];

export class Story {
  readonly world: World;
  /** Accounts that identity knows by their proven address. */
  readonly accounts: Map<string, string>;

  private constructor(world: World, accounts: Map<string, string>) {
    this.world = world;
    this.accounts = accounts;
  }

  static async begin(): Promise<Story> {
    const accounts = new Map<string, string>();
    const world = await startWorld({
      subgraphs: ['shipments'],
      contracts: [
        answer(IdentityContract, {
          users: async () => [],
          userByEmail: async ({ email }) => ({ userId: accounts.get(email) ?? null }),
          partner: async () => ({ name: null }),
          linkToken: async ({ shipmentId, recipientId, expiresAt }) => ({
            token: `${shipmentId} ${recipientId} ${expiresAt.toISOString()}`,
          }),
          files: async ({ fileIds }) =>
            files
              .filter(({ fileId }) => fileIds.includes(fileId))
              .map((file) => ({ ...file, bytes: 10, storedAt: new Date(0) })),
        }),
        answer(DiscoveryContract, {
          holdCapacity: async () => ({}),
          extendHold: async () => ({}),
          confirmHold: async () => ({}),
          releaseHold: async () => ({}),
          suggestion: () => Promise.reject(new Error('not asked here')),
          locations: async ({ locationIds }) =>
            places.filter(({ locationId }) => locationIds.includes(locationId)),
        }),
      ],
    });
    return new Story(world, accounts);
  }

  /** Sends a mutation with its one `input`. */
  run(mutation: string, input: object, viewer: Viewer = sender, selection = '{ id }'): Promise<Answer> {
    const type = inputTypes[mutation] ?? `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { answer: ${mutation}(input: $input) ${selection} }`;
    return this.world.execute('shipments', text, { input }, viewer);
  }

  async did(mutation: string, input: object, selection?: string): Promise<Json> {
    const { data, errors } = await this.run(mutation, input, sender, selection);
    if (errors[0]) throw errors[0];
    return data.answer;
  }

  async draft(origin = montreal, destination = paris): Promise<string> {
    const { id } = await this.did('createShipment', {
      originLocationId: origin.locationId,
      destinationLocationId: destination.locationId,
      senderInfo: sara,
    });
    return id;
  }

  async package(shipmentId: string, change: object = {}): Promise<string> {
    const { id } = await this.did('addPackage', { ...parcel(shipmentId), ...change });
    return id;
  }

  /** A draft that lacks nothing. */
  async ready(
    change: { origin?: typeof montreal; destination?: typeof paris; items?: object[]; email?: string } = {},
  ): Promise<{ shipmentId: string; packageId: string }> {
    const { origin = montreal, destination = paris } = change;
    const shipmentId = await this.draft(origin, destination);
    const packageId = await this.package(shipmentId, change.items ? { items: change.items } : {});
    await this.did('addPackagePhoto', { packageId, fileId: photo });
    await this.did('setRecipient', { shipmentId, ...rosa, email: change.email ?? rosa.email });
    if (origin.customsTerritory !== destination.customsTerritory)
      await this.did('declareCustoms', { shipmentId, contentType: 'GIFT', signerName: sara.name });
    return { shipmentId, packageId };
  }

  async submitted(email?: string): Promise<{ shipmentId: string; packageId: string }> {
    const ready = await this.ready({ origin: lyon, ...(email ? { email } : {}) });
    await this.did('submitShipment', { shipmentId: ready.shipmentId });
    return ready;
  }

  async seen(viewer: Viewer, id: string, selection = '{ id state }'): Promise<Json> {
    const text = `query ($id: ID!) { shipment(id: $id) ${selection} }`;
    const { data, errors } = await this.world.execute('shipments', text, { id }, viewer);
    if (errors[0]) throw errors[0];
    return data.shipment;
  }

  async state(id: string): Promise<string> {
    return (await this.seen(sender, id)).state;
  }
}

const inputTypes: Record<string, string> = {
  removePackage: 'PackageActionInput',
  submitShipment: 'ShipmentActionInput',
  cancelShipment: 'ShipmentActionInput',
};

export const parcel = (shipmentId: string) => ({
  shipmentId,
  category: 'CLOTHING',
  weightGrams: 500,
  dimensions: { lengthMm: 300, widthMm: 200, heightMm: 100 },
  declaredValue: eur(4_000),
  items: [scarf],
});

/** The facts that bookings, custody and payments tell of one itinerary with one carrier. */
export function itineraryOf(shipmentId: string, clock: Clock) {
  const now = () => clock.now();
  const itineraryId = newId();
  const bookingId = newId();
  const total = money(5_000, 'EUR');
  const known = { itineraryId, shipmentId, senderId: sender.userId };
  const leg = {
    bookingId,
    sequence: 1,
    legKind: 'trip_leg' as const,
    legId: newId(),
    tripId: newId(),
    carrierType: 'traveller' as const,
    carrierId: carrier.userId,
    fromLocationId: montreal.locationId,
    toLocationId: paris.locationId,
    departsAt: now(),
    arrivesAt: now(),
    price: total,
  };
  const handoff = {
    itineraryId,
    shipmentId,
    stepId: newId(),
    sequence: 1,
    from: { type: 'sender' as const, id: sender.userId },
    to: { type: 'traveller' as const, id: carrier.userId },
    finishedBookingId: null,
    startedBookingId: bookingId,
    packageIds: [],
    custodyEventIds: [],
    discrepancy: false,
    lastLegStarted: false,
    delivered: false,
    transferredAt: now(),
  };
  return {
    itineraryId,
    requested: [ItineraryRequested, { ...known, legs: [leg], total, answerBy: now() }],
    declined: [
      BookingAnswered,
      { ...known, bookingId, carrierId: carrier.userId, answer: 'declined', reason: null },
    ],
    confirmed: [
      ItineraryConfirmed,
      {
        ...known,
        recipient: { recipientId: newId(), name: rosa.name, email: rosa.email, userId: null },
        packageIds: [],
        legs: [leg],
        total,
        confirmedAt: now(),
      },
    ],
    cancelled: [
      ItineraryCancelled,
      { ...known, carrierIds: [carrier.userId], reason: 'CARRIER_DECLINED', cancelledAt: now() },
    ],
    pickedUp: [HandoffTransferred, handoff],
    lastLeg: [HandoffTransferred, { ...handoff, sequence: 2, lastLegStarted: true }],
    delivered: [HandoffTransferred, { ...handoff, sequence: 3, delivered: true }],
    closed: [EscrowClosed, { itineraryId, shipmentId, closedAt: now() }],
  } as const;
}
/** Tells facts in this order, each heard before the next is told. */
export async function tell(world: World, ...facts: readonly (readonly [unknown, unknown])[]): Promise<void> {
  for (const [event, payload] of facts) {
    await world.hear(event as never, payload as never);
    await world.settle();
  }
}
