import {
  ApiKeyCreated,
  ApiKeyRevoked,
  ApiKeyScopesChanged,
  PartnerBudgetsChanged,
  PartnerCreated,
} from '#shared/events/identity.ts';
import { newId } from '#shared/kernel/ids.ts';
import { anonymous, type Viewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';

const admin = user('Ada', ['admin']);
const gateway: Viewer = { kind: 'service', name: 'gateway' };

let world: World;
beforeAll(async () => {
  world = await startWorld({ subgraphs: ['identity'] });
});
afterAll(() => world?.[Symbol.asyncDispose]());

const partnerFields = 'id name contactEmail contract costPerMinute requestsPerMinute createdAt';
const keyFields = 'id name scopes state createdAt lastUsedAt expiresAt revokedAt replacedById';

const operations = {
  createPartner: `mutation ($input: CreatePartnerInput!) { createPartner(input: $input) { ${partnerFields} keys { id } } }`,
  updatePartnerBudgets: `mutation ($input: UpdatePartnerBudgetsInput!) { updatePartnerBudgets(input: $input) { ${partnerFields} } }`,
  createApiKey: `mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) { text apiKey { ${keyFields} } } }`,
  rotateApiKey: `mutation ($input: RotateApiKeyInput!) { rotateApiKey(input: $input) { text apiKey { ${keyFields} } } }`,
  revokeApiKey: `mutation ($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { ${keyFields} } }`,
  updateApiKeyScopes: `mutation ($input: UpdateApiKeyScopesInput!) { updateApiKeyScopes(input: $input) { ${keyFields} } }`,
};
type Operation = keyof typeof operations;

const send = (operation: Operation, input: object, viewer: Viewer = admin) =>
  world.execute('identity', operations[operation], { input }, viewer);

async function ask(operation: Operation, input: object) {
  const { data, errors } = await send(operation, input);
  if (errors[0]) throw errors[0];
  return data[operation];
}

const newPartner = (more: object = {}) =>
  ask('createPartner', { name: `Partner ${newId()}`, contactEmail: 'keys@partner.example', ...more });

async function newKey(more: object = {}) {
  const partner = await newPartner();
  const input = { partnerId: partner.id, name: 'shop', scopes: ['SEARCH_READ', 'TRACKING_READ'], ...more };
  const { text, apiKey } = await ask('createApiKey', input);
  return { partner, text, apiKey };
}

const checkRoute = (body: unknown, viewer: Viewer = gateway, method = 'POST') =>
  world.route(
    'identity',
    new Request('http://x/internal/api-keys/check', {
      method,
      ...(method === 'POST' && { body: JSON.stringify(body) }),
    }),
    viewer,
  );
const check = async (key: string) => {
  const response = await checkRoute({ key });
  return { status: response.status, body: await response.json() };
};

const stored = async (keyId: string) => {
  const { data } = await world.execute(
    'identity',
    `query ($first: Int) { partners(first: $first) { edges { node { keys { ${keyFields} } } } } }`,
    { first: 100 },
    admin,
  );
  return data.partners.edges
    .flatMap(({ node }: { node: { keys: { id: string }[] } }) => node.keys)
    .find(({ id }: { id: string }) => id === keyId);
};

test('a key is shown once, works, and is stored as a hash alone', async () => {
  const { partner, text, apiKey } = await newKey();
  expect(apiKey).toMatchObject({
    state: 'ACTIVE',
    scopes: ['SEARCH_READ', 'TRACKING_READ'],
    lastUsedAt: null,
  });
  expect(await check(text)).toEqual({
    status: 200,
    body: {
      keyId: apiKey.id,
      partnerId: partner.id,
      contract: 'partner',
      scopes: ['search:read', 'tracking:read'],
      costPerMinute: partner.costPerMinute,
      requestsPerMinute: partner.requestsPerMinute,
    },
  });
  const rows = await world
    .database('identity')
    .read((em) =>
      em.execute(
        'select row_to_json(k)::text as row from api_keys k union all select payload::text from outbox',
      ),
    );
  const secret = text.slice(31);
  expect(JSON.stringify(rows)).toContain(apiKey.id);
  expect(JSON.stringify(rows)).not.toContain(secret.slice(0, 20));
});

test('what never was, what was changed, what has expired and what was revoked is answered alike', async () => {
  const expiring = await newKey({ expiresAt: new Date(world.clock.now().getTime() + 60_000).toISOString() });
  const revoked = await newKey();
  await ask('revokeApiKey', { apiKeyId: revoked.apiKey.id });
  const other = await newKey();
  // The secret of one key under the id of another, with a right checksum, is what a thief could build.
  const { crc32 } = await import('node:zlib');
  const body = `${revoked.text.slice(0, 8)}${other.text.slice(8, 30)}_${revoked.text.slice(31, 74)}`;
  let sum = '';
  for (let rest = crc32(body); sum.length < 6; rest = Math.floor(rest / 62))
    sum = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'[rest % 62] + sum;
  expect((await check(expiring.text)).status).toBe(200);
  await world.clock.advance('1m');
  const answers = [
    await check('bk_live_nothing'),
    await check(`${body}${sum}`),
    await check(expiring.text),
    await check(revoked.text),
  ];
  for (const answer of answers) {
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual(answers[0]!.body);
  }
  expect((await check(other.text)).status).toBe(200);
});

test.each<[string, Viewer]>([
  ['a stranger', anonymous],
  ['an administrator', admin],
  ['a partner', { kind: 'partner', partnerId: newId(), keyId: newId(), scopes: [] }],
  ['another service', { kind: 'service', name: 'bookings' }],
])('to %s there is no route that checks keys', async (_, viewer) => {
  const { text } = await newKey();
  const response = await checkRoute({ key: text }, viewer);
  const absent = await world.route('identity', new Request('http://x/internal/nothing'), viewer);
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual(await absent.json());
});

test.each([[{}], [{ key: 7 }], [null], [{ key: 'x'.repeat(1_001) }]])('%j asks nothing', async (body) => {
  const response = await checkRoute(body);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: 'BODY_INVALID' });
});

test('the last use is noted, once a minute at most', async () => {
  const { text, apiKey } = await newKey();
  const first = world.clock.now().toISOString();
  await check(text);
  await world.clock.advance('59s');
  await check(text);
  expect((await stored(apiKey.id)).lastUsedAt).toBe(first);
  await world.clock.advance('1s');
  await Promise.all([check(text), check(text)]);
  expect((await stored(apiKey.id)).lastUsedAt).toBe(world.clock.now().toISOString());
});

test('a rotated key works on for the overlap, beside the one that follows it', async () => {
  const old = await newKey();
  const next = await ask('rotateApiKey', { apiKeyId: old.apiKey.id, overlapHours: 2 });
  expect(next.apiKey).toMatchObject({ name: 'shop', scopes: ['SEARCH_READ', 'TRACKING_READ'] });
  expect(await stored(old.apiKey.id)).toMatchObject({ replacedById: next.apiKey.id, state: 'ACTIVE' });
  expect([(await check(old.text)).status, (await check(next.text)).status]).toEqual([200, 200]);
  expect((await send('rotateApiKey', { apiKeyId: old.apiKey.id })).codes).toEqual(['API_KEY_ROTATED']);
  await world.clock.advance('2h');
  expect([(await check(old.text)).status, (await check(next.text)).status]).toEqual([404, 200]);
  expect((await send('rotateApiKey', { apiKeyId: old.apiKey.id })).codes).toEqual(['API_KEY_ENDED']);
  expect((await stored(old.apiKey.id)).state).toBe('EXPIRED');
});

test('a rotation never lengthens the life of the old key, and without overlap ends it at once', async () => {
  const expiresAt = new Date(world.clock.now().getTime() + 60_000).toISOString();
  const short = await newKey({ expiresAt });
  await ask('rotateApiKey', { apiKeyId: short.apiKey.id, overlapHours: 24 });
  expect((await stored(short.apiKey.id)).expiresAt).toBe(expiresAt);
  const stolen = await newKey();
  await ask('rotateApiKey', { apiKeyId: stolen.apiKey.id, overlapHours: 0 });
  expect((await check(stolen.text)).status).toBe(404);
});

test('one key rotated twice at once is followed by one', async () => {
  const { apiKey } = await newKey();
  const answers = await Promise.all([1, 2, 3].map(() => send('rotateApiKey', { apiKeyId: apiKey.id })));
  expect(answers.flatMap(({ codes }) => codes)).toEqual(['API_KEY_ROTATED', 'API_KEY_ROTATED']);
});

test('a revoked key stays revoked, and can be neither rotated nor given scopes', async () => {
  const { text, apiKey } = await newKey();
  const first = await ask('revokeApiKey', { apiKeyId: apiKey.id });
  expect(first).toMatchObject({ state: 'REVOKED', revokedAt: world.clock.now().toISOString() });
  await world.clock.advance('1m');
  expect(await ask('revokeApiKey', { apiKeyId: apiKey.id })).toEqual(first);
  expect((await send('rotateApiKey', { apiKeyId: apiKey.id })).codes).toEqual(['API_KEY_ENDED']);
  const input = { apiKeyId: apiKey.id, scopes: ['SEARCH_READ'] };
  expect((await send('updateApiKeyScopes', input)).codes).toEqual(['API_KEY_ENDED']);
  expect((await check(text)).status).toBe(404);
});

test('scopes and budgets changed are what the next check says', async () => {
  const { partner, text, apiKey } = await newKey();
  await ask('updateApiKeyScopes', { apiKeyId: apiKey.id, scopes: ['TRACKING_READ', 'TRACKING_READ'] });
  await ask('updatePartnerBudgets', { partnerId: partner.id, costPerMinute: 7 });
  const { requestsPerMinute } = partner;
  expect((await check(text)).body).toMatchObject({
    scopes: ['tracking:read'],
    costPerMinute: 7,
    requestsPerMinute,
  });
});

test('a partner has at most ten keys that work, however many are asked for at once', async () => {
  const { id: partnerId } = await newPartner();
  const input = { partnerId, name: 'shop', scopes: ['SEARCH_READ'] };
  const answers = await Promise.all(Array.from({ length: 12 }, () => send('createApiKey', input)));
  expect(answers.flatMap(({ codes }) => codes)).toEqual(['API_KEYS_FULL', 'API_KEYS_FULL']);
  const [made] = answers.filter(({ data }) => data).map(({ data }) => data.createApiKey.apiKey);
  expect((await send('rotateApiKey', { apiKeyId: made.id })).errors).toEqual([]);
  await ask('revokeApiKey', { apiKeyId: made.id });
  expect((await send('createApiKey', input)).codes).toEqual(['API_KEYS_FULL']);
});

test.each<[Operation, object, string]>([
  ['createPartner', { name: ' ', contactEmail: 'a@b.example' }, 'PARTNER_NAME_INVALID'],
  ['createPartner', { name: 'x'.repeat(101), contactEmail: 'a@b.example' }, 'PARTNER_NAME_INVALID'],
  ['createPartner', { name: 'a\nb', contactEmail: 'a@b.example' }, 'PARTNER_NAME_INVALID'],
  ['createPartner', { name: 'Post', contactEmail: 'nobody' }, 'EMAIL_INVALID'],
  ['createPartner', { name: 'Post', contactEmail: 'a@b.example', costPerMinute: 0 }, 'BUDGET_INVALID'],
  [
    'createPartner',
    { name: 'Post', contactEmail: 'a@b.example', requestsPerMinute: 100_001 },
    'BUDGET_INVALID',
  ],
  ['updatePartnerBudgets', { partnerId: newId(), costPerMinute: 1 }, 'PARTNER_NOT_FOUND'],
  ['updatePartnerBudgets', { partnerId: 'no id', costPerMinute: 1 }, 'PARTNER_NOT_FOUND'],
  ['createApiKey', { partnerId: newId(), name: 'x', scopes: ['SEARCH_READ'] }, 'PARTNER_NOT_FOUND'],
  ['createApiKey', { partnerId: newId(), name: '', scopes: ['SEARCH_READ'] }, 'API_KEY_NAME_INVALID'],
  ['createApiKey', { partnerId: newId(), name: 'x', scopes: [] }, 'SCOPES_INVALID'],
  [
    'createApiKey',
    { partnerId: newId(), name: 'x', scopes: ['SEARCH_READ'], expiresAt: '2001-01-01T00:00:00Z' },
    'EXPIRY_INVALID',
  ],
  ['rotateApiKey', { apiKeyId: newId() }, 'API_KEY_NOT_FOUND'],
  ['rotateApiKey', { apiKeyId: newId(), overlapHours: 169 }, 'OVERLAP_INVALID'],
  ['rotateApiKey', { apiKeyId: newId(), expiresAt: '2001-01-01T00:00:00Z' }, 'EXPIRY_INVALID'],
  ['revokeApiKey', { apiKeyId: 'no id' }, 'API_KEY_NOT_FOUND'],
  ['updateApiKeyScopes', { apiKeyId: newId(), scopes: ['SEARCH_READ'] }, 'API_KEY_NOT_FOUND'],
  ['updateApiKeyScopes', { apiKeyId: newId(), scopes: [] }, 'SCOPES_INVALID'],
])('%s with %j is refused as %s', async (operation, input, code) => {
  expect((await send(operation, input)).codes).toEqual([code]);
});

test('no two partners have one name, be it in other letters', async () => {
  const name = `Colis ${newId()}`;
  await newPartner({ name });
  const again = { name: name.toUpperCase(), contactEmail: 'a@b.example' };
  expect((await send('createPartner', again)).codes).toEqual(['PARTNER_NAME_TAKEN']);
});

test.each<[string, Viewer]>([
  ['an anonymous viewer', anonymous],
  ['a user', user('Ana')],
  ['an operator', user('Otto', ['operator', 'support'])],
  ['a partner', { kind: 'partner', partnerId: newId(), keyId: newId(), scopes: ['search:read'] }],
])('%s neither sees nor changes partners and keys', async (_, viewer) => {
  const { partner, apiKey } = await newKey();
  const apiKeyId = apiKey.id;
  const answers = [
    await send('createPartner', { name: 'Post', contactEmail: 'a@b.example' }, viewer),
    await send('updatePartnerBudgets', { partnerId: partner.id, costPerMinute: 1 }, viewer),
    await send('createApiKey', { partnerId: partner.id, name: 'x', scopes: ['SEARCH_READ'] }, viewer),
    await send('rotateApiKey', { apiKeyId }, viewer),
    await send('revokeApiKey', { apiKeyId }, viewer),
    await send('updateApiKeyScopes', { apiKeyId, scopes: ['SEARCH_READ'] }, viewer),
    await world.execute('identity', '{ partners { edges { cursor } } }', {}, viewer),
    await world.execute(
      'identity',
      'query ($id: ID!) { partner(id: $id) { name } }',
      { id: partner.id },
      viewer,
    ),
  ];
  for (const answer of answers) {
    expect(answer.codes).toEqual(['ROLE_REQUIRED']);
    expect(answer.errors[0]?.extensions.kind).toBe('FORBIDDEN');
  }
  expect(await stored(apiKeyId)).toEqual(apiKey);
});

test('partners come in pages, newest first, and their keys in one query', async () => {
  const made = [];
  for (let count = 0; count < 3; count += 1) made.unshift((await newKey()).partner.id);
  const page = (first: number, after?: string) =>
    world.execute(
      'identity',
      `query ($first: Int, $after: String) { partners(first: $first, after: $after) {
         edges { node { id keys { id } } } pageInfo { hasNextPage endCursor } } }`,
      { first, after },
      admin,
    );
  const ids = (answer: Awaited<ReturnType<typeof page>>): string[] =>
    answer.data.partners.edges.map(({ node }: { node: { id: string } }) => node.id);
  const one = await page(2);
  const two = await page(1, one.data.partners.pageInfo.endCursor);
  expect([...ids(one), ...ids(two)]).toEqual(made);
  expect((await page(101)).codes).toEqual(['PAGE_SIZE_INVALID']);
  expect((await page(1, 'nonsense!')).codes).toEqual(['CURSOR_INVALID']);
  expect(await world.countQueries(() => page(3))).toBe(await world.countQueries(() => page(1)));
  const { data } = await world.execute('identity', '{ partner(id: "no id") { id } }', {}, admin);
  expect(data.partner).toBeNull();
});

test('every change is told with who made it', async () => {
  const { partner, apiKey } = await newKey();
  const next = await ask('rotateApiKey', { apiKeyId: apiKey.id, overlapHours: 1 });
  await ask('updateApiKeyScopes', { apiKeyId: next.apiKey.id, scopes: ['SEARCH_READ'] });
  await ask('revokeApiKey', { apiKeyId: next.apiKey.id });
  await ask('revokeApiKey', { apiKeyId: next.apiKey.id });
  await ask('updatePartnerBudgets', { partnerId: partner.id, requestsPerMinute: 5 });
  const facts = { partnerId: partner.id, byUserId: admin.userId };
  const told = async (event: Parameters<typeof world.told>[0]) =>
    ((await world.told(event)) as { partnerId: string }[]).filter(
      ({ partnerId }) => partnerId === partner.id,
    );
  expect(await told(PartnerCreated)).toMatchObject([facts]);
  expect(await told(ApiKeyCreated)).toMatchObject([
    { ...facts, keyId: apiKey.id, replaces: null },
    { ...facts, keyId: next.apiKey.id, replaces: { keyId: apiKey.id } },
  ]);
  expect(await told(ApiKeyScopesChanged)).toMatchObject([{ ...facts, scopes: ['search:read'] }]);
  expect(await told(ApiKeyRevoked)).toMatchObject([{ ...facts, keyId: next.apiKey.id }]);
  expect(await told(PartnerBudgetsChanged)).toMatchObject([{ ...facts, requestsPerMinute: 5 }]);
});
