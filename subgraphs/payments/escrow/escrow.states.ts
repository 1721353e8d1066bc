import { defineStates } from '#shared/kernel/states.ts';

export type EscrowState = 'created' | 'authorised' | 'voided' | 'held' | 'released' | 'refunded';
export type EscrowEvent = 'authorise' | 'void' | 'hold' | 'release' | 'refund';

/** One leg's share of a payment. `frozen` lies over `held`: it stops the release and not the refund. */
export const escrowStates = defineStates<EscrowState, EscrowEvent, 'system'>({
  name: 'escrow',
  version: 1,
  initial: 'created',
  terminal: ['voided', 'released', 'refunded'],
  transitions: [
    { from: ['created'], event: 'authorise', to: 'authorised', by: ['system'] },
    { from: ['created', 'authorised'], event: 'void', to: 'voided', by: ['system'] },
    { from: ['created', 'authorised'], event: 'hold', to: 'held', by: ['system'] },
    { from: ['held'], event: 'release', to: 'released', by: ['system'] },
    { from: ['held'], event: 'refund', to: 'refunded', by: ['system'] },
  ],
});
