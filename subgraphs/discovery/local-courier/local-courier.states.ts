import { defineStates } from '#shared/kernel/states.ts';

export type SegmentState = 'published' | 'withdrawn';

/** A courier's segment is offered until its operator withdraws it; parcels already booked stay booked. */
export const segmentStates = defineStates<SegmentState, 'withdraw', 'courier'>({
  name: 'Courier segment',
  version: 1,
  initial: 'published',
  terminal: ['withdrawn'],
  transitions: [{ from: ['published'], event: 'withdraw', to: 'withdrawn', by: ['courier'] }],
});
