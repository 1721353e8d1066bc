import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildSchema } from 'graphql';
import { pino } from 'pino';
import { z } from 'zod';
import { command, defineContract, externalCommand, question } from '../kernel/contract.ts';
import { Conflict, Refusal } from '../kernel/errors.ts';
import { newId } from '../kernel/ids.ts';
import { money } from '../kernel/money.ts';
import { systemClock } from '../kernel/time.ts';
import { amount, instant } from '../kernel/wire.ts';
import { type ContractCall, ContractFault, Contracts } from './contracts.ts';
import type { Database } from './database.ts';
import { parseInternalSecrets } from './internal-auth.ts';
import { openWorkbench, type Workbench } from './runtime.testing.ts';
import { remoteContracts } from './server/remote-contracts.ts';
import { serveSubgraph } from './server/subgraph-server.ts';
import { isTransient, PeerUnreachable } from './transient.ts';

const secrets = parseInternalSecrets(`k:${'s'.repeat(32)}`);
const logger = pino({ level: 'silent' });

const order = {
  input: z.object({ price: amount, at: instant }),
  output: z.object({ total: amount, at: instant }),
};
const VaultContract = defineContract('vault', {
  price: question(order),
  take: command(order),
  charge: externalCommand(order),
  note: command({ input: z.object({}), output: z.object({}) }),
});

let bench: Workbench;
let db: Database;
beforeAll(async () => {
  bench = await openWorkbench();
  db = await bench.schema('vault');
  await bench.sql.query(
    `create table "${db.schema}".taken (at bigint generated always as identity, minor text)`,
  );
});
afterAll(() => bench[Symbol.asyncDispose]());

const taken = async () => (await bench.sql.query(`select from "${db.schema}".taken`)).rowCount ?? 0;
const at = new Date('2026-05-01T10:00:00.123Z');
const input = (minor = 500) => ({ price: money(minor, 'EUR'), at });

/** The vault, in this process or behind real HTTP; `fault` makes it fail. */
async function open(form: string) {
  let fault: unknown;
  let misspoken = false;
  let vendor = 0;
  const answers = {
    price: async ({ price, at: when }: ReturnType<typeof input>) => {
      if (fault) throw fault;
      return { total: money(price.amountMinor * 2n, price.currency), at: when };
    },
    take: async ({ price, at: when }: ReturnType<typeof input>) => {
      await db.transaction((tx) =>
        tx.sql('insert into taken (minor) values (?)', [String(price.amountMinor)]),
      );
      if (fault) throw fault;
      return { total: misspoken ? ('much' as never) : price, at: when };
    },
    charge: async ({ price, at: when }: ReturnType<typeof input>) => {
      expect(db.inTransaction).toBe(false);
      vendor += 1;
      if (fault) throw fault;
      return { total: money(price.amountMinor + BigInt(vendor), price.currency), at: when };
    },
    note: async () => ({}),
  };
  const contracts = new Contracts();
  contracts.implement(VaultContract, answers, db);
  const stack = new AsyncDisposableStack();
  let ask = contracts.caller(VaultContract);
  let send: (method: string, call: ContractCall) => Promise<unknown> = (method, call) =>
    contracts.answer('vault', method, call);
  if (form === 'across processes') {
    const served = stack.use(
      await serveSubgraph({
        local: { name: 'vault', schema: buildSchema('type Query { a: Int }'), createContext: () => ({}) },
        host: '127.0.0.1',
        port: 0,
        secrets,
        clock: systemClock,
        logger,
        contractHandler: (method, body) => contracts.answer('vault', method, body as ContractCall),
      }),
    );
    const remote = reach(served.url);
    ask = new Contracts(remote).caller(VaultContract);
    send = (method, call) => remote('vault', method, call);
  }
  return {
    ask,
    send,
    fail: (error: unknown) => {
      fault = error;
    },
    misspeak: () => {
      misspoken = true;
    },
    vendorCalls: () => vendor,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const reach = (url: string, timeout = 5_000) =>
  remoteContracts({
    urls: new Map([['vault', url]]),
    secrets,
    timeout,
    caller: 'bookings',
    clock: systemClock,
  });

describe.each(['in one process', 'across processes'])('%s', (form) => {
  test('a question is answered in rich values', async () => {
    await using vault = await open(form);
    expect(await vault.ask.price(input())).toEqual({ total: money(1_000, 'EUR'), at });
  });

  test('a command is executed once per key and answers the same each time', async () => {
    await using vault = await open(form);
    const key = newId();
    const before = await taken();
    const first = await vault.ask.take(input(), { key });
    expect(await vault.ask.take(input(), { key })).toEqual(first);
    expect((await taken()) - before).toBe(1);
    await vault.ask.take(input(), { key: newId() });
    expect((await taken()) - before).toBe(2);
  });

  test('ten at once under one key are one execution with one answer', async () => {
    await using vault = await open(form);
    const key = newId();
    const before = await taken();
    const answers = await Promise.all(Array.from({ length: 10 }, () => vault.ask.take(input(), { key })));
    expect(new Set(answers.map((each) => JSON.stringify(each.total.amountMinor.toString()))).size).toBe(1);
    expect((await taken()) - before).toBe(1);
  });

  test('a key that named another request is refused, for commands of both kinds', async () => {
    await using vault = await open(form);
    for (const method of ['take', 'charge'] as const) {
      const key = newId();
      await vault.ask[method](input(1), { key });
      await expect(vault.ask[method](input(2), { key })).rejects.toMatchObject({
        kind: 'CONFLICT',
        code: 'IDEMPOTENCY_KEY_REUSED',
      });
    }
  });

  test('one key may name one request of each method', async () => {
    await using vault = await open(form);
    const key = newId();
    await vault.ask.take(input(1), { key });
    expect(await vault.ask.note({}, { key })).toEqual({});
  });

  test('a refused command changes nothing, lets go of its key and may succeed later', async () => {
    await using vault = await open(form);
    const key = newId();
    const before = await taken();
    vault.fail(new Conflict('VAULT_FULL', 'Full'));
    await expect(vault.ask.take(input(), { key })).rejects.toMatchObject({ code: 'VAULT_FULL' });
    expect(await taken()).toBe(before);
    vault.fail(undefined);
    await vault.ask.take(input(), { key });
    expect((await taken()) - before).toBe(1);
  });

  test("a vendor's answer is kept: after a success nobody calls the vendor again", async () => {
    await using vault = await open(form);
    const key = newId();
    vault.fail(new Conflict('CARD_DECLINED', 'No'));
    await expect(vault.ask.charge(input(), { key })).rejects.toMatchObject({ code: 'CARD_DECLINED' });
    await expect(vault.ask.charge(input(9), { key })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
    vault.fail(undefined);
    const answer = await vault.ask.charge(input(), { key });
    expect(await vault.ask.charge(input(), { key })).toEqual(answer);
    expect(vault.vendorCalls()).toBe(2);
  });

  test('a refusal crosses unchanged', async () => {
    await using vault = await open(form);
    const refusal = new Conflict('VAULT_FULL', 'Full', { left: 3, at: ['x'] });
    vault.fail(refusal);
    const thrown = await vault.ask.price(input()).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(Conflict);
    expect((thrown as Refusal).toRecord()).toEqual(refusal.toRecord());
  });

  test('an input that does not fit never reaches the answerer', async () => {
    await using vault = await open(form);
    await expect(vault.ask.price({ price: { amountMinor: 1n, currency: 'ABC' }, at })).rejects.toThrow(
      ContractFault,
    );
    const sent = vault.send('price', { input: { price: { amountMinor: 1, currency: 'EUR' }, at: 'now' } });
    await expect(sent).rejects.toThrow(ContractFault);
  });

  test('an output that does not fit is a fault of the answerer, and its command changes nothing', async () => {
    await using vault = await open(form);
    const before = await taken();
    vault.misspeak();
    await expect(vault.ask.take(input(), { key: newId() })).rejects.toThrow(ContractFault);
    expect(await taken()).toBe(before);
  });

  test.each(['unknown', 'constructor', 'toString'])(
    '%s is no method: a fault of the code, no refusal',
    async (method) => {
      await using vault = await open(form);
      await expect(vault.send(method, { input: {}, key: 'k' })).rejects.toThrow(ContractFault);
    },
  );

  test('a command without a key is refused', async () => {
    await using vault = await open(form);
    const price = { amountMinor: '1', currency: 'EUR' };
    expect(await vault.send('take', { input: { price, at: at.toISOString() } })).toMatchObject({
      refusal: { code: 'IDEMPOTENCY_KEY_MISSING' },
    });
  });

  test('a bug of the answerer is neither a refusal nor trouble that passes', async () => {
    await using vault = await open(form);
    vault.fail(new TypeError('a bug'));
    const thrown = await vault.ask.price(input()).catch((error: unknown) => error);
    expect([thrown instanceof Error, thrown instanceof Refusal, isTransient(thrown)]).toEqual([
      true,
      false,
      false,
    ]);
  });

  test('trouble of the answerer that passes is such for its caller', async () => {
    await using vault = await open(form);
    vault.fail(Object.assign(new Error('terminating connection'), { code: '57P01' }));
    const thrown = await vault.ask.price(input()).catch((error: unknown) => error);
    expect(isTransient(thrown)).toBe(true);
  });
});

/** A peer that is none of ours, or not itself. */
async function peer(listener: RequestListener) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/graphql`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
const asking = (url: string, timeout?: number) =>
  new Contracts(reach(url, timeout)).caller(VaultContract).price(input());

test('a peer that never answers is unreachable within the timeout', async () => {
  await using silent = await peer(() => {});
  const startedAt = performance.now();
  await expect(asking(silent.url, 200)).rejects.toThrow(PeerUnreachable);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test('a peer that stops in the middle of its answer is unreachable within the timeout', async () => {
  await using stalling = await peer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"output":');
  });
  await expect(asking(stalling.url, 200)).rejects.toThrow(PeerUnreachable);
});

test('a peer that is not there, or that nobody knows, is unreachable', async () => {
  const { url } = await peer(() => {}).then(async (gone) => {
    await gone[Symbol.asyncDispose]();
    return gone;
  });
  await expect(asking(url)).rejects.toThrow(PeerUnreachable);
  await expect(new Contracts().caller(VaultContract).price(input())).rejects.toThrow(PeerUnreachable);
});

test.each([
  ['an output that does not fit the contract', 200, '{"output":{"total":5}}', ContractFault],
  ['no contract answer at all', 200, '[1]', ContractFault],
  ['a page', 200, '<html>', ContractFault],
  [
    'a refusal of an unknown kind',
    409,
    '{"refusal":{"kind":"NO","code":"X","message":"","details":{}}}',
    PeerUnreachable,
  ],
  ["a proxy's trouble", 502, '<html>', PeerUnreachable],
  ['nobody believed us', 401, '{"error":"UNAUTHORIZED"}', PeerUnreachable],
])('%s is no answer', async (_, status, body, Kind) => {
  await using strange = await peer((_request, response) => {
    response.writeHead(status).end(body);
  });
  const thrown = await asking(strange.url).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(Kind);
});
