import type {
  CustodyEventResolvers,
  CustodyProofResolvers,
  CustodyStateResolvers,
  DeliveryProofResolvers,
  MutationResolvers,
  PackageResolvers,
  QueryResolvers,
  ShipmentResolvers,
  SubscriptionResolvers,
  TrackingEventResolvers,
  TrackingShareResolvers,
  TrackingStatusResolvers,
} from '../custody.generated.ts';
import type { CustodyService } from './custody.service.ts';
import type { ReadersService } from './readers.service.ts';
import { cursorOf, type TrackingService } from './tracking.service.ts';

const capital = <Word extends string>(word: Word) => word.toUpperCase() as Uppercase<Word>;
const stub = (id: string | null | undefined) => (id ? { id } : null);

/** Each event under the name of its field, as subscriptions want it; ends when the source does. */
const asField = <Event>(
  events: AsyncIterableIterator<Event>,
): AsyncIterableIterator<{ trackingEvents: Event }> => {
  const named = async (answer: Promise<IteratorResult<Event>> | undefined) => {
    const result = await answer;
    return !result || result.done
      ? { done: true as const, value: undefined }
      : { done: false, value: { trackingEvents: result.value } };
  };
  return {
    next: () => named(events.next()),
    return: () => named(events.return?.()),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
};

export const trackingResolvers = (
  tracking: TrackingService,
  custody: CustodyService,
  readers: ReadersService,
) => ({
  Query: {
    trackingStatus: (_root, { shipmentId }, { viewer }) => tracking.status(viewer, shipmentId),
    trackingHistory: (_root, { shipmentId, first, after }, { viewer }) =>
      tracking.history(viewer, { shipmentId, first, after }),
    custodyProof: (_root, { packageId }, { viewer }) => custody.proof(viewer, packageId),
  } satisfies QueryResolvers,
  Mutation: {
    recordTrackingEvent: (_root, { input }, { viewer }) =>
      tracking.report(viewer, { ...input, locationId: input.locationId ?? null }),
    shareTracking: (_root, { input }, { viewer }) => readers.share(viewer, input),
    stopSharingTracking: (_root, { input }, { viewer }) => readers.stop(viewer, input.shareId),
  } satisfies MutationResolvers,
  Subscription: {
    trackingEvents: {
      subscribe: async (_root, { shipmentId, after }, { viewer, signal }) =>
        asField(await tracking.follow(viewer, shipmentId, after, signal)),
    },
  } satisfies SubscriptionResolvers,
  TrackingEvent: {
    cursor: cursorOf,
    shipment: ({ shipmentId }) => ({ id: shipmentId }),
    package: ({ packageId }) => stub(packageId),
    carrier: ({ carrierId }) => stub(carrierId),
    leg: ({ tripLegId }) => stub(tripLegId),
    place: ({ locationId }) => stub(locationId),
  } satisfies TrackingEventResolvers,
  TrackingStatus: {
    shipment: ({ shipmentId }) => ({ id: shipmentId }),
    lastEvent: ({ shipmentId }, _args, { load }) => load(tracking.loadLatest, shipmentId),
    custody: async ({ shipmentId }, _args, { load }) =>
      (await load(custody.loadByShipment, shipmentId)) ?? [],
    deliveryProof: ({ shipmentId }, _args, { load }) => load(tracking.loadProofs, shipmentId),
  } satisfies TrackingStatusResolvers,
  DeliveryProof: {
    photoHashes: ({ photos }) => photos.map(({ sha256 }) => sha256),
    custodyHashes: ({ custody: links }) => links.map(({ hash }) => hash),
  } satisfies DeliveryProofResolvers,
  CustodyState: {
    __resolveReference: ({ packageId }, { load }) => load(custody.loadByPackage, packageId),
    package: ({ packageId }) => ({ id: packageId }),
    holderType: ({ holderType }) => capital(holderType),
    holder: async (state, _args, { load }) => stub(await load(custody.loadHolders, state)),
    phase: ({ phase }) => capital(phase),
    condition: ({ condition }) => capital(condition),
    proofHash: ({ headHash }) => headHash,
  } satisfies CustodyStateResolvers,
  CustodyProof: {
    intact: ({ fault }) => fault === null,
    firstBadNumber: ({ fault }) => fault?.number ?? null,
    fault: ({ fault }) => fault?.fault ?? null,
  } satisfies CustodyProofResolvers,
  CustodyEvent: {
    fromType: ({ fromType }) => (fromType ? capital(fromType) : null),
    toType: ({ toType }) => capital(toType),
  } satisfies CustodyEventResolvers,
  Shipment: {
    __resolveReference: ({ id }) => ({ id }),
    custody: ({ id }, _args, { load }) => load(custody.loadByShipment, id),
    tracking: ({ id }, { first, after }, { load }) =>
      load(tracking.loadPages, { shipmentId: id, first, after }),
    trackingShares: ({ id }, _args, { load }) => load(readers.loadShares, id),
  } satisfies ShipmentResolvers,
  TrackingShare: {
    shipment: ({ shipmentId }) => ({ id: shipmentId }),
  } satisfies TrackingShareResolvers,
  Package: {
    __resolveReference: ({ id }) => ({ id }),
    custodyState: ({ id }, _args, { load }) => load(custody.loadByPackage, id),
  } satisfies PackageResolvers,
});
