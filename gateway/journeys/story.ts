/**
 * One parcel, two travellers and a courier, from sign-in to payout, told against a served platform as client
 * applications would: HTTP, graphql-ws, uploads and mails. Every sentence is an assertion; nothing is skipped.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { DAY, HOUR, MINUTE } from '#shared/kernel/time.ts';
import {
  AcceptBookingDocument,
  CreateItineraryDocument,
  CustodyProofDocument,
  HandoffsDocument,
  IssueQrCodeDocument,
  ItineraryDocument,
  LedgerProofDocument,
  MyBookingRequestsDocument,
  MyPayoutsDocument,
  NotificationsDocument,
  OpenPayoutAccountDocument,
  PaymentOfItineraryDocument,
  ProcessPaymentDocument,
  QuoteItineraryDocument,
  RequestBookingDocument,
  ScanHandoffDocument,
  SearchRoutesDocument,
  ShipmentDocument,
  TrackingHistoryDocument,
  TrackingStatusDocument,
} from '../../schema/operations/operations.generated.ts';
import { findPlace, type Place, publishFlight, serveConnection, stopServing } from './carriage.ts';
import { awaitMail, Client, type Person, signIn } from './client.ts';
import { submitShipment } from './parcel.ts';
import { takePhoto } from './photo.ts';
import { Watcher } from './watcher.ts';

export type Say = (chapter: string, line: string) => void;

export interface Cast {
  readonly sender: Person;
  readonly first: Person;
  readonly second: Person;
  readonly courier: Person;
  readonly recipient: Person;
}

export interface Lane {
  readonly montreal: Place;
  readonly paris: Place;
  readonly departsAt: Date;
  readonly arrivesAt: Date;
}

export interface StoryLane extends Lane {
  readonly segmentId: string;
}

const grams = 2_000;

/** Equal as JSON: what came over the wire is nothing else. */
function same(actual: unknown, expected: unknown, message?: string): void {
  assert.equal(JSON.stringify(actual), JSON.stringify(expected), message);
}

const cents = ({ amountMinor, currency }: { amountMinor: string; currency: string }): string =>
  `${(Number(amountMinor) / 100).toFixed(2)} ${currency}`;

/** Five people sign in, each by a code that came by mail. */
export async function gatherCast(url: string, say: Say): Promise<Cast> {
  const run = randomInt(1e9).toString(36);
  const person = (role: string, name: string) => signIn(url, `${role}.${run}@story.baton.test`, name);
  const sender = await person('sender', 'Sofia Sender');
  const first = await person('first', 'Amir Atlantic');
  const second = await person('second', 'Bea Channel');
  const courier = await person('courier', 'Colis Courier');
  const recipient = await person('recipient', 'Rémi Recipient');
  say('Sign-in', 'five people signed in by one-time code, each mailed through the mail provider');
  return { sender, first, second, courier, recipient };
}

/** Two travellers and a courier publish what they can carry, on days of their own. */
export async function offerCarriage({ first, second, courier }: Cast, say: Say): Promise<StoryLane> {
  const [yul, lhr, cdg] = await Promise.all(
    ['YUL', 'LHR', 'CDG'].map((iata) => findPlace(first.client, iata, 'AIRPORT')),
  );
  const montreal = await findPlace(first.client, 'Montreal', 'CITY');
  const paris = await findPlace(first.client, 'Pariss', 'CITY');
  assert.equal(paris.name, 'Paris', 'the search of places forgives a typing error');
  // A day and minute of this story's own, so that nobody else's offer comes between.
  const start = Date.now() + randomInt(20, 60) * DAY + randomInt(24 * 60) * MINUTE;
  const at = (hours: number): Date => new Date(start + hours * HOUR);
  const capacityGrams = grams;
  await publishFlight(first, {
    from: yul!,
    to: lhr!,
    departsAt: at(0),
    arrivesAt: at(7),
    flight: 'AC864',
    base: 2_000,
    perKilogram: 1_000,
    capacityGrams,
  });
  await publishFlight(second, {
    from: lhr!,
    to: cdg!,
    departsAt: at(12),
    arrivesAt: at(13.3),
    flight: 'BA314',
    base: 2_000,
    perKilogram: 500,
    capacityGrams,
  });
  const segmentId = await serveConnection(courier, {
    name: `Courier ${courier.id.slice(-6)}`,
    from: cdg!,
    to: paris,
    base: 600,
    perKilogram: 200,
  });
  for (const person of [first, second, courier]) {
    await onboard(person);
  }
  say(
    'Offers',
    `${first.name} flies YUL to LHR, ${second.name} LHR to CDG, ${courier.name} serves Paris; all can be paid`,
  );
  return { montreal, paris, departsAt: at(-2), arrivesAt: at(30), segmentId };
}

/** A carrier opens an account for payouts and fills in the processor's page. */
async function onboard({ client }: Person): Promise<void> {
  const input = { country: 'FR', currency: 'EUR' };
  const { openPayoutAccount } = await client.run(OpenPayoutAccountDocument, { input });
  assert.ok(openPayoutAccount.onboardingUrl, 'a new account has something to fill in');
  const page = await fetch(openPayoutAccount.onboardingUrl, {
    method: 'POST',
    body: new URLSearchParams({ outcome: 'complete' }),
    redirect: 'manual',
    signal: AbortSignal.timeout(10_000),
  });
  assert.ok(page.status < 400, `onboarding: ${page.status}`);
}

/** The sender finds the chain of exactly these carriers among the options. */
export async function findChain(cast: Cast, lane: Lane, say: Say) {
  const { sender, first, second, courier } = cast;
  const { searchRoutes } = await sender.client.run(SearchRoutesDocument, {
    input: {
      criteria: {
        originLocationId: lane.montreal.id,
        destinationLocationId: lane.paris.id,
        earliestDeparture: lane.departsAt.toISOString(),
        latestArrival: lane.arrivesAt.toISOString(),
        category: 'GIFTS',
        grams,
        currency: 'EUR',
        senderComesToAirport: true,
        recipientComesToAirport: false,
      },
      sort: 'CHEAPEST',
      first: 10,
    },
  });
  const chain = [first.id, second.id, courier.id].join();
  const option = searchRoutes.find(({ legs }) => legs.map(({ carrier }) => carrier.id).join() === chain);
  assert.ok(option, `no option with the story's carriers among ${searchRoutes.length}`);
  same(
    option.legs.map(({ price }) => price.amountMinor),
    ['4000', '3000', '1000'],
  );
  assert.ok(option.reason.length > 0, 'the rank has a reason');
  say(
    'Search',
    `${searchRoutes.length} option(s); ${cents(option.price)} over ${option.legs.length} legs: "${option.reason}"`,
  );
  return option;
}

/** Itinerary, signed quote, request: capacity is held on every leg at once. */
export async function requestChain(
  cast: Cast,
  shipmentId: string,
  suggestionToken: string,
  say: Say,
): Promise<string> {
  const { client } = cast.sender;
  const { createItinerary: itinerary } = await client.run(CreateItineraryDocument, {
    input: { shipmentId, suggestionToken },
  });
  const { quoteItinerary: quote } = await client.run(QuoteItineraryDocument, {
    input: { itineraryId: itinerary.id },
  });
  assert.equal(quote.total.amountMinor, '8960');
  same(
    quote.lines.map(({ feeShare }) => feeShare.amountMinor),
    ['480', '360', '120'],
  );
  const terms = { itineraryId: itinerary.id, quoteId: quote.id, expectedTotal: quote.total };
  const tampered = await client.refused(RequestBookingDocument, {
    input: { ...terms, quoteSignature: `${quote.signature}x` },
  });
  same(tampered.codes, ['QUOTE_TAMPERED']);
  const { requestBooking } = await client.run(RequestBookingDocument, {
    input: { ...terms, quoteSignature: quote.signature },
  });
  assert.equal(requestBooking.state, 'REQUESTED');
  say(
    'Booking',
    `signed quote of ${cents(quote.total)} (fee ${cents(quote.fee)}); capacity held on ${quote.lines.length} legs, carriers asked`,
  );
  return itinerary.id;
}

/** Every carrier accepts what it was asked. */
export async function acceptAll(
  { first, second, courier }: Cast,
  itineraryId: string,
  say: Say,
): Promise<void> {
  for (const carrier of [first, second, courier]) {
    const asked = await carrier.client.until(
      MyBookingRequestsDocument,
      { state: 'REQUESTED' },
      ({ myBookingRequests }) =>
        myBookingRequests.edges.some(({ node }) => node.itinerary.id === itineraryId),
    );
    const { node } = asked.myBookingRequests.edges.find((edge) => edge.node.itinerary.id === itineraryId)!;
    await carrier.client.run(AcceptBookingDocument, { input: { bookingId: node.id } });
    say(
      'Booking',
      `${carrier.name} accepts ${node.leg.from.name} to ${node.leg.to.name} for ${cents(node.price)}`,
    );
  }
}

/** The sender pays: one card payment for all carriers, captured only now that all have accepted. */
export async function pay({ sender }: Cast, itineraryId: string, say: Say): Promise<void> {
  const found = await sender.client.until(PaymentOfItineraryDocument, { itineraryId }, ({ itinerary }) =>
    Boolean(itinerary?.payment),
  );
  const { processPayment } = await sender.client.run(ProcessPaymentDocument, {
    input: {
      paymentId: found.itinerary!.payment!.id,
      paymentMethodId: 'pm_card_visa',
      returnUrl: 'https://app.baton.test/paid',
      saveMethod: false,
    },
  });
  assert.equal(processPayment.__typename, 'Payment');
  const { itinerary } = await sender.client.until(
    ItineraryDocument,
    { id: itineraryId },
    (data) => data.itinerary?.state === 'CONFIRMED',
  );
  assert.ok(itinerary!.legs.every(({ booking }) => booking?.state === 'CONFIRMED'));
  say(
    'Payment',
    'the card is authorised, captured after the last yes, and held per leg; the itinerary is confirmed',
  );
}

/** Giver and receiver scan each other's code; photos are attached; custody moves. */
export async function handOver(giver: Person, receiver: Person, stepId: string, say: Say): Promise<void> {
  const code = async (person: Person): Promise<string> =>
    (await person.client.run(IssueQrCodeDocument, { input: { stepId } })).issueQrCode.token!;
  const scan = async (person: Person, token: string): Promise<string> => {
    const photo = await person.client.upload(takePhoto(), 'image/png', 'HANDOFF_PHOTO');
    const input = {
      token,
      photoFileIds: [photo],
      weightGrams: grams,
      scannedAt: new Date().toISOString(),
      idempotencyKey: `${person.id}:${stepId}`,
    };
    const { scanHandoff } = await person.client.run(ScanHandoffDocument, { input });
    assert.equal(scanHandoff.result, 'OK');
    const again = await person.client.run(ScanHandoffDocument, { input });
    assert.equal(again.scanHandoff.id, scanHandoff.id, 'a repeated scan changes nothing');
    return scanHandoff.outcome;
  };
  const [giving, receiving] = [await code(giver), await code(receiver)];
  assert.equal(await scan(receiver, giving), 'HALF_CONFIRMED');
  assert.equal(await scan(giver, receiving), 'TRANSFERRED');
  say('Hand-over', `${giver.name} to ${receiver.name}: both scanned, photos kept, custody moved`);
}

/** The whole story; resolves with the ledger's proof when every sentence held. */
export async function tellStory(url: string, say: Say) {
  const operator = new Client(url);
  const { ledgerProof: before } = await operator.run(LedgerProofDocument, {});
  const cast = await gatherCast(url, say);
  const { sender, first, second, courier, recipient } = cast;
  const lane = await offerCarriage(cast, say);
  await using ending = new AsyncDisposableStack();
  // The trips sell out with this story; the courier's daily connection would stand in the next one's way.
  ending.defer(() => stopServing(courier, lane.segmentId));

  const parcel = await submitShipment(sender, recipient, lane, say);
  const linked = new Client(url, parcel.linkToken);
  await using senderWatch = new Watcher(sender.client, parcel.shipmentId, (event) =>
    say('Live', `${event.type}: ${event.message}`),
  );
  await using recipientWatch = new Watcher(linked, parcel.shipmentId);
  senderWatch.watch();
  recipientWatch.watch();

  const option = await findChain(cast, lane, say);
  const itineraryId = await requestChain(cast, parcel.shipmentId, option.token, say);
  await acceptAll(cast, itineraryId, say);
  await pay(cast, itineraryId, say);
  await recipientWatch.until('ITINERARY_CONFIRMED');
  await awaitMail(url, recipient.email, ({ subject }) => /on its way/i.test(subject));
  await awaitMail(url, first.email, ({ subject }) => /you carry/i.test(subject));
  await awaitMail(url, sender.email, ({ subject }) => /booked/i.test(subject));

  const parties = [sender, first, second, courier, recipient];
  const { itinerary } = await sender.client.until(
    HandoffsDocument,
    { itineraryId },
    (data) => data.itinerary?.handoffs?.length === 4,
  );
  const steps = itinerary!.handoffs!.toSorted((a, b) => a.sequence - b.sequence);
  const stranger = await second.client.refused(IssueQrCodeDocument, { input: { stepId: steps[0]!.id } });
  assert.equal(stranger.codes.length, 1, 'a code is for the parties of its step alone');
  for (const [index, step] of steps.entries()) {
    // The recipient loses the connection in the middle of the journey and comes back later.
    if (index === 1) await recipientWatch.cut();
    if (index === 3) recipientWatch.watch();
    await handOver(parties[index]!, parties[index + 1]!, step.id, say);
  }
  await sender.client.until(
    ShipmentDocument,
    { id: parcel.shipmentId },
    ({ shipment }) => shipment?.state === 'COMPLETED',
    60_000,
  );
  say('Release', 'the inspection window has passed; every leg was released by its custody evidence');

  await senderWatch.until('COMPLETED');
  await recipientWatch.until('COMPLETED');
  const history = await sender.client.run(TrackingHistoryDocument, {
    shipmentId: parcel.shipmentId,
    first: 100,
  });
  const log = history.trackingHistory.edges.map(({ node }) => node.cursor);
  same(
    senderWatch.seen.map(({ cursor }) => cursor),
    log,
    'the sender saw the whole log in order',
  );
  same(
    recipientWatch.seen.map(({ cursor }) => cursor),
    log,
    'the recipient, cut off in between, missed nothing',
  );
  assert.ok(
    senderWatch.seen.some(
      ({ carrier, leg }) => carrier?.displayName === second.name && leg?.mode === 'FLIGHT',
    ),
  );
  say(
    'Live',
    `${log.length} tracking events reached both watchers, one of them through a cut, with fields of four subgraphs`,
  );

  const { trackingStatus } = await sender.client.run(TrackingStatusDocument, {
    shipmentId: parcel.shipmentId,
  });
  assert.ok(trackingStatus.deliveryProof, 'the delivery is proven');
  for (const { packageId, holderType } of trackingStatus.custody) {
    assert.equal(holderType, 'RECIPIENT');
    const { custodyProof } = await sender.client.run(CustodyProofDocument, { packageId });
    assert.ok(custodyProof.intact, 'the hash chain verifies');
    say(
      'Custody',
      `${custodyProof.events.length} chained custody events of package ${packageId.slice(-6)} verify`,
    );
  }

  for (const [carrier, amount] of [
    [first, '4000'],
    [second, '3000'],
    [courier, '1000'],
  ] as const) {
    const { myPayouts } = await carrier.client.until(
      MyPayoutsDocument,
      {},
      (data) => data.myPayouts.edges.some(({ node }) => node.state === 'PAID'),
      30_000,
    );
    same(
      myPayouts.edges.map(({ node }) => node.amount.amountMinor),
      [amount],
    );
    say('Payout', `${carrier.name} was paid ${cents(myPayouts.edges[0]!.node.amount)}`);
  }
  const { notifications } = await sender.client.run(NotificationsDocument, {});
  assert.ok(notifications.edges.length > 0, 'the sender was notified in the app');

  const { ledgerProof: after } = await operator.run(LedgerProofDocument, {});
  const held = (proof: typeof after): string =>
    proof.currencies.map(({ currency, held: amount }) => `${currency} ${amount}`).join();
  assert.ok(after.chainIntact, 'the chain of journals verifies');
  assert.ok(
    after.currencies.every(({ trialBalance }) => trialBalance === '0'),
    'the trial balance is zero',
  );
  if (before.currencies.length > 0)
    assert.equal(held(after), held(before), 'nothing of this story is still held');
  else assert.ok(after.currencies.every((each) => each.held === '0' && each.payable === '0'));
  for (const { currency, trialBalance, held: holding, payable } of after.currencies) {
    say(
      'Ledger',
      `${currency}: trial balance ${trialBalance}, held ${holding}, payable ${payable} (minor units); ${after.journals} journals chained`,
    );
  }
  return after;
}
