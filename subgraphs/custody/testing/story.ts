/** A shipment on its way, for custody's tests: the facts that others tell, and the scans that people make. */
import { ItineraryCancelled, ItineraryConfirmed } from '#shared/events/bookings.ts';
import { ShipmentSubmitted } from '#shared/events/shipments.ts';
import type { PayloadOf } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { after, DAY, HOUR } from '#shared/kernel/time.ts';
import type { LinkViewer, UserViewer, Viewer } from '#shared/kernel/viewer.ts';
import type { Environment } from '#shared/runtime/config.ts';
import { link, user } from '../../testing/actors.ts';
import { type Answer, startWorld, type World } from '../../testing/world.ts';

export const sender = user('Sender');
export const anna = user('Anna, who flies to London');
export const ben = user('Ben, who drives to Paris');
export const courier = user('Courier in Paris');
export const stranger = user('Stranger');

type Itinerary = PayloadOf<typeof ItineraryConfirmed>;

export interface Handoff {
  readonly id: string;
  readonly sequence: number;
  readonly state: string;
  readonly opensAt: string;
}

/** The hand-over of this sequence, from the giver to the receiver. */
export interface Pair {
  readonly giver: Viewer;
  readonly receiver: Viewer;
}

type Shipped = Pick<Story, 'shipmentId' | 'recipientId' | 'recipient' | 'packageIds'>;

function newShipment(packages: number): Shipped {
  const [shipmentId, recipientId] = [newId(), newId()];
  return {
    shipmentId,
    recipientId,
    recipient: link(shipmentId, recipientId),
    packageIds: Array.from({ length: packages }, newId),
  };
}

export class Story implements AsyncDisposable {
  readonly world: World;
  readonly shipmentId: string;
  readonly recipientId: string;
  readonly recipient: LinkViewer;
  readonly packageIds: string[];
  readonly itineraryId = newId();
  readonly bookingIds: string[];
  readonly pairs: Pair[];
  readonly #carriers: readonly UserViewer[];

  constructor(world: World, carriers: readonly UserViewer[], shipped: Shipped) {
    this.world = world;
    this.shipmentId = shipped.shipmentId;
    this.recipientId = shipped.recipientId;
    this.recipient = shipped.recipient;
    this.packageIds = shipped.packageIds;
    this.#carriers = carriers;
    this.bookingIds = carriers.map(newId);
    const chain: Viewer[] = [...new Set<Viewer>([sender, ...carriers, this.recipient])];
    this.pairs = chain.slice(1).map((receiver, index) => ({ giver: chain[index]!, receiver }));
  }

  /** Shipments tells of the shipment. */
  async submit(declaredMinor = 10_000): Promise<void> {
    await this.world.hear(ShipmentSubmitted, this.submission({}, declaredMinor));
    await this.world.settle();
  }

  /** What shipments tells of it, with another recipient where one is given. */
  submission(
    recipient: Partial<PayloadOf<typeof ShipmentSubmitted>['recipient']>,
    declaredMinor = 10_000,
  ): PayloadOf<typeof ShipmentSubmitted> {
    return {
      shipmentId: this.shipmentId,
      senderId: sender.userId,
      recipient: { ...this.#recipientFacts, ...recipient },
      packages: this.packageIds.map((packageId) => ({
        packageId,
        category: 'BOOKS' as const,
        grams: 2_000,
        declaredValue: money(declaredMinor, 'EUR'),
      })),
      originLocationId: newId(),
      destinationLocationId: newId(),
      international: true,
    };
  }

  /** Bookings tells of the itinerary: the first leg leaves in two days, each takes half a day. */
  async confirm(departsAt = after(this.world.clock.now(), 2 * DAY)): Promise<void> {
    const places = Array.from({ length: this.#carriers.length + 1 }, newId);
    const legs = this.#carriers.map((carrier, index): Itinerary['legs'][number] => ({
      bookingId: this.bookingIds[index]!,
      sequence: index + 1,
      legKind: carrier === courier ? 'courier_segment' : 'trip_leg',
      legId: newId(),
      tripId: carrier === courier ? null : newId(),
      carrierType: carrier === courier ? 'local_courier' : 'traveller',
      carrierId: carrier.userId,
      fromLocationId: places[index]!,
      toLocationId: places[index + 1]!,
      departsAt: after(departsAt, index * 12 * HOUR),
      arrivesAt: after(departsAt, (index + 1) * 12 * HOUR),
      price: money(1_000, 'EUR'),
    }));
    await this.world.hear(ItineraryConfirmed, {
      itineraryId: this.itineraryId,
      shipmentId: this.shipmentId,
      senderId: sender.userId,
      recipient: this.#recipientFacts,
      packageIds: this.packageIds,
      legs,
      total: money(1_000 * legs.length, 'EUR'),
      confirmedAt: this.world.clock.now(),
    });
    await this.world.settle();
  }

  /** Bookings tells that the itinerary is off. */
  async cancel(): Promise<void> {
    await this.world.hear(ItineraryCancelled, {
      itineraryId: this.itineraryId,
      shipmentId: this.shipmentId,
      senderId: sender.userId,
      carrierIds: this.#carriers.map(({ userId }) => userId),
      reason: 'SENDER_CANCELLED',
      cancelledAt: this.world.clock.now(),
    });
    await this.world.settle();
  }

  /** The same shipment with another itinerary. */
  bookAgain(carriers: readonly UserViewer[]): Story {
    const { shipmentId, recipientId, recipient, packageIds } = this;
    return new Story(this.world, carriers, { shipmentId, recipientId, recipient, packageIds });
  }

  /** The hand-overs of the itinerary as the sender sees them. */
  async handoffs(): Promise<Handoff[]> {
    const { data, errors } = await this.world.entities(
      'custody',
      [{ __typename: 'Itinerary', id: this.itineraryId }],
      '{ ... on Itinerary { handoffs { id sequence state opensAt } } }',
      sender,
    );
    if (errors.length > 0) throw errors[0];
    return data[0].handoffs;
  }

  async handoff(sequence: number): Promise<Handoff> {
    return (await this.handoffs())[sequence - 1]!;
  }

  issue(stepId: string, viewer: Viewer): Promise<Answer> {
    return this.world.execute(
      'custody',
      `mutation ($stepId: ID!) {
         issueQrCode(input: { stepId: $stepId }) { id token spokenCode image direction state notBefore notAfter } }`,
      { stepId },
      viewer,
    );
  }

  /** The token of a party's code for a hand-over. */
  async token(sequence: number, viewer: Viewer): Promise<string> {
    const { id } = await this.handoff(sequence);
    const { data } = await this.issue(id, viewer);
    return data.issueQrCode.token;
  }

  scan(viewer: Viewer, input: Record<string, unknown>): Promise<Answer> {
    return this.world.execute(
      'custody',
      `mutation ($input: ScanHandoffInput!) {
         scanHandoff(input: $input) { id result outcome scannedAt handoff { id state confirmedBy requiredPhotos } } }`,
      { input: { idempotencyKey: newId(), ...input } },
      viewer,
    );
  }

  /** Both sides of a hand-over, with the photos it needs; the answer to the second scan. */
  async handOver(sequence: number, more: Record<string, unknown> = {}): Promise<Answer> {
    const { giver, receiver } = this.pairs[sequence - 1]!;
    const [give, receive] = [await this.token(sequence, giver), await this.token(sequence, receiver)];
    const first = await this.scan(receiver, { token: give });
    if (first.errors.length > 0) return first;
    const photoFileIds = giver.kind === 'user' ? [await this.photo(giver)] : [];
    return this.scan(giver, { token: receive, photoFileIds, ...more });
  }

  /** A picture that a user has uploaded for real; the same text is the same picture. */
  async photo(viewer: UserViewer, content = `picture ${newId()}`): Promise<string> {
    const png = Buffer.concat([
      Buffer.from('89504e470d0a1a0a0000000d494844520000000100000001', 'hex'),
      Buffer.from(content),
    ]);
    const { data, errors } = await this.world.execute(
      'identity',
      `mutation ($bytes: Int!) {
         createUpload(input: { purpose: HANDOFF_PHOTO, mediaType: "image/png", bytes: $bytes }) { uploadUrl file { id } } }`,
      { bytes: png.length },
      viewer,
    );
    if (errors.length > 0) throw errors[0];
    const url = new URL(data.createUpload.uploadUrl);
    url.pathname = url.pathname.replace('/services/identity', '');
    const response = await this.world.route('identity', new Request(url, { method: 'PUT', body: png }));
    if (!response.ok) throw new Error(`upload: ${response.status} ${await response.text()}`);
    return data.createUpload.file.id;
  }

  /** Rows of custody's own tables. */
  rows<Row extends object = Record<string, unknown>>(
    sql: string,
    parameters: unknown[] = [],
  ): Promise<Row[]> {
    return this.world.database('custody').read((em) => em.execute<Row[]>(sql, parameters));
  }

  /** How every scan so far was judged, oldest first. */
  async scanResults(): Promise<string[]> {
    const rows = await this.rows<{ scan_result: string }>(
      'select scan_result from handoff_scans order by id',
    );
    return rows.map((row) => row.scan_result);
  }

  /** How many links the chain of the first package has. */
  async chainLength(): Promise<number> {
    return (await this.rows('select 1 from custody_events where package_id = ?', [this.packageIds[0]]))
      .length;
  }

  get #recipientFacts() {
    return {
      recipientId: this.recipientId,
      name: 'Recipient',
      email: 'recipient@example.org',
      userId: null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

export interface StoryOptions {
  readonly carriers?: readonly UserViewer[];
  readonly packages?: number;
  readonly env?: Environment;
  readonly declaredMinor?: number;
}

/** A world with one shipment: submitted, and confirmed unless told otherwise. */
export async function startStory(options: StoryOptions & { confirmed?: boolean } = {}): Promise<Story> {
  const world = await startWorld({
    subgraphs: ['identity', 'custody'],
    env: { HANDOFF_WINDOW_BEFORE: '7d', TRACKING_POLL: '100ms', ...options.env },
  });
  // Custody hears payments, whose schema is there only where payments is.
  await world.database('custody').transaction(async (tx) => {
    await tx.sql('create schema if not exists payments');
    for (const table of ['outbox', 'outbox_keys'])
      await tx.sql(`create table if not exists payments.${table} (like custody.${table} including all)`);
  });
  const story = new Story(
    world,
    options.carriers ?? [anna, ben, courier],
    newShipment(options.packages ?? 1),
  );
  await story.submit(options.declaredMinor);
  if (options.confirmed !== false) await story.confirm();
  return story;
}
