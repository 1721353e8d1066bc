/**
 * What must not work, against the whole platform as clients meet it: other people's things by id and through every
 * federated hop, cards that fail, carriers who decline, routes that are gone, forged notices and hostile text.
 */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { print } from 'graphql';
import { newId } from '#shared/kernel/ids.ts';
import { DAY, HOUR } from '#shared/kernel/time.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import {
  AcceptBookingDocument,
  CancelItineraryDocument,
  CancelShipmentDocument,
  CancelTripDocument,
  CreateItineraryDocument,
  CreateShipmentDocument,
  DeclineBookingDocument,
  IssueQrCodeDocument,
  ItineraryDocument,
  LedgerProofDocument,
  PaymentDocument,
  ProcessPaymentDocument,
  QuoteItineraryDocument,
  RecordTrackingEventDocument,
  RegisterCourierDocument,
  RequestOtpDocument,
  SearchLocationsDocument,
  SetRecipientDocument,
  TrackingEventsDocument,
  TripDocument,
  UpdateProfileDocument,
  VerifyOtpDocument,
} from '../../schema/operations/operations.generated.ts';
import { findPlace } from './carriage.ts';
import { awaitMail, Client, type Person, signIn } from './client.ts';
import {
  acceptFlight,
  askedBooking,
  cardAttempt,
  findFlights,
  offerFlight,
  openedPayment,
  payFlight,
  type Route,
  requestFlight,
} from './flight.ts';
import { submitShipment } from './parcel.ts';
import {
  AsCarrier,
  bookPrivately,
  everythingShownTo,
  type Json,
  type PrivateParcel,
  quietly,
  secretsIn,
  write,
} from './private-parcel.ts';
import { type Installation, install, type Served, serve } from './served.ts';

let database: TestDatabase;
let installation: Installation;
let platform: Served;
let url: string;
let route: Route;
let traveller: Person;
let scene: PrivateParcel;
let day = 70;

beforeAll(async () => {
  database = await testDatabase();
  installation = await install(database.url);
  platform = await serve(installation, 'gateway/journeys/start.ts', {
    ANSWER_WINDOW: '15s',
    ANSWER_WINDOW_MIN: '15s',
    PAYMENT_WINDOW: '3s',
  });
  url = platform.url;
  traveller = await signIn(url, 'traveller@refusals.baton.test', 'Tara Traveller');
  const [from, to] = await Promise.all(
    ['CDG', 'JFK'].map((iata) => findPlace(traveller.client, iata, 'AIRPORT')),
  );
  route = { from: from!, to: to! };
  scene = await bookPrivately(url, route);
}, 120_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await installation?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const person = (role: string): Promise<Person> => signIn(url, `${role}@refusals.baton.test`, role);

/** A sender of their own, with a parcel and a flight that could carry it. */
async function anotherParcel(role: string, recipient = scene.cast.recipient) {
  const sender = await person(role);
  day += 2;
  const departsAt = new Date(Math.floor(Date.now() / HOUR) * HOUR + day * DAY);
  const { tripId, lane } = await offerFlight(traveller, route, departsAt);
  const parcel = await submitShipment(sender, recipient, lane, quietly);
  const [option] = await findFlights(sender, lane);
  return { sender, parcel, tripId, lane, departsAt, token: option!.token };
}

describe("somebody else's parcel", () => {
  let outsiders: ReadonlyMap<string, Client>;

  beforeAll(async () => {
    const guest = await person('guest');
    const { sender, parcel, token } = await anotherParcel('neighbour', guest);
    await requestFlight(sender, parcel.shipmentId, token);
    outsiders = new Map([
      ['an anonymous client', new Client(url)],
      ['a stranger', (await person('stranger')).client],
      ['the sender of another shipment', sender.client],
      ['the carrier of another shipment', traveller.client],
      ['the recipient of another shipment', guest.client],
      ["the bearer of another shipment's link", new Client(url, parcel.linkToken)],
    ]);
  });

  test('the questions reach every secret where its own parties ask them', async () => {
    const { sender, first } = scene.cast;
    const [asSender, asFirst] = [
      await everythingShownTo(sender.client, scene),
      await everythingShownTo(first.client, scene),
    ];
    expect(asSender.answers.filter(({ status }) => status >= 500)).toEqual([]);
    expect(secretsIn(scene, [...asSender.answers, ...asFirst.answers])).toEqual([...scene.secrets.keys()]);
    expect(asSender.left).toEqual([
      'calculatePrice',
      'searchLocations',
      'geocodeLocation',
      'calculateRoutes',
      'routeAlternatives',
      'searchSuggestions',
      'searchRoutes',
    ]);
  });

  test.each([
    'an anonymous client',
    'a stranger',
    'the sender of another shipment',
    'the carrier of another shipment',
    'the recipient of another shipment',
    "the bearer of another shipment's link",
  ])('%s is shown nothing of it, by id or through any federated hop', async (who) => {
    const { answers } = await everythingShownTo(outsiders.get(who)!, scene);
    expect(secretsIn(scene, answers)).toEqual([]);
    const refusals = answers.flatMap(({ name, errors = [] }) =>
      errors.map(({ message, extensions }) => `${name} ${extensions?.kind} ${extensions?.code} ${message}`),
    );
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.filter((refusal) => !/ (NOT_FOUND|FORBIDDEN) /.test(refusal))).toEqual([]);
  });

  test('nobody outside changes anything of it', async () => {
    const { secrets, parcel, itineraryId, tripId, cast } = scene;
    const bookingId = secrets.get('legs.0.booking.id')!;
    const attempts: [TypedDocumentNode<unknown, never>, Json][] = [
      [CancelShipmentDocument, { shipmentId: parcel.shipmentId }],
      [CancelItineraryDocument, { itineraryId }],
      [QuoteItineraryDocument, { itineraryId }],
      [AcceptBookingDocument, { bookingId }],
      [DeclineBookingDocument, { bookingId }],
      [ProcessPaymentDocument, cardAttempt(secrets.get('payment.id')!, 'pm_card_visa').input],
      [IssueQrCodeDocument, { stepId: secrets.get('handoffs.0.id') }],
      [CancelTripDocument, { tripId }],
      [
        RecordTrackingEventDocument,
        { shipmentId: parcel.shipmentId, type: 'DEPARTED', message: 'Gone', idempotencyKey: 'forged-event' },
      ],
    ];
    for (const client of outsiders.values()) {
      for (const [document, input] of attempts) {
        const { data, errors = [] } = await client.ask(document as TypedDocumentNode<Json, Json>, { input });
        expect(data ?? null).toBeNull();
        expect(errors.map(({ extensions }) => extensions?.kind)).toEqual([
          expect.stringMatching(/^(NOT_FOUND|FORBIDDEN)$/),
        ]);
      }
    }
    const { itinerary } = await cast.sender.client.run(ItineraryDocument, { id: itineraryId });
    expect(itinerary?.state).toBe('CONFIRMED');
  });

  test('its tracking events are refused on a socket', async () => {
    for (const client of outsiders.values())
      expect(await firstSeen(client, scene.parcel.shipmentId)).toContain('SHIPMENT_NOT_FOUND');
    expect(await firstSeen(new Client(url, scene.parcel.linkToken), scene.parcel.shipmentId)).toContain(
      'ITINERARY_CONFIRMED',
    );
  });

  test('a forged viewer is nobody', async () => {
    const { sender, first } = scene.cast;
    const viewers = [
      { kind: 'service', name: 'bookings' },
      { kind: 'user', userId: sender.id, sessionId: newId(), roles: ['operator'] },
    ];
    const forged = viewers.flatMap((viewer) => {
      const body = Buffer.from(JSON.stringify({ viewer })).toString('base64url');
      return [JSON.stringify(viewer), body, `k1.${body}.${'A'.repeat(43)}`];
    });
    for (const header of forged) {
      const headers = { 'x-baton-viewer': header };
      const { data } = await new Client(url).ask(AsCarrier, { id: scene.itineraryId }, headers);
      expect(JSON.stringify(data)).toBe('{"itinerary":null}');
      const own = await first.client.ask(AsCarrier, { id: scene.itineraryId }, headers);
      expect(own.data).toMatchObject({ itinerary: { carriersTotal: null, payment: null } });
    }
  });

  test('entities cannot be asked for past the gateway', async () => {
    const representations = [{ __typename: 'Shipment', id: scene.parcel.shipmentId }];
    const entities = write(
      'query ($representations: [_Any!]!) { _entities(representations: $representations) { __typename } }',
    );
    const { status, data } = await scene.cast.sender.client.ask(entities, { representations });
    expect([status, data ?? null]).toEqual([400, null]);
  });
});

/** The first thing that a socket says to who watches a shipment: an event or a refusal. */
async function firstSeen(client: Client, shipmentId: string): Promise<string> {
  const socket = client.socket();
  try {
    return await new Promise<string>((resolve) => {
      socket.subscribe(
        { query: print(TrackingEventsDocument), variables: { shipmentId, after: '' } },
        {
          next: (value) => resolve(JSON.stringify(value)),
          error: (error) => resolve(JSON.stringify(error)),
          complete: () => resolve('nothing'),
        },
      );
    });
  } finally {
    await socket.dispose();
  }
}

test('carriers of one parcel see neither the price of another nor, before it is confirmed, how anybody is reached', () => {
  const { cast, whenAsked, whenConfirmed } = scene;
  const shown = (answer: Json) => JSON.parse(JSON.stringify(answer.itinerary));
  const onlyTheirOwn = [
    {
      carrier: { id: cast.first.id },
      price: { amountMinor: '4000' },
      booking: { price: { amountMinor: '4000' } },
    },
    { carrier: { id: cast.second.id }, price: null, booking: null },
    { carrier: { id: cast.courier.id }, price: null, booking: null },
  ];
  expect(shown(whenAsked)).toMatchObject({
    state: 'REQUESTED',
    carriersTotal: null,
    payment: null,
    legs: onlyTheirOwn,
    shipment: {
      senderContact: null,
      recipient: { name: cast.recipient.name, email: null, phone: null, address: null },
    },
  });
  expect(shown(whenConfirmed)).toMatchObject({
    state: 'CONFIRMED',
    carriersTotal: null,
    payment: null,
    legs: onlyTheirOwn,
    shipment: { escrow: null },
  });
});

/** Until everything of an itinerary was given back, and its sender was told by mail. */
async function awaitCancelled(sender: Person, itineraryId: string, tripId: string, words: string) {
  const { itinerary } = await sender.client.until(
    ItineraryDocument,
    { id: itineraryId },
    (data) => data.itinerary?.state === 'CANCELLED',
    40_000,
  );
  await traveller.client.until(
    TripDocument,
    { id: tripId },
    ({ trip }) => trip?.legs[0]?.freeGrams === 2_000,
  );
  await awaitMail(url, sender.email, ({ text }) => text.includes(words));
  return itinerary!.cancelReason;
}

test('a declined card is followed by another one that works', async () => {
  const { sender, parcel, token } = await anotherParcel('two-cards');
  const itineraryId = await requestFlight(sender, parcel.shipmentId, token);
  await acceptFlight(traveller, itineraryId);
  const paymentId = await openedPayment(sender, itineraryId);
  const declined = await sender.client.refused(
    ProcessPaymentDocument,
    cardAttempt(paymentId, 'pm_card_chargeDeclinedInsufficientFunds'),
  );
  expect([...declined.codes, declined.details[0]?.declineCode]).toEqual([
    'PAYMENT_REFUSED',
    'insufficient_funds',
  ]);
  await awaitMail(url, sender.email, ({ subject }) => subject.includes('payment was refused'));
  await payFlight(sender, paymentId, 'pm_card_visa');
  await sender.client.until(
    ItineraryDocument,
    { id: itineraryId },
    ({ itinerary }) => itinerary?.state === 'CONFIRMED',
  );
});

test('an authentication that is abandoned ends the booking, gives the room back and tells the sender', async () => {
  const { sender, parcel, token, tripId } = await anotherParcel('wanders-off');
  const itineraryId = await requestFlight(sender, parcel.shipmentId, token);
  const paymentId = await openedPayment(sender, itineraryId);
  const outcome = await payFlight(sender, paymentId, 'pm_card_threeDSecure2Required');
  expect(outcome.__typename).toBe('PaymentActionRequired');
  await acceptFlight(traveller, itineraryId);
  const reason = await awaitCancelled(sender, itineraryId, tripId, 'the payment was not made in time');
  expect(reason).toBe('PAYMENT_ABANDONED');
  await sender.client.until(
    PaymentDocument,
    { id: paymentId },
    ({ payment }) => payment?.state === 'CANCELED',
  );
}, 60_000);

test('a carrier who declines lets the reserved money and the room go, and the sender is told', async () => {
  const { sender, parcel, token, tripId } = await anotherParcel('declined');
  const itineraryId = await requestFlight(sender, parcel.shipmentId, token);
  const paymentId = await openedPayment(sender, itineraryId);
  await payFlight(sender, paymentId, 'pm_card_visa');
  await sender.client.until(
    PaymentDocument,
    { id: paymentId },
    ({ payment }) => payment?.state === 'REQUIRES_CAPTURE',
  );
  const bookingId = await askedBooking(traveller, itineraryId);
  const reason = 'My suitcase is full 🧳';
  await traveller.client.run(DeclineBookingDocument, { input: { bookingId, reason } });
  await awaitMail(url, sender.email, ({ text }) => text.includes(reason));
  expect(await awaitCancelled(sender, itineraryId, tripId, 'a carrier declined')).toBe('CARRIER_DECLINED');
  const ended = write('query ($id: ID!) { itinerary(id: $id) { state shipment { state } } }');
  const kept = await traveller.client.ask(ended, { id: itineraryId });
  expect(kept.data?.itinerary).toMatchObject({ state: 'CANCELLED', shipment: null });
  await sender.client.until(
    PaymentDocument,
    { id: paymentId },
    ({ payment }) => payment?.state === 'CANCELED',
  );
});

test('a suggestion that is gone is refused with fresh ones that can be booked', async () => {
  const { sender, parcel, tripId, lane, departsAt, token } = await anotherParcel('too-late');
  const dearer = await offerFlight(traveller, route, departsAt, 9_000);
  await traveller.client.run(CancelTripDocument, { input: { tripId } });
  await findFlights(sender, lane, '10000');
  const input = { shipmentId: parcel.shipmentId, suggestionToken: token };
  const stale = await sender.client.refused(CreateItineraryDocument, { input });
  expect(stale.codes.join()).toBe('SUGGESTION_STALE');
  const [fresh] = stale.details[0]!.alternatives as { token: string; price: { amountMinor: string } }[];
  expect(fresh!.price.amountMinor).toBe('10000');
  const itineraryId = await requestFlight(sender, parcel.shipmentId, fresh!.token);
  await acceptFlight(traveller, itineraryId);
  const { trip } = await traveller.client.run(TripDocument, { id: dearer.tripId });
  expect(trip?.legs[0]?.freeGrams).toBe(0);
});

test('a forged notice of the card processor is refused and changes nothing', async () => {
  const anonymous = new Client(url);
  const { sender } = scene.cast;
  const id = scene.secrets.get('payment.id')!;
  const state = async () =>
    JSON.stringify([
      await anonymous.run(LedgerProofDocument, {}),
      await sender.client.run(PaymentDocument, { id }),
    ]);
  const before = await state();
  const now = Math.floor(Date.now() / 1000);
  const event = { id: 'evt_forged', object: 'event', type: 'charge.refunded', created: now };
  const body = JSON.stringify({ ...event, data: { object: { id: 'ch_forged', object: 'charge' } } });
  const signatures = [undefined, '', 'nonsense', `t=${now},v1=${'0'.repeat(64)}`, `t=1,v1=${'0'.repeat(64)}`];
  for (const signature of signatures) {
    const response = await fetch(new URL('/services/payments/webhooks/stripe', url), {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(signature === undefined ? {} : { 'stripe-signature': signature }),
      },
      body,
      signal: AbortSignal.timeout(10_000),
    });
    expect([400, 403]).toContain(response.status);
  }
  expect(await state()).toBe(before);
});

test('a sign-in code works once, on the device that asked, and a wrong one never', async () => {
  const anonymous = new Client(url);
  const email = 'codes@refusals.baton.test';
  const deviceFingerprint = 'the-device-that-asked';
  const { requestOtp } = await anonymous.run(RequestOtpDocument, { input: { email, deviceFingerprint } });
  const mail = await awaitMail(url, email, ({ text }) => /\b\d{6}\b/.test(text));
  const code = /\b\d{6}\b/.exec(mail.text)![0];
  const wrong = String((Number(code) + 1) % 1e6).padStart(6, '0');
  const right = { challengeId: requestOtp.challengeId, email, code, deviceFingerprint };
  const refusedWith = async (input: typeof right): Promise<string> =>
    (await anonymous.refused(VerifyOtpDocument, { input })).codes.join();
  expect(await refusedWith({ ...right, code: wrong })).toBe('OTP_INVALID');
  expect(await refusedWith({ ...right, deviceFingerprint: 'some-other-device' })).toBe('OTP_INVALID');
  expect(await refusedWith({ ...right, email: 'stranger@refusals.baton.test' })).toBe('OTP_INVALID');
  const { verifyOtp } = await anonymous.run(VerifyOtpDocument, { input: right });
  expect(verifyOtp.user.email).toBe(email);
  expect(await refusedWith(right)).toBe('OTP_INVALID');
});

test.each([
  ['a NUL byte', 'Zero\u0000Byte'],
  ['a lone surrogate', 'Half \ud83d pair'],
  ['right-to-left text', 'مرحبا بالعالم'],
  ['an override of direction', 'abc\u202edcba'],
  ['four-byte emoji', '👩‍👩‍👧 Family 🎁'],
  ['nothing but blanks', ' \u00a0\u2003 '],
  ['far too much', '𝔘'.repeat(5_000)],
])('%s in a text is kept as it is or refused as bad input', async (_, text) => {
  const { client } = traveller;
  const contact = { name: text, email: 'w@refusals.baton.test', phone: '+33155550100', address: text };
  const frame = { originLocationId: route.from.id, destinationLocationId: route.to.id };
  const good = { ...contact, name: 'Will Writer', address: '1 rue de Rivoli, 75001 Paris' };
  const { createShipment } = await client.run(CreateShipmentDocument, {
    input: { ...frame, senderInfo: good },
  });
  const attempts: [TypedDocumentNode<unknown, never>, Json][] = [
    [UpdateProfileDocument, { displayName: text }],
    [CreateShipmentDocument, { ...frame, senderInfo: contact }],
    [CreateShipmentDocument, { ...frame, senderInfo: good, specialHandling: text }],
    [SetRecipientDocument, { ...good, shipmentId: createShipment.id, name: text }],
    [SetRecipientDocument, { ...good, shipmentId: createShipment.id, address: text }],
    [SetRecipientDocument, { ...good, shipmentId: createShipment.id, email: `${text}@baton.test` }],
    [SearchLocationsDocument, { query: text }],
    [RegisterCourierDocument, { name: text }],
    [RequestOtpDocument, { email: `${text}@baton.test`, deviceFingerprint: 'a-device' }],
    [RequestOtpDocument, { email: `${newId()}@refusals.baton.test`, deviceFingerprint: `a-device ${text}` }],
    [CreateItineraryDocument, { shipmentId: createShipment.id, suggestionToken: text }],
    [CancelShipmentDocument, { shipmentId: text }],
  ];
  for (const [document, input] of attempts) {
    const { status, errors = [] } = await client.ask(document as TypedDocumentNode<Json, Json>, { input });
    expect(status).toBeLessThan(500);
    expect(
      errors
        .map(({ message, extensions }) => `${extensions?.kind} ${extensions?.code} ${message}`)
        .filter((refusal) => !/^(INVALID|NOT_FOUND|CONFLICT) /.test(refusal)),
    ).toEqual([]);
  }
  const { itinerary } = await client.run(AsCarrier, { id: text });
  expect(itinerary).toBeNull();
});
