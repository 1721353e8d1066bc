import fc from 'fast-check';
import { newId } from '#shared/kernel/ids.ts';
import { euros, eve, Story, sara } from '../../testing/story.ts';
import { startWorld, type World } from '../../testing/world.ts';

let world: World;
let story: Story;
beforeAll(async () => {
  world = await startWorld({ subgraphs: ['bookings'] });
  story = new Story(world);
});
afterAll(() => world[Symbol.asyncDispose]());

/** A planned itinerary of Sara's whose carriers ask these prices. */
async function itineraryAt(prices: readonly bigint[], currency = 'EUR'): Promise<string> {
  const itineraryId = newId();
  const total = prices.reduce((sum, price) => sum + price, 0n);
  await world.database('bookings').transaction(async (tx) => {
    await tx.sql(
      `insert into itineraries (id, shipment_id, sender_id, recipient_id, state, states_version, version, grams, categories, currency, carriers_minor, suggestion_token, created_at)
       values (?, ?, ?, ?, 'planned', 1, 1, 2000, '["GIFTS"]', ?, ?, 'token', now())`,
      [itineraryId, newId(), sara.userId, newId(), currency, String(total)],
    );
    for (const [index, price] of prices.entries())
      await tx.sql(
        `insert into itinerary_legs (id, itinerary_id, itinerary_version, sequence, leg_kind, leg_id, carrier_type, carrier_id, from_location_id, to_location_id, departs_at, arrives_at, currency, price_minor)
         values (?, ?, 1, ?, 'trip_leg', ?, 'traveller', ?, ?, ?, now(), now(), ?, ?)`,
        [newId(), itineraryId, index + 1, newId(), newId(), newId(), newId(), currency, String(price)],
      );
  });
  return itineraryId;
}

async function quoteOf(prices: readonly bigint[], currency?: string) {
  const { data, errors } = await story.quoteItinerary(sara, await itineraryAt(prices, currency));
  if (errors[0]) throw errors[0];
  const { total, fee, lines } = data.quoteItinerary as {
    total: { amountMinor: string; currency: string };
    fee: { amountMinor: string };
    lines: { price: { amountMinor: string }; feeShare: { amountMinor: string } }[];
  };
  return {
    currency: total.currency,
    total: BigInt(total.amountMinor),
    fee: BigInt(fee.amountMinor),
    prices: lines.map(({ price }) => BigInt(price.amountMinor)),
    shares: lines.map(({ feeShare }) => BigInt(feeShare.amountMinor)),
  };
}

const sumOf = (amounts: readonly bigint[]): bigint => amounts.reduce((sum, next) => sum + next, 0n);

test('the worked example: 40, 30 and 10 EUR cost 89.60, with 12 % on every leg', async () => {
  expect(await quoteOf([4000n, 3000n, 1000n])).toEqual({
    currency: 'EUR',
    total: 8960n,
    fee: 960n,
    prices: [4000n, 3000n, 1000n],
    shares: [480n, 360n, 120n],
  });
});

test.each([
  ['JPY', [1n, 1n, 6n], [0n, 0n, 1n]],
  ['KWD', [3n, 3n, 3n], [1n, 0n, 0n]],
  ['EUR', [0n, 100n], [0n, 12n]],
])(
  'in %s the fee of %j is rounded once and split by the largest remainder',
  async (currency, prices, shares) => {
    expect((await quoteOf(prices, currency)).shares).toEqual(shares);
  },
);

test('the lines of a quote sum to its total, for any number of legs, prices and currencies', async () => {
  const legs = fc.array(fc.bigInt(0n, 10_000_000_000n), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(legs, fc.constantFrom('EUR', 'JPY', 'KWD'), async (prices, currency) => {
      fc.pre(sumOf(prices) > 0n);
      const quote = await quoteOf(prices, currency);
      expect(quote.prices).toEqual(prices);
      expect(sumOf(quote.shares)).toBe(quote.fee);
      expect(sumOf(quote.prices) + quote.fee).toBe(quote.total);
      // 12 % of the whole, to the nearest minor unit; no leg is a whole unit from its exact share.
      const off = quote.fee * 100n - sumOf(prices) * 12n;
      expect(off >= -50n && off <= 50n).toBe(true);
      for (const [index, share] of quote.shares.entries()) {
        const distance = share * sumOf(prices) - quote.fee * prices[index]!;
        expect(distance < sumOf(prices) && -distance < sumOf(prices)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});

test('a quote is never changed, by whatever statement', async () => {
  await quoteOf([100n]);
  for (const statement of [
    'update price_quotes set total_minor = 1, carriers_minor = 1, fee_minor = 0',
    'delete from price_quotes',
    'truncate price_quotes',
  ])
    await expect(world.database('bookings').transaction((tx) => tx.sql(statement))).rejects.toThrow(
      'price_quotes is append-only',
    );
});

test('a quote whose parts are not its total is refused by the database', async () => {
  const wrong = `insert into price_quotes (id, itinerary_id, itinerary_version, sender_id, currency, carriers_minor, fee_minor, total_minor, lines, fee_id, signature, expires_at, created_at)
    select gen_random_uuid(), itinerary_id, 1, sender_id, currency, 100, 12, 111, lines, fee_id, signature, expires_at, created_at from price_quotes limit 1`;
  await quoteOf([100n]);
  await expect(world.database('bookings').transaction((tx) => tx.sql(wrong))).rejects.toThrow('total_is_sum');
});

test('a fee rule applies from its day on; what was quoted before stays as it was', async () => {
  const itineraryId = await itineraryAt([10_000n]);
  const quote = async () =>
    (await story.quoteItinerary(sara, itineraryId)).data.quoteItinerary.fee.amountMinor;
  await story.rows(
    'bookings',
    `insert into fees (id, type, parts_per_million, effective_from) values (gen_random_uuid(), 'platform', 100000, '2026-04-01T00:00:00Z')`,
  );
  expect(await quote()).toBe('1200');
  await world.clock.set('2026-04-01T00:00:00Z');
  expect(await quote()).toBe('1000');
  const { data } = await world.execute('bookings', '{ fees { type partsPerMillion } }', {}, eve);
  expect(data.fees).toEqual([{ type: 'PLATFORM', partsPerMillion: 100_000 }]);
  const kept = await story.rows(
    'bookings',
    'select fee_minor::text from price_quotes where itinerary_id = ? order by id',
    [itineraryId],
  );
  expect(kept).toEqual([{ fee_minor: '1200' }, { fee_minor: '1000' }]);
  await world.clock.set('2026-03-02T09:00:00Z');
});

test.each([
  ['AMOUNT_INVALID', euros(0)],
  ['AMOUNT_INVALID', euros(-100)],
  ['CURRENCY_UNKNOWN', { amountMinor: '100', currency: 'XXX' }],
])('a price of nothing that costs is refused with %s', async (code, carriers) => {
  const text =
    'query ($carriers: MoneyInput!) { calculatePrice(carriers: $carriers) { total { amountMinor } } }';
  expect((await world.execute('bookings', text, { carriers }, eve)).codes).toEqual([code]);
});

test('an itinerary that is not planned, not known or not the viewer’s is not quoted', async () => {
  const itineraryId = await itineraryAt([100n]);
  expect((await story.quoteItinerary(eve, itineraryId)).codes).toEqual(['ITINERARY_NOT_FOUND']);
  expect((await story.quoteItinerary(sara, newId())).codes).toEqual(['ITINERARY_NOT_FOUND']);
  expect((await story.quoteItinerary(sara, 'no id')).codes).toEqual(['ID_MALFORMED']);
  expect((await story.quoteItinerary({ kind: 'anonymous' }, itineraryId)).codes).toEqual([
    'SIGN_IN_REQUIRED',
  ]);
  await story.bookings(sara, 'cancelItinerary', { itineraryId });
  expect((await story.quoteItinerary(sara, itineraryId)).codes).toEqual(['ITINERARY_NOT_PLANNED']);
});
