/**
 * Who offers to carry, for tests of several subgraphs: Ava flies from Montréal to London, Ben on to Paris, Cleo
 * serves the city. Each step goes through the API of the subgraph that owns it.
 */
import { OtpRequested } from '#shared/events/identity.ts';
import { newId } from '#shared/kernel/ids.ts';
import type { UserViewer, Viewer } from '#shared/kernel/viewer.ts';
import { cdg, lhr, paris, yul } from '../discovery/testing/supply.ts';
import { user } from './actors.ts';
import type { Answer, World } from './world.ts';

/** Answers to queries written as text have no static type. */
export type Json = Answer['data'];

export const ava = user('Ava, who flies to London');
export const ben = user('Ben, who flies to Paris');
export const cleo = user('Cleo, courier in Paris');
export const eve = user('Eve, a stranger');

export const euros = (amountMinor: number | bigint | string) => ({
  amountMinor: String(amountMinor),
  currency: 'EUR',
});

export interface Offers {
  /** What each of them can carry. */
  readonly grams: number;
  readonly firstLegId: string;
  readonly firstTripId: string;
  readonly secondLegId: string;
  readonly segmentId: string;
}

/** The departure of the first flight; a world's clock begins three and a half days before. */
export const firstDeparture = '2026-03-05T20:00:00.000Z';

export class Market implements AsyncDisposable {
  readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** The answer to the one field of an operation; throws what it was refused with. */
  async did(
    subgraph: string,
    viewer: Viewer,
    text: string,
    variables: Record<string, unknown>,
  ): Promise<Json> {
    const { data, errors } = await this.world.execute(subgraph, text, variables, viewer);
    if (errors[0]) throw errors[0];
    return Object.values(data)[0];
  }

  /** A mutation with its one `input`. */
  mutate(
    subgraph: string,
    viewer: Viewer,
    field: string,
    input: object,
    more: { type?: string; selection?: string } = {},
  ): Promise<Json> {
    const type = more.type ?? `${field[0]!.toUpperCase()}${field.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) ${more.selection ?? '{ id }'} }`;
    return this.did(subgraph, viewer, text, { input });
  }

  /** A picture that somebody has uploaded for real. */
  async upload(viewer: UserViewer, purpose: string): Promise<string> {
    const png = Buffer.concat([
      Buffer.from('89504e470d0a1a0a0000000d494844520000000100000001', 'hex'),
      Buffer.from(newId()),
    ]);
    const begun = await this.mutate(
      'identity',
      viewer,
      'createUpload',
      { purpose, mediaType: 'image/png', bytes: png.length },
      { selection: '{ uploadUrl file { id } }' },
    );
    const url = new URL(begun.uploadUrl);
    url.pathname = url.pathname.replace('/services/identity', '');
    const response = await this.world.route('identity', new Request(url, { method: 'PUT', body: png }));
    if (!response.ok) throw new Error(`upload: ${response.status} ${await response.text()}`);
    return begun.file.id;
  }

  /** A published trip of one flight: 20 EUR where nothing else is said, and a price per kilogram. */
  async flight(
    traveller: UserViewer,
    leg: {
      from: string;
      to: string;
      departsAt: string;
      arrivesAt: string;
      grams: number;
      perKilogram: number;
      base?: number;
    },
  ): Promise<{ tripId: string; legId: string }> {
    const { from, to, departsAt, arrivesAt, grams, perKilogram } = leg;
    const run = (field: string, input: object, more?: { type?: string; selection?: string }) =>
      this.mutate('trips', traveller, field, input, more);
    const { id: tripId } = await run('createTrip', {
      originLocationId: from,
      destinationLocationId: to,
      transportMode: 'FLIGHT',
      earliestDeparture: departsAt,
      latestArrival: arrivesAt,
    });
    await run('addTripLeg', {
      tripId,
      mode: 'FLIGHT',
      fromLocationId: from,
      toLocationId: to,
      departsAt,
      arrivesAt,
      carrierReference: 'AC864',
      basePrice: euros(leg.base ?? 2_000),
      pricePerKilogram: euros(perKilogram),
      capacityGrams: grams,
    });
    await run('setTripConstraints', { tripId, maxPackageGrams: 20_000, allowedCategories: ['GIFTS'] });
    const fileId = await this.upload(traveller, 'TRIP_DOCUMENT');
    await run('addTripDocument', { tripId, kind: 'FLIGHT_TICKET', fileId });
    const published = await run(
      'publishTrip',
      { tripId },
      { type: 'TripActionInput', selection: '{ legs { id } }' },
    );
    return { tripId, legId: published.legs[0].id };
  }

  /** Ava, Ben and Cleo offer what they can carry; 40, 30 and 10 EUR for two kilograms. */
  async offers(grams = 2_000): Promise<Offers> {
    const first = await this.flight(ava, {
      from: yul,
      to: lhr,
      departsAt: firstDeparture,
      arrivesAt: '2026-03-06T03:00:00Z',
      perKilogram: 1_000,
      grams,
    });
    const second = await this.flight(ben, {
      from: lhr,
      to: cdg,
      departsAt: '2026-03-06T10:00:00Z',
      arrivesAt: '2026-03-06T11:20:00Z',
      perKilogram: 500,
      grams,
    });
    await this.mutate('discovery', cleo, 'registerCourier', { name: 'Colis Cleo' });
    const segment = await this.mutate('discovery', cleo, 'publishCourierSegment', {
      fromLocationId: cdg,
      toLocationId: paris,
      basePrice: euros(600),
      pricePerKilogram: euros(200),
      days: ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'],
      opensAt: '08:00',
      closesAt: '20:00',
      durationMinutes: 45,
      maxGramsPerRun: grams,
      allowedCategories: ['GIFTS'],
    });
    await this.world.settle();
    return {
      grams,
      firstLegId: first.legId,
      firstTripId: first.tripId,
      secondLegId: second.legId,
      segmentId: segment.id,
    };
  }

  /** Somebody else flies from Montréal to London, or straight to Paris, with room for one parcel. */
  async anotherFlight(
    traveller: UserViewer,
    to: 'LONDON' | 'PARIS',
    price: { base?: number; perKilogram?: number } = {},
  ): Promise<string> {
    const { tripId } = await this.flight(traveller, {
      from: yul,
      to: to === 'LONDON' ? lhr : cdg,
      departsAt: '2026-03-05T22:00:00Z',
      arrivesAt: '2026-03-06T05:00:00Z',
      perKilogram: 1_000,
      grams: 2_000,
      ...price,
    });
    await this.world.settle();
    return tripId;
  }

  /** Somebody who has proven an e-mail address. */
  async signUp(email: string): Promise<UserViewer> {
    const device = `device of ${email}`;
    const { challengeId } = await this.mutate(
      'identity',
      eve,
      'requestOtp',
      { email, deviceFingerprint: device },
      { selection: '{ challengeId }' },
    );
    const [told] = (await this.world.told(OtpRequested)).slice(-1);
    const code = this.world.shared.secrets.unseal('otp', told!.sealedCode);
    const session = await this.mutate(
      'identity',
      eve,
      'verifyOtp',
      { challengeId, email, code, deviceFingerprint: device },
      { selection: '{ id user { id } }' },
    );
    return { kind: 'user', userId: session.user.id, sessionId: session.id, roles: [] };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}
