/**
 * Owns the projection of published legs and the graph derived from it. It promises to end in the same state
 * whatever is repeated: a newer version of a trip replaces an older one, and of what is free the figure with
 * the highest capacity version counts. Fed by the handlers, read by the route planning service.
 */
import type { LegCapacityChanged, TripPublished, TripWithdrawn } from '#shared/events/trips.ts';
import type { PayloadOf } from '#shared/kernel/event.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { LocationService } from '../location/location.service.ts';

interface Pair {
  readonly from: string;
  readonly to: string;
}

export class RouteIndex {
  readonly #db: Database;
  readonly #locations: LocationService;

  constructor({ db, locations }: { db: Database; locations: LocationService }) {
    this.#db = db;
    this.#locations = locations;
  }

  /** Takes over a trip's legs as told; nothing where a newer version is known. */
  async publish(trip: PayloadOf<typeof TripPublished>): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const known = await this.#legsOf(tx, trip.tripId);
      if (known.some(({ version }) => version > trip.version)) return;
      await tx.sql('update searchable_legs set bookable = false, trip_version = ? where trip_id = ?', [
        trip.version,
        trip.tripId,
      ]);
      for (const leg of trip.legs) {
        await tx.sql(
          `insert into searchable_legs as known
             (leg_id, trip_id, trip_version, sequence, traveller_id, mode, from_location_id, to_location_id, departs_at,
              arrives_at, currency, base_minor, per_kilogram_minor, capacity_grams, free_grams, capacity_version,
              allowed_categories, max_package_grams, max_declared_value_minor, max_declared_value_currency, bookable)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?::jsonb, ?, ?, ?, true)
           on conflict (leg_id) do update set
             trip_version = excluded.trip_version, sequence = excluded.sequence, mode = excluded.mode,
             from_location_id = excluded.from_location_id, to_location_id = excluded.to_location_id,
             departs_at = excluded.departs_at, arrives_at = excluded.arrives_at, currency = excluded.currency,
             base_minor = excluded.base_minor, per_kilogram_minor = excluded.per_kilogram_minor,
             capacity_grams = excluded.capacity_grams,
             free_grams = case when excluded.capacity_version >= known.capacity_version
               then excluded.free_grams else known.free_grams end,
             capacity_version = greatest(excluded.capacity_version, known.capacity_version),
             allowed_categories = excluded.allowed_categories, max_package_grams = excluded.max_package_grams,
             max_declared_value_minor = excluded.max_declared_value_minor,
             max_declared_value_currency = excluded.max_declared_value_currency, bookable = true`,
          [
            leg.legId,
            trip.tripId,
            trip.version,
            leg.sequence,
            trip.travellerId,
            leg.mode,
            leg.fromLocationId,
            leg.toLocationId,
            leg.departsAt,
            leg.arrivesAt,
            leg.base.currency,
            String(leg.base.amountMinor),
            String(leg.perKilogram.amountMinor),
            leg.capacityGrams,
            leg.freeGrams,
            leg.capacityVersion,
            JSON.stringify(trip.allowedCategories),
            trip.maxPackageGrams,
            trip.maxDeclaredValue === null ? null : String(trip.maxDeclaredValue.amountMinor),
            trip.maxDeclaredValue?.currency ?? null,
          ],
        );
      }
      const told = trip.legs.map((leg) => ({ from: leg.fromLocationId, to: leg.toLocationId }));
      await this.#derive(tx, [...known, ...told]);
    });
  }

  /** Takes a trip out of the search. */
  async withdraw({ tripId }: PayloadOf<typeof TripWithdrawn>): Promise<void> {
    await this.#db.transaction(async (tx) => {
      await tx.sql('update searchable_legs set bookable = false where trip_id = ?', [tripId]);
      await this.#derive(tx, await this.#legsOf(tx, tripId));
    });
  }

  /** Takes over what is free, unless something newer is known. */
  async changeCapacity(change: PayloadOf<typeof LegCapacityChanged>): Promise<void> {
    await this.#db.transaction((tx) =>
      tx.sql(
        'update searchable_legs set free_grams = ?, capacity_version = ? where leg_id = ? and capacity_version < ?',
        [change.freeGrams, change.capacityVersion, change.legId, change.capacityVersion],
      ),
    );
  }

  #legsOf(tx: Transaction, tripId: string): Promise<(Pair & { version: number })[]> {
    return tx.sql(
      `select from_location_id as "from", to_location_id as "to", trip_version as version
         from searchable_legs where trip_id = ? order by leg_id for update`,
      [tripId],
    );
  }

  /** Makes the graph say of these pairs what the legs say. */
  async #derive(tx: Transaction, pairs: readonly Pair[]): Promise<void> {
    if (pairs.length === 0) return;
    const places = [...new Set(pairs.flatMap(({ from, to }) => [from, to]))];
    const towns = await this.#locations.townOf(places);
    const rows = JSON.stringify(pairs);
    const listed = `(select distinct "from", "to" from jsonb_to_recordset(?::jsonb) as pair ("from" uuid, "to" uuid))`;
    await tx.sql(
      `insert into route_graph_nodes (location_id, town_id)
       select location, town from jsonb_to_recordset(?::jsonb) as node (location uuid, town uuid)
       on conflict (location_id) do update set town_id = excluded.town_id`,
      [JSON.stringify(places.map((location) => ({ location, town: towns.get(location) ?? location })))],
    );
    await tx.sql(`delete from route_graph_edges where (from_location_id, to_location_id) in ${listed}`, [
      rows,
    ]);
    await tx.sql(
      `insert into route_graph_edges (from_location_id, to_location_id, mode, currency, legs, typical_minor, typical_minutes)
       select from_location_id, to_location_id, mode, currency, count(*),
              percentile_disc(0.5) within group (order by base_minor + per_kilogram_minor),
              percentile_disc(0.5) within group (order by extract(epoch from arrives_at - departs_at) / 60)::int
         from searchable_legs
        where bookable and (from_location_id, to_location_id) in ${listed}
        group by from_location_id, to_location_id, mode, currency`,
      [rows],
    );
  }
}
