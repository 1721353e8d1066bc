/**
 * Owns the log of what happens to a shipment (`tracking_events`) and the proof of its delivery. It promises a
 * log per shipment that is in order and without gaps, that reading from any cursor and going on live misses
 * nothing and repeats nothing, and that only parties read it. Hand-overs write to it, carriers through
 * `recordTrackingEvent`, and the handlers for what payments tell.
 */
import { Forbidden, Invalid } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import { type Connection, connection, decodeCursor, encodeCursor, pageSize } from '#shared/kernel/pages.ts';
import { type Clock, SECOND } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { followLog } from '#shared/runtime/follow-log.ts';
import { groupedBy } from '#shared/runtime/graph.ts';
import type { Wakeups } from '#shared/runtime/wakeups.ts';
import type { CustodyService } from './custody.service.ts';
import { type PartiesService, topicOf } from './parties.service.ts';
import type { ReadersService } from './readers.service.ts';
import {
  DeliveryProofRow,
  TrackingEventRow,
  TrackingStreamRow,
  type TrackingType,
} from './tracking.entities.ts';

export type TrackingEventView = TrackingEventRow;
export type DeliveryProofView = DeliveryProofRow;
export interface TrackingStatusView {
  readonly shipmentId: string;
}

export interface TrackingDraft {
  readonly type: TrackingType;
  readonly message: string;
  readonly at?: Date;
  readonly packageId?: string | null;
  readonly carrierId?: string | null;
  readonly tripLegId?: string | null;
  readonly locationId?: string | null;
  readonly handoffStepId?: string | null;
  readonly onceKey?: string | null;
}

export interface TrackingPage {
  readonly shipmentId: string;
  readonly first: number | null | undefined;
  readonly after: string | null | undefined;
}

/** How long a live feed may go on before the reader's right is looked at again. */
const RIGHT_CHECK_MS = 3 * SECOND;

const reportable = ['DEPARTED', 'ARRIVED', 'LOCATION_NOTED'] as const;
export type ReportableType = (typeof reportable)[number];

/** Position in one shipment's log as an opaque text. */
export const cursorOf = (event: TrackingEventRow): string => encodeCursor(keyOf(event));
const keyOf = ({ shipmentId, seq }: TrackingEventRow): string => `tracking:${shipmentId}:${seq}`;

export function seqOf(shipmentId: string, cursor: string | null | undefined): number {
  if (cursor === null || cursor === undefined) return 0;
  const [kind, of, seq] = decodeCursor(cursor).split(':');
  if (kind === 'tracking' && of === shipmentId && /^\d{1,9}$/.test(seq ?? '')) return Number(seq);
  throw new Invalid('CURSOR_INVALID', "The cursor was not made by this shipment's log");
}

export class TrackingService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #wakeups: Wakeups;
  readonly #pollMs: number;
  readonly #parties: PartiesService;
  readonly #readers: ReadersService;
  readonly #custody: CustodyService;

  constructor(
    deps: { db: Database; clock: Clock; wakeups: Wakeups; config: { TRACKING_POLL: number } },
    parties: PartiesService,
    readers: ReadersService,
    custody: CustodyService,
  ) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#wakeups = deps.wakeups;
    this.#pollMs = deps.config.TRACKING_POLL;
    this.#parties = parties;
    this.#readers = readers;
    this.#custody = custody;
  }

  /** Writes to a shipment's log within the caller's transaction; drafts whose `onceKey` is known are left out. */
  async record(shipmentId: string, drafts: readonly TrackingDraft[]): Promise<TrackingEventRow[]> {
    return this.#db.transaction(async (tx) => {
      const [stream] = await tx.sql<{ last_seq: number }>(
        `insert into tracking_streams (shipment_id, last_seq) values (?, 0)
         on conflict (shipment_id) do update set last_seq = tracking_streams.last_seq returning last_seq`,
        [shipmentId],
      );
      const keys = drafts.flatMap(({ onceKey }) => (onceKey ? [onceKey] : []));
      const known = keys.length
        ? await tx.em.find(TrackingEventRow, { shipmentId, onceKey: { $in: keys } })
        : [];
      const fresh = drafts.filter(
        ({ onceKey }) => !onceKey || !known.some((event) => event.onceKey === onceKey),
      );
      const now = this.#clock.now();
      const written = fresh.map((draft, index) =>
        tx.em.create(TrackingEventRow, {
          ...draft,
          id: newId(),
          shipmentId,
          seq: stream!.last_seq + index + 1,
          at: draft.at ?? now,
        }),
      );
      await tx.em.flush();
      await tx.sql('update tracking_streams set last_seq = last_seq + ? where shipment_id = ?', [
        fresh.length,
        shipmentId,
      ]);
      tx.afterCommit(() => this.#wakeups.wake(topicOf(shipmentId)));
      return [...known, ...written];
    });
  }

  /**
   * Notes what the present carrier tells on the way; the same key is the same event. Refuses `SIGN_IN_REQUIRED`,
   * `SHIPMENT_NOT_FOUND`, `NOT_HOLDER` whoever does not carry it now, `MESSAGE_TOO_LONG`.
   */
  async report(
    viewer: Viewer,
    input: {
      shipmentId: string;
      type: ReportableType;
      message: string;
      locationId: string | null;
      idempotencyKey: string;
    },
  ): Promise<TrackingEventRow> {
    const { userId } = requireUser(viewer);
    requireId(input.shipmentId, 'shipmentId');
    if (input.locationId) requireId(input.locationId, 'locationId');
    if (input.message.length > 500)
      throw new Invalid('MESSAGE_TOO_LONG', 'A message has at most 500 characters', { max: 500 });
    if (!/^.{8,200}$/.test(input.idempotencyKey))
      throw new Invalid('IDEMPOTENCY_KEY_MALFORMED', 'An idempotency key has 8 to 200 characters');
    const roles = await this.#parties.requireRoles(viewer, input.shipmentId);
    const carrying = roles.filter(({ type }) => type === 'traveller' || type === 'local_courier');
    if (!(await this.#custody.holds(input.shipmentId, carrying)))
      throw new Forbidden('NOT_HOLDER', 'Only who carries the shipment now can report on it');
    const [event] = await this.record(input.shipmentId, [
      {
        type: input.type,
        message: input.message,
        carrierId: userId,
        locationId: input.locationId,
        onceKey: `report:${userId}:${input.idempotencyKey}`,
      },
    ]);
    return event!;
  }

  /** Keeps what proves a delivery, within the caller's transaction; once per hand-over. */
  async keepProof(proof: Omit<DeliveryProofRow, 'id'>): Promise<void> {
    await this.#db.transaction(async ({ em }) => {
      em.create(DeliveryProofRow, { ...proof, id: newId() } as DeliveryProofRow);
      await em.flush();
    });
  }

  /** Refuses `SHIPMENT_NOT_FOUND` whoever may not read it, `SCOPE_MISSING`. */
  async status(viewer: Viewer, shipmentId: string): Promise<TrackingStatusView> {
    await this.#readers.requireReader(viewer, shipmentId);
    return { shipmentId };
  }

  /** A page of the log, oldest first. Refuses `SHIPMENT_NOT_FOUND`, `SCOPE_MISSING`, `CURSOR_INVALID`, `PAGE_SIZE_INVALID`. */
  async history(viewer: Viewer, page: TrackingPage): Promise<Connection<TrackingEventRow>> {
    await this.#readers.requireReader(viewer, page.shipmentId);
    const size = pageSize(page);
    const from = seqOf(page.shipmentId, page.after);
    const rows = await this.#read(page.shipmentId, from, size + 1);
    return connection(rows, size, keyOf);
  }

  /** First pages of many logs in one query; null for shipments that the viewer may not read. */
  readonly loadPages = async (viewer: Viewer, pages: readonly TrackingPage[]) => {
    const readable = await this.#readers.readable(
      viewer,
      pages.map(({ shipmentId }) => shipmentId),
    );
    const wanted = pages
      .filter(({ shipmentId }) => readable.has(shipmentId))
      .map((page) => ({ ...page, size: pageSize(page), from: seqOf(page.shipmentId, page.after) }));
    const rows = wanted.length
      ? await this.#db.read((em) =>
          em.find(
            TrackingEventRow,
            {
              $or: wanted.map(({ shipmentId, from, size }) => ({
                shipmentId,
                // Sequence numbers have no gaps, so a page is a range.
                seq: { $gt: from, $lte: from + size + 1 },
              })),
            },
            { orderBy: { seq: 'asc' } },
          ),
        )
      : [];
    return pages.map((page) => {
      if (!readable.has(page.shipmentId)) return null;
      const from = seqOf(page.shipmentId, page.after);
      const size = pageSize(page);
      const mine = rows.filter(
        ({ shipmentId, seq }) => shipmentId === page.shipmentId && seq > from && seq <= from + size + 1,
      );
      return connection(mine, size, keyOf);
    });
  };

  /** Last event of each shipment; null where there is none or the viewer may not read it. */
  readonly loadLatest = async (viewer: Viewer, shipmentIds: readonly string[]) => {
    const readable = await this.#readers.readable(viewer, shipmentIds);
    const rows = await this.#db.read((em) =>
      em.execute<{ id: string }[]>(
        `select e.id from tracking_events e join tracking_streams s on s.shipment_id = e.shipment_id and s.last_seq = e.seq
          where e.shipment_id = any(?)`,
        [`{${[...readable].join(',')}}`],
      ),
    );
    const events = await this.#db.read((em) =>
      em.find(TrackingEventRow, { id: { $in: rows.map(({ id }) => id) } }),
    );
    return groupedBy(shipmentIds, events, (event) => event.shipmentId).map(([event]) => event ?? null);
  };

  /** Proof of delivery of each shipment; null where it is not delivered or the viewer may not read it. */
  readonly loadProofs = async (viewer: Viewer, shipmentIds: readonly string[]) => {
    const readable = await this.#readers.readable(viewer, shipmentIds);
    const proofs = await this.#db.read((em) =>
      em.find(DeliveryProofRow, { shipmentId: { $in: [...readable] } }, { orderBy: { deliveredAt: 'desc' } }),
    );
    return groupedBy(shipmentIds, proofs, (proof) => proof.shipmentId).map(([proof]) => proof ?? null);
  };

  /**
   * The log after a cursor and then live; from its beginning after an empty one, from now on without one. Ends
   * with `SHIPMENT_NOT_FOUND` within `RIGHT_CHECK_MS` of the moment at which the viewer may no longer read it.
   * Refuses `SHIPMENT_NOT_FOUND` and `CURSOR_INVALID` at once.
   */
  async follow(
    viewer: Viewer,
    shipmentId: string,
    after: string | null | undefined,
    signal: AbortSignal | undefined,
  ): Promise<AsyncIterableIterator<TrackingEventRow>> {
    const check = (): Promise<void> => this.#readers.requireReader(viewer, shipmentId);
    await check();
    return followLog({
      from: after == null ? await this.#lastSeq(shipmentId) : after === '' ? 0 : seqOf(shipmentId, after),
      read: (seq) => this.#read(shipmentId, seq, 100),
      check,
      checkMs: RIGHT_CHECK_MS,
      onWake: (wake) => this.#wakeups.on(topicOf(shipmentId), wake),
      pollMs: this.#pollMs,
      signal,
    });
  }

  async #lastSeq(shipmentId: string): Promise<number> {
    const stream = await this.#db.read((em) => em.findOne(TrackingStreamRow, { shipmentId }));
    return stream?.lastSeq ?? 0;
  }

  #read(shipmentId: string, afterSeq: number, limit: number): Promise<TrackingEventRow[]> {
    return this.#db.read((em) =>
      em.find(TrackingEventRow, { shipmentId, seq: { $gt: afterSeq } }, { orderBy: { seq: 'asc' }, limit }),
    );
  }
}
