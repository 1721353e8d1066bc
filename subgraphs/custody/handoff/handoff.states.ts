import { defineStates } from '#shared/kernel/states.ts';

export const handoffStates = defineStates({
  name: 'HandoffStep',
  version: 1,
  initial: 'planned',
  terminal: ['transferred', 'refused', 'cancelled'],
  transitions: [
    { from: ['planned'], event: 'open', to: 'ready', by: ['system'] },
    { from: ['ready'], event: 'scan_first', to: 'half_confirmed', by: ['giver', 'receiver'] },
    { from: ['half_confirmed'], event: 'scan_second', to: 'transferred', by: ['giver', 'receiver'] },
    { from: ['half_confirmed'], event: 'lapse', to: 'ready', by: ['system'] },
    { from: ['ready', 'half_confirmed'], event: 'refuse', to: 'refused', by: ['receiver'] },
    { from: ['planned', 'ready', 'half_confirmed'], event: 'cancel', to: 'cancelled', by: ['system'] },
  ],
});
export const handoffStateNames = [
  'planned',
  'ready',
  'half_confirmed',
  'transferred',
  'refused',
  'cancelled',
] as const;
export type HandoffState = (typeof handoffStateNames)[number];
export type Side = 'giver' | 'receiver';
