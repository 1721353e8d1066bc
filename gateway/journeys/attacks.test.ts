/**
 * Attacks on the whole platform in production: ids of other people in every place of the schema that takes one,
 * fields that nobody may set, text that means something to a database. Numbers in brackets are those of the
 * attack list.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildSchema, type GraphQLSchema, print } from 'graphql';
import { newId } from '#shared/kernel/ids.ts';
import { DAY, HOUR } from '#shared/kernel/time.ts';
import { projectRoot } from '#shared/runtime/rover.ts';
import { type TestDatabase, testDatabase } from '#shared/testing/postgres.ts';
import {
  CheckEmailDocument,
  MeDocument,
  SearchLocationsDocument,
  UpdateProfileDocument,
} from '../../schema/operations/operations.generated.ts';
import { findPlace } from './carriage.ts';
import { type Answer, Client, signIn } from './client.ts';
import { offerFlight } from './flight.ts';
import { commands, commandsWithIds, forged } from './forgeries.ts';
import { questions } from './hops.ts';
import { submitShipment } from './parcel.ts';
import {
  AsCarrier,
  bookPrivately,
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
let schema: GraphQLSchema;
let scene: PrivateParcel;
let roles: ReadonlyMap<string, Client>;

beforeAll(async () => {
  database = await testDatabase();
  installation = await install(database.url);
  platform = await serve(installation, 'gateway/journeys/start.ts', { PRODUCTION: 'true' });
  url = platform.url;
  schema = buildSchema(await readFile(join(projectRoot, 'schema/api.graphql'), 'utf8'));
  const stranger = await signIn(url, 'stranger@attacks.baton.test', 'Stranger');
  const [from, to] = await Promise.all(
    ['CDG', 'JFK'].map((iata) => findPlace(stranger.client, iata, 'AIRPORT')),
  );
  scene = await bookPrivately(url, { from: from!, to: to! });
  const other = await signIn(url, 'neighbour@attacks.baton.test', 'Neighbour');
  const guest = await signIn(url, 'guest@attacks.baton.test', 'Guest');
  const departsAt = new Date(Math.floor(Date.now() / HOUR) * HOUR + 90 * DAY);
  const { lane } = await offerFlight(stranger, scene.route, departsAt);
  const parcel = await submitShipment(other, guest, lane, quietly);
  roles = new Map([
    ['an anonymous client', new Client(url)],
    ['a stranger', stranger.client],
    ['the sender of another shipment', other.client],
    ["the bearer of another shipment's link", new Client(url, parcel.linkToken)],
  ]);
}, 180_000);

afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await installation?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const everyRole = [
  'an anonymous client',
  'a stranger',
  'the sender of another shipment',
  "the bearer of another shipment's link",
];

/** The id of the scene that fits a field's name. */
function realId(field: string): string {
  const { secrets, parcel, itineraryId, draftTripId } = scene;
  const named: [RegExp, string | undefined][] = [
    [/itinerary/i, itineraryId],
    [/booking/i, secrets.get('legs.0.booking.id')],
    [/payment/i, secrets.get('payment.id')],
    [/step|handoff/i, secrets.get('handoffs.0.id')],
    [/trip/i, draftTripId],
    [/leg/i, secrets.get('legs.0.id')],
    [/package/i, secrets.get('shipment.packages.0.id')],
    [/file|photo/i, secrets.get('shipment.packages.0.photos.0.file.id')],
    [/recipient/i, secrets.get('shipment.recipient.id')],
    [/location|place/i, scene.route.from.id],
  ];
  return named.find(([pattern]) => pattern.test(field))?.[1] ?? parcel.shipmentId;
}

/** The same ids at every place, which are of nothing at all. */
function absentIds(): (field: string) => string {
  const made = new Map<string, string>();
  return (field) => {
    if (/location|place/i.test(field)) return scene.route.from.id;
    const real = realId(field);
    made.set(real, made.get(real) ?? newId());
    return made.get(real)!;
  };
}

/** What can be told from an answer, ids and times aside. */
const told = ({ status, data, errors = [] }: Answer<Json>) =>
  JSON.stringify([
    status,
    data ?? null,
    errors.map(({ message, extensions }) => [message, extensions?.code, extensions?.kind]),
  ]).replaceAll(/[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}/g, 'ID');

/** What the parties themselves see of the parcel; nothing of it may change under attack. */
const seenByItsSender = async () => {
  const { data } = await scene.cast.sender.client.ask(AsCarrier, { id: scene.itineraryId });
  return JSON.stringify(data);
};

describe("somebody else's ids, in every place that takes one [23]", () => {
  test('there are such places: the attack is worth something', () => {
    expect(commandsWithIds(schema).length).toBeGreaterThan(20);
  });

  test.each(everyRole)('%s commands nothing by them, and learns not even that they are', async (who) => {
    const client = roles.get(who)!;
    const before = await seenByItsSender();
    const differing: string[] = [];
    const badlyForged: string[] = [];
    for (const { name, document, input } of commandsWithIds(schema)) {
      const sent = forged(input, realId);
      const [real, absent] = [
        await client.ask(document, { input: sent }),
        await client.ask(document, { input: forged(input, absentIds()) }),
      ];
      for (const { status, data, errors = [] } of [real, absent]) {
        expect([name, status < 500, data ?? null]).toEqual([name, true, null]);
        expect(errors.map(({ extensions }) => `${name} ${extensions?.kind}`)).toEqual([
          expect.stringMatching(/ (NOT_FOUND|FORBIDDEN|INVALID|CONFLICT)$/),
        ]);
      }
      if (told(real) !== told(absent)) differing.push(`${name}: ${told(real)} but ${told(absent)}`);
      if (real.errors?.[0]?.extensions?.kind === 'INVALID') badlyForged.push(name);
    }
    expect(differing).toEqual([]);
    // What is refused for its form alone was no attack: `samples` must make the others look right.
    expect(
      badlyForged.filter((name) => !['scanHandoff', 'refuseHandoff', 'verifyOtp'].includes(name)),
    ).toEqual([]);
    expect(await seenByItsSender()).toBe(before);
  });

  test.each(everyRole)('%s asks by them, and learns not even that they are', async (who) => {
    const client = roles.get(who)!;
    const differing: string[] = [];
    const argumentsBy = (idOf: (field: string) => string): Json =>
      Object.fromEntries(
        Object.values(schema.getQueryType()!.getFields()).flatMap((field) =>
          field.args
            // Profiles are shown to whoever has signed in.
            .filter(({ type }) => String(type).startsWith('ID') && field.name !== 'user')
            .map(({ name }) => [`${field.name}.${name}`, idOf(name === 'id' ? field.name : name)]),
        ),
      );
    const real = questions(schema, argumentsBy(realId)).asked;
    const absent = questions(schema, argumentsBy(absentIds())).asked;
    const withIds = real.flatMap((each, index) =>
      Object.keys(each.variables).length > 0 ? [[each, absent[index]!] as const] : [],
    );
    expect(withIds.length).toBeGreaterThan(8);
    for (const [one, other] of withIds) {
      const [seen, unseen] = [
        await client.ask(one.document, one.variables),
        await client.ask(other.document, other.variables),
      ];
      expect([one.name, seen.status < 500]).toEqual([one.name, true]);
      expect(
        secretsIn(scene, [seen]).filter(
          (name) => !JSON.stringify(one.variables).includes(scene.secrets.get(name)!),
        ),
      ).toEqual([]);
      if (told(seen) !== told(unseen)) differing.push(`${one.name}: ${told(seen)} but ${told(unseen)}`);
    }
    expect(differing).toEqual([]);
  });
});

describe('fields that nobody may set [25]', () => {
  const wanted = {
    id: newId(),
    role: 'admin',
    roles: ['admin'],
    state: 'CONFIRMED',
    status: 'PAID',
    price: { amountMinor: '1', currency: 'EUR' },
    amountMinor: '1',
    ownerId: newId(),
    userId: newId(),
    senderId: newId(),
    verified: true,
    createdAt: '2020-01-01T00:00:00.000Z',
    __proto__x: {},
    constructor: {},
  };

  test('are refused by every command, as variable and as literal', async () => {
    const { client } = scene.cast.sender;
    const me = await client.run(MeDocument, {});
    const before = await seenByItsSender();
    let tried = 0;
    for (const { name, document, input } of commands(schema)) {
      const good = forged(input, realId);
      for (const [field, value] of Object.entries(wanted)) {
        if (Object.hasOwn(good, field)) continue;
        tried += 1;
        const {
          status,
          data,
          errors = [],
        } = await client.ask(document, { input: { ...good, [field]: value } });
        expect([name, field, status, data ?? null, errors.length > 0]).toEqual([
          name,
          field,
          400,
          null,
          true,
        ]);
        expect(errors[0]!.extensions?.code).toBe('BAD_USER_INPUT');
        // Nothing of the schema is told to somebody who guesses.
        expect(errors[0]!.message).toBe('A variable or an argument has a wrong value');
      }
      const literal = write(`mutation { ${name}(input: { role: "admin" }) { __typename } }`);
      const { status, errors = [] } = await client.ask(literal, {});
      expect([name, status, errors[0]?.extensions?.code]).toEqual([name, 400, 'GRAPHQL_VALIDATION_FAILED']);
    }
    expect(tried).toBeGreaterThan(400);
    expect(await client.run(MeDocument, {})).toEqual(me);
    expect(await seenByItsSender()).toBe(before);
  });
});

describe('text that means something to a database [15]', () => {
  test.each([
    "' OR 1=1 --",
    "'; drop table location; --",
    'Paris%',
    '_____',
    '%',
    '\\',
    "\\' or ''='",
    '$.* ? (@ > 0)',
    '*:* & !x | (',
    "1' union select * from pg_user --",
    '{"$gt": ""}',
  ])('%s is a text like others', async (query) => {
    const client = roles.get('a stranger')!;
    const find = async (text: string) =>
      (await client.run(SearchLocationsDocument, { input: { query: text } })).searchLocations.map(
        ({ id }) => id,
      );
    const paris = await find('Paris');
    expect(paris.length).toBeGreaterThan(0);
    const { status, data, errors = [] } = await client.ask(SearchLocationsDocument, { input: { query } });
    expect(status).toBeLessThan(500);
    expect(errors.filter(({ extensions }) => extensions?.kind !== 'INVALID')).toEqual([]);
    expect(data?.searchLocations.length ?? 0).toBeLessThanOrEqual(10);
    expect(await find('Paris')).toEqual(paris);
  });

  test('a wildcard finds nothing that its letters do not', async () => {
    const client = roles.get('a stranger')!;
    for (const query of ['%', '_____', '\\%']) {
      const { data } = await client.ask(SearchLocationsDocument, { input: { query } });
      expect(data?.searchLocations ?? []).toEqual([]);
    }
  });
});

test('ten thousand marks on one letter are refused as bad input, or kept as they are [14]', async () => {
  const client = roles.get('a stranger')!;
  for (const displayName of [
    `e${'\u0301'.repeat(10_000)}`,
    `e${'\u0301'.repeat(20)}`,
    'e\u0301clair \u202e 🎁',
  ]) {
    const { status, data, errors = [] } = await client.ask(UpdateProfileDocument, { input: { displayName } });
    expect(status).toBeLessThan(500);
    if (data)
      expect((await client.run(MeDocument, {})).me?.displayName).toBe(displayName.normalize('NFC').trim());
    else expect(errors.map(({ extensions }) => extensions?.kind)).toEqual(['INVALID']);
  }
});

test.each([
  [
    'lists in lists',
    `{ myTrips(first: 100) { edges { node { bookings { itinerary { legs { id } } } } } } }`,
    'OPERATION_TOO_EXPENSIVE',
  ],
  ['a page of 2^31 - 1', '{ myTrips(first: 2147483647) { edges { node { id } } } }', 'BAD_USER_INPUT'],
  ['a page of less than nothing', '{ myTrips(first: -1) { edges { node { id } } } }', 'BAD_USER_INPUT'],
  ['a page of 2^31', '{ myTrips(first: 2147483648) { edges { node { id } } } }', 'GRAPHQL_VALIDATION_FAILED'],
])('%s is refused before a subgraph is asked [9]', async (_, query, code) => {
  const client = roles.get('the sender of another shipment')!;
  const { status, errors = [] } = await client.ask(write(query), {});
  expect([status, errors.map(({ extensions }) => extensions?.code)]).toEqual([400, [code]]);
});

test('where only trusted documents are taken, client applications work and nothing else does [11]', async () => {
  await platform[Symbol.asyncDispose]();
  platform = await serve(installation, 'gateway/journeys/start.ts', {
    PRODUCTION: 'true',
    TRUSTED_DOCUMENTS_PATH: 'schema/trusted-documents.json',
  });
  const person = await signIn(url, 'application@attacks.baton.test', 'Application');
  const { me } = await person.client.run(MeDocument, {});
  expect(me?.displayName).toBe('Application');
  for (const query of [
    '{ me { id } }',
    '{ __typename }',
    print(MeDocument).replace('query Me', 'query You'),
  ]) {
    const { status, errors = [] } = await person.client.ask(write(query), {});
    expect([status, errors.map(({ extensions }) => extensions?.code)]).toEqual([
      400,
      ['DOCUMENT_NOT_TRUSTED'],
    ]);
  }
  const documentId = createHash('sha256').update(print(CheckEmailDocument)).digest('hex');
  const ask = async (body: object) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, variables: { input: { email: 'application@attacks.baton.test' } } }),
    });
    return (await response.json()) as { data?: unknown };
  };
  expect(await ask({ documentId })).toEqual({ data: { checkEmail: expect.anything() } });
});
