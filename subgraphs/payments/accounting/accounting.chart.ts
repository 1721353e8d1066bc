/** The chart of accounts, one set per currency. Floors hold for what belongs to somebody else. */
import type { Money } from '#shared/kernel/money.ts';
import type { AccountOpening, EntryDraft } from '#shared/runtime/ledger/ledger.ts';

type Account = Pick<AccountOpening, 'code' | 'unit' | 'normal' | 'floor'>;

const asset = (code: string, unit: string): Account => ({ code, unit, normal: 'debit' });
const income = (code: string, unit: string): Account => ({ code, unit, normal: 'credit' });
const liability = (code: string, unit: string): Account => ({ code, unit, normal: 'credit', floor: 0n });

export const chart = {
  /** Our balance at the card processor. */
  pspClearing: (currency: string) => asset(`psp_clearing:${currency}`, currency),
  /** On its way to a payee's account. */
  payoutInTransit: (currency: string) => asset(`payout_in_transit:${currency}`, currency),
  /** One leg's share, until its evidence is there. */
  held: (shipmentId: string, bookingId: string, currency: string) =>
    liability(`held:${shipmentId}:${bookingId}`, currency),
  /** Our fee, until the leg that it belongs to is done. */
  deferredFee: (shipmentId: string, currency: string) =>
    liability(`deferred_fee:${shipmentId}:${currency}`, currency),
  /** Earned and not yet paid out. */
  payable: (userId: string, currency: string) => liability(`payable:${userId}:${currency}`, currency),
  /** On its way back to the payer's card. */
  refundPayable: (shipmentId: string, currency: string) =>
    liability(`refund_payable:${shipmentId}:${currency}`, currency),
  platformFee: (currency: string) => income(`platform_fee:${currency}`, currency),
  pspFees: (currency: string) => asset(`psp_fees:${currency}`, currency),
};

/** An entry and the account that it needs. */
export interface Booked {
  readonly account: Account;
  readonly side: EntryDraft['side'];
  readonly amount: bigint;
}

export const debit = (account: Account, { amountMinor }: Money): Booked => ({
  account,
  side: 'debit',
  amount: amountMinor,
});
export const credit = (account: Account, { amountMinor }: Money): Booked => ({
  account,
  side: 'credit',
  amount: amountMinor,
});
