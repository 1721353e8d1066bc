import { defineStates } from '#shared/kernel/states.ts';

export type BookingState =
  | 'requested'
  | 'accepted'
  | 'declined'
  | 'expired'
  | 'withdrawn'
  | 'confirmed'
  | 'in_custody'
  | 'fulfilled'
  | 'settled';
export type BookingEvent =
  | 'accept'
  | 'decline'
  | 'call_off'
  | 'expire'
  | 'withdraw'
  | 'confirm'
  | 'take_over'
  | 'hand_on'
  | 'settle';

/** One leg's booking. `system` moves by saga, by time or by what custody and payments have told. */
export const bookingStates = defineStates<BookingState, BookingEvent, 'carrier' | 'system'>({
  name: 'booking',
  version: 1,
  initial: 'requested',
  terminal: ['declined', 'expired', 'withdrawn', 'settled'],
  transitions: [
    { from: ['requested'], event: 'accept', to: 'accepted', by: ['carrier'] },
    { from: ['requested'], event: 'decline', to: 'declined', by: ['carrier'] },
    { from: ['requested', 'accepted'], event: 'call_off', to: 'declined', by: ['system'] },
    { from: ['requested'], event: 'expire', to: 'expired', by: ['system'] },
    { from: ['requested', 'accepted'], event: 'withdraw', to: 'withdrawn', by: ['system'] },
    { from: ['accepted'], event: 'confirm', to: 'confirmed', by: ['system'] },
    { from: ['confirmed'], event: 'take_over', to: 'in_custody', by: ['system'] },
    { from: ['in_custody'], event: 'hand_on', to: 'fulfilled', by: ['system'] },
    { from: ['fulfilled'], event: 'settle', to: 'settled', by: ['system'] },
  ],
});
