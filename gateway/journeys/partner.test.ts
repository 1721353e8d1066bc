/** A partner's program from its key to a parcel that it follows, and what ends that. */
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse, print } from 'graphql';
import { createClient } from 'graphql-ws';
import pg from 'pg';
import WebSocket from 'ws';
import { newId } from '#shared/kernel/ids.ts';
import { DAY } from '#shared/kernel/time.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import {
  CreateApiKeyDocument,
  PartnerPlacesDocument,
  PartnerRoutesDocument,
  PartnerTrackingDocument,
  PartnerTrackingEventsDocument,
  RevokeApiKeyDocument,
  ShareTrackingDocument,
  StopSharingTrackingDocument,
} from '../../schema/operations/operations.generated.ts';
import { findPlace, publishFlight } from './carriage.ts';
import { type Answer, Client, type Person, signIn } from './client.ts';
import { submitShipment } from './parcel.ts';
import { type DemoPartner, demoAdmin, ensurePartner } from './partner.ts';
import { type Installation, install, type Served, serve } from './served.ts';

let database: TestDatabase;
let installation: Installation;
let platform: Served;
let partner: DemoPartner;
let admin: Client;
let sender: Person;
let shipmentId: string;
const departsAt = new Date(Date.now() + 30 * DAY);

beforeAll(async () => {
  database = await testDatabase();
  installation = await install(database.url);
  platform = await serve(installation, 'gateway/journeys/start.ts', {
    ADMIN_EMAILS: `${demoAdmin},olga@partner.baton.test`,
    CONTRACTS: 'partner=schema/partner.graphql',
    API_KEYS_FROM: 'identity:/internal/api-keys/check',
    REVOCATIONS_FROM: 'identity:/internal/ended-sessions',
    REVOCATIONS_POLL: '1s',
  });
  const { url } = platform;
  partner = await ensurePartner(url, String(installation.env.DATA_DIR));
  admin = (await signIn(url, 'olga@partner.baton.test', 'Olga')).client;
  sender = await signIn(url, 'sofia@partner.baton.test', 'Sofia');
  const recipient = await signIn(url, 'remi@partner.baton.test', 'Rémi');
  const traveller = await signIn(url, 'amir@partner.baton.test', 'Amir');
  const [yul, cdg] = await Promise.all(
    ['YUL', 'CDG'].map((iata) => findPlace(sender.client, iata, 'AIRPORT')),
  );
  const arrivesAt = new Date(departsAt.getTime() + DAY / 3);
  const flight = { flight: 'AF345', base: 2_000, perKilogram: 1_000, capacityGrams: 9_000 };
  await publishFlight(traveller, { ...flight, from: yul!, to: cdg!, departsAt, arrivesAt });
  const lane = { montreal: yul!, paris: cdg!, departsAt, arrivesAt };
  ({ shipmentId } = await submitShipment(sender, recipient, lane, () => {}));
  await logSomething();
}, 120_000);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await installation?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

function send<Data, Variables>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  key = partner.key,
): Promise<Answer<Data>> {
  return new Client(platform.url).ask(document, variables, { 'x-api-key': key });
}

const write = (text: string) => parse(text) as TypedDocumentNode<Record<string, unknown>, object>;
const codesOf = ({ errors = [] }: Answer<unknown>) => errors.map(({ extensions }) => extensions?.code);

/** Something has happened to the shipment: what comes first shows that a feed is live. */
async function logSomething(): Promise<void> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(
    `with stream as (insert into custody.tracking_streams values ($1, 1) on conflict do nothing returning 1)
     insert into custody.tracking_events (id, shipment_id, seq, type, at, message)
     select $2, $1, 1, 'LOCATION_NOTED', now(), 'At the airport' from stream`,
    [shipmentId, newId()],
  );
  await client.end();
}

/** Follows the shipment with a key, from the beginning: that it is live, and how it ends. */
const follow = (key: string) =>
  followBy(
    createClient({
      url: platform.url.replace(/^http/, 'ws'),
      webSocketImpl: WebSocket,
      connectionParams: { apiKey: key },
      retryAttempts: 0,
      lazy: false,
      onNonLazyError: () => {},
    }),
  );

function followBy(socket: ReturnType<Client['socket']>) {
  const closed = new Promise<unknown>((resolve) => socket.on('closed', resolve));
  const { promise: live, resolve: isLive } = Promise.withResolvers<void>();
  const ended = new Promise<unknown>((resolve) => {
    socket.subscribe(
      { query: print(PartnerTrackingEventsDocument), variables: { shipmentId, after: '' } },
      { next: ({ data }) => data && isLive(), error: resolve, complete: () => resolve('complete') },
    );
  });
  return { ended, closed, live, [Symbol.asyncDispose]: async () => void (await socket.dispose()) };
}

/** Shared by the sender; custody hears of a shipment a moment after it was submitted. */
async function share(): Promise<string> {
  const input = { shipmentId, partnerId: partner.partnerId };
  for (;;) {
    const answer = await sender.client.ask(ShareTrackingDocument, { input });
    if (answer.data?.shareTracking) return answer.data.shareTracking.id;
    expect(codesOf(answer)).toEqual(['SHIPMENT_NOT_FOUND']);
  }
}

test('with its key a program finds places and routes with prices', async () => {
  const places = await send(PartnerPlacesDocument, { input: { query: 'YUL' } });
  expect(places.data?.searchLocations[0]).toMatchObject({ iata: 'YUL' });
  const to = await send(PartnerPlacesDocument, { input: { query: 'CDG' } });
  const criteria = {
    originLocationId: places.data!.searchLocations[0]!.id,
    destinationLocationId: to.data!.searchLocations[0]!.id,
    earliestDeparture: new Date(departsAt.getTime() - DAY).toISOString(),
    latestArrival: new Date(departsAt.getTime() + DAY).toISOString(),
    category: 'BOOKS' as const,
    grams: 1_000,
    currency: 'EUR',
    senderComesToAirport: true,
    recipientComesToAirport: true,
  };
  const input = { criteria, sort: 'BEST' as const, first: 10 };
  let routes = await send(PartnerRoutesDocument, { input });
  // Discovery hears of a trip a moment after it was published.
  while (routes.data?.searchRoutes.length === 0) routes = await send(PartnerRoutesDocument, { input });
  expect(routes.errors).toBeUndefined();
  expect(routes.data?.searchRoutes[0]).toMatchObject({
    price: { currency: 'EUR' },
    legs: [{ mode: 'FLIGHT' }],
  });
});

test('what is not in its contract does not exist', async () => {
  const { data } = await send(write('{ __schema { types { name } mutationType { name } } }'), {});
  const text = JSON.stringify(data);
  expect(text).toContain('RouteSuggestion');
  expect(text).not.toMatch(/"(User|Payment|Mutation|ApiKey|HandoffStep)"/);
  for (const document of ['{ me { id } }', '{ searchRoute { id } }', 'mutation { signOut { id } }'])
    expect((await send(write(document), {})).data).toBeFalsy();
});

test('a parcel is followed by its sender’s leave, and within five seconds of its end no more', async () => {
  const before = await send(PartnerTrackingDocument, { shipmentId });
  expect(codesOf(before)).toEqual(['SHIPMENT_NOT_FOUND']);
  const shareId = await share();
  expect((await send(PartnerTrackingDocument, { shipmentId })).data?.trackingStatus).toMatchObject({
    lastEvent: { type: 'LOCATION_NOTED' },
    custody: [],
  });
  await using feed = follow(partner.key);
  await feed.live;
  await sender.client.run(StopSharingTrackingDocument, { input: { shareId } });
  const endedAt = performance.now();
  expect(JSON.stringify(await feed.ended)).toContain('SHIPMENT_NOT_FOUND');
  expect(performance.now() - endedAt).toBeLessThan(5_000);
});

test('a revoked key is refused, and what it follows ends within five seconds', async () => {
  const { createApiKey } = await admin.run(CreateApiKeyDocument, {
    input: { partnerId: partner.partnerId, name: 'lost', scopes: ['TRACKING_READ'] },
  });
  await share();
  const { text, apiKey } = createApiKey;
  expect((await send(PartnerTrackingDocument, { shipmentId }, text)).errors).toBeUndefined();
  await using feed = follow(text);
  await feed.live;
  await admin.run(RevokeApiKeyDocument, { input: { apiKeyId: apiKey.id } });
  const revokedAt = performance.now();
  await Promise.race([feed.ended, feed.closed]);
  expect(performance.now() - revokedAt).toBeLessThan(5_000);
  expect(codesOf(await send(PartnerTrackingDocument, { shipmentId }, text))).toEqual(['UNAUTHENTICATED']);
  expect((await send(PartnerTrackingDocument, { shipmentId })).errors).toBeUndefined();
});

test('what a user follows ends within five seconds of their signing out', async () => {
  await using feed = followBy(sender.client.socket());
  await feed.live;
  await sender.client.run(write('mutation { signOut { id } }'), {});
  const signedOutAt = performance.now();
  await Promise.race([feed.ended, feed.closed]);
  expect(performance.now() - signedOutAt).toBeLessThan(5_000);
});
