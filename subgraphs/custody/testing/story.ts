/** A shipment on its way, for custody's tests: the facts that others tell, and the scans that people make. */
import { ItineraryConfirmed } from '#shared/events/bookings.ts';
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

export class Story implements AsyncDisposable {
  readonly world: World;
  readonly shipmentId = newId();
  readonly itineraryId = newId();
  readonly recipientId = newId();
  readonly recipient: LinkViewer = link(this.shipmentId, this.recipientId);
  readonly packageIds: string[];
  readonly bookingIds: string[];
  readonly pairs: Pair[];
  readonly #carriers: readonly UserViewer[];

  constructor(world: World, carriers: readonly UserViewer[], packages: number) {
    this.world = world;
    this.#carriers = carriers;
    this.packageIds = Array.from({ length: packages }, newId);
    this.bookingIds = carriers.map(newId);
    const chain = [...new Set([sender, ...carriers, this.recipient])] as Viewer[];
    this.pairs = chain.slice(1).map((receiver, index) => ({ giver: chain[index]!, receiver }));
  }

  /** Shipments tells of the shipment. */
  async submit(declaredMinor = 10_000): Promise<void> {
    await this.world.hear(ShipmentSubmitted, {
      shipmentId: this.shipmentId,
      senderId: sender.userId,
      recipient: this.#recipientFacts,
      packages: this.packageIds.map((packageId) => ({
        packageId,
        category: 'BOOKS' as const,
        grams: 2_000,
        declaredValue: money(declaredMinor, 'EUR'),
      })),
      originLocationId: newId(),
      destinationLocationId: newId(),
      international: true,
    });
    await this.world.settle();
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

  /** The hand-overs as the sender sees them. */
  async handoffs(): Promise<Handoff[]> {
    const { data, errors } = await this.world.entities(
      'custody',
      [{ __typename: 'Shipment', id: this.shipmentId }],
      '{ ... on Shipment { handoffs { id sequence state opensAt } } }',
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
    env: { LOG_LEVEL: 'warn', HANDOFF_WINDOW_BEFORE: '7d', TRACKING_POLL: '100ms', ...options.env },
  });
  for (const publisher of ['bookings', 'shipments', 'payments', 'trips'])
    await world.database('custody').transaction(async (tx) => {
      await tx.sql(`create schema if not exists ${publisher}`);
      await tx.sql(`create table if not exists ${publisher}.outbox (like custody.outbox including all)`);
      await tx.sql(
        `create table if not exists ${publisher}.outbox_keys (like custody.outbox_keys including all)`,
      );
    });
  const story = new Story(world, options.carriers ?? [anna, ben, courier], options.packages ?? 1);
  await story.submit(options.declaredMinor);
  if (options.confirmed !== false) await story.confirm();
  return story;
}
