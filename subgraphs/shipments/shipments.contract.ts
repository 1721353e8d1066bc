import { ShipmentsContract } from '#shared/contracts/shipments.ts';
import { answer } from '#shared/runtime/subgraph.ts';
import type { ShipmentService } from './shipment/shipment.service.ts';

export const shipmentsContract = (shipments: ShipmentService) =>
  answer(ShipmentsContract, {
    shipment: ({ shipmentId }) => shipments.facts(shipmentId),
  });
