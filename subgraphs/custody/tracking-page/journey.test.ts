import { DAY, HOUR } from '#shared/kernel/time.ts';
import { journeyOf, type Place, type Shipment, shortName, type TrackedEvent } from './journey.ts';
import { de } from './words/de.ts';
import { en } from './words/en.ts';

const now = new Date('2026-03-01T12:00:00Z');
const at = (hours: number): string => new Date(now.getTime() + hours * HOUR).toISOString();
const place = (name: string, iata: string | null = null): Place => ({
  id: name,
  name,
  iata,
  latitude: 0,
  longitude: 0,
  city: null,
});
const lyon = place('Lyon');
const london = { ...place('London Heathrow Airport', 'LHR'), city: { id: 'London', name: 'London' } };
const oslo = place('Oslo');

type Step = NonNullable<Shipment['handoffs']>[number];

/** From Lyon by London to Oslo with two carriers; `done` hand-overs have happened. */
function shipment(done: number, change: Partial<Shipment> = {}): Shipment {
  const carriers = ['Ana', 'Ben'];
  const places = [lyon, london, oslo];
  const party = (index: number): Step['from'] => {
    if (index === 0) return { type: 'SENDER', user: { id: 's', displayName: 'Sam' } };
    const name = carriers[index - 1];
    return name
      ? { type: index === 2 ? 'LOCAL_COURIER' : 'TRAVELLER', user: { id: name, displayName: name } }
      : { type: 'RECIPIENT', user: null };
  };
  return {
    id: 'shipment',
    state: 'BOOKED',
    origin: lyon,
    destination: oslo,
    sender: { id: 's', displayName: 'Sam' },
    recipient: { id: 'r', name: 'Ria' },
    itinerary: {
      id: 'itinerary',
      state: 'CONFIRMED',
      legs: carriers.map((displayName, index) => ({
        id: `leg ${index}`,
        sequence: index + 1,
        carrierType: index === 1 ? 'LOCAL_COURIER' : 'TRAVELLER',
        carrier: { id: displayName, displayName },
        tripLeg: index === 1 ? null : { id: 't', mode: 'FLIGHT' },
        from: places[index]!,
        to: places[index + 1]!,
        departsAt: at(index * 10),
        arrivesAt: at(index * 10 + 5),
      })),
    },
    handoffs: places.map((where, index) => ({
      id: `step ${index}`,
      sequence: index + 1,
      state: index < done ? 'TRANSFERRED' : 'READY',
      confirmedBy: null,
      from: party(index),
      to: party(index + 1),
      place: where,
      plannedAt: at(index * 10),
      opensAt: at(index * 10 - 24),
      closesAt: at(index * 10 + 24),
      transferredAt: index < done ? at(index) : null,
      photos: [{ fileId: 'f' }],
      itinerary: { id: 'itinerary' },
    })),
    custody: [],
    ...change,
  };
}

const event = (type: TrackedEvent['type'], where: Place | null): TrackedEvent =>
  ({ id: type, cursor: type, type, at: at(0), message: '', place: where }) as TrackedEvent;

test.each([
  [0, 'booked', 'Sam', 'Lyon', ['ahead', 'ahead']],
  [1, 'under_way', 'Ana', 'London (LHR)', ['under_way', 'ahead']],
  [2, 'last_leg', 'Ben', 'Oslo', ['done', 'under_way']],
  [3, 'delivered', 'Ria', undefined, ['done', 'done']],
])('after %i hand-overs it is %s, with %s', (done, phase, holder, next, progress) => {
  const journey = journeyOf(shipment(done), [], now);
  expect(journey).toMatchObject({ phase, holder: { name: holder } });
  expect(journey.next && shortName(journey.next.place)).toBe(next ?? null);
  expect(journey.legs.map((leg) => leg.progress)).toEqual(progress);
});

test.each([
  ['SEARCHING', 'searching'],
  ['AWAITING_ACCEPTANCE', 'asking'],
  ['BOOKED', 'booked'],
  ['CANCELLED', 'cancelled'],
] as const)('without hand-overs a shipment that is %s is %s, and no arrival is promised', (state, phase) => {
  const journey = journeyOf(shipment(0, { state, handoffs: [], itinerary: null }), [], now);
  expect(journey).toMatchObject({ phase, arrival: null, next: null, stops: [lyon, oslo] });
});

test('an arrival is expected between the last leg and the end of the last window', () => {
  expect(journeyOf(shipment(1), [], now).arrival).toEqual({
    earliest: new Date(at(20)),
    latest: new Date(at(44)),
    overdue: false,
  });
});

test('an arrival is never expected in the past, and overdue where even the window has passed', () => {
  const late = new Date(now.getTime() + 30 * HOUR);
  expect(journeyOf(shipment(1), [], late).arrival).toMatchObject({ earliest: late, overdue: false });
  const tooLate = new Date(now.getTime() + 3 * DAY);
  expect(journeyOf(shipment(1), [], tooLate).arrival).toMatchObject({ overdue: true });
});

test('what is delivered has arrived and is expected no more', () => {
  expect(journeyOf(shipment(3), [], now)).toMatchObject({ arrival: null, deliveredAt: new Date(at(2)) });
});

test('a parcel was last seen where it last changed hands or was reported, not where somebody will wait for it', () => {
  const seen = (...events: TrackedEvent[]) => journeyOf(shipment(1), events, now).seen.place;
  expect(seen()).toBe(lyon);
  expect(seen(event('PICKED_UP', lyon), event('HANDOFF_READY', london))).toBe(lyon);
  expect(seen(event('PICKED_UP', lyon), event('ARRIVED', london), event('SCANNED', oslo))).toBe(london);
});

test('a carrier of two legs in a row hands over once: both legs progress together', () => {
  const it = shipment(1);
  const [first, second] = it.itinerary!.legs;
  const legs = [first!, { ...first!, id: 'more', sequence: 2 }, { ...second!, sequence: 3 }];
  const progress = (done: number) =>
    journeyOf(
      { ...it, handoffs: shipment(done).handoffs, itinerary: { ...it.itinerary!, legs } },
      [],
      now,
    ).legs.map((leg) => leg.progress);
  expect(progress(1)).toEqual(['under_way', 'under_way', 'ahead']);
  expect(progress(2)).toEqual(['done', 'done', 'under_way']);
});

test('hand-overs of an itinerary that was given up are not shown', () => {
  const it = shipment(0);
  const gone = it.handoffs!.map((step) => ({ ...step, id: `old ${step.id}`, itinerary: { id: 'old' } }));
  expect(journeyOf({ ...it, handoffs: [...gone, ...it.handoffs!] }, [], now).handovers).toHaveLength(3);
});

test('both languages have words for every phase, hand-over and event', () => {
  const types = [
    ...['ITINERARY_CONFIRMED', 'HANDOFF_READY', 'SCANNED', 'PICKED_UP', 'TRANSFERRED', 'DEPARTED', 'ARRIVED'],
    ...['LOCATION_NOTED', 'OUT_FOR_DELIVERY', 'DELIVERED', 'REFUSED', 'FUNDS_RELEASED', 'COMPLETED'],
  ] as TrackedEvent['type'][];
  for (const words of [en, de]) {
    for (const type of types) expect(words.event(event(type, null), 'Oslo')).toMatch(/^\p{L}.+/u);
    for (const done of [0, 1, 2, 3])
      for (const state of ['READY', 'HALF_CONFIRMED', 'REFUSED'] as const) {
        const it = shipment(done);
        const handoffs = it.handoffs!.with(done === 3 ? 2 : done, {
          ...it.handoffs![done === 3 ? 2 : done]!,
          ...(done === 3 ? {} : { state }),
        });
        const journey = journeyOf({ ...it, handoffs }, [], now);
        expect([words.headline(journey), words.explanation(journey)].join()).not.toMatch(/undefined|null/);
        expect(words.explanation(journey)).not.toBe('');
      }
  }
});
