/** What resolvers get of declarations and estimates. */
import type { Money } from '#shared/kernel/money.ts';
import type { ContentType, Incoterm } from './customs.entities.ts';

export interface CustomsLineView {
  readonly description: string;
  readonly quantity: number;
  /** Of all pieces together, like the weight. */
  readonly value: Money;
  readonly weightGrams: number;
  readonly hsCode: string | null;
  readonly originCountry: string | null;
  /** Codes of what the line lacks. */
  readonly missing: readonly string[];
}

export interface CustomsDeclarationView {
  readonly id: string;
  readonly shipmentId: string;
  readonly contentType: ContentType;
  readonly incoterm: Incoterm | null;
  readonly lines: readonly CustomsLineView[];
  readonly signerName: string;
  readonly declaredAt: Date;
  /** Codes of what the declaration lacks; empty where it is complete. */
  readonly missing: readonly string[];
}

export interface DutyTraceLineView {
  readonly ruleId: string;
  readonly explanation: string;
  readonly source: string | null;
  readonly hsCode: string | null;
  readonly amount: Money | null;
}

export interface DutyEstimateView {
  readonly status: 'ESTIMATED' | 'INCOMPLETE' | 'UNKNOWN';
  readonly amount: Money | null;
  readonly confidence: 'HIGH' | 'MEDIUM' | 'LOW';
  readonly trace: readonly DutyTraceLineView[];
  readonly missing: readonly string[];
  /** Calendar day at the destination whose rules were read, `2026-07-01`. */
  readonly day: string;
}
