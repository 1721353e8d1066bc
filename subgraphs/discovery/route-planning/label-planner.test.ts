import fc from 'fast-check';
import { LabelPlanner } from './label-planner.ts';
import {
  BUFFER_MINUTES,
  type CourierCandidate,
  connectionRisk,
  continues,
  HANDOVER_RISK,
  type PlannedLeg,
  type PlanRequest,
  type RouteOption,
  TRANSFER_MINUTES,
  TRANSFER_RISK,
  type TripCandidate,
} from './route-planner.ts';

const start = Date.UTC(2026, 2, 2);
const minute = (minutes: number): Date => new Date(start + minutes * 60_000);
const hour = (hours: number): Date => minute(hours * 60);

let made = 0;
const leg = (
  from: string,
  to: string,
  departsAt: number,
  arrivesAt: number,
  price: number,
  more: Partial<TripCandidate> = {},
): TripCandidate => {
  made += 1;
  const id = `leg-${String(made).padStart(6, '0')}`;
  return {
    kind: 'trip_leg',
    legId: id,
    tripId: `trip-${made}`,
    carrierId: `carrier-${made}`,
    mode: 'car',
    sequence: 1,
    fromLocationId: from,
    toLocationId: to,
    departsAt: minute(departsAt),
    arrivesAt: minute(arrivesAt),
    priceMinor: BigInt(price),
    capacityVersion: 1,
    ...more,
  };
};

/** Runs at any time, for as long as it is open. */
const courier = (
  from: string,
  to: string,
  minutes: number,
  price: number,
  openUntil = 10_000,
): CourierCandidate => {
  made += 1;
  return {
    legId: `courier-${String(made).padStart(6, '0')}`,
    carrierId: `carrier-${made}`,
    fromLocationId: from,
    toLocationId: to,
    priceMinor: BigInt(price),
    capacityVersion: 1,
    firstRun: (ready) => {
      const arrivesAt = new Date(ready.getTime() + minutes * 60_000);
      return arrivesAt <= minute(openUntil) ? { departsAt: ready, arrivesAt } : null;
    },
  };
};

const request = (more: Partial<PlanRequest>): PlanRequest => ({
  origins: [{ locationId: 'A', byTransfer: false }],
  destinations: [{ locationId: 'Z', byTransfer: false }],
  earliestDeparture: minute(0),
  latestArrival: hour(100),
  maxLegs: 4,
  legs: [],
  couriers: [],
  townOf: new Map(),
  ...more,
});

const plan = (more: Partial<PlanRequest>): RouteOption[] => new LabelPlanner().plan(request(more));
const routes = (more: Partial<PlanRequest>): string[] =>
  plan(more).map(({ legs }) => legs.map(({ legId }) => legId).join('>'));

test('a later, dearer and riskier way is not offered; every other is', () => {
  const quick = leg('A', 'Z', 10, 100, 900);
  const cheap = leg('A', 'Z', 10, 300, 500);
  const beaten = leg('A', 'Z', 10, 301, 500);
  expect(routes({ legs: [beaten, quick, cheap] })).toEqual([cheap.legId, quick.legId]);
});

test('another carrier is met 30 minutes after a drive, and not a minute earlier', () => {
  const one = leg('A', 'M', 0, 60, 100);
  expect(routes({ legs: [one, leg('M', 'Z', 89, 200, 100)] })).toEqual([]);
  expect(plan({ legs: [one, leg('M', 'Z', 90, 200, 100)] })).toMatchObject([
    { handovers: 1, risk: HANDOVER_RISK },
  ]);
});

test('another carrier is met 90 minutes after a landing', () => {
  const one = leg('A', 'M', 0, 60, 100, { mode: 'flight' });
  expect(routes({ legs: [one, leg('M', 'Z', 149, 200, 100)] })).toEqual([]);
  expect(routes({ legs: [one, leg('M', 'Z', 150, 200, 100)] })).toHaveLength(1);
});

test("the same traveller's next leg needs no time and is no hand-over", () => {
  const one = leg('A', 'M', 0, 60, 100, { tripId: 't', sequence: 1, mode: 'flight' });
  const two = leg('M', 'Z', 60, 200, 100, { tripId: 't', sequence: 2 });
  expect(plan({ legs: [one, two] })).toMatchObject([{ handovers: 0, risk: 0, priceMinor: 200n }]);
});

test('a leg that is not the next one of the same traveller is a hand-over like any other', () => {
  const one = leg('A', 'M', 0, 60, 100, { tripId: 't', sequence: 1 });
  const three = leg('M', 'Z', 60, 200, 100, { tripId: 't', sequence: 3 });
  expect(routes({ legs: [one, three] })).toEqual([]);
});

test('a cheaper way to a place does not hide the traveller who goes on from there', () => {
  const cheap = leg('A', 'M', 0, 50, 10);
  const own = leg('A', 'M', 0, 60, 100, { tripId: 't', sequence: 1 });
  const next = leg('M', 'Z', 60, 200, 100, { tripId: 't', sequence: 2 });
  expect(routes({ legs: [cheap, own, next] })).toEqual([`${own.legId}>${next.legId}`]);
});

test('a way with exactly as many legs as allowed is found, one more is not', () => {
  const legs = ['AB', 'BC', 'CD', 'DZ'].map(([from, to], index) =>
    leg(from!, to!, index * 100, index * 100 + 60, 10),
  );
  expect(routes({ legs })).toHaveLength(1);
  expect(routes({ legs, maxLegs: 3 })).toEqual([]);
});

test('a cheaper way with more legs does not hide a dearer one with fewer', () => {
  const legs = [
    leg('A', 'B', 0, 10, 1),
    leg('B', 'C', 40, 50, 1),
    leg('C', 'M', 80, 90, 1),
    leg('A', 'M', 0, 95, 500, { mode: 'flight' }),
    leg('M', 'Y', 200, 250, 1),
    leg('Y', 'Z', 300, 350, 1),
  ];
  expect(plan({ legs })).toMatchObject([{ priceMinor: 502n }]);
});

test('landing earlier but being ready later does not hide a drive that still catches the next leg', () => {
  const flight = leg('A', 'M', 0, 60, 10, { mode: 'flight' });
  const drive = leg('A', 'M', 0, 70, 20);
  const next = leg('M', 'Z', 110, 200, 100);
  expect(routes({ legs: [flight, drive, next] })).toEqual([`${drive.legId}>${next.legId}`]);
});

test('a leg may leave at the earliest moment and arrive at the latest, and no further', () => {
  const exact = leg('A', 'Z', 0, 6_000, 10);
  expect(routes({ legs: [exact] })).toEqual([exact.legId]);
  expect(routes({ legs: [leg('A', 'Z', -1, 100, 10), leg('A', 'Z', 1, 6_001, 10)] })).toEqual([]);
});

describe('within one town', () => {
  const townOf = new Map([
    ['M', 'M'],
    ['MX', 'M'],
    ['Z', 'Z'],
    ['ZX', 'Z'],
  ]);

  test('a transfer between airport and city takes an hour more and counts as risk', () => {
    const one = leg('A', 'MX', 0, 60, 100, { mode: 'flight' });
    expect(routes({ townOf, legs: [one, leg('M', 'Z', 209, 300, 100)] })).toEqual([]);
    expect(plan({ townOf, legs: [one, leg('M', 'Z', 210, 300, 100)] })).toMatchObject([
      { handovers: 1, transfers: 1, risk: HANDOVER_RISK + TRANSFER_RISK },
    ]);
  });

  test('a courier takes the place of a transfer, for money and less risk', () => {
    const one = leg('A', 'ZX', 0, 60, 100, { mode: 'flight' });
    const local = courier('ZX', 'Z', 45, 1_200);
    const destinations = [
      { locationId: 'Z', byTransfer: false },
      { locationId: 'ZX', byTransfer: true },
    ];
    expect(plan({ townOf, legs: [one], couriers: [local], destinations })).toMatchObject([
      { priceMinor: 100n, transfers: 1, handovers: 0, risk: TRANSFER_RISK },
      { priceMinor: 1_300n, transfers: 0, handovers: 1, risk: HANDOVER_RISK, arrivesAt: minute(195) },
    ]);
  });

  test('a recipient who does not come to the airport is reached by courier alone', () => {
    const one = leg('A', 'ZX', 0, 60, 100);
    expect(routes({ townOf, legs: [one] })).toEqual([]);
    expect(plan({ townOf, legs: [one], couriers: [courier('ZX', 'Z', 45, 1_200)] })).toHaveLength(1);
  });
});

/** Every path, one by one: what the planner must agree with. */
function bruteForce(all: PlanRequest): [bigint, number, number][] {
  interface Path {
    readonly last: { leg: PlannedLeg; sequence: number | null };
    readonly price: bigint;
    readonly risk: number;
    readonly count: number;
  }
  const found: [bigint, number, number][] = [];
  const latest = all.latestArrival.getTime();
  const endRisk = (ends: PlanRequest['origins'], place: string): number | undefined =>
    ends
      .filter(({ locationId }) => locationId === place)
      .map(({ byTransfer }) => (byTransfer ? TRANSFER_RISK : 0))
      .sort()[0];
  const visit = (path: Path): void => {
    const arrives = path.last.leg.arrivesAt.getTime();
    if (arrives > latest) return;
    const end = endRisk(all.destinations, path.last.leg.toLocationId);
    if (end !== undefined) found.push([path.price, arrives, path.risk + end]);
    if (path.count < all.maxLegs) for (const next of following(path)) visit(next);
  };
  const ride = (local: CourierCandidate, ready: number): PlannedLeg | null => {
    const run = local.firstRun(new Date(ready));
    return run && { ...local, ...run, kind: 'courier_segment', tripId: null, mode: 'courier' };
  };
  const town = (place: string): string => all.townOf.get(place) ?? place;
  const following = ({ last, price, risk, count }: Path): Path[] => [
    ...all.legs.flatMap((each) => {
      const step = connectionRisk(last, { leg: each, sequence: each.sequence }, all.townOf);
      if (step === null) return [];
      const next = { leg: each, sequence: each.sequence };
      return [{ last: next, price: price + each.priceMinor, risk: risk + step, count: count + 1 }];
    }),
    ...all.couriers.flatMap((local) => {
      const here = local.fromLocationId === last.leg.toLocationId;
      if (!here && town(local.fromLocationId) !== town(last.leg.toLocationId)) return [];
      const buffer = BUFFER_MINUTES[last.leg.mode] + (here ? 0 : TRANSFER_MINUTES);
      const run = ride(local, last.leg.arrivesAt.getTime() + buffer * 60_000);
      const step = HANDOVER_RISK + (here ? 0 : TRANSFER_RISK);
      return run
        ? [
            {
              last: { leg: run, sequence: null },
              price: price + local.priceMinor,
              risk: risk + step,
              count: count + 1,
            },
          ]
        : [];
    }),
  ];
  for (const each of all.legs) {
    const risk = endRisk(all.origins, each.fromLocationId);
    if (risk !== undefined && each.departsAt >= all.earliestDeparture)
      visit({ last: { leg: each, sequence: each.sequence }, price: each.priceMinor, risk, count: 1 });
  }
  for (const local of all.couriers) {
    const risk = endRisk(all.origins, local.fromLocationId);
    const run = risk === undefined ? null : ride(local, all.earliestDeparture.getTime());
    if (run) visit({ last: { leg: run, sequence: null }, price: local.priceMinor, risk: risk!, count: 1 });
  }
  const best = found.filter(
    (one) =>
      !found.some(
        (other) => other.every((value, index) => value <= one[index]!) && String(other) !== String(one),
      ),
  );
  return [...new Map(best.map((one) => [String(one), one])).values()];
}

const places = ['A', 'AX', 'C', 'CX', 'D', 'Z', 'ZX'];
const towns = new Map([
  ['A', 'A'],
  ['AX', 'A'],
  ['C', 'C'],
  ['CX', 'C'],
  ['Z', 'Z'],
  ['ZX', 'Z'],
]);

const someLegs = fc
  .array(
    fc.record({
      stops: fc
        .array(fc.constantFrom(...places), { minLength: 2, maxLength: 4 })
        .map((stops) => stops.filter((stop, index) => stop !== stops[index - 1])),
      departs: fc.integer({ min: 0, max: 40 }),
      travels: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 3, maxLength: 3 }),
      rests: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 3, maxLength: 3 }),
      prices: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 3, maxLength: 3 }),
      flies: fc.boolean(),
    }),
    { minLength: 12, maxLength: 24 },
  )
  .map((trips) =>
    trips.flatMap(({ stops, departs, travels, rests, prices, flies }, tripNumber) => {
      let now = departs * 30;
      return stops.slice(1).map((to, index) => {
        const departsAt = now;
        const arrivesAt = departsAt + travels[index]! * 30;
        now = arrivesAt + rests[index]! * 30;
        return leg(stops[index]!, to, departsAt, arrivesAt, prices[index]! * 100, {
          tripId: `trip-${tripNumber}`,
          sequence: index + 1,
          mode: flies ? 'flight' : 'car',
        });
      });
    }),
  );

const someCouriers = fc
  .array(
    fc.record({
      ends: fc.constantFrom(['A', 'AX'], ['AX', 'A'], ['C', 'CX'], ['CX', 'C'], ['Z', 'ZX'], ['ZX', 'Z']),
      minutes: fc.integer({ min: 10, max: 90 }),
      price: fc.integer({ min: 0, max: 5 }),
      openUntil: fc.integer({ min: 0, max: 3_000 }),
    }),
    { maxLength: 3 },
  )
  .map((all) =>
    all.map(({ ends, minutes, price, openUntil }) =>
      courier(ends[0]!, ends[1]!, minutes, price * 100, openUntil),
    ),
  );

test('the answer is exactly what trying every path gives', () => {
  let withChoice = 0;
  let withChanges = 0;
  fc.assert(
    fc.property(
      someLegs,
      someCouriers,
      fc.integer({ min: 2, max: 4 }),
      fc.boolean(),
      (legs, couriers, maxLegs, meet) => {
        const asked = request({
          legs,
          couriers,
          maxLegs,
          townOf: towns,
          latestArrival: minute(2_400),
          origins: [
            { locationId: 'A', byTransfer: false },
            ...(meet ? [{ locationId: 'AX', byTransfer: true }] : []),
          ],
          destinations: [
            { locationId: 'Z', byTransfer: false },
            ...(meet ? [{ locationId: 'ZX', byTransfer: true }] : []),
          ],
        });
        const options = new LabelPlanner().plan(asked);
        const vectors = options.map(
          ({ priceMinor, arrivesAt, risk }) => `${priceMinor},${arrivesAt.getTime()},${risk}`,
        );
        expect(vectors.sort()).toEqual(bruteForce(asked).map(String).sort());
        if (options.length > 1) withChoice += 1;
        if (options.some(({ legs: taken }) => taken.length > 2)) withChanges += 1;
      },
    ),
    { numRuns: 4_000 },
  );
  // The comparison says nothing if there is nothing to choose.
  expect(withChoice).toBeGreaterThan(1_500);
  expect(withChanges).toBeGreaterThan(300);
});

test('every answer can be travelled as it says', () => {
  fc.assert(
    fc.property(someLegs, someCouriers, (legs, couriers) => {
      const asked = request({ legs, couriers, townOf: towns, latestArrival: minute(2_400) });
      for (const option of new LabelPlanner().plan(asked)) {
        expect(option.priceMinor).toBe(option.legs.reduce((sum, { priceMinor }) => sum + priceMinor, 0n));
        expect(option.risk).toBe(option.handovers * HANDOVER_RISK + option.transfers * TRANSFER_RISK);
        for (const [index, next] of option.legs.entries()) {
          const before = option.legs[index - 1];
          if (!before) continue;
          const sequence = (id: string) => legs.find(({ legId }) => legId === id)?.sequence ?? null;
          const [one, two] = [
            { leg: before, sequence: sequence(before.legId) },
            { leg: next, sequence: sequence(next.legId) },
          ];
          const buffer = continues(one, two) ? 0 : BUFFER_MINUTES[before.mode] * 60_000;
          expect(next.departsAt.getTime()).toBeGreaterThanOrEqual(before.arrivesAt.getTime() + buffer);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('the same request gives the same answer in whatever order the legs come', () => {
  fc.assert(
    fc.property(
      someLegs.chain((legs) =>
        fc.tuple(fc.constant(legs), fc.shuffledSubarray(legs, { minLength: legs.length })),
      ),
      ([legs, shuffled]) => {
        expect(routes({ legs: shuffled, townOf: towns })).toEqual(routes({ legs, townOf: towns }));
      },
    ),
    { numRuns: 300 },
  );
});
