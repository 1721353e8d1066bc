import fc from 'fast-check';
import pg from 'pg';
import { testingConfig } from '#shared/testing/testing.config.ts';
import { anna, ben, type Story, sender, startStory, stranger } from '../testing/story.ts';
import { canonicalJson, chainHash, GENESIS_HASH } from './custody-chain.ts';

async function proof(story: Story, viewer = sender) {
  const { data, codes } = await story.world.execute(
    'custody',
    'query ($id: ID!) { custodyProof(packageId: $id) { intact firstBadNumber fault publicKey events { number previousHash canonical hash } } }',
    { id: story.packageIds[0] },
    viewer,
  );
  return { ...data?.custodyProof, codes };
}

/** The database's own superuser, for whom no trigger holds. */
async function tamper(story: Story, ...statements: string[]): Promise<void> {
  const url = new URL(testingConfig().superuserUrl);
  url.pathname = new URL(story.world.shared.databaseUrl).pathname;
  const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query('set search_path to custody, public; set session_replication_role = replica');
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

const rehash = `hash = encode(sha256('\\x01'::bytea || decode(previous_hash, 'hex') || convert_to(canonical, 'UTF8')), 'hex')`;

describe('whoever tampers with a chain is found out, even with every right on the database', () => {
  test.each<[string, string[], number, string]>([
    [
      'edits what was hashed',
      [`update custody_events set canonical = replace(canonical, 'intact', 'discrepancy') where number = 1`],
      1,
      'HASH_DIFFERS',
    ],
    [
      'edits a column',
      [`update custody_events set to_id = gen_random_uuid() where number = 1`],
      1,
      'COLUMNS_DIFFER',
    ],
    [
      'edits a time',
      [`update custody_events set at = at + interval '1 minute' where number = 2`],
      2,
      'COLUMNS_DIFFER',
    ],
    [
      'edits and hashes again',
      [
        `update custody_events set canonical = replace(canonical, 'intact', 'discrepancy') where number = 2`,
        `update custody_events set ${rehash} where number = 2`,
      ],
      2,
      'BAD_SIGNATURE',
    ],
    ['deletes a link in the middle', ['delete from custody_events where number = 1'], 1, 'MISSING'],
    [
      'deletes and numbers again',
      [
        'delete from custody_events where number = 1',
        'update custody_events set number = 1 where number = 2',
      ],
      1,
      'BROKEN_LINK',
    ],
    ['deletes the genesis', ['delete from custody_events where number = 0'], 0, 'MISSING'],
    ['deletes the last link', ['delete from custody_events where number = 2'], 2, 'MISSING'],
    ['deletes all of it', ['delete from custody_events'], 0, 'MISSING'],
    [
      'swaps two links',
      [
        'update custody_events set number = 9 where number = 1',
        'update custody_events set number = 1 where number = 2',
        'update custody_events set number = 2 where number = 9',
      ],
      1,
      'BROKEN_LINK',
    ],
    [
      'cuts the chain and makes the projection agree',
      [
        'delete from custody_events where number = 2',
        `update custody_states s set head_number = 1, head_hash = e.hash, holder_type = e.to_type, holder_id = e.to_id
           from custody_events e where e.package_id = s.package_id and e.number = 1`,
      ],
      2,
      'MISSING',
    ],
    [
      'names another holder',
      [`update custody_states set holder_type = 'sender', holder_id = '${sender.userId}'`],
      2,
      'HEAD_DIFFERS',
    ],
    [
      'forgets the last link in the projection too',
      ['delete from custody_events where number = 2', 'update custody_states set head_number = 1'],
      2,
      'MISSING',
    ],
  ])('who %s', async (_what, statements, firstBadNumber, fault) => {
    const story = await journey();
    const saved = ['custody_events', 'custody_states'].map(
      (table) => `create temp table saved_${table} as table ${table}`,
    );
    expect(await proof(story)).toMatchObject({ intact: true, firstBadNumber: null, fault: null });
    await tamper(
      story,
      ...saved.map((sql) => sql.replace('temp table saved', 'table public.saved')),
      ...statements,
    );
    try {
      expect(await proof(story)).toMatchObject({ intact: false, firstBadNumber, fault });
    } finally {
      await tamper(
        story,
        ...['custody_events', 'custody_states'].flatMap((table) => [
          `delete from ${table}`,
          `insert into ${table} table public.saved_${table}`,
          `drop table public.saved_${table}`,
        ]),
      );
    }
  });
});

test('the database itself lets a chain only grow at its end', async () => {
  const story = await journey();
  const attempt = (sql: string) => story.world.database('custody').transaction((tx) => tx.sql(sql));
  const columns =
    'id, package_id, shipment_id, number, from_type, from_id, to_type, to_id, handoff_step_id, at, canonical, previous_hash, hash, signature';
  const copy = (changes: Record<string, string>) =>
    `insert into custody_events (${columns}) select ${columns
      .split(', ')
      .map((column) => changes[column] ?? column)
      .join(', ')} from custody_events where number = 2`;
  const next = {
    id: 'gen_random_uuid()',
    number: '3',
    previous_hash: 'hash',
    from_type: 'to_type',
    from_id: 'to_id',
  };
  const hash = `encode(sha256('\\x01'::bytea || decode(hash, 'hex') || convert_to(canonical, 'UTF8')), 'hex')`;
  for (const [sql, message] of [
    ['update custody_events set at = now()', 'append-only'],
    ['delete from custody_events', 'append-only'],
    ['truncate custody_events', 'append-only'],
    ['update tracking_events set message = message', 'append-only'],
    ['delete from handoff_scans', 'append-only'],
    [copy({ ...next, hash, number: '4' }), 'goes on where the last one ended'],
    [copy({ ...next, hash, from_id: 'gen_random_uuid()' }), 'goes on where the last one ended'],
    [copy({ ...next, hash, previous_hash: 'previous_hash' }), 'goes on where the last one ended'],
    [copy({ ...next, hash: 'hash' }), 'hash of a custody event is wrong'],
    [copy({ ...next, hash, package_id: 'gen_random_uuid()' }), 'begins with its genesis'],
  ] as const)
    await expect(attempt(sql)).rejects.toThrow(message);
});

test('a proof can be checked by whoever holds it, and only parties get it', async () => {
  const story = await journey();
  const { events, codes } = await proof(story);
  expect(codes).toEqual([]);
  let previous = GENESIS_HASH;
  for (const event of events) {
    expect(event.previousHash).toBe(previous);
    previous = chainHash(previous, event.canonical);
    expect(event.hash).toBe(previous);
  }
  expect(JSON.parse(events[1].canonical)).toMatchObject({
    from: { type: 'sender', id: sender.userId },
    to: { type: 'traveller', id: anna.userId },
    photoHashes: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    scanIds: [expect.any(String), expect.any(String)],
  });
  expect((await proof(story, stranger)).codes).toEqual(['PACKAGE_NOT_FOUND']);
});

test('the canonical bytes do not depend on the order in which facts were gathered', () => {
  const party = fc.record({ type: fc.constantFrom('sender' as const, 'traveller' as const), id: fc.uuid() });
  const facts = fc.record({
    eventId: fc.uuid(),
    packageId: fc.uuid(),
    shipmentId: fc.uuid(),
    number: fc.nat(),
    at: fc.constant('2026-03-02T09:00:00.000Z'),
    from: fc.option(party),
    to: party,
    handoffStepId: fc.option(fc.uuid()),
    condition: fc.constantFrom('intact' as const, 'discrepancy' as const),
    photoHashes: fc.array(fc.uuid()),
    scanIds: fc.array(fc.uuid()),
  });
  fc.assert(
    fc.property(facts, (given) => {
      const turned = Object.fromEntries(Object.entries(given).reverse()) as typeof given;
      expect(canonicalJson(turned)).toBe(canonicalJson(given));
    }),
  );
});

let shared: Promise<Story> | undefined;

/** One parcel that went from the sender over Anna to Ben: three links. */
function journey(): Promise<Story> {
  shared ??= (async () => {
    const story = await startStory({ carriers: [anna, ben] });
    for (const sequence of [1, 2]) await story.handOver(sequence);
    return story;
  })();
  return shared;
}

afterAll(async () => {
  await (await shared)?.[Symbol.asyncDispose]();
});
