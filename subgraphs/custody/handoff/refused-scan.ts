/** A scan that was refused: what goes back to the scanner, and what is kept of it. */
import { Refusal } from '#shared/kernel/errors.ts';
import type { ScanResult } from './handoff.entities.ts';
import type { Side } from './handoff.states.ts';

export interface RefusedFacts {
  readonly stepId: string | null;
  readonly qrCodeId: string | null;
  /** Side of the hand-over on which the scanner stands; null for strangers to it. */
  readonly side: Side | null;
}

export class RefusedScan extends Error {
  readonly result: ScanResult;
  readonly refusal: Refusal;
  readonly facts: RefusedFacts;

  constructor(result: ScanResult, refusal: Refusal, facts: RefusedFacts) {
    super(refusal.message);
    this.name = 'RefusedScan';
    this.result = result;
    this.refusal = refusal;
    this.facts = facts;
  }
}

export const refusedScan = (
  result: ScanResult,
  refusal: Refusal,
  facts: RefusedFacts = { stepId: null, qrCodeId: null, side: null },
): RefusedScan => new RefusedScan(result, refusal, facts);

/** How a refusal of a code is kept. */
export function resultOf({ code }: Refusal): ScanResult {
  const results: Record<string, ScanResult> = {
    TOKEN_CONSUMED: 'consumed',
    TOKEN_REVOKED: 'revoked',
    TOKEN_EXPIRED: 'expired',
    NOT_YET: 'not_yet',
    UNKNOWN_KEY: 'unknown_key',
  };
  return results[code] ?? 'bad_signature';
}

/** The refusal that an error is; anything else is trouble and goes on. */
export function refusalOrThrow(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  throw error;
}
