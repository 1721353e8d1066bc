/**
 * Owns the hand-overs of an itinerary (`handoff_steps`): plans them, opens them, and ends them where they do not
 * happen. It promises that each has exactly two parties, a place and a window, that nobody else learns of it, and
 * that custody never moves here: only two scans do that (handoff-scan.service.ts). Bookings' facts, jobs and the
 * parties call it.
 */
import { LockMode } from '@mikro-orm/core';
import type { ItineraryConfirmed } from '#shared/events/bookings.ts';
import { HandoffReady } from '#shared/events/custody.ts';
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import type { PayloadOf } from '#shared/kernel/event.ts';
import { isId, newId } from '#shared/kernel/ids.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database, Transaction } from '#shared/runtime/database.ts';
import type { Durable } from '#shared/runtime/durable.ts';
import { groupedBy, inOrder } from '#shared/runtime/graph.ts';
import type { QrCodeService, QrCodeView } from '../qr-code/qr-code.service.ts';
import type { CustodyService } from '../tracking/custody.service.ts';
import { type PartiesService, type Party, sameParty } from '../tracking/parties.service.ts';
import type { TrackingService } from '../tracking/tracking.service.ts';
import { HandoffPhotoRow, HandoffStepRow } from './handoff.entities.ts';
import { lapseHandoff, openHandoff } from './handoff.jobs.ts';
import { type PlanningSettings, planHandoffs } from './handoff.planning.ts';
import { handoffStates, type Side } from './handoff.states.ts';
import type { Photo, PhotoEvidence } from './photo-evidence.ts';

export type HandoffStepView = HandoffStepRow;
export type HandoffPhotoView = HandoffPhotoRow;
export type HandoffPartyView = Party;

export const giverOf = (step: HandoffStepRow): Party => ({ type: step.fromType, id: step.fromId });
export const receiverOf = (step: HandoffStepRow): Party => ({ type: step.toType, id: step.toId });

/** The side on which somebody with these roles stands; null where they are on neither. */
export function sideOf(step: HandoffStepRow, roles: readonly Party[]): Side | null {
  if (roles.some((role) => sameParty(role, giverOf(step)))) return 'giver';
  return roles.some((role) => sameParty(role, receiverOf(step))) ? 'receiver' : null;
}

export interface HandoffDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly durable: Durable;
  readonly config: PlanningSettings & { readonly HANDOFF_HALF_CONFIRMED_FOR: number };
  readonly parties: PartiesService;
  readonly custody: CustodyService;
  readonly tracking: TrackingService;
  readonly qrCodes: QrCodeService;
  readonly photos: PhotoEvidence;
}

export class HandoffService {
  readonly #deps: HandoffDeps;

  constructor(deps: HandoffDeps) {
    this.#deps = deps;
  }

  /** Plans the hand-overs of a confirmed itinerary and begins custody with the sender. */
  async plan(itinerary: PayloadOf<typeof ItineraryConfirmed>): Promise<void> {
    const { db, clock, config, parties, custody, tracking, durable } = this.#deps;
    const { shipmentId, itineraryId, packageIds } = itinerary;
    await db.transaction(async (tx) => {
      await parties.learnItinerary(itinerary);
      await custody.begin(shipmentId, itineraryId, itinerary.senderId, packageIds);
      await tracking.record(shipmentId, [
        {
          type: 'ITINERARY_CONFIRMED',
          message: 'The itinerary is confirmed',
          at: itinerary.confirmedAt,
          packageId: onlyOne(packageIds),
          onceKey: `confirmed:${itineraryId}`,
        },
      ]);
      const declared = await parties.declaredMinor(shipmentId);
      for (const planned of planHandoffs(itinerary, declared, config)) {
        const { from, to, leg, ...rest } = planned;
        const step = tx.em.create(HandoffStepRow, {
          ...rest,
          id: newId(),
          itineraryId,
          shipmentId,
          fromType: from.type,
          fromId: from.id,
          toType: to.type,
          toId: to.id,
          legId: leg.legId,
          legKind: leg.legKind,
          packageIds,
          state: handoffStates.initial,
          machineVersion: handoffStates.version,
        });
        await tx.em.flush();
        if (step.opensAt <= clock.now()) await this.#open(tx, step);
        else
          await durable.schedule(tx, openHandoff, { id: step.id, runAt: step.opensAt }, { stepId: step.id });
      }
    });
  }

  /** Ends the hand-overs of an itinerary that ended before custody; whoever has carried keeps what was proven. */
  async cancel(itineraryId: string): Promise<void> {
    const { db, parties, custody, qrCodes } = this.#deps;
    await db.transaction(async ({ em }) => {
      const steps = await em.find(
        HandoffStepRow,
        { itineraryId },
        { lockMode: LockMode.PESSIMISTIC_WRITE, orderBy: { sequence: 'asc' } },
      );
      const open = steps.filter(({ state }) => !handoffStates.terminal.includes(state));
      for (const step of open) step.state = nextState(handoffStates, step.state, 'cancel', 'system');
      await em.flush();
      await qrCodes.expireOf(open.map(({ id }) => id));
      await custody.setPhase(
        open.flatMap(({ packageIds }) => packageIds),
        'held',
      );
      if (!steps.some(({ state }) => state === 'transferred')) await parties.forgetItinerary(itineraryId);
    });
  }

  /** Opens a planned hand-over; does nothing where it is no longer planned. */
  async open(stepId: string): Promise<void> {
    await this.#deps.db.transaction(async (tx) => {
      const step = await this.lock(tx, stepId);
      if (step?.state === 'planned') await this.#open(tx, step);
    });
  }

  /** Forgets the first scan of a hand-over where the second did not come in time. */
  async lapse(stepId: string, halfConfirmedAt: Date): Promise<void> {
    await this.#deps.db.transaction(async (tx) => {
      const step = await this.lock(tx, stepId);
      if (step?.state !== 'half_confirmed' || step.halfConfirmedAt?.getTime() !== halfConfirmedAt.getTime())
        return;
      step.state = nextState(handoffStates, step.state, 'lapse', 'system');
      forgetHalf(step);
      await tx.em.flush();
      await this.#deps.custody.setPhase(step.packageIds, 'held');
    });
  }

  /** Schedules `lapse`, within the transaction of the first scan. */
  async lapseLater(tx: Transaction, step: HandoffStepRow): Promise<void> {
    const halfConfirmedAt = step.halfConfirmedAt!;
    const runAt = new Date(halfConfirmedAt.getTime() + this.#deps.config.HANDOFF_HALF_CONFIRMED_FOR);
    const id = `${step.id}:${halfConfirmedAt.getTime()}`;
    await this.#deps.durable.schedule(tx, lapseHandoff, { id, runAt }, { stepId: step.id, halfConfirmedAt });
  }

  /**
   * The viewer's own code for a hand-over; the one before it is revoked. Refuses `HANDOFF_NOT_FOUND`,
   * `HANDOFF_NOT_READY` {opensAt}, `HANDOFF_CLOSED` {state}, `HANDOFF_WINDOW_CLOSED` {closedAt}.
   */
  async issueCode(viewer: Viewer, stepId: string): Promise<QrCodeView> {
    const { db, clock, parties, qrCodes } = this.#deps;
    return db.transaction(async (tx) => {
      const step = await this.lock(tx, stepId);
      const roles = step ? (await parties.rolesOf(viewer, [step.shipmentId])).get(step.shipmentId) : null;
      const side = step && roles ? sideOf(step, roles) : null;
      if (!step || !side) throw handoffNotFound();
      if (step.state === 'planned')
        throw new Conflict('HANDOFF_NOT_READY', 'This hand-over is not open yet', { opensAt: step.opensAt });
      if (handoffStates.terminal.includes(step.state))
        throw new Conflict('HANDOFF_CLOSED', 'This hand-over has ended', { state: step.state.toUpperCase() });
      if (clock.now() > step.closesAt)
        throw new Conflict('HANDOFF_WINDOW_CLOSED', 'The window of this hand-over is over', {
          closedAt: step.closesAt,
        });
      return qrCodes.mint({
        stepId,
        shipmentId: step.shipmentId,
        direction: side === 'giver' ? 'give' : 'receive',
        party: side === 'giver' ? giverOf(step) : receiverOf(step),
        notBefore: step.opensAt,
        notAfter: step.closesAt,
      });
    });
  }

  /**
   * The receiver does not take the goods: custody stays with the giver. Refuses `HANDOFF_NOT_FOUND` everybody but
   * the receiver, `REASON_MISSING`, `PHOTO_NOT_FOUND`, `PHOTO_REUSED`, `INVALID_TRANSITION`.
   */
  async refuse(
    viewer: Viewer,
    input: { stepId: string; reason: string; photoFileIds: readonly string[] },
  ): Promise<HandoffStepRow> {
    const { db, clock, parties, custody, tracking, qrCodes, photos } = this.#deps;
    const reason = input.reason.trim();
    if (reason.length < 3 || reason.length > 500)
      throw new Invalid('REASON_MISSING', 'Say why, in 3 to 500 characters');
    const pictures: Photo[] = await photos.ofViewer(viewer, input.photoFileIds);
    return db.transaction(async (tx) => {
      const step = await this.lock(tx, input.stepId);
      const roles = step ? (await parties.rolesOf(viewer, [step.shipmentId])).get(step.shipmentId) : null;
      if (!step || !roles?.some((role) => sameParty(role, receiverOf(step)))) throw handoffNotFound();
      step.state = nextState(handoffStates, step.state, 'refuse', 'receiver');
      step.refusedReason = reason;
      forgetHalf(step);
      await tx.em.flush();
      await photos.attach(tx, { stepId: step.id, scanId: null, side: 'receiver' }, pictures);
      await qrCodes.expireOf([step.id]);
      await custody.setPhase(step.packageIds, 'held');
      await tracking.record(step.shipmentId, [
        {
          type: 'REFUSED',
          message: 'The receiver refused the hand-over',
          at: clock.now(),
          packageId: onlyOne(step.packageIds),
          ...placeOf(step),
        },
      ]);
      return step;
    });
  }

  /** The hand-over's row, locked until the transaction ends; null where there is none. */
  async lock(tx: Transaction, stepId: string): Promise<HandoffStepRow | null> {
    if (!isId(stepId)) return null;
    return tx.em.findOne(HandoffStepRow, { id: stepId }, { lockMode: LockMode.PESSIMISTIC_WRITE });
  }

  /** Hand-overs by id; null for those unknown, and for those whose shipment the viewer is no party of. */
  readonly loadSteps = async (viewer: Viewer, ids: readonly string[]) => {
    const steps = await this.#deps.db.read((em) =>
      em.find(HandoffStepRow, { id: { $in: ids.filter(isId) } }),
    );
    const roles = await this.#rolesFor(viewer, steps);
    return inOrder(
      ids,
      steps.filter(({ shipmentId }) => roles.has(shipmentId)),
      (step) => step.id,
    );
  };

  /** Hand-overs of shipments in their order; null for shipments the viewer is no party of. */
  readonly loadByShipment = async (viewer: Viewer, shipmentIds: readonly string[]) => {
    const roles = await this.#deps.parties.rolesOf(viewer, shipmentIds);
    const steps = await this.#deps.db.read((em) =>
      em.find(
        HandoffStepRow,
        { shipmentId: { $in: [...roles.keys()] } },
        { orderBy: { opensAt: 'asc', sequence: 'asc' } },
      ),
    );
    const groups = groupedBy(shipmentIds, steps, (step) => step.shipmentId);
    return shipmentIds.map((id, index) => (roles.has(id) ? groups[index]! : null));
  };

  /** The first hand-over of each shipment that has not ended; null where there is none. */
  readonly loadNext = async (viewer: Viewer, shipmentIds: readonly string[]) => {
    const groups = await this.loadByShipment(viewer, shipmentIds);
    return groups.map((steps) => steps?.find(({ state }) => !handoffStates.terminal.includes(state)) ?? null);
  };

  /** Hand-overs of itineraries in their order; null where there are none or the viewer is no party. */
  readonly loadByItinerary = async (viewer: Viewer, itineraryIds: readonly string[]) => {
    const steps = await this.#deps.db.read((em) =>
      em.find(
        HandoffStepRow,
        { itineraryId: { $in: itineraryIds.filter(isId) } },
        { orderBy: { sequence: 'asc' } },
      ),
    );
    const roles = await this.#rolesFor(viewer, steps);
    const visible = steps.filter(({ shipmentId }) => roles.has(shipmentId));
    return groupedBy(itineraryIds, visible, (step) => step.itineraryId).map((group) =>
      group.length > 0 ? group : null,
    );
  };

  /** Photos of hand-overs that the viewer has already been shown. */
  readonly loadPhotos = async (_viewer: Viewer, stepIds: readonly string[]) => {
    const photos = await this.#deps.db.read((em) =>
      em.find(HandoffPhotoRow, { stepId: { $in: [...stepIds] } }, { orderBy: { attachedAt: 'asc' } }),
    );
    return groupedBy(stepIds, photos, (photo) => photo.stepId);
  };

  /** Which side of each hand-over the viewer is on; null for neither. */
  readonly loadSides = async (viewer: Viewer, steps: readonly HandoffStepRow[]) => {
    const roles = await this.#rolesFor(viewer, steps);
    return steps.map((step) => sideOf(step, roles.get(step.shipmentId) ?? []));
  };

  /** Accounts of parties; null for a recipient without one. */
  readonly loadAccounts = async (_viewer: Viewer, parties: readonly Party[]) =>
    this.#deps.parties.accountsOf(parties);

  async #open(tx: Transaction, step: HandoffStepRow): Promise<void> {
    step.state = nextState(handoffStates, step.state, 'open', 'system');
    await tx.em.flush();
    tx.tell(HandoffReady, {
      shipmentId: step.shipmentId,
      itineraryId: step.itineraryId,
      stepId: step.id,
      sequence: step.sequence,
      from: giverOf(step),
      to: receiverOf(step),
      locationId: step.locationId,
      opensAt: step.opensAt,
    });
    await this.#deps.tracking.record(step.shipmentId, [
      {
        type: 'HANDOFF_READY',
        message: `Hand-over ${step.sequence} is open`,
        packageId: onlyOne(step.packageIds),
        ...placeOf(step),
      },
    ]);
  }

  #rolesFor(viewer: Viewer, steps: readonly HandoffStepRow[]): Promise<Map<string, Party[]>> {
    return this.#deps.parties.rolesOf(
      viewer,
      steps.map(({ shipmentId }) => shipmentId),
    );
  }
}

export const handoffNotFound = (): NotFound =>
  new NotFound('HANDOFF_NOT_FOUND', 'There is no such hand-over');

/** Forgets which side scanned first. */
export function forgetHalf(step: HandoffStepRow): void {
  step.halfSide = null;
  step.halfConfirmedAt = null;
  step.halfScanId = null;
  step.halfCodeId = null;
}

/** What a tracking event says of a hand-over's place, carrier and leg. */
export function placeOf(step: HandoffStepRow) {
  const carrier = step.delivers ? giverOf(step) : receiverOf(step);
  return {
    carrierId: carrier.id,
    tripLegId: step.legKind === 'trip_leg' ? step.legId : null,
    locationId: step.locationId,
    handoffStepId: step.id,
  };
}

/** The package an event is about where a shipment has just one; null stands for all of several. */
export const onlyOne = (packageIds: readonly string[]): string | null =>
  packageIds.length === 1 ? packageIds[0]! : null;
