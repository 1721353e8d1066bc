import type { ShipmentState } from '#shared/events/shipments.ts';
import { defineStates } from '#shared/kernel/states.ts';

export type ShipmentEvent =
  | 'submit'
  | 'request'
  | 'release'
  | 'confirm'
  | 'depart'
  | 'start_last_leg'
  | 'deliver'
  | 'complete'
  | 'cancel';

export const shipmentStates = defineStates<ShipmentState, ShipmentEvent, 'sender' | 'system'>({
  name: 'shipment',
  version: 1,
  initial: 'draft',
  terminal: ['completed', 'cancelled'],
  transitions: [
    { from: ['draft'], event: 'submit', to: 'searching', by: ['sender'] },
    { from: ['searching'], event: 'request', to: 'awaiting_acceptance', by: ['system'] },
    { from: ['awaiting_acceptance', 'booked'], event: 'release', to: 'searching', by: ['system'] },
    { from: ['awaiting_acceptance'], event: 'confirm', to: 'booked', by: ['system'] },
    { from: ['booked'], event: 'depart', to: 'in_transit', by: ['system'] },
    { from: ['in_transit'], event: 'start_last_leg', to: 'awaiting_delivery', by: ['system'] },
    { from: ['awaiting_delivery'], event: 'deliver', to: 'delivered', by: ['system'] },
    { from: ['delivered'], event: 'complete', to: 'completed', by: ['system'] },
    { from: ['draft', 'searching'], event: 'cancel', to: 'cancelled', by: ['sender'] },
  ],
});
