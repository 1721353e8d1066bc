/**
 * Owns the scans of hand-overs (`handoff_scans`) and what they bring about. It promises that custody moves when,
 * and only when, both sides have scanned each other, in one transaction with the chain, the log and the fact told;
 * that a scan repeated with its key gives its first answer again; and that every scan is kept, refused ones too.
 * Both parties call it, by the QR code or by the eight spoken characters.
 */
import { createHash } from 'node:crypto';
import { ScanRefused } from '#shared/events/custody.ts';
import { Conflict, Forbidden, Invalid, type Refusal, refusalFromRecord } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import { MINUTE } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Transaction } from '#shared/runtime/database.ts';
import type { MintedCode } from '../qr-code/qr-code.service.ts';
import type { TokenContent } from '../qr-code/token.ts';
import { type Party, sameParty } from '../tracking/parties.service.ts';
import { HandoffScanRow, HandoffStepRow, type ScanResult } from './handoff.entities.ts';
import {
  giverOf,
  type HandoffDeps,
  type HandoffService,
  handoffNotFound,
  receiverOf,
  sideOf,
} from './handoff.service.ts';
import type { Side } from './handoff.states.ts';
import type { HandoffTransferService } from './handoff-transfer.service.ts';
import type { Photo } from './photo-evidence.ts';
import { RefusedScan, refusalOrThrow, refusedScan, resultOf } from './refused-scan.ts';

const spokenTriesAllowed = 5;
const clockSkewAllowed = 10 * MINUTE;

export interface ScanInput {
  readonly token?: string | null;
  readonly spokenCode?: string | null;
  readonly stepId?: string | null;
  readonly photoFileIds?: readonly string[] | null;
  readonly weightGrams?: number | null;
  readonly locationId?: string | null;
  readonly scannedAt?: Date | null;
  readonly discrepancy?: string | null;
  readonly idempotencyKey: string;
}

export interface HandoffScanView {
  readonly scan: HandoffScanRow;
  readonly step: HandoffStepRow;
}

interface Attempt {
  readonly viewer: Viewer;
  readonly actor: string;
  readonly input: ScanInput;
  readonly presentedHash: string;
  readonly photos: readonly Photo[];
  readonly photoFault: Refusal | null;
}

export class HandoffScanService {
  readonly #deps: HandoffDeps;
  readonly #handoffs: HandoffService;
  readonly #transfers: HandoffTransferService;

  constructor(deps: HandoffDeps, handoffs: HandoffService, transfers: HandoffTransferService) {
    this.#deps = deps;
    this.#handoffs = handoffs;
    this.#transfers = transfers;
  }

  /**
   * Proves one side of a hand-over; with the second side custody moves. Refuses `SIGN_IN_REQUIRED`,
   * `SCAN_MALFORMED`, `IDEMPOTENCY_KEY_MALFORMED`, `BAD_SIGNATURE`, `UNKNOWN_KEY`, `WRONG_PARTY`,
   * `WRONG_SEQUENCE` {expectedStepId, expectedSequence}, `TOKEN_CONSUMED` {consumedAt}, `TOKEN_REVOKED`,
   * `TOKEN_EXPIRED`, `NOT_YET` {opensAt}, `HANDOFF_NOT_FOUND`, `INVALID_TRANSITION`, `SPOKEN_CODE_WRONG`
   * {triesLeft}, `SPOKEN_CODE_LOCKED`, `PHOTO_NOT_FOUND`, `PHOTO_REUSED`, `REQUIREMENTS_MISSING` {photos}.
   */
  async scan(viewer: Viewer, input: ScanInput): Promise<HandoffScanView> {
    const attempt = await this.#attempt(viewer, input);
    try {
      return await this.#deps.db.transaction((tx) => this.#accept(tx, attempt));
    } catch (error) {
      if (!(error instanceof RefusedScan)) throw error;
      // Its own transaction: what a refused scan wrote is gone, that it happened is not.
      throw await this.#deps.db.transaction((tx) => this.#keepRefusal(tx, attempt, error));
    }
  }

  async #attempt(viewer: Viewer, input: ScanInput): Promise<Attempt> {
    if (viewer.kind !== 'user' && viewer.kind !== 'link')
      throw new Forbidden('SIGN_IN_REQUIRED', 'Sign in first, or come by your link');
    if (!/^.{8,200}$/.test(input.idempotencyKey))
      throw new Invalid('IDEMPOTENCY_KEY_MALFORMED', 'An idempotency key has 8 to 200 characters');
    const { token, spokenCode, stepId, weightGrams, discrepancy } = input;
    const presented = token && !spokenCode ? token : !token && spokenCode && stepId ? spokenCode : null;
    if (!presented || presented.length > 400 || (discrepancy?.length ?? 0) > 1_000)
      throw new Invalid('SCAN_MALFORMED', 'A scan has a token, or a spoken code and the id of the hand-over');
    if (typeof weightGrams === 'number' && weightGrams <= 0)
      throw new Invalid('SCAN_MALFORMED', 'A weight is a positive number of grams');
    for (const id of [stepId, input.locationId]) if (id) requireId(id);
    const { photos, fault } = await this.#deps.photos.ofViewer(viewer, input.photoFileIds ?? []).then(
      (found) => ({ photos: found, fault: null }),
      (error) => {
        const fault = refusalOrThrow(error);
        if (fault.code !== 'PHOTO_NOT_FOUND') throw fault;
        return { photos: [], fault };
      },
    );
    return {
      viewer,
      actor: viewer.kind === 'user' ? `user:${viewer.userId}` : `recipient:${viewer.recipientId}`,
      input,
      presentedHash: createHash('sha256')
        .update(token ? token : `${stepId} ${spokenCode}`)
        .digest('hex'),
      photos,
      photoFault: fault,
    };
  }

  async #accept(tx: Transaction, attempt: Attempt): Promise<HandoffScanView> {
    const content = this.#readCode(attempt);
    const step = await this.#handoffs.lock(tx, content?.stepId ?? attempt.input.stepId!);
    if (!step)
      throw content
        ? refusedScan('bad_signature', new Invalid('BAD_SIGNATURE', 'This is no code of ours'))
        : refusedScan('wrong_party', handoffNotFound());
    const before = await this.#answeredBefore(tx, attempt);
    if (before) return { scan: before, step };
    const { side, qrCodeId } = await this.#judge(tx, attempt, step, content);
    const facts = { stepId: step.id, qrCodeId, side };
    if (attempt.photoFault) throw refusedScan('requirements_missing', attempt.photoFault, facts);
    const first = step.state === 'ready';
    const duplicate = step.state === 'half_confirmed' && step.halfSide === side;
    const scan = this.#keep(tx, attempt, {
      ...facts,
      scanResult: duplicate ? 'duplicate' : 'ok',
      outcome: first || duplicate ? 'half_confirmed' : 'transferred',
    });
    await tx.em.flush();
    await this.#deps.photos
      .attach(tx, { stepId: step.id, scanId: scan.id, side }, attempt.photos)
      .catch((error) => {
        throw refusedScan('requirements_missing', refusalOrThrow(error), facts);
      });
    if (duplicate) return { scan, step };
    if (first) await this.#transfers.halfConfirm(tx, step, scan, side, qrCodeId);
    else await this.#transfers.complete(tx, step, scan, side, qrCodeId);
    return { scan, step };
  }

  /** What a scanned token says; null where a code was spoken. */
  #readCode({ input }: Attempt): TokenContent | null {
    if (!input.token) return null;
    try {
      return this.#deps.qrCodes.read(input.token);
    } catch (error) {
      const refusal = refusalOrThrow(error);
      throw refusedScan(resultOf(refusal), refusal);
    }
  }

  /** The same actor with the same code and key gets the first answer again. */
  async #answeredBefore(tx: Transaction, attempt: Attempt): Promise<HandoffScanRow | null> {
    const { actor, presentedHash } = attempt;
    const before = await tx.em.findOne(HandoffScanRow, {
      actor,
      presentedHash,
      idempotencyKey: attempt.input.idempotencyKey,
    });
    if (before?.refusal) throw refusalFromRecord(before.refusal);
    return before;
  }

  /** Whether this actor may prove a side of this hand-over with this code now; reads only, under the step's lock. */
  async #judge(
    tx: Transaction,
    { viewer, input }: Attempt,
    step: HandoffStepRow,
    content: TokenContent | null,
  ): Promise<{ side: Side; qrCodeId: string }> {
    const { qrCodes, parties } = this.#deps;
    const roles = (await parties.rolesOf(viewer, [step.shipmentId])).get(step.shipmentId) ?? [];
    const mine = sideOf(step, roles);
    const side: Side = content ? (content.direction === 'give' ? 'receiver' : 'giver') : (mine ?? 'receiver');
    const owner = side === 'receiver' ? giverOf(step) : receiverOf(step);
    const scanned = input.token ? await qrCodes.byToken(input.token) : null;
    const facts = { stepId: step.id, qrCodeId: scanned?.id ?? null, side: mine };
    const refuse = (result: ScanResult, refusal: Refusal) => refusedScan(result, refusal, facts);
    const theirs = content === null || qrCodes.isFor(content, owner);
    if (mine !== side || !theirs || roles.some((role) => sameParty(role, owner))) {
      const expected = mine === null ? await this.#expectedStep(tx, step, roles) : null;
      if (expected) throw refuse('wrong_sequence', wrongSequence(expected));
      // By its id alone a stranger must not even learn that the hand-over exists.
      throw refuse('wrong_party', content ? wrongParty() : handoffNotFound());
    }
    const row = scanned ?? (await this.#spoken(step, side, input, refuse));
    const fault = qrCodes.faultOf(row);
    if (fault) throw refuse(resultOf(fault), fault);
    const previous = await tx.em.findOne(
      HandoffStepRow,
      { itineraryId: step.itineraryId, sequence: { $lt: step.sequence }, state: { $ne: 'transferred' } },
      { orderBy: { sequence: 'asc' } },
    );
    if (previous) throw refuse('wrong_sequence', wrongSequence(previous));
    if (step.state !== 'ready' && step.state !== 'half_confirmed') {
      const from = step.state.toUpperCase();
      throw refuse('not_open', new Conflict('INVALID_TRANSITION', `This hand-over is ${from}`, { from }));
    }
    return { side, qrCodeId: row.id };
  }

  async #spoken(
    step: HandoffStepRow,
    side: Side,
    input: ScanInput,
    refuse: (result: ScanResult, refusal: Refusal) => RefusedScan,
  ): Promise<MintedCode> {
    if (!input.spokenCode)
      throw refuse('bad_signature', new Invalid('BAD_SIGNATURE', 'This is no code of ours'));
    if (step.spokenTries >= spokenTriesAllowed)
      throw refuse('revoked', new Conflict('SPOKEN_CODE_LOCKED', 'Too many wrong codes: scan the QR code'));
    const direction = side === 'receiver' ? 'give' : 'receive';
    const row = await this.#deps.qrCodes.bySpokenCode(step.id, direction, input.spokenCode);
    if (row) return row;
    const triesLeft = spokenTriesAllowed - step.spokenTries - 1;
    throw refuse('bad_signature', new Invalid('SPOKEN_CODE_WRONG', 'This is not the code', { triesLeft }));
  }

  /** For somebody who takes part later or took part before: the hand-over that is due. Null for everybody else. */
  async #expectedStep(
    tx: Transaction,
    step: HandoffStepRow,
    roles: readonly Party[],
  ): Promise<HandoffStepRow | null> {
    const steps = await tx.em.find(
      HandoffStepRow,
      { itineraryId: step.itineraryId },
      { orderBy: { sequence: 'asc' } },
    );
    if (!steps.some((each) => sideOf(each, roles))) return null;
    return steps.find(({ state }) => state !== 'transferred') ?? null;
  }

  #keep(
    tx: Transaction,
    { actor, viewer, input, presentedHash }: Attempt,
    facts: Pick<HandoffScanRow, 'stepId' | 'qrCodeId' | 'side' | 'scanResult'> &
      Partial<Pick<HandoffScanRow, 'outcome' | 'refusal'>>,
  ): HandoffScanRow {
    const now = this.#deps.clock.now();
    const skew = input.scannedAt ? Math.abs(now.getTime() - input.scannedAt.getTime()) : 0;
    return tx.em.create(HandoffScanRow, {
      outcome: null,
      refusal: null,
      ...facts,
      id: newId(),
      actor,
      sessionId: viewer.kind === 'user' ? viewer.sessionId : null,
      method: input.token ? 'qr' : 'spoken',
      presentedHash,
      idempotencyKey: input.idempotencyKey,
      locationId: input.locationId,
      weightGrams: input.weightGrams,
      discrepancy: input.discrepancy,
      deviceTime: input.scannedAt,
      clockSuspect: skew > clockSkewAllowed,
      scannedAt: now,
    });
  }

  /** Keeps a refused scan, counts it against the code, alerts the parties of a stranger's; the answer to throw. */
  async #keepRefusal(tx: Transaction, attempt: Attempt, refused: RefusedScan): Promise<Refusal> {
    const { facts, result, refusal } = refused;
    const { qrCodes, parties, clock } = this.#deps;
    const step = facts.stepId ? await this.#handoffs.lock(tx, facts.stepId) : null;
    // A code that names no hand-over gives no row to lock: the same scan sent twice at once must still be one.
    await tx.sql('select pg_advisory_xact_lock(hashtextextended(?, 0))', [
      `${attempt.actor} ${attempt.presentedHash}`,
    ]);
    try {
      await this.#answeredBefore(tx, attempt);
    } catch (error) {
      return refusalOrThrow(error);
    }
    this.#keep(tx, attempt, { ...facts, scanResult: result, refusal: refusal.toRecord() });
    if (step && refusal.code === 'SPOKEN_CODE_WRONG') step.spokenTries += 1;
    await tx.em.flush();
    // Who stands on the wrong side of their own hand-over has made a slip; a stranger is another matter.
    if (step && facts.qrCodeId && result === 'wrong_party' && facts.side === null) {
      await qrCodes.countWrongScan(facts.qrCodeId);
      const sides = [giverOf(step), receiverOf(step)];
      const accounts = await parties.accountsOf(sides);
      tx.tell(ScanRefused, {
        shipmentId: step.shipmentId,
        stepId: step.id,
        result,
        partyIds: sides.map(({ id }, index) => accounts[index] ?? id),
        at: clock.now(),
      });
    }
    return refusal;
  }
}

const wrongParty = (): Forbidden => new Forbidden('WRONG_PARTY', 'This code is not for you to scan');

const wrongSequence = (expected: HandoffStepRow): Conflict =>
  new Conflict('WRONG_SEQUENCE', 'Another hand-over comes first', {
    expectedStepId: expected.id,
    expectedSequence: expected.sequence,
  });
