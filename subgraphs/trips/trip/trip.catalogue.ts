/**
 * Reads of trips for whoever may see them: a draft is its traveller's alone, papers always are.
 * Called by resolvers; every list of it answers any number of keys with the same statements.
 */

import { requireId } from '#shared/kernel/ids.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, groupedBy, inOrder } from '#shared/runtime/graph.ts';
import {
  TripConstraintsEntity,
  type TripConstraintsRow,
  TripDocumentEntity,
  type TripDocumentRow,
  TripEntity,
  TripLegEntity,
  type TripLegRow,
  type TripRow,
} from './trip.entities.ts';
import { publicStates } from './trip.states.ts';

export class TripCatalogue {
  readonly #db: Database;

  constructor({ db }: { db: Database }) {
    this.#db = db;
  }

  readonly byIds: Batch<string, TripRow> = async (viewer, ids) => {
    const trips = await this.#db.read((em) => em.find(TripEntity, { id: { $in: [...ids] } }));
    return inOrder(
      ids,
      trips.filter((trip) => maySee(viewer, trip)),
      (trip) => trip.id,
    );
  };

  readonly legsByIds: Batch<string, TripLegRow> = async (_viewer, ids) => {
    const legs = await this.#db.read((em) => em.find(TripLegEntity, { id: { $in: [...ids] } }));
    return inOrder(ids, legs, (leg) => leg.id);
  };

  readonly legsByTrip: Batch<string, TripLegRow[]> = async (_viewer, tripIds) => {
    const legs = await this.#db.read((em) =>
      em.find(TripLegEntity, { tripId: { $in: [...tripIds] } }, { orderBy: { sequence: 'asc' } }),
    );
    return groupedBy(tripIds, legs, (leg) => leg.tripId);
  };

  readonly constraintsByTrip: Batch<string, TripConstraintsRow> = async (_viewer, tripIds) => {
    const rows = await this.#db.read((em) =>
      em.find(TripConstraintsEntity, { tripId: { $in: [...tripIds] } }),
    );
    return inOrder(tripIds, rows, (row) => row.tripId);
  };

  readonly documentsByTrip: Batch<string, TripDocumentRow[]> = async (viewer, tripIds) => {
    const [trips, rows] = await this.#db.read((em) =>
      Promise.all([
        em.find(TripEntity, { id: { $in: [...tripIds] } }),
        em.fork().find(TripDocumentEntity, { tripId: { $in: [...tripIds] } }, { orderBy: { id: 'asc' } }),
      ]),
    );
    const own = new Set(
      trips
        .filter((trip) => viewer.kind === 'user' && trip.travellerId === viewer.userId)
        .map(({ id }) => id),
    );
    return groupedBy(tripIds, rows, (row) => row.tripId).map((documents, index) =>
      own.has(tripIds[index]!) ? documents : null,
    );
  };

  readonly publishedByUser: Batch<string, TripRow[]> = async (_viewer, userIds) => {
    const trips = await this.#db.read((em) =>
      em.find(
        TripEntity,
        { travellerId: { $in: [...userIds] }, state: 'published' },
        { orderBy: { id: 'desc' }, limit: 1000 },
      ),
    );
    return groupedBy(userIds, trips, (trip) => trip.travellerId);
  };

  /** The viewer's own trips, newest first. Refuses `SIGN_IN_REQUIRED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async mine(viewer: Viewer, page: PageArguments): Promise<Connection<TripRow>> {
    const { userId } = requireUser(viewer);
    const size = pageSize(page);
    const before = page.after ? requireId(decodeCursor(page.after), 'after') : null;
    const trips = await this.#db.read((em) =>
      em.find(
        TripEntity,
        { travellerId: userId, ...(before ? { id: { $lt: before } } : {}) },
        { orderBy: { id: 'desc' }, limit: size + 1 },
      ),
    );
    return connection(trips, size, (trip) => trip.id);
  }
}

const maySee = (viewer: Viewer, trip: TripRow): boolean =>
  publicStates.includes(trip.state) || (viewer.kind === 'user' && viewer.userId === trip.travellerId);
