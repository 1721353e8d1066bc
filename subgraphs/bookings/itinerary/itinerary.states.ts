import { defineStates } from '#shared/kernel/states.ts';

export type ItineraryState =
  | 'planned'
  | 'requested'
  | 'partially_accepted'
  | 'accepted'
  | 'confirmed'
  | 'in_progress'
  | 'completed'
  | 'cancelled';
export type ItineraryEvent =
  | 'request'
  | 'accept_some'
  | 'accept_all'
  | 'confirm'
  | 'depart'
  | 'complete'
  | 'cancel';

export const itineraryStates = defineStates<ItineraryState, ItineraryEvent, 'sender' | 'system'>({
  name: 'itinerary',
  version: 1,
  initial: 'planned',
  terminal: ['completed', 'cancelled'],
  transitions: [
    { from: ['planned'], event: 'request', to: 'requested', by: ['sender'] },
    {
      from: ['requested', 'partially_accepted'],
      event: 'accept_some',
      to: 'partially_accepted',
      by: ['system'],
    },
    { from: ['requested', 'partially_accepted'], event: 'accept_all', to: 'accepted', by: ['system'] },
    { from: ['accepted'], event: 'confirm', to: 'confirmed', by: ['system'] },
    { from: ['confirmed'], event: 'depart', to: 'in_progress', by: ['system'] },
    { from: ['in_progress'], event: 'complete', to: 'completed', by: ['system'] },
    {
      from: ['planned', 'requested', 'partially_accepted', 'accepted'],
      event: 'cancel',
      to: 'cancelled',
      by: ['sender', 'system'],
    },
  ],
});

/** States in which an itinerary has a claim on its shipment: at most one per shipment. */
export const liveStates: readonly ItineraryState[] = [
  'requested',
  'partially_accepted',
  'accepted',
  'confirmed',
  'in_progress',
];
