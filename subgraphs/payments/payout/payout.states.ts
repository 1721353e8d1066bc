import { defineStates } from '#shared/kernel/states.ts';

export type PayoutState = 'eligible' | 'blocked' | 'submitted' | 'unknown' | 'paid';
export type PayoutEvent = 'block' | 'clear' | 'submit' | 'lose_sight' | 'pay' | 'fail';

/** One transfer to a payee's account. What is blocked or failed is still owed: nothing here ever lapses. */
export const payoutStates = defineStates<PayoutState, PayoutEvent, 'system'>({
  name: 'payout',
  version: 1,
  initial: 'eligible',
  terminal: ['paid'],
  transitions: [
    { from: ['eligible'], event: 'block', to: 'blocked', by: ['system'] },
    { from: ['blocked'], event: 'clear', to: 'eligible', by: ['system'] },
    { from: ['eligible'], event: 'submit', to: 'submitted', by: ['system'] },
    { from: ['submitted'], event: 'lose_sight', to: 'unknown', by: ['system'] },
    { from: ['submitted', 'unknown'], event: 'pay', to: 'paid', by: ['system'] },
    { from: ['submitted', 'unknown'], event: 'fail', to: 'eligible', by: ['system'] },
  ],
});
