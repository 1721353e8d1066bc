/** Facts told by shipments. */
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { amount, id, instant } from '../kernel/wire.ts';
import { packageCategory } from './vocabulary.ts';

export const recipientFacts = z.object({
  recipientId: id,
  name: z.string(),
  email: z.string(),
  /** Account of the recipient, where one with this proven address exists. */
  userId: id.nullable(),
});

export const packageFacts = z.object({
  packageId: id,
  category: packageCategory,
  grams: z.int(),
  declaredValue: amount,
});

export const shipmentState = z.enum([
  'draft',
  'searching',
  'awaiting_acceptance',
  'booked',
  'in_transit',
  'awaiting_delivery',
  'delivered',
  'completed',
  'cancelled',
]);
export type ShipmentState = z.output<typeof shipmentState>;

/** Told when a shipment is complete enough to be booked, and again when its contents change. */
export const ShipmentSubmitted = defineEvent('shipments', 'ShipmentSubmitted', {
  key: 'shipmentId',
  payload: {
    shipmentId: id,
    senderId: id,
    recipient: recipientFacts,
    packages: z.array(packageFacts),
    originLocationId: id,
    destinationLocationId: id,
    international: z.boolean(),
  },
});

/** Told when an account proves to belong to a recipient. */
export const RecipientLinked = defineEvent('shipments', 'RecipientLinked', {
  key: 'shipmentId',
  payload: { shipmentId: id, recipientId: id, userId: id },
});

/** Told with every change of a shipment's state. */
export const ShipmentStateChanged = defineEvent('shipments', 'ShipmentStateChanged', {
  key: 'shipmentId',
  payload: { shipmentId: id, senderId: id, from: shipmentState.nullable(), to: shipmentState, at: instant },
});
