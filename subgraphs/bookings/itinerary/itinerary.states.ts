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
  | 'drop'
  | 'cancel';

/** How far an itinerary has come. `system` moves by the booking saga or by what custody has told. */
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
    { from: ['planned'], event: 'drop', to: 'cancelled', by: ['sender'] },
    {
      from: ['requested', 'partially_accepted', 'accepted'],
      event: 'cancel',
      to: 'cancelled',
      by: ['system'],
    },
  ],
});

/** States in which carriers are asked and nothing is paid yet: the saga is at work. */
export const unpaidStates: readonly ItineraryState[] = ['requested', 'partially_accepted', 'accepted'];

/** States of an itinerary that was paid and sold. */
export const confirmedStates: readonly ItineraryState[] = ['confirmed', 'in_progress', 'completed'];

/** States in which an itinerary has a claim on its shipment: at most one per shipment. */
export const liveStates: readonly ItineraryState[] = [...unpaidStates, 'confirmed', 'in_progress'];
