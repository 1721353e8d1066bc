/** Trips and couriers for discovery's tests, and a trips subgraph that answers what those trips have told. */
import { TripsContract } from '#shared/contracts/trips.ts';
import { LegCapacityChanged, TripPublished } from '#shared/events/trips.ts';
import type { PackageCategory } from '#shared/events/vocabulary.ts';
import type { PayloadOf } from '#shared/kernel/event.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { type Answering, answer } from '#shared/runtime/subgraph.ts';
import { user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';
import { airportIdOf, cityIdOf } from '../location/gazetteer-source.ts';

export const montreal = cityIdOf(6077243);
export const london = cityIdOf(2643743);
export const paris = cityIdOf(2988507);
export const yul = airportIdOf('YUL');
export const lhr = airportIdOf('LHR');
export const lgw = airportIdOf('LGW');
export const cdg = airportIdOf('CDG');

export type ToldTrip = PayloadOf<typeof TripPublished>;
type ToldLeg = ToldTrip['legs'][number];

/** The clock of a world begins on Monday, 2 March 2026, at 9:00 UTC. */
export const at = (day: number, time: string): Date => new Date(`2026-03-0${day}T${time}:00Z`);

export const leg = (
  from: string,
  to: string,
  departsAt: Date,
  arrivesAt: Date,
  more: Partial<ToldLeg> = {},
): ToldLeg => ({
  legId: newId(),
  sequence: 1,
  mode: 'flight',
  fromLocationId: from,
  toLocationId: to,
  departsAt,
  arrivesAt,
  base: money(1_000, 'EUR'),
  perKilogram: money(500, 'EUR'),
  capacityGrams: 5_000,
  freeGrams: 5_000,
  capacityVersion: 1,
  ...more,
});

export const trip = (legs: readonly ToldLeg[], more: Partial<ToldTrip> = {}): ToldTrip => ({
  tripId: newId(),
  travellerId: newId(),
  version: 1,
  legs: legs.map((each, index) => ({ ...each, sequence: index + 1 })),
  allowedCategories: ['DOCUMENTS', 'CLOTHING', 'BOOKS'],
  maxPackageGrams: 5_000,
  maxDeclaredValue: null,
  ...more,
});

/** What trips knows, which may be ahead of what it has told. */
export class Trips {
  readonly #trips = new Map<string, ToldTrip>();

  know(told: ToldTrip): void {
    this.#trips.set(told.tripId, told);
  }

  forget(tripId: string): void {
    this.#trips.delete(tripId);
  }

  get answering(): Answering {
    const unused = async (): Promise<never> => {
      throw new Error('discovery does not hold capacity of trips');
    };
    return answer(TripsContract, {
      holdCapacity: unused,
      extendHold: unused,
      confirmHold: unused,
      releaseHold: unused,
      legs: async ({ legIds }) =>
        [...this.#trips.values()].flatMap(({ legs, tripId, travellerId, ...rules }) =>
          legs
            .filter(({ legId }) => legIds.includes(legId))
            .map((each) => ({ ...each, ...rules, tripId, travellerId, bookable: true })),
        ),
    });
  }
}

const supplyTables = [
  'searchable_legs',
  'route_graph_nodes',
  'route_graph_edges',
  'local_segments',
  'couriers',
  'route_search_queries',
  'route_suggestions',
  'saved_searches',
];

export class Discovery implements AsyncDisposable {
  readonly world: World;
  readonly trips: Trips;

  constructor(world: World, trips: Trips) {
    this.world = world;
    this.trips = trips;
  }

  /** Forgets all supply and searches, and sets the clock back to the beginning. */
  async clear(): Promise<void> {
    await this.world.clock.set(at(2, '09:00'));
    await this.world.database('discovery').transaction(async (tx) => {
      for (const table of supplyTables) await tx.sql(`delete from ${table}`);
    });
  }

  async publish(...trips: ToldTrip[]): Promise<void> {
    for (const told of trips) {
      this.trips.know(told);
      await this.world.hear(TripPublished, told);
    }
    await this.world.settle();
  }

  async changeCapacity(
    told: ToldTrip,
    legId: string,
    freeGrams: number,
    capacityVersion: number,
  ): Promise<void> {
    await this.world.hear(LegCapacityChanged, { tripId: told.tripId, legId, freeGrams, capacityVersion });
    await this.world.settle();
  }

  /** A courier of this name who is registered. */
  async courier(name: string): Promise<Viewer> {
    const viewer = user(name);
    await this.world.execute(
      'discovery',
      'mutation ($name: String!) { registerCourier(input: { name: $name }) { id } }',
      { name },
      viewer,
    );
    return viewer;
  }

  /** Id of a segment that runs daily from 8 to 20 o'clock, 45 minutes, 12 EUR and 1 EUR per kilogram. */
  async segment(viewer: Viewer, more: Record<string, unknown> = {}): Promise<string> {
    const { data, errors } = await this.publishSegment(viewer, more);
    if (errors.length > 0) throw errors[0];
    return data.publishCourierSegment.id;
  }

  publishSegment(viewer: Viewer, more: Record<string, unknown> = {}) {
    const input = {
      fromLocationId: cdg,
      toLocationId: paris,
      basePrice: { amountMinor: '1200', currency: 'EUR' },
      pricePerKilogram: { amountMinor: '100', currency: 'EUR' },
      days: ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'],
      opensAt: '08:00',
      closesAt: '20:00',
      durationMinutes: 45,
      maxGramsPerRun: 10_000,
      allowedCategories: ['DOCUMENTS', 'CLOTHING', 'BOOKS'] satisfies PackageCategory[],
      ...more,
    };
    return this.world.execute(
      'discovery',
      'mutation ($input: PublishCourierSegmentInput!) { publishCourierSegment(input: $input) { id days opensAt closesAt timeZone proofRetentionDays courier { name operator { id } } from { iata } to { name } bookable } }',
      { input },
      viewer,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
  }
}

export async function startDiscovery(env: Record<string, string> = {}): Promise<Discovery> {
  const trips = new Trips();
  const world = await startWorld({ subgraphs: ['discovery'], contracts: [trips.answering], env });
  return new Discovery(world, trips);
}
