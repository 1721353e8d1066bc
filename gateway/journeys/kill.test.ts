/**
 * The booking saga under `kill -9`: the platform dies between every two steps, and in the middle of the steps
 * that act outside the database, and is started again. Whatever it was doing is then done exactly once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { DAY, HOUR } from '#shared/kernel/time.ts';
import { testDatabase } from '#shared/testing/postgres.ts';
import {
  AcceptBookingDocument,
  CreateItineraryDocument,
  ItineraryDocument,
  LedgerProofDocument,
  MyBookingRequestsDocument,
  PaymentOfItineraryDocument,
  ProcessPaymentDocument,
  QuoteItineraryDocument,
  RequestBookingDocument,
  SearchRoutesDocument,
} from '../../schema/operations/operations.generated.ts';
import { findPlace, type Place, publishFlight } from './carriage.ts';
import { AnswerRefused, type Person, signIn } from './client.ts';
import { submitShipment } from './parcel.ts';
import { install, type Served, serve } from './served.ts';

const steps = [
  'begin',
  'keep capacity',
  'open payment',
  'answers',
  'payment',
  'take the money',
  'sell the capacity',
  'confirm',
];
const weakPoints = [
  ...steps.map((step) => `${step}:remembered`),
  'keep capacity:effect done',
  'open payment:effect done',
  'take the money:before',
  'take the money:effect done',
  'confirm:effect done',
];

interface Scene {
  readonly sender: Person;
  readonly traveller: Person;
  readonly from: Place;
  readonly to: Place;
}

/** Tries again while the platform is away; what it refuses is thrown. */
async function persist<T>(work: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof AnswerRefused && !error.codes.some((code) => /SUBGRAPH|INTERNAL/.test(code)))
        throw error;
      if (performance.now() > deadline) throw error;
      await sleep(100);
    }
  }
}

/** Fails in time, and says with what. */
async function within<T>(milliseconds: number, what: string, work: Promise<T>): Promise<T> {
  const late = sleep(milliseconds, undefined, { ref: false }).then(() => {
    throw new Error(`${what} took more than ${milliseconds} ms`);
  });
  return Promise.race([work, late]);
}

async function planned(
  { sender, traveller, from, to }: Scene,
  day: number,
): Promise<{ itineraryId: string; terms: object }> {
  const departsAt = new Date(Math.floor(Date.now() / HOUR) * HOUR + day * DAY);
  const arrivesAt = new Date(departsAt.getTime() + 7 * HOUR);
  await publishFlight(traveller, {
    from,
    to,
    departsAt,
    arrivesAt,
    flight: 'AF345',
    base: 3_000,
    perKilogram: 500,
    capacityGrams: 2_000,
  });
  const lane = { montreal: from, paris: to, departsAt, arrivesAt };
  const { shipmentId } = await submitShipment(sender, traveller, lane, () => {});
  const { searchRoutes } = await sender.client.until(
    SearchRoutesDocument,
    {
      input: {
        criteria: {
          originLocationId: from.id,
          destinationLocationId: to.id,
          earliestDeparture: new Date(departsAt.getTime() - HOUR).toISOString(),
          latestArrival: new Date(arrivesAt.getTime() + 5 * HOUR).toISOString(),
          category: 'GIFTS',
          grams: 2_000,
          currency: 'EUR',
          senderComesToAirport: true,
          recipientComesToAirport: true,
        },
        sort: 'CHEAPEST',
        first: 1,
      },
    },
    (data) => data.searchRoutes.length > 0,
  );
  const { createItinerary } = await sender.client.run(CreateItineraryDocument, {
    input: { shipmentId, suggestionToken: searchRoutes[0]!.token },
  });
  const itineraryId = createItinerary.id;
  const { quoteItinerary: quote } = await sender.client.run(QuoteItineraryDocument, {
    input: { itineraryId },
  });
  return {
    itineraryId,
    terms: { itineraryId, quoteId: quote.id, quoteSignature: quote.signature, expectedTotal: quote.total },
  };
}

/** Drives one booking as its people would, however often the platform dies under them. */
async function drive({ sender, traveller }: Scene, itineraryId: string, terms: object): Promise<void> {
  await persist(() => sender.client.run(RequestBookingDocument, { input: terms as never }));
  const asked = await persist(() =>
    traveller.client.until(MyBookingRequestsDocument, {}, ({ myBookingRequests }) =>
      myBookingRequests.edges.some(({ node }) => node.itinerary.id === itineraryId),
    ),
  );
  const booking = asked.myBookingRequests.edges.find(({ node }) => node.itinerary.id === itineraryId)!.node;
  await persist(() =>
    traveller.client.run(AcceptBookingDocument, { input: { bookingId: booking.id } }),
  ).catch(
    // Died after the answer was kept and before it was told: the second answer is one too many.
    (error: unknown) => expect((error as AnswerRefused).codes).toEqual(['INVALID_TRANSITION']),
  );
  const { itinerary } = await persist(() =>
    sender.client.until(PaymentOfItineraryDocument, { itineraryId }, (data) =>
      Boolean(data.itinerary?.payment),
    ),
  );
  const input = {
    paymentId: itinerary!.payment!.id,
    paymentMethodId: 'pm_card_visa',
    returnUrl: 'https://app.baton.test/paid',
    saveMethod: false,
  };
  await persist(() => sender.client.run(ProcessPaymentDocument, { input })).catch((error: unknown) => {
    if (!(error instanceof AnswerRefused)) throw error;
  });
  await persist(() =>
    sender.client.until(
      ItineraryDocument,
      { id: itineraryId },
      (data) => data.itinerary?.state === 'CONFIRMED',
      40_000,
    ),
  );
}

test('a booking whose saga dies at any point is confirmed and charged exactly once', async () => {
  await using database = await testDatabase();
  await using installation = await install(database.url);
  const itineraries: string[] = [];
  let scene: Scene | undefined;
  let platform: Served | undefined;
  try {
    for (const [index, weakPoint] of weakPoints.entries()) {
      platform = await serve(installation, 'gateway/journeys/crashing.ts', { CRASH_AT: weakPoint });
      scene ??= await (async () => {
        const sender = await signIn(platform!.url, 'sender@kill.baton.test', 'Sam');
        const traveller = await signIn(platform!.url, 'traveller@kill.baton.test', 'Tia');
        const from = await findPlace(sender.client, 'YUL', 'AIRPORT');
        return { sender, traveller, from, to: await findPlace(sender.client, 'CDG', 'AIRPORT') };
      })();
      const { itineraryId, terms } = await planned(scene, index + 2);
      itineraries.push(itineraryId);
      const dying = platform.gone.then(async (how) => {
        expect(how).toBe('SIGKILL');
        platform = await serve(installation);
      });
      await within(60_000, `${weakPoint}: driving the booking`, drive(scene, itineraryId, terms));
      await within(30_000, `${weakPoint}: dying and coming back`, dying);
      platform.kill('SIGTERM');
      await within(30_000, `${weakPoint}: stopping`, platform.gone);
    }
    platform = await serve(installation);
    const { ledgerProof } = await scene!.sender.client.run(LedgerProofDocument, {});
    const charged = 4_480n * BigInt(itineraries.length);
    expect(ledgerProof).toMatchObject({
      chainIntact: true,
      currencies: [{ currency: 'EUR', trialBalance: '0' }],
    });
    expect(BigInt(ledgerProof.currencies[0]!.held) + BigInt(ledgerProof.currencies[0]!.deferredFees)).toBe(
      charged,
    );
    // What the card processor itself has on record: one capture of the whole amount per booking.
    const client = new pg.Client({ connectionString: database.url, connectionTimeoutMillis: 5_000 });
    await client.connect();
    const { rows } = await client.query<{ status: string; received: string; count: string }>(
      `select doc->>'status' as status, doc->>'amount_received' as received, count(*) from stripe_simulator.objects
        where object = 'payment_intent' group by 1, 2`,
    );
    await client.end();
    expect(rows).toEqual([{ status: 'succeeded', received: '4480', count: String(itineraries.length) }]);
  } finally {
    await platform?.[Symbol.asyncDispose]();
  }
}, 600_000);
