/**
 * Owns searches and what was offered for them. It promises that a suggestion's token can be booked as it was
 * shown or is refused with fresh alternatives, and that the cheapest, the best and the quickest route are
 * always among the answers. Senders search; bookings redeems tokens through the contract.
 */
import { type PackageCategory, packageCategory } from '#shared/events/vocabulary.ts';
import { Conflict, Invalid, NotFound, Refusal } from '#shared/kernel/errors.ts';
import { newId, requireId } from '#shared/kernel/ids.ts';
import { addMoney, type Money } from '#shared/kernel/money.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import { after, type Clock } from '#shared/kernel/time.ts';
import { requireUser, requireUserOrScope, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { LocationService } from '../location/location.service.ts';
import type {
  RouteCriteria,
  RouteLegView,
  RoutePlanningService,
  RouteView,
} from '../route-planning/route-planning.service.ts';
import {
  RouteSearchQuery,
  RouteSuggestionEntity,
  SavedSearch,
  type SavedSearchRow,
} from './trip-search.entities.ts';
import type { LegFacts } from './trip-search.facts.ts';
import { type RankingWeights, type RouteSort, rankRoutes } from './trip-search.ranking.ts';
import {
  readSuggestion,
  type SuggestedLeg,
  type SuggestionToken,
  signSuggestion,
} from './trip-search.token.ts';

export interface RouteSuggestionView extends RouteView {
  readonly id: string;
  readonly token: string;
  readonly expiresAt: Date;
  readonly originLocationId: string;
  readonly destinationLocationId: string;
  readonly firstBy: readonly RouteSort[];
  readonly reason: string;
}

export interface SavedSearchView extends SavedSearchRow {}

export interface CheckedSuggestion {
  readonly suggestionId: string;
  readonly originLocationId: string;
  readonly destinationLocationId: string;
  readonly legs: SuggestedLeg[];
  readonly total: Money;
  readonly expiresAt: Date;
}

interface Search {
  readonly criteria: RouteCriteria;
  readonly sort: RouteSort;
  readonly first: number;
}

const MAX_SAVED = 100;
const MAX_NAME_LENGTH = 120;
const ALTERNATIVES = 5;

export class TripSearchService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #secrets: Secrets;
  readonly #locations: LocationService;
  readonly #planning: RoutePlanningService;
  readonly #facts: LegFacts;
  readonly #weights: RankingWeights;
  readonly #tokenLifetimeMs: number;

  constructor(deps: {
    db: Database;
    clock: Clock;
    secrets: Secrets;
    locations: LocationService;
    planning: RoutePlanningService;
    facts: LegFacts;
    weights: RankingWeights;
    tokenLifetimeMs: number;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#secrets = deps.secrets;
    this.#locations = deps.locations;
    this.#planning = deps.planning;
    this.#facts = deps.facts;
    this.#weights = deps.weights;
    this.#tokenLifetimeMs = deps.tokenLifetimeMs;
  }

  /**
   * Bookable routes in the order asked for, for users and for partners with `search:read`. Refuses
   * `SIGN_IN_REQUIRED`, `SCOPE_MISSING`, `PAGE_SIZE_INVALID` and what `RoutePlanningService.routes` refuses.
   */
  async searchRoutes(viewer: Viewer, search: Search): Promise<RouteSuggestionView[]> {
    const searcher = requireUserOrScope(viewer, 'search:read');
    return this.#search(searcher.kind === 'user' ? searcher.userId : null, search);
  }

  /**
   * The legs behind a token, if they can still be booked as shown, at the price of this weight where that is
   * lower. Refuses `SUGGESTION_INVALID`, `SUGGESTION_STALE` {alternatives, reason}.
   */
  async redeem(
    token: string,
    wanted: { grams: number; categories: readonly PackageCategory[] },
  ): Promise<CheckedSuggestion> {
    const suggestion = readSuggestion(this.#secrets, token);
    if (suggestion.expiresAt <= this.#clock.now()) throw await this.#stale(suggestion, wanted, 'EXPIRED', []);
    const checked = await this.#facts.check(suggestion.legs, {
      ...wanted,
      declaredValue: suggestion.criteria.declaredValue,
    });
    if (checked.gone.length > 0) throw await this.#stale(suggestion, wanted, 'LEG_GONE', checked.gone);
    const total = totalOf(checked.legs);
    if (total.amountMinor > totalOf(suggestion.legs).amountMinor)
      throw await this.#stale(suggestion, wanted, 'PRICE_HIGHER', []);
    const { suggestionId, criteria, expiresAt } = suggestion;
    const { originLocationId, destinationLocationId } = criteria;
    return { suggestionId, originLocationId, destinationLocationId, legs: checked.legs, total, expiresAt };
  }

  /**
   * Keeps a search. Refuses `SIGN_IN_REQUIRED`, `SAVED_SEARCH_INVALID` {field}, `LOCATION_NOT_FOUND`,
   * `SAVED_SEARCHES_FULL`.
   */
  async saveSearch(
    viewer: Viewer,
    input: {
      name: string;
      originLocationId: string;
      destinationLocationId: string;
      category: PackageCategory;
      grams: number;
    },
  ): Promise<SavedSearchView> {
    const { userId } = requireUser(viewer);
    const name = input.name.trim();
    const wrong = Object.entries({
      name: name !== '' && name.length <= MAX_NAME_LENGTH,
      category: packageCategory.safeParse(input.category).success,
      grams: input.grams > 0,
    }).find(([, fine]) => !fine);
    if (wrong) throw new Invalid('SAVED_SEARCH_INVALID', `${wrong[0]} is out of range`, { field: wrong[0] });
    await this.#locations.location(input.originLocationId);
    await this.#locations.location(input.destinationLocationId);
    return this.#db.transaction(async (tx) => {
      await tx.sql('select pg_advisory_xact_lock(hashtextextended(?, 0))', [`saved searches of ${userId}`]);
      if ((await tx.em.count(SavedSearch, { ownerId: userId })) >= MAX_SAVED)
        throw new Conflict('SAVED_SEARCHES_FULL', 'Delete a saved search first', { max: MAX_SAVED });
      return tx.em.create(SavedSearch, {
        ...input,
        name,
        id: newId(),
        ownerId: userId,
        savedAt: this.#clock.now(),
      });
    });
  }

  /** Forgets a saved search. Refuses `SIGN_IN_REQUIRED`, `SAVED_SEARCH_NOT_FOUND`. */
  async deleteSavedSearch(viewer: Viewer, savedSearchId: string): Promise<SavedSearchView> {
    const { userId } = requireUser(viewer);
    requireId(savedSearchId, 'saved search');
    return this.#db.transaction(async (tx) => {
      const saved = await tx.em.findOne(SavedSearch, { id: savedSearchId, ownerId: userId });
      if (!saved) throw new NotFound('SAVED_SEARCH_NOT_FOUND', 'You have no such saved search');
      tx.em.remove(saved);
      return saved;
    });
  }

  /** The viewer's saved searches, newest first. Refuses `SIGN_IN_REQUIRED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async savedSearches(viewer: Viewer, page: PageArguments): Promise<Connection<SavedSearchView>> {
    const { userId } = requireUser(viewer);
    const size = pageSize(page);
    const before = page.after ? requireId(decodeCursor(page.after), 'cursor') : null;
    const rows = await this.#db.read((em) =>
      em.find(
        SavedSearch,
        { ownerId: userId, ...(before && { id: { $lt: before } }) },
        { orderBy: { id: 'desc' }, limit: size + 1 },
      ),
    );
    return connection(rows, size, ({ id }) => id);
  }

  async #search(
    searcherId: string | null,
    { criteria, sort, first }: Search,
  ): Promise<RouteSuggestionView[]> {
    const size = pageSize({ first });
    const routes = await this.#planning.routes(criteria);
    const now = this.#clock.now();
    const expiresAt = after(now, this.#tokenLifetimeMs);
    const suggestions = rankRoutes(routes, sort, size, this.#weights).map(({ route, firstBy, reason }) => {
      const id = newId();
      const legs = route.legs.map(suggestedLeg);
      return {
        ...route,
        id,
        token: signSuggestion(this.#secrets, {
          version: 1,
          suggestionId: id,
          expiresAt,
          sort,
          criteria: { ...criteria, categories: [...criteria.categories] },
          legs,
        }),
        expiresAt,
        originLocationId: criteria.originLocationId,
        destinationLocationId: criteria.destinationLocationId,
        firstBy,
        reason,
      };
    });
    await this.#record(searcherId, criteria, sort, routes.length, suggestions);
    return suggestions;
  }

  async #record(
    searcherId: string | null,
    criteria: RouteCriteria,
    sort: RouteSort,
    found: number,
    suggestions: readonly RouteSuggestionView[],
  ): Promise<void> {
    await this.#db.transaction(async (tx) => {
      const queryId = newId();
      tx.em.create(RouteSearchQuery, {
        id: queryId,
        searcherId,
        originLocationId: criteria.originLocationId,
        destinationLocationId: criteria.destinationLocationId,
        earliestDeparture: criteria.earliestDeparture,
        latestArrival: criteria.latestArrival,
        categories: [...criteria.categories],
        maxWeightGrams: criteria.grams,
        currency: criteria.currency,
        sortBy: sort.toLowerCase() as Lowercase<RouteSort>,
        found,
        searchedAt: this.#clock.now(),
      });
      for (const [index, suggestion] of suggestions.entries())
        tx.em.create(RouteSuggestionEntity, {
          id: suggestion.id,
          queryId,
          rank: index + 1,
          currency: suggestion.price.currency,
          priceMinor: suggestion.price.amountMinor,
          departsAt: suggestion.departsAt,
          arrivesAt: suggestion.arrivesAt,
          risk: suggestion.risk,
          handOvers: suggestion.handOvers,
          legIds: suggestion.legs.map(({ legId }) => legId),
          reason: suggestion.reason,
          expiresAt: suggestion.expiresAt,
        });
    });
  }

  /** The refusal of a suggestion that cannot be booked any more, with what can be booked instead. */
  async #stale(
    { criteria, sort }: SuggestionToken,
    { grams, categories }: { grams: number; categories: readonly PackageCategory[] },
    reason: 'EXPIRED' | 'LEG_GONE' | 'PRICE_HIGHER',
    avoidLegIds: readonly string[],
  ): Promise<Conflict> {
    const search = { criteria: { ...criteria, grams, categories, avoidLegIds }, sort, first: ALTERNATIVES };
    const alternatives = await this.#search(null, search).catch((error) => {
      // The window may have passed meanwhile: then there is nothing to offer instead.
      if (error instanceof Refusal) return [];
      throw error;
    });
    return new Conflict('SUGGESTION_STALE', 'This route can no longer be booked as it was shown', {
      reason,
      alternatives: alternatives.map((each) => ({
        token: each.token,
        price: { amountMinor: String(each.price.amountMinor), currency: each.price.currency },
        departsAt: each.departsAt.toISOString(),
        arrivesAt: each.arrivesAt.toISOString(),
        reason: each.reason,
      })),
    });
  }
}

const totalOf = (legs: readonly SuggestedLeg[]): Money => {
  const [first, ...rest] = legs.map(({ price }) => price);
  return addMoney(first!, ...rest);
};

const suggestedLeg = (leg: RouteLegView): SuggestedLeg => ({
  sequence: leg.sequence,
  legKind: leg.kind,
  legId: leg.legId,
  tripId: leg.tripId,
  carrierType: leg.kind === 'trip_leg' ? 'traveller' : 'local_courier',
  carrierId: leg.carrierId,
  fromLocationId: leg.fromLocationId,
  toLocationId: leg.toLocationId,
  departsAt: leg.departsAt,
  arrivesAt: leg.arrivesAt,
  price: leg.price,
  capacityVersion: leg.capacityVersion,
});
