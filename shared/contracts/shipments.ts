/** What other subgraphs may ask shipments. */
import { z } from 'zod';
import { packageFacts, recipientFacts, shipmentState } from '../events/shipments.ts';
import { defineContract, question } from '../kernel/contract.ts';
import { id } from '../kernel/wire.ts';

export const ShipmentsContract = defineContract('shipments', {
  /** One shipment as it stands. Refuses `SHIPMENT_NOT_FOUND`. */
  shipment: question({
    input: z.object({ shipmentId: id }),
    output: z.object({
      shipmentId: id,
      senderId: id,
      state: shipmentState,
      recipient: recipientFacts.nullable(),
      packages: z.array(packageFacts),
      originLocationId: id,
      destinationLocationId: id,
      international: z.boolean(),
      /** What is still missing before it can be booked, as codes; empty where nothing is. */
      missing: z.array(z.string()),
    }),
  }),
});
