import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../shipments.generated.ts';
import type { ShipmentAccess } from './shipment.access.ts';
import type { ShipmentContents } from './shipment.contents.ts';
import type { ShipmentService } from './shipment.service.ts';

const amount = ({ amountMinor, currency }: { amountMinor: bigint; currency: string }) =>
  money(amountMinor, currency);

export const shipmentResolvers = (
  access: ShipmentAccess,
  shipments: ShipmentService,
  contents: ShipmentContents,
): Resolvers => ({
  Query: {
    shipment: (_, { id }, { load }) => load(access.byIds, id),
    myShipments: (_, page, { viewer }) => shipments.mine(viewer, page),
    receivedShipments: (_, page, { viewer }) => shipments.received(viewer, page),
    recipientLink: (_, { shipmentId }, { viewer }) => shipments.recipientLink(viewer, shipmentId),
  },
  Mutation: {
    createShipment: (_, { input }, { viewer }) => shipments.create(viewer, input),
    setRecipient: (_, { input }, { viewer }) => shipments.setRecipient(viewer, input),
    addPackage: (_, { input }, { viewer }) =>
      contents.add(viewer, {
        ...input,
        declaredValue: amount(input.declaredValue),
        items: input.items.map((item) => ({ ...item, unitValue: amount(item.unitValue) })),
      }),
    removePackage: (_, { input }, { viewer }) => contents.remove(viewer, input.packageId),
    addPackagePhoto: (_, { input }, { viewer }) => contents.addPhoto(viewer, input),
    submitShipment: (_, { input }, { viewer }) => shipments.submit(viewer, input.shipmentId),
    cancelShipment: (_, { input }, { viewer }) => shipments.cancel(viewer, input.shipmentId),
  },
  Shipment: {
    __resolveReference: ({ id }, { load }) => load(access.byIds, id),
    sender: ({ senderId }) => ({ id: senderId }),
    state: ({ state }) => state.toUpperCase() as Uppercase<typeof state>,
    origin: ({ originLocationId }) => ({ id: originLocationId }),
    destination: ({ destinationLocationId }) => ({ id: destinationLocationId }),
    recipient: (shipment, _, { load }) => load(shipments.recipients, shipment),
    packages: async (shipment, _, { load }) => (await load(contents.ofShipments, shipment)) ?? [],
    missing: async (shipment, _, { load }) => (await load(shipments.missing, shipment)) ?? [],
  },
  Recipient: {
    user: ({ userId }) => (userId ? { id: userId } : null),
  },
  Package: {
    __resolveReference: ({ id }, { load }) => load(contents.byIds, id),
    shipment: async ({ shipmentId }, _, { load }) => (await load(access.byIds, shipmentId))!,
    dimensions: ({ lengthMm, widthMm, heightMm }) => ({ lengthMm, widthMm, heightMm }),
    declaredValue: ({ declaredMinor, currency }) => money(declaredMinor, currency),
    items: async ({ id }, _, { load }) => (await load(contents.itemsOfPackages, id)) ?? [],
    photos: async ({ id }, _, { load }) => (await load(contents.photosOfPackages, id)) ?? [],
    contentProblems: async ({ id }, _, { load }) =>
      contents.problems((await load(contents.itemsOfPackages, id)) ?? []),
  },
  PackageItem: {
    unitValue: ({ unitMinor, currency }) => money(unitMinor, currency),
  },
  PackagePhoto: {
    file: ({ fileId }) => ({ id: fileId }),
  },
  CustodyState: {
    __resolveReference: ({ packageId }) => ({ packageId }),
    declaredGrams: async ({ packageId }, _, { load }) =>
      (packageId && (await load(contents.byIds, packageId))?.weightGrams) || null,
  },
});
