import type {
  CourierResolvers,
  CourierSegmentResolvers,
  MutationResolvers,
  QueryResolvers,
  Weekday,
} from '../discovery.generated.ts';
import type { LocationService } from '../location/location.service.ts';
import type { LocalCourierService } from './local-courier.service.ts';

const week: readonly Weekday[] = [
  'MONDAY',
  'TUESDAY',
  'WEDNESDAY',
  'THURSDAY',
  'FRIDAY',
  'SATURDAY',
  'SUNDAY',
];
const timeOf = (minutes: number): string =>
  `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`;

export const localCourierResolvers = (couriers: LocalCourierService, locations: LocationService) => ({
  Query: {
    courierSegments: (_, page) => couriers.segments(page),
  } satisfies QueryResolvers,
  Mutation: {
    registerCourier: (_, { input }, { viewer }) => couriers.registerCourier(viewer, input),
    publishCourierSegment: (_, { input }, { viewer }) =>
      couriers.publishSegment(viewer, {
        ...input,
        base: input.basePrice,
        perKilogram: input.pricePerKilogram,
        days: input.days.map((day) => week.indexOf(day) + 1),
      }),
    withdrawCourierSegment: (_, { input }, { viewer }) => couriers.withdrawSegment(viewer, input.segmentId),
  } satisfies MutationResolvers,
  Courier: {
    operator: ({ operatorId }) => ({ id: operatorId }),
  } satisfies CourierResolvers,
  CourierSegment: {
    __resolveReference: ({ id }, context) => context.load(couriers.loadSegment, id),
    courier: async ({ courierId }, _, context) => (await context.load(couriers.loadCourier, courierId))!,
    from: async ({ fromLocationId }, _, context) =>
      (await context.load(locations.loadLocation, fromLocationId))!,
    to: async ({ toLocationId }, _, context) => (await context.load(locations.loadLocation, toLocationId))!,
    basePrice: ({ tariff }) => tariff.base,
    pricePerKilogram: ({ tariff }) => tariff.perKilogram,
    days: ({ days }) => days.map((day) => week[day - 1]!),
    opensAt: ({ opensAt }) => timeOf(opensAt),
    closesAt: ({ closesAt }) => timeOf(closesAt),
    bookable: ({ state }) => state === 'published',
  } satisfies CourierSegmentResolvers,
});
