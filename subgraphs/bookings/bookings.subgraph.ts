import { DiscoveryContract } from '#shared/contracts/discovery.ts';
import { PaymentsContract } from '#shared/contracts/payments.ts';
import { ShipmentsContract } from '#shared/contracts/shipments.ts';
import { mergeResolvers } from '#shared/runtime/merge-resolvers.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { BookingCapacity } from './booking/booking.capacity.ts';
import { LegAssignmentEntity, LegBookingEntity } from './booking/booking.entities.ts';
import { bookingHandlers } from './booking/booking.handlers.ts';
import { BookingProcedure } from './booking/booking.procedure.ts';
import { BookingRequests } from './booking/booking.request.ts';
import { bookingResolvers } from './booking/booking.resolvers.ts';
import { bookingSagas } from './booking/booking.saga.ts';
import { BookingService } from './booking/booking.service.ts';
import { readBookingsConfig } from './bookings.config.ts';
import { ItineraryEntity, ItineraryLegEntity } from './itinerary/itinerary.entities.ts';
import { itineraryResolvers } from './itinerary/itinerary.resolvers.ts';
import { ItineraryService } from './itinerary/itinerary.service.ts';
import { FeeEntity, PriceQuoteEntity } from './pricing/pricing.entities.ts';
import { pricingResolvers } from './pricing/pricing.resolvers.ts';
import { PricingService } from './pricing/pricing.service.ts';

export default defineSubgraph({
  name: 'bookings',
  root: import.meta.url,
  config: readBookingsConfig,
  entities: [
    ItineraryEntity,
    ItineraryLegEntity,
    PriceQuoteEntity,
    FeeEntity,
    LegBookingEntity,
    LegAssignmentEntity,
  ],
  build(deps) {
    const shipments = deps.contracts.caller(ShipmentsContract);
    const discovery = deps.contracts.caller(DiscoveryContract);
    const itineraries = new ItineraryService({ ...deps, shipments, discovery });
    const pricing = new PricingService({ ...deps, itineraries });
    const capacity = new BookingCapacity(deps);
    const bookings = new BookingService({ ...deps, itineraries });
    const requests = new BookingRequests({
      ...deps,
      itineraries,
      pricing,
      capacity,
      shipments,
      discovery,
    });
    const procedure = new BookingProcedure({ ...deps, shipments, itineraries, pricing, capacity });
    return {
      resolvers: mergeResolvers(
        scalars,
        itineraryResolvers(itineraries),
        pricingResolvers(pricing, itineraries),
        bookingResolvers(bookings, requests, itineraries),
      ),
      handlers: bookingHandlers(bookings, requests, itineraries, deps.durable),
      sagas: bookingSagas(procedure, deps.contracts.caller(PaymentsContract)),
    };
  },
});
