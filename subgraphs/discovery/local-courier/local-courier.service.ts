/**
 * Owns the couriers and the segments they serve within a town: between a city and its airports, at which hours,
 * at what price and with which proofs of delivery. It promises that a published segment never changes under a
 * booking: a new price is a new segment. Operators call it; route planning asks it for what runs.
 */
import { LockMode } from '@mikro-orm/postgresql';
import { type PackageCategory, packageCategory } from '#shared/events/vocabulary.ts';
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Tariff } from '#shared/kernel/tariff.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import type { LocationService } from '../location/location.service.ts';
import type { CourierCapacity } from './local-courier.capacity.ts';
import { Courier, LocalSegment, type LocalSegmentRow } from './local-courier.entities.ts';
import { segmentStates } from './local-courier.states.ts';

export interface CourierView {
  readonly id: string;
  readonly operatorId: string;
  readonly name: string;
}

export interface CourierSegmentView extends LocalSegmentRow {
  readonly tariff: Tariff;
}

/** What route planning needs to know of a segment. */
export interface CourierOffer extends CourierSegmentView {
  /** Grams free on the days that are not all free. */
  readonly freeByDay: ReadonlyMap<string, number>;
}

export interface PublishSegment {
  readonly fromLocationId: string;
  readonly toLocationId: string;
  readonly base: Money;
  readonly perKilogram: Money;
  /** Local time `HH:MM`. */
  readonly opensAt: string;
  readonly closesAt: string;
  readonly days: readonly number[];
  readonly durationMinutes: number;
  readonly maxGramsPerRun: number;
  readonly allowedCategories: readonly PackageCategory[];
  readonly checksPin: boolean;
  readonly scansBarcode: boolean;
  readonly takesReturns: boolean;
  readonly proofRetentionDays: number;
}

const MAX_DURATION_MINUTES = 12 * 60;
const MAX_GRAMS_PER_RUN = 1_000_000;
const MAX_PROOF_RETENTION_DAYS = 3_650;
const MAX_NAME_LENGTH = 120;

export class LocalCourierService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #locations: LocationService;
  readonly #capacity: CourierCapacity;

  constructor(deps: { db: Database; clock: Clock; locations: LocationService; capacity: CourierCapacity }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#locations = deps.locations;
    this.#capacity = deps.capacity;
  }

  /** Published segments are public; a withdrawn one stays visible to those who booked it. */
  readonly loadSegment: Batch<string, CourierSegmentView> = async (_viewer, ids) => {
    for (const id of ids) requireId(id, 'segment');
    const rows = await this.#db.read((em) => em.find(LocalSegment, { id: { $in: [...ids] } }));
    return inOrder(ids, rows.map(view), ({ id }) => id);
  };

  readonly loadCourier: Batch<string, CourierView> = async (_viewer, ids) => {
    const rows = await this.#db.read((em) => em.find(Courier, { id: { $in: [...ids] } }));
    return inOrder(ids, rows, ({ id }) => id);
  };

  /** Makes the viewer a courier. Refuses `SIGN_IN_REQUIRED`, `COURIER_NAME_INVALID`, `COURIER_EXISTS`. */
  async registerCourier(viewer: Viewer, { name }: { name: string }): Promise<CourierView> {
    const { userId } = requireUser(viewer);
    const trimmed = name.trim();
    if (trimmed === '' || trimmed.length > MAX_NAME_LENGTH || /[\p{Cc}\p{Cs}]/u.test(trimmed))
      throw new Invalid('COURIER_NAME_INVALID', 'A courier needs a name', { max: MAX_NAME_LENGTH });
    return this.#db.transaction(async (tx) => {
      const made = await tx.sql<{ id: string }>(
        `insert into couriers (id, operator_id, name, registered_at) values (?, ?, ?, ?)
         on conflict (operator_id) do nothing returning id`,
        [newId(), userId, trimmed, this.#clock.now()],
      );
      if (!made[0]) throw new Conflict('COURIER_EXISTS', 'You are a courier already');
      return { id: made[0].id, operatorId: userId, name: trimmed };
    });
  }

  /**
   * Offers a connection within one town. Refuses `SIGN_IN_REQUIRED`, `COURIER_NOT_REGISTERED`,
   * `LOCATION_NOT_FOUND`, `SEGMENT_NOT_LOCAL` for two places of different towns or one place twice,
   * `SEGMENT_HOURS_INVALID`, `SEGMENT_INVALID` {field}, `CURRENCY_MIXED`, `CURRENCY_UNKNOWN`.
   */
  async publishSegment(viewer: Viewer, input: PublishSegment): Promise<CourierSegmentView> {
    const { userId } = requireUser(viewer);
    const hours = requireHours(input);
    requireFigures(input);
    const from = await this.#locations.location(input.fromLocationId);
    const to = await this.#locations.location(input.toLocationId);
    if (from.id === to.id || (from.cityId ?? from.id) !== (to.cityId ?? to.id))
      throw new Invalid('SEGMENT_NOT_LOCAL', 'A segment joins two places of one town', {
        fromLocationId: from.id,
        toLocationId: to.id,
      });
    return this.#db.transaction(async (tx) => {
      const courier = await tx.em.findOne(Courier, { operatorId: userId });
      if (!courier) throw new Conflict('COURIER_NOT_REGISTERED', 'Register as a courier first');
      const segment = tx.em.create(LocalSegment, {
        id: newId(),
        courierId: courier.id,
        operatorId: userId,
        fromLocationId: from.id,
        toLocationId: to.id,
        currency: input.base.currency,
        baseMinor: input.base.amountMinor,
        perKilogramMinor: input.perKilogram.amountMinor,
        timeZone: from.timeZone,
        ...hours,
        durationMinutes: input.durationMinutes,
        maxGramsPerRun: input.maxGramsPerRun,
        allowedCategories: [...new Set(input.allowedCategories)],
        checksPin: input.checksPin,
        scansBarcode: input.scansBarcode,
        takesReturns: input.takesReturns,
        proofRetentionDays: input.proofRetentionDays,
        state: segmentStates.initial,
        publishedAt: this.#clock.now(),
      });
      return view(segment);
    });
  }

  /**
   * Ends an offer; what is booked stays booked.
   * Refuses `SIGN_IN_REQUIRED`, `SEGMENT_NOT_FOUND`, `INVALID_TRANSITION`.
   */
  async withdrawSegment(viewer: Viewer, segmentId: string): Promise<CourierSegmentView> {
    const { userId } = requireUser(viewer);
    requireId(segmentId, 'segment');
    return this.#db.transaction(async (tx) => {
      const segment = await tx.em.findOne(
        LocalSegment,
        { id: segmentId, operatorId: userId },
        { lockMode: LockMode.PESSIMISTIC_WRITE },
      );
      if (!segment) throw new NotFound('SEGMENT_NOT_FOUND', 'You offer no such segment');
      segment.state = nextState(segmentStates, segment.state, 'withdraw', 'courier');
      segment.withdrawnAt = this.#clock.now();
      return view(segment);
    });
  }

  /** Published segments of a town, oldest first. Refuses `ID_MALFORMED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async segments(
    page: PageArguments & { locationId?: string | null },
  ): Promise<Connection<CourierSegmentView>> {
    const size = pageSize(page);
    const after = page.after ? requireId(decodeCursor(page.after), 'cursor') : null;
    const places = page.locationId ? await this.#placesOfTown(page.locationId) : null;
    const rows = await this.#db.read((em) =>
      em.find(
        LocalSegment,
        {
          state: 'published',
          ...(after && { id: { $gt: after } }),
          ...(places && { fromLocationId: { $in: places } }),
        },
        { orderBy: { id: 'asc' }, limit: size + 1 },
      ),
    );
    return connection(rows.map(view), size, ({ id }) => id);
  }

  /** Everything that runs, with what is free; for route planning. */
  async offers(
    wanted: { ids: readonly string[] } | { currency: string; categories: readonly PackageCategory[] },
  ): Promise<CourierOffer[]> {
    const rows = await this.#db.read((em) =>
      em.find(LocalSegment, {
        state: 'published',
        ...('ids' in wanted ? { id: { $in: [...wanted.ids] } } : { currency: wanted.currency }),
      }),
    );
    const taking =
      'ids' in wanted
        ? rows
        : rows.filter((row) =>
            wanted.categories.every((category) => row.allowedCategories.includes(category)),
          );
    const free = await this.#capacity.freeByRun(taking.map(({ id }) => id));
    const byDay = new Map<string, Map<string, number>>(taking.map(({ id }) => [id, new Map()]));
    for (const [run, grams] of free) {
      const [segmentId = '', day = ''] = run.split('@');
      byDay.get(segmentId)?.set(day, grams);
    }
    return taking.map((row) => ({ ...view(row), freeByDay: byDay.get(row.id)! }));
  }

  async #placesOfTown(locationId: string): Promise<string[]> {
    requireId(locationId, 'location');
    return [...(await this.#locations.townOf([locationId])).keys()];
  }
}

function view(row: LocalSegmentRow): CourierSegmentView {
  return {
    ...row,
    tariff: {
      base: money(row.baseMinor, row.currency),
      perKilogram: money(row.perKilogramMinor, row.currency),
    },
  };
}

/** `24:00` is the end of a day. */
function minutesOf(time: string): number | null {
  const match = /^(\d{2}):(\d{2})$/.exec(time);
  const minutes = Number(match?.[1]) * 60 + Number(match?.[2]);
  return match && Number(match[2]) < 60 && minutes <= 1_440 ? minutes : null;
}

function requireHours({ opensAt, closesAt, days, durationMinutes }: PublishSegment) {
  const opens = minutesOf(opensAt);
  const closes = minutesOf(closesAt) || 1_440;
  const week = [...new Set(days)].sort();
  const wrong =
    opens === null ||
    opens === 1_440 ||
    minutesOf(closesAt) === null ||
    week.length === 0 ||
    !week.every((day) => Number.isInteger(day) && day >= 1 && day <= 7) ||
    durationMinutes > (closes > opens ? closes - opens : closes + 1_440 - opens);
  if (wrong)
    throw new Invalid('SEGMENT_HOURS_INVALID', 'Hours are HH:MM, on some day, and long enough for one run');
  return { opensAt: opens, closesAt: closes, days: week };
}

function requireFigures(input: PublishSegment): void {
  const within = (value: number, least: number, most: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;
  const limits = {
    durationMinutes: within(input.durationMinutes, 1, MAX_DURATION_MINUTES),
    maxGramsPerRun: within(input.maxGramsPerRun, 1, MAX_GRAMS_PER_RUN),
    proofRetentionDays: within(input.proofRetentionDays, 0, MAX_PROOF_RETENTION_DAYS),
    base: input.base.amountMinor >= 0n && input.base.amountMinor <= 10n ** 12n,
    perKilogram: input.perKilogram.amountMinor >= 0n && input.perKilogram.amountMinor <= 10n ** 12n,
    allowedCategories:
      input.allowedCategories.length > 0 &&
      input.allowedCategories.every((category) => packageCategory.safeParse(category).success),
  };
  const wrong = Object.entries(limits).find(([, fine]) => !fine);
  if (wrong) throw new Invalid('SEGMENT_INVALID', `${wrong[0]} is out of range`, { field: wrong[0] });
  if (input.base.currency !== input.perKilogram.currency)
    throw new Invalid('CURRENCY_MIXED', 'A tariff is in one currency');
}
