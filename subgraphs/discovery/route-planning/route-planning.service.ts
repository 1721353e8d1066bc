/**
 * Answers how a parcel can travel: it gathers the legs and couriers that would take it, and lets the planner
 * find every sensible combination. It promises that whatever it offers was bookable when it looked, and it
 * sells nothing. Called by clients who want to know their ways, and by trip search.
 */
import { type PackageCategory, packageCategory } from '#shared/events/vocabulary.ts';
import { Invalid } from '#shared/kernel/errors.ts';
import { requireId } from '#shared/kernel/ids.ts';
import { currencyExponent, type Money, money } from '#shared/kernel/money.ts';
import { pageSize } from '#shared/kernel/pages.ts';
import { priceOf } from '#shared/kernel/tariff.ts';
import { type Clock, DAY } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { CourierOffer, LocalCourierService } from '../local-courier/local-courier.service.ts';
import { Timetable } from '../local-courier/opening-hours.ts';
import type { LocationService } from '../location/location.service.ts';
import {
  type CourierCandidate,
  MAX_LEGS,
  type PlannedLeg,
  type RouteEnd,
  type RouteOption,
  type RoutePlanner,
  type TripCandidate,
} from './route-planner.ts';
import {
  RouteGraphEdge,
  RouteGraphNode,
  SearchableLeg,
  type SearchableLegRow,
} from './route-planning.entities.ts';

export interface RouteCriteria {
  readonly originLocationId: string;
  readonly destinationLocationId: string;
  readonly earliestDeparture: Date;
  readonly latestArrival: Date;
  readonly categories: readonly PackageCategory[];
  readonly grams: number;
  readonly declaredValue: Money | null;
  /** ISO 4217; legs in another currency are left out. */
  readonly currency: string;
  readonly senderComesToAirport: boolean;
  readonly recipientComesToAirport: boolean;
  readonly avoidLegIds: readonly string[];
}

export interface RouteLegView extends PlannedLeg {
  readonly sequence: number;
  readonly price: Money;
}

export interface RouteView {
  readonly legs: readonly RouteLegView[];
  readonly price: Money;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
  readonly handOvers: number;
  readonly transfers: number;
  readonly risk: number;
}

export interface DestinationSuggestionView {
  readonly locationId: string;
  readonly legs: number;
  readonly typicalPrice: Money;
}

export const MAX_WINDOW_DAYS = 31;
const MAX_GRAMS = 1_000_000;
const MAX_AVOIDED = 100;

export class RoutePlanningService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #locations: LocationService;
  readonly #couriers: LocalCourierService;
  readonly #planner: RoutePlanner;

  constructor(deps: {
    db: Database;
    clock: Clock;
    locations: LocationService;
    couriers: LocalCourierService;
    planner: RoutePlanner;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#locations = deps.locations;
    this.#couriers = deps.couriers;
    this.#planner = deps.planner;
  }

  /** The ways that nothing beats in price, arrival and risk at once, for a signed-in user. Refuses what `routes` refuses. */
  async calculate(viewer: Viewer, criteria: RouteCriteria): Promise<RouteView[]> {
    requireUser(viewer);
    return this.routes(criteria);
  }

  /**
   * The ways that nothing beats in price, arrival and risk at once, cheapest first. Refuses
   * `LOCATION_NOT_FOUND`, `ROUTE_ENDS_EQUAL`, `SEARCH_WINDOW_INVALID`, `WEIGHT_INVALID`, `CATEGORY_UNKNOWN`,
   * `CURRENCY_UNKNOWN`, `ID_MALFORMED`, `TOO_MANY_AVOIDED`.
   */
  async routes(criteria: RouteCriteria): Promise<RouteView[]> {
    this.#requireCriteria(criteria);
    const origins = await this.#ends(criteria.originLocationId, criteria.senderComesToAirport);
    const destinations = await this.#ends(criteria.destinationLocationId, criteria.recipientComesToAirport);
    const couriers = await this.#courierCandidates(criteria);
    const nodes = await this.#db.read((em) => em.find(RouteGraphNode, {}));
    const courierTowns = await this.#locations.townOf([
      criteria.originLocationId,
      criteria.destinationLocationId,
      ...couriers.map(({ fromLocationId }) => fromLocationId),
    ]);
    const townOf = new Map([
      ...nodes.map(({ locationId, townId }) => [locationId, townId] as const),
      ...courierTowns,
    ]);
    const places = await this.#placesBetween(criteria, townOf);
    const legs = (await this.#legs(criteria)).filter(
      ({ fromLocationId, toLocationId }) => places.has(fromLocationId) && places.has(toLocationId),
    );
    const now = this.#clock.now();
    const options = this.#planner.plan({
      origins,
      destinations,
      earliestDeparture: now > criteria.earliestDeparture ? now : criteria.earliestDeparture,
      latestArrival: criteria.latestArrival,
      maxLegs: MAX_LEGS,
      legs: legs.map((leg) => tripCandidate(leg, criteria.grams)),
      couriers,
      townOf,
    });
    return options.map((option) => routeView(option, criteria.currency));
  }

  /** Where most bookable legs lead from a town. Refuses `LOCATION_NOT_FOUND`, `ID_MALFORMED`, `PAGE_SIZE_INVALID`. */
  async popularDestinations(
    originLocationId: string,
    options: { first?: number | null },
  ): Promise<DestinationSuggestionView[]> {
    const first = pageSize(options, 10);
    const origin = await this.#locations.location(originLocationId);
    const rows = await this.#db.read((em) =>
      em.execute<{ town: string; legs: number; typical: string; currency: string }[]>(
        `select target.town_id as town, sum(e.legs)::int as legs,
                (array_agg(e.typical_minor order by e.legs desc, e.typical_minor))[1]::text as typical,
                (array_agg(e.currency order by e.legs desc, e.typical_minor))[1] as currency
           from route_graph_edges e
           join route_graph_nodes source on source.location_id = e.from_location_id
           join route_graph_nodes target on target.location_id = e.to_location_id
          where source.town_id = ? and target.town_id <> source.town_id
          group by target.town_id order by sum(e.legs) desc, target.town_id limit ?`,
        [origin.cityId ?? origin.id, first],
      ),
    );
    return rows.map((row) => ({
      locationId: row.town,
      legs: row.legs,
      typicalPrice: money(row.typical, row.currency),
    }));
  }

  #requireCriteria(criteria: RouteCriteria): void {
    const { originLocationId, destinationLocationId, earliestDeparture, latestArrival } = criteria;
    for (const id of [originLocationId, destinationLocationId, ...criteria.avoidLegIds]) requireId(id);
    if (originLocationId === destinationLocationId)
      throw new Invalid('ROUTE_ENDS_EQUAL', 'A parcel has to go somewhere else');
    const window = latestArrival.getTime() - earliestDeparture.getTime();
    if (!(window > 0 && window <= MAX_WINDOW_DAYS * DAY) || latestArrival <= this.#clock.now())
      throw new Invalid('SEARCH_WINDOW_INVALID', 'The arrival lies after the departure and in the future', {
        maxDays: MAX_WINDOW_DAYS,
      });
    if (!Number.isInteger(criteria.grams) || criteria.grams < 1 || criteria.grams > MAX_GRAMS)
      throw new Invalid('WEIGHT_INVALID', 'The weight is between one gram and a ton', {
        maxGrams: MAX_GRAMS,
      });
    if (!criteria.categories.every((category) => packageCategory.safeParse(category).success))
      throw new Invalid('CATEGORY_UNKNOWN', 'There is no such kind of goods');
    if (criteria.avoidLegIds.length > MAX_AVOIDED)
      throw new Invalid('TOO_MANY_AVOIDED', 'Too many legs to avoid', { max: MAX_AVOIDED });
    currencyExponent(criteria.currency);
  }

  /** A city is served by its airports too, where somebody comes there; an airport is only itself. */
  async #ends(locationId: string, comesToAirport: boolean): Promise<RouteEnd[]> {
    const place = await this.#locations.location(locationId);
    const self = { locationId, byTransfer: false };
    if (place.kind === 'AIRPORT' || !comesToAirport) return [self];
    const town = await this.#locations.townOf([locationId]);
    const airports = [...town.keys()].filter((id) => id !== locationId).sort();
    return [self, ...airports.map((id) => ({ locationId: id, byTransfer: true }))];
  }

  async #courierCandidates(criteria: RouteCriteria): Promise<CourierCandidate[]> {
    const { currency, categories, grams, avoidLegIds } = criteria;
    const offers = await this.#couriers.offers({ currency, categories });
    return offers
      .filter(({ id, maxGramsPerRun }) => maxGramsPerRun >= grams && !avoidLegIds.includes(id))
      .map((offer) => courierCandidate(offer, grams));
  }

  /** Places of towns that lie on some way of at most so many legs, by the graph: the legs of others need no look. */
  async #placesBetween(criteria: RouteCriteria, townOf: ReadonlyMap<string, string>): Promise<Set<string>> {
    const edges = await this.#db.read((em) => em.find(RouteGraphEdge, { currency: criteria.currency }));
    const town = (id: string): string => townOf.get(id) ?? id;
    const pairs = edges.map((edge) => [town(edge.fromLocationId), town(edge.toLocationId)] as const);
    const fromOrigin = hops(town(criteria.originLocationId), pairs);
    const toDestination = hops(
      town(criteria.destinationLocationId),
      pairs.map(([from, to]) => [to, from] as const),
    );
    const between = (id: string): boolean =>
      (fromOrigin.get(town(id)) ?? MAX_LEGS + 1) + (toDestination.get(town(id)) ?? MAX_LEGS + 1) <= MAX_LEGS;
    return new Set(edges.flatMap((edge) => [edge.fromLocationId, edge.toLocationId]).filter(between));
  }

  #legs({ earliestDeparture, latestArrival, ...criteria }: RouteCriteria): Promise<SearchableLegRow[]> {
    const { declaredValue, categories, avoidLegIds } = criteria;
    const now = this.#clock.now();
    return this.#db
      .read((em) =>
        em.find(SearchableLeg, {
          bookable: true,
          currency: criteria.currency,
          departsAt: { $gte: now > earliestDeparture ? now : earliestDeparture },
          arrivesAt: { $lte: latestArrival },
          freeGrams: { $gte: criteria.grams },
          maxPackageGrams: { $gte: criteria.grams },
          ...(avoidLegIds.length > 0 && { legId: { $nin: [...avoidLegIds] } }),
          ...(declaredValue && {
            $or: [
              { maxDeclaredValueMinor: null },
              {
                maxDeclaredValueMinor: { $gte: declaredValue.amountMinor },
                maxDeclaredValueCurrency: declaredValue.currency,
              },
            ],
          }),
        }),
      )
      .then((legs) =>
        legs.filter((leg) => categories.every((category) => leg.allowedCategories.includes(category))),
      );
  }
}

/** Fewest legs from a town to every other, over the graph. */
function hops(start: string, pairs: readonly (readonly [string, string])[]): Map<string, number> {
  const reached = new Map([[start, 0]]);
  const next = Map.groupBy(pairs, ([from]) => from);
  let frontier = [start];
  for (let count = 1; count <= MAX_LEGS && frontier.length > 0; count += 1) {
    const found: string[] = [];
    for (const [, to] of frontier.flatMap((town) => next.get(town) ?? [])) {
      if (reached.has(to)) continue;
      reached.set(to, count);
      found.push(to);
    }
    frontier = found;
  }
  return reached;
}

function tripCandidate(leg: SearchableLegRow, grams: number): TripCandidate {
  const tariff = {
    base: money(leg.baseMinor, leg.currency),
    perKilogram: money(leg.perKilogramMinor, leg.currency),
  };
  return {
    kind: 'trip_leg',
    legId: leg.legId,
    tripId: leg.tripId,
    carrierId: leg.travellerId,
    mode: leg.mode,
    sequence: leg.sequence,
    fromLocationId: leg.fromLocationId,
    toLocationId: leg.toLocationId,
    departsAt: leg.departsAt,
    arrivesAt: leg.arrivesAt,
    priceMinor: priceOf(tariff, grams).amountMinor,
    capacityVersion: leg.capacityVersion,
  };
}

function courierCandidate(offer: CourierOffer, grams: number): CourierCandidate {
  const timetable = new Timetable(offer, offer.durationMinutes);
  const isFull = (day: string): boolean => (offer.freeByDay.get(day) ?? offer.maxGramsPerRun) < grams;
  return {
    legId: offer.id,
    carrierId: offer.operatorId,
    fromLocationId: offer.fromLocationId,
    toLocationId: offer.toLocationId,
    priceMinor: priceOf(offer.tariff, grams).amountMinor,
    capacityVersion: 1,
    firstRun: (ready) => timetable.firstRun(ready, isFull),
  };
}

function routeView(option: RouteOption, currency: string): RouteView {
  return {
    legs: option.legs.map((leg, index) => ({
      ...leg,
      sequence: index + 1,
      price: money(leg.priceMinor, currency),
    })),
    price: money(option.priceMinor, currency),
    departsAt: option.departsAt,
    arrivesAt: option.arrivesAt,
    handOvers: option.handovers,
    transfers: option.transfers,
    risk: option.risk,
  };
}
