/**
 * Owns what proven sides of a hand-over bring about. It promises that codes, custody, chain, log, proof of delivery
 * and the fact told change together, in the transaction of the scan that brings it about, or not at all. Only the
 * scan service calls it, under the step's lock.
 */
import { HandoffTransferred } from '#shared/events/custody.ts';
import { Conflict } from '#shared/kernel/errors.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { Transaction } from '#shared/runtime/database.ts';
import type { TrackingDraft } from '../tracking/tracking.service.ts';
import { HandoffScanRow, type HandoffStepRow } from './handoff.entities.ts';
import {
  forgetHalf,
  giverOf,
  type HandoffDeps,
  type HandoffService,
  onlyOne,
  placeOf,
  receiverOf,
} from './handoff.service.ts';
import { handoffStates, type Side } from './handoff.states.ts';
import { refusedScan } from './refused-scan.ts';

export class HandoffTransferService {
  readonly #deps: HandoffDeps;
  readonly #handoffs: HandoffService;

  constructor(deps: HandoffDeps, handoffs: HandoffService) {
    this.#deps = deps;
    this.#handoffs = handoffs;
  }

  /** The first side has scanned: the goods are on their way from hand to hand, and the giver still answers for them. */
  async halfConfirm(
    tx: Transaction,
    step: HandoffStepRow,
    scan: HandoffScanRow,
    side: Side,
    qrCodeId: string,
  ): Promise<void> {
    step.state = nextState(handoffStates, step.state, 'scan_first', side);
    step.halfSide = side;
    step.halfConfirmedAt = scan.scannedAt;
    step.halfScanId = scan.id;
    step.halfCodeId = qrCodeId;
    await tx.em.flush();
    await this.#deps.custody.setPhase(step.packageIds, 'in_handoff');
    await this.#handoffs.lapseLater(tx, step);
    await this.#deps.tracking.record(step.shipmentId, [scanned(step, side)]);
  }

  /** The second side has scanned: custody moves. Refuses `REQUIREMENTS_MISSING` {photos}, `TOKEN_CONSUMED`. */
  async complete(
    tx: Transaction,
    step: HandoffStepRow,
    scan: HandoffScanRow,
    side: Side,
    qrCodeId: string,
  ): Promise<void> {
    const { custody, qrCodes, tracking, photos } = this.#deps;
    const pictures = await photos.of(tx, step.id);
    if (pictures.length < step.requiredPhotos)
      throw refusedScan(
        'requirements_missing',
        new Conflict('REQUIREMENTS_MISSING', 'This hand-over needs more photos', {
          photos: step.requiredPhotos - pictures.length,
        }),
        { stepId: step.id, qrCodeId, side },
      );
    const firstScan = await tx.em.findOneOrFail(HandoffScanRow, { id: step.halfScanId! });
    await qrCodes.consume(step.id, qrCodeId, step.halfCodeId ?? null);
    const discrepancy = [firstScan, scan].some((each) => Boolean(each.discrepancy));
    step.state = nextState(handoffStates, step.state, 'scan_second', side);
    step.transferredAt = scan.scannedAt;
    forgetHalf(step);
    await tx.em.flush();
    const scanIds = [firstScan.id, scan.id];
    const links = await custody.transfer({
      shipmentId: step.shipmentId,
      itineraryId: step.itineraryId,
      packageIds: step.packageIds,
      from: giverOf(step),
      to: receiverOf(step),
      handoffStepId: step.id,
      discrepancy,
      photoHashes: pictures.map(({ sha256 }) => sha256),
      scanIds,
    });
    await tracking.record(step.shipmentId, [scanned(step, side), ...moved(step)]);
    if (step.delivers)
      await tracking.keepProof({
        shipmentId: step.shipmentId,
        itineraryId: step.itineraryId,
        handoffStepId: step.id,
        deliveredAt: scan.scannedAt,
        scanIds,
        photos: pictures.map(({ fileId, sha256 }) => ({ fileId, sha256 })),
        custody: links.map(({ packageId, id, hash }) => ({ packageId, eventId: id, hash })),
      });
    this.#tell(
      tx,
      step,
      discrepancy,
      links.map(({ id }) => id),
    );
  }

  /** One fact per booking that ended: a carrier of several legs in a row ends the earlier ones here too. */
  #tell(tx: Transaction, step: HandoffStepRow, discrepancy: boolean, custodyEventIds: string[]): void {
    const bookings = [
      ...(step.finishedBookingIds.length > 0 ? step.finishedBookingIds : [null]),
      step.startedBookingId ?? null,
    ];
    for (const [index, finishedBookingId] of bookings.slice(0, -1).entries()) {
      const last = index === bookings.length - 2;
      tx.tell(HandoffTransferred, {
        shipmentId: step.shipmentId,
        itineraryId: step.itineraryId,
        stepId: step.id,
        sequence: step.sequence,
        from: giverOf(step),
        to: receiverOf(step),
        finishedBookingId: finishedBookingId ?? null,
        startedBookingId: bookings[index + 1] ?? null,
        packageIds: step.packageIds,
        custodyEventIds,
        discrepancy,
        lastLegStarted: last && step.startsLastLeg,
        delivered: last && step.delivers,
        transferredAt: step.transferredAt!,
      });
    }
  }
}

function scanned(step: HandoffStepRow, side: Side): TrackingDraft {
  return {
    type: 'SCANNED',
    message: `The ${side} confirmed hand-over ${step.sequence}`,
    packageId: onlyOne(step.packageIds),
    ...placeOf(step),
  };
}

function moved(step: HandoffStepRow): TrackingDraft[] {
  const [type, message] = step.delivers
    ? (['DELIVERED', 'Delivered to the recipient'] as const)
    : step.sequence === 1
      ? (['PICKED_UP', 'Picked up from the sender'] as const)
      : (['TRANSFERRED', 'Handed over to the next carrier'] as const);
  const place = placeOf(step);
  return [
    ...step.packageIds.map((packageId) => ({ type, message, packageId, ...place })),
    ...(step.startsLastLeg
      ? [
          {
            type: 'OUT_FOR_DELIVERY' as const,
            message: 'On the last leg to the recipient',
            packageId: onlyOne(step.packageIds),
            ...place,
          },
        ]
      : []),
  ];
}
