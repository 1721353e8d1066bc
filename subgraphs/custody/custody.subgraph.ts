import { IdentityContract } from '#shared/contracts/identity.ts';
import { mergeResolvers } from '#shared/runtime/merge-resolvers.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { readCustodyConfig } from './custody.config.ts';
import { handoffEntities } from './handoff/handoff.entities.ts';
import { handoffHandlers } from './handoff/handoff.handlers.ts';
import { handoffJobs } from './handoff/handoff.jobs.ts';
import { handoffResolvers } from './handoff/handoff.resolvers.ts';
import { HandoffService } from './handoff/handoff.service.ts';
import { HandoffScanService } from './handoff/handoff-scan.service.ts';
import { HandoffTransferService } from './handoff/handoff-transfer.service.ts';
import { PhotoEvidence } from './handoff/photo-evidence.ts';
import { qrCodeEntities } from './qr-code/qr-code.entities.ts';
import { qrCodeResolvers } from './qr-code/qr-code.resolvers.ts';
import { QrCodeService } from './qr-code/qr-code.service.ts';
import { CustodyService } from './tracking/custody.service.ts';
import { custodyChainEntities } from './tracking/custody-chain.entities.ts';
import { partiesEntities } from './tracking/parties.entities.ts';
import { PartiesService } from './tracking/parties.service.ts';
import { readersEntities } from './tracking/readers.entities.ts';
import { ReadersService } from './tracking/readers.service.ts';
import { trackingEntities } from './tracking/tracking.entities.ts';
import { trackingHandlers } from './tracking/tracking.handlers.ts';
import { trackingResolvers } from './tracking/tracking.resolvers.ts';
import { TrackingService } from './tracking/tracking.service.ts';
import { trackingPageRoutes } from './tracking-page/tracking-page.routes.ts';

export default defineSubgraph({
  name: 'custody',
  root: import.meta.url,
  config: readCustodyConfig,
  entities: [
    ...partiesEntities,
    ...readersEntities,
    ...custodyChainEntities,
    ...trackingEntities,
    ...qrCodeEntities,
    ...handoffEntities,
  ],
  build(deps) {
    const identity = deps.contracts.caller(IdentityContract);
    const parties = new PartiesService(deps);
    const readers = new ReadersService({ ...deps, identity, parties });
    const custody = new CustodyService(deps, parties, readers);
    const tracking = new TrackingService(deps, parties, readers, custody);
    const qrCodes = new QrCodeService(deps, parties);
    const photos = new PhotoEvidence(identity, deps.clock);
    const handoffDeps = { ...deps, parties, custody, tracking, qrCodes, photos };
    const handoffs = new HandoffService(handoffDeps);
    const transfers = new HandoffTransferService(handoffDeps, handoffs);
    const scans = new HandoffScanService(handoffDeps, handoffs, transfers);
    return {
      resolvers: mergeResolvers(
        scalars,
        trackingResolvers(tracking, custody, readers),
        qrCodeResolvers(qrCodes, handoffs),
        handoffResolvers(handoffs, scans),
      ),
      handlers: [...trackingHandlers(parties, tracking), ...handoffHandlers(handoffs)],
      jobs: handoffJobs(handoffs),
      routes: trackingPageRoutes(deps.publicUrl),
    };
  },
});
