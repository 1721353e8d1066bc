/** How routes are ordered, which of them are always shown, and why each stands where it stands. Pure. */
import { currencyExponent, formatMoney, money } from '#shared/kernel/money.ts';
import { MINUTE } from '#shared/kernel/time.ts';
import type { RouteView } from '../route-planning/route-planning.service.ts';

export type RouteSort = 'CHEAPEST' | 'BEST' | 'QUICKEST';

export interface RankingWeights {
  /** Hundredths of a currency's unit that a minute is worth. */
  readonly centsPerMinute: number;
  /** Hundredths of a currency's unit that a point of risk is worth. */
  readonly centsPerRisk: number;
}

export interface RankedRoute<Route extends RouteView> {
  readonly route: Route;
  readonly firstBy: readonly RouteSort[];
  readonly reason: string;
}

const sorts: readonly RouteSort[] = ['CHEAPEST', 'BEST', 'QUICKEST'];
const titles: Record<RouteSort, string> = {
  CHEAPEST: 'cheapest',
  BEST: 'best balance of price, time and hand-overs',
  QUICKEST: 'quickest',
};

/**
 * The first of the sorted routes, and in any case the cheapest, the best and the quickest. Every order ends in
 * the legs' ids, so equal input gives equal output.
 */
export function rankRoutes<Route extends RouteView>(
  routes: readonly Route[],
  sort: RouteSort,
  first: number,
  weights: RankingWeights,
): RankedRoute<Route>[] {
  const sorted = [...routes].sort(orders(weights)[sort]);
  const leaders = new Map(sorts.map((each) => [each, [...routes].sort(orders(weights)[each])[0]]));
  const ledBy = (route: Route): RouteSort[] => sorts.filter((each) => leaders.get(each) === route);
  const others = sorted.filter((route) => ledBy(route).length === 0);
  const room = Math.max(0, first - (sorted.length - others.length));
  const shown = new Set(others.slice(0, room));
  return sorted
    .filter((route) => shown.has(route) || ledBy(route).length > 0)
    .map((route, index) => ({
      route,
      firstBy: ledBy(route),
      reason: index === 0 ? headline(ledBy(route)) : comparison(route, sorted[0]!),
    }));
}

type Order = (a: RouteView, b: RouteView) => number;

function orders({ centsPerMinute, centsPerRisk }: RankingWeights): Record<RouteSort, Order> {
  const price: Order = (a, b) => Number(a.price.amountMinor - b.price.amountMinor);
  const arrival: Order = (a, b) => a.arrivesAt.getTime() - b.arrivesAt.getTime();
  const risk: Order = (a, b) => a.risk - b.risk;
  const score = (route: RouteView): number =>
    Number(route.price.amountMinor) / 10 ** (currencyExponent(route.price.currency) - 2) +
    (route.arrivesAt.getTime() / MINUTE) * centsPerMinute +
    route.risk * centsPerRisk;
  const best: Order = (a, b) => score(a) - score(b);
  const key = (route: RouteView): string => route.legs.map(({ legId }) => legId).join();
  const chain =
    (...each: Order[]): Order =>
    (a, b) =>
      each.map((order) => order(a, b)).find((difference) => difference !== 0) ?? (key(a) < key(b) ? -1 : 1);
  return {
    CHEAPEST: chain(price, arrival, risk),
    BEST: chain(best, price, arrival),
    QUICKEST: chain(arrival, price, risk),
  };
}

function headline(led: readonly RouteSort[]): string {
  const text = led.map((sort) => titles[sort]).join(', ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}

/** `4.00 EUR cheaper, 3 h later, one hand-over more`. */
function comparison(route: RouteView, leader: RouteView): string {
  const parts: string[] = [];
  const price = route.price.amountMinor - leader.price.amountMinor;
  if (price !== 0n) {
    const amount = formatMoney(money(price < 0n ? -price : price, route.price.currency));
    parts.push(`${amount} ${price < 0n ? 'cheaper' : 'dearer'}`);
  }
  const minutes = Math.round((route.arrivesAt.getTime() - leader.arrivesAt.getTime()) / MINUTE);
  if (minutes !== 0) parts.push(`${span(Math.abs(minutes))} ${minutes < 0 ? 'earlier' : 'later'}`);
  parts.push(...counted(route.handOvers - leader.handOvers, 'hand-over', 'hand-overs'));
  parts.push(...counted(route.transfers - leader.transfers, 'way to an airport', 'ways to an airport'));
  return parts.length > 0 ? parts.join(', ') : 'Other carriers on the same terms';
}

function counted(difference: number, one: string, many: string): string[] {
  if (difference === 0) return [];
  const count = Math.abs(difference);
  return [`${count === 1 ? `one ${one}` : `${count} ${many}`} ${difference < 0 ? 'fewer' : 'more'}`];
}

function span(minutes: number): string {
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
