import { defineStates } from '#shared/kernel/states.ts';

export type TripState = 'draft' | 'published' | 'paused' | 'in_progress' | 'completed' | 'cancelled';
export type TripEvent = 'publish' | 'pause' | 'resume' | 'depart' | 'complete' | 'cancel';

export const tripStates = defineStates<TripState, TripEvent, 'traveller' | 'system'>({
  name: 'trip',
  version: 1,
  initial: 'draft',
  terminal: ['completed', 'cancelled'],
  transitions: [
    { from: ['draft'], event: 'publish', to: 'published', by: ['traveller'] },
    { from: ['published'], event: 'pause', to: 'paused', by: ['traveller', 'system'] },
    { from: ['paused'], event: 'resume', to: 'published', by: ['traveller'] },
    { from: ['published', 'paused'], event: 'depart', to: 'in_progress', by: ['system'] },
    { from: ['in_progress'], event: 'complete', to: 'completed', by: ['system'] },
    {
      from: ['draft', 'published', 'paused', 'in_progress'],
      event: 'cancel',
      to: 'cancelled',
      by: ['traveller'],
    },
  ],
});

/** States in which everybody may see a trip. */
export const publicStates: readonly TripState[] = ['published', 'in_progress', 'completed'];
