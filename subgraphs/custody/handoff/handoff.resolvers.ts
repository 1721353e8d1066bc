import type {
  HandoffPartyResolvers,
  HandoffPhotoResolvers,
  HandoffScanResolvers,
  HandoffStepResolvers,
  ItineraryResolvers,
  MutationResolvers,
  QueryResolvers,
  ShipmentResolvers,
  TrackingEventResolvers,
  TrackingStatusResolvers,
} from '../custody.generated.ts';
import { giverOf, type HandoffService, receiverOf } from './handoff.service.ts';
import type { HandoffScanService } from './handoff-scan.service.ts';

const capital = <Word extends string>(word: Word) => word.toUpperCase() as Uppercase<Word>;
const capitalOrNull = <Word extends string>(word: Word | null | undefined) => (word ? capital(word) : null);

export const handoffResolvers = (handoffs: HandoffService, scans: HandoffScanService) => ({
  Query: {
    handoffStep: (_root, { id }, { load }) => load(handoffs.loadSteps, id),
  } satisfies QueryResolvers,
  Mutation: {
    scanHandoff: (_root, { input }, { viewer }) => scans.scan(viewer, input),
    refuseHandoff: (_root, { input }, { viewer }) =>
      handoffs.refuse(viewer, { ...input, photoFileIds: input.photoFileIds ?? [] }),
  } satisfies MutationResolvers,
  HandoffScan: {
    id: ({ scan }) => scan.id,
    result: ({ scan }) => (scan.scanResult === 'duplicate' ? 'DUPLICATE' : 'OK'),
    outcome: ({ scan }) => capital(scan.outcome!),
    scannedAt: ({ scan }) => scan.scannedAt,
    handoff: ({ step }) => step,
  } satisfies HandoffScanResolvers,
  HandoffStep: {
    __resolveReference: ({ id }, { load }) => load(handoffs.loadSteps, id),
    state: ({ state }) => capital(state),
    from: (step) => giverOf(step),
    to: (step) => receiverOf(step),
    mySide: async (step, _args, { load }) => capitalOrNull(await load(handoffs.loadSides, step)),
    confirmedBy: ({ halfSide }) => capitalOrNull(halfSide),
    place: ({ locationId }) => ({ id: locationId }),
    photos: async ({ id }, _args, { load }) => (await load(handoffs.loadPhotos, id)) ?? [],
    shipment: ({ shipmentId }) => ({ id: shipmentId }),
    packages: ({ packageIds }) => packageIds.map((id) => ({ id })),
    itinerary: ({ itineraryId }) => ({ id: itineraryId }),
  } satisfies HandoffStepResolvers,
  HandoffParty: {
    type: ({ type }) => capital(type),
    user: async (party, _args, { load }) => {
      const id = await load(handoffs.loadAccounts, party);
      return id ? { id } : null;
    },
  } satisfies HandoffPartyResolvers,
  HandoffPhoto: { side: ({ side }) => capital(side) } satisfies HandoffPhotoResolvers,
  TrackingEvent: {
    handoffStep: ({ handoffStepId }, _args, { load }) =>
      handoffStepId ? load(handoffs.loadSteps, handoffStepId) : null,
  } satisfies TrackingEventResolvers,
  TrackingStatus: {
    nextHandoff: ({ shipmentId }, _args, { load }) => load(handoffs.loadNext, shipmentId),
  } satisfies TrackingStatusResolvers,
  Shipment: {
    handoffs: ({ id }, _args, { load }) => load(handoffs.loadByShipment, id),
  } satisfies ShipmentResolvers,
  Itinerary: {
    __resolveReference: ({ id }) => ({ id }),
    handoffs: ({ id }, _args, { load }) => load(handoffs.loadByItinerary, id),
  } satisfies ItineraryResolvers,
});
