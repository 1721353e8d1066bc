/**
 * Are the simulator's answers what the pinned `stripe` package says they are? They are recorded over HTTP,
 * written down as literals of the package's types and given to the compiler, which finds members that are
 * missing, unknown or of another type.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { SECRET_KEY, simulatorWorld } from './simulator.testing.ts';

const root = resolve(import.meta.dirname, '../../../..');
const run = promisify(execFile);

/** What the compiler says of a module that imports Stripe's types. */
async function compile(source: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'baton-answers-'));
  try {
    await writeFile(join(folder, 'answers.ts'), source);
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          target: 'es2024',
          module: 'nodenext',
          strict: true,
          skipLibCheck: true,
          noEmit: true,
          exactOptionalPropertyTypes: true,
          types: ['node'],
          typeRoots: [join(root, 'node_modules/@types')],
          paths: { stripe: [join(root, 'node_modules/stripe/esm/stripe.esm.node.d.ts')] },
        },
        files: ['answers.ts'],
      }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = await run(process.execPath, [tsc, '-p', folder], { timeout: 60_000 }).catch(
      (failure: { stdout?: string }) => {
        if (!failure.stdout) throw failure;
        return { stdout: failure.stdout };
      },
    );
    return stdout;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const moduleOf = (answers: readonly (readonly [type: string, answer: unknown])[]) =>
  [
    "import type Stripe from 'stripe';",
    ...answers.map(
      ([type, answer], index) =>
        `/** ${type} */ export const answer${index}: ${type} = ${JSON.stringify(answer, null, 2)};`,
    ),
  ].join('\n');

/** One of each thing that the simulator answers. */
async function record(): Promise<(readonly [string, unknown])[]> {
  await using world = await simulatorWorld();
  const recorded: (readonly [string, unknown])[] = [];
  async function call(type: string, path: string, body?: string, account?: string) {
    const response = await fetch(`${world.simulator.url}/v1/${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${SECRET_KEY}`, ...(account ? { 'stripe-account': account } : {}) },
      signal: AbortSignal.timeout(5_000),
      ...(body === undefined ? {} : { body }),
    });
    const answer = (await response.json()) as { id: string; error?: { payment_intent: unknown } };
    if (answer.error && !answer.error.payment_intent) throw new Error(JSON.stringify(answer.error));
    recorded.push([type, answer.error ? answer.error.payment_intent : answer]);
    return answer;
  }
  const pay = (method: string, more = '') =>
    call(
      'Stripe.PaymentIntent',
      'payment_intents',
      `amount=8960&currency=eur&confirm=true&return_url=https://baton.example&payment_method=${method}${more}`,
    );
  const manual = '&capture_method=manual';

  await call('Stripe.PaymentIntent', 'payment_intents', 'amount=100&currency=jpy&metadata[a]=b');
  const { id: customer } = await call('Stripe.Customer', 'customers', 'name=Ada');
  await pay('pm_card_chargeDeclined');
  await pay('pm_card_threeDSecure2Required');
  await pay('pm_card_threeDSecure2Required', '&off_session=true');
  const expanded = '&expand[]=latest_charge.balance_transaction&expand[]=payment_method&expand[]=customer';
  const paid = await pay(
    'pm_card_bypassPending',
    `&customer=${customer}&setup_future_usage=off_session${expanded}`,
  );
  const held = await pay('pm_card_visa', manual);
  await call('Stripe.PaymentIntent', `payment_intents/${held.id}/capture`, 'amount_to_capture=5000');
  const dropped = await pay('pm_card_visa', manual);
  await call('Stripe.PaymentIntent', `payment_intents/${dropped.id}/cancel`, '');
  await call('Stripe.ApiList<Stripe.PaymentIntent>', 'payment_intents?limit=1');
  await call(
    'Stripe.ApiSearchResult<Stripe.PaymentIntent>',
    "payment_intents/search?query=metadata['a']:'b'",
  );
  await call('Stripe.ApiList<Stripe.PaymentMethod>', `payment_methods?customer=${customer}`);
  await call('Stripe.ApiList<Stripe.Charge>', `charges?payment_intent=${paid.id}`);
  await call('Stripe.Refund', 'refunds', `payment_intent=${paid.id}&amount=100&expand[]=charge`);

  const { id: account } = await call(
    'Stripe.Account',
    'accounts',
    'type=express&capabilities[transfers][requested]=true',
  );
  await call(
    'Stripe.AccountLink',
    'account_links',
    `account=${account}&type=account_onboarding&refresh_url=https://a.example&return_url=https://b.example`,
  );
  await world.control('POST', `accounts/${account}`, { payoutsEnabled: true });
  await call('Stripe.Account', `accounts/${account}`);
  const to = `amount=2000&currency=eur&destination=${account}`;
  const transfer = await call('Stripe.Transfer', 'transfers', `${to}&expand[]=destination`);
  await call('Stripe.TransferReversal', `transfers/${transfer.id}/reversals`, 'amount=500');
  await call('Stripe.Transfer', `transfers/${transfer.id}`);
  const payout = await call('Stripe.Payout', 'payouts', 'amount=1000&currency=eur', account);
  world.simulator.faults.add({ kind: 'fail', on: 'payouts.create' });
  const failing = await call('Stripe.Payout', 'payouts', 'amount=500&currency=eur', account);
  await world.clock.advance('2d');
  await call('Stripe.Payout', `payouts/${payout.id}`, undefined, account);
  await call('Stripe.Payout', `payouts/${failing.id}`, undefined, account);
  await call('Stripe.Balance', 'balance');
  await call('Stripe.ApiList<Stripe.BalanceTransaction>', 'balance_transactions?limit=100');
  await call('Stripe.ApiList<Stripe.BalanceTransaction>', 'balance_transactions', undefined, account);
  await call('Stripe.ApiList<Stripe.Event>', 'events?limit=100');
  return recorded;
}

test('every answer is what the types of the stripe package say, no member less and none more', async () => {
  const answers = await record();
  expect(answers.length).toBeGreaterThan(25);
  expect(await compile(moduleOf(answers))).toBe('');
}, 60_000);

test('the compiler finds a member that is missing, unknown or of another type', async () => {
  const link = { object: 'account_link', created: 1, expires_at: 2, url: 'https://a.example' };
  const { url: _, ...missing } = link;
  const said = await compile(
    moduleOf([
      ['Stripe.AccountLink', link],
      ['Stripe.AccountLink', missing],
      ['Stripe.AccountLink', { ...link, parcel: 1 }],
      ['Stripe.AccountLink', { ...link, url: 5 }],
    ]),
  );
  expect(said.match(/answer\d(?=: Stripe)|error TS\d+/g)).toEqual([
    'error TS2741',
    'error TS2353',
    'error TS2322',
  ]);
}, 60_000);
