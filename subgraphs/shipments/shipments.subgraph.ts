import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { IdentityContract } from '#shared/contracts/identity.ts';
import { mergeResolvers } from '#shared/runtime/merge-resolvers.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { customsEntities } from './customs/customs.entities.ts';
import { customsResolvers } from './customs/customs.resolvers.ts';
import { CustomsService } from './customs/customs.service.ts';
import { ShipmentAccess } from './shipment/shipment.access.ts';
import { ShipmentContents } from './shipment/shipment.contents.ts';
import { shipmentEntities } from './shipment/shipment.entities.ts';
import { shipmentHandlers } from './shipment/shipment.handlers.ts';
import { ShipmentProgress } from './shipment/shipment.progress.ts';
import { shipmentResolvers } from './shipment/shipment.resolvers.ts';
import { ShipmentService } from './shipment/shipment.service.ts';
import { readShipmentsConfig } from './shipments.config.ts';
import { shipmentsContract } from './shipments.contract.ts';

export default defineSubgraph({
  name: 'shipments',
  root: import.meta.url,
  config: readShipmentsConfig,
  entities: [...shipmentEntities, ...customsEntities],
  build(deps) {
    const identity = deps.contracts.caller(IdentityContract);
    const discovery = deps.contracts.caller(DiscoveryContract);
    const access = new ShipmentAccess(deps.db);
    const contents = new ShipmentContents({ ...deps, identity, access });
    const customs = new CustomsService({ ...deps, access, contents });
    const progress = new ShipmentProgress(deps);
    const shipments = new ShipmentService({
      ...deps,
      identity,
      discovery,
      access,
      contents,
      customs,
      progress,
    });
    return {
      resolvers: mergeResolvers(
        scalars,
        shipmentResolvers(access, shipments, contents),
        customsResolvers(customs),
      ),
      handlers: shipmentHandlers(progress),
      contract: shipmentsContract(shipments),
    };
  },
});
