import { PayoutBlocked, PayoutPaid } from '#shared/events/payments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { nextState } from '#shared/kernel/states.ts';
import type { UserViewer } from '#shared/kernel/viewer.ts';
import { user } from '../../testing/actors.ts';
import { anOrder, eur, type PaymentWorld, startPaymentWorld, stranger } from '../testing/payment-world.ts';
import { payoutStates } from './payout.states.ts';

let payments: PaymentWorld;
beforeAll(async () => {
  payments = await startPaymentWorld();
});
afterEach(async () => {
  payments.faults.clear();
  await payments.requireSoundBooks();
});
afterAll(() => payments[Symbol.asyncDispose]());

/** A leg of 40.00 carried by somebody, and proven. */
async function earned(payee: UserViewer, amountMinor = 4000): Promise<void> {
  const order = anOrder();
  const leg = { ...order.legs[0]!, payeeId: payee.userId, amount: eur(amountMinor), feeShare: eur(480) };
  const captured = await payments.captured({ ...order, total: eur(amountMinor + 480), legs: [leg] });
  await payments.handedOver(captured, 0);
}

const payoutsOf = async (
  viewer: UserViewer,
): Promise<{ id: string; state: string; requirements: string[] }[]> =>
  (
    await payments.world.execute(
      'payments',
      '{ myPayouts { edges { node { id state requirements amount { amountMinor } bookings { id } } } } }',
      {},
      viewer,
    )
  ).data.myPayouts.edges.map(({ node }: { node: unknown }) => node);

/** Transfers that the processor made to somebody. */
async function transfersTo({ userId }: UserViewer): Promise<number[]> {
  const [account] = await payments.rows<{ id: string }>(
    `select processor_id as id from payment_accounts where kind = 'payee' and user_id = ?`,
    [userId],
  );
  const { transfers } = await payments.bank.simulator.state();
  return Object.values(transfers)
    .filter(({ destination }) => destination === account?.id)
    .map(({ amount }) => amount);
}

const told = async (event: typeof PayoutPaid | typeof PayoutBlocked, { userId }: UserViewer) =>
  (await payments.world.told(event)).filter(({ payeeId }) => payeeId === userId);

test('what is released reaches an account that can receive, once', async () => {
  const payee = user('Ready');
  await payments.readyAccount(payee);
  await earned(payee);
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'PAID', bookings: [{ id: expect.any(String) }] }]);
  expect(await transfersTo(payee)).toEqual([4000]);
  expect(await told(PayoutPaid, payee)).toMatchObject([{ amount: eur(4000) }]);
});

test('without an account the payout waits, is told once, and goes on by itself when the processor says so', async () => {
  const payee = user('Later');
  await earned(payee);
  await payments.world.pass('1d');
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'BLOCKED', requirements: ['payout_account'] }]);
  expect(await told(PayoutBlocked, payee)).toMatchObject([{ requirements: ['payout_account'] }]);

  const { data } = await payments.openAccount(payee);
  expect(data.openPayoutAccount).toMatchObject({
    status: 'RESTRICTED',
    requirements: expect.arrayContaining(['external_account']),
    onboardingUrl: expect.stringContaining('http'),
  });
  await payments.world.settle();
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'BLOCKED' }]);

  await payments.verify(payee.userId);
  for (const webhook of await payments.webhooks()) await payments.deliver(webhook);
  await payments.world.settle();
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'PAID', requirements: [] }]);
  expect(await transfersTo(payee)).toEqual([4000]);
  expect(await told(PayoutBlocked, payee)).toHaveLength(1);
});

test('an account that was opened and not verified blocks with what is due', async () => {
  const payee = user('Unverified');
  await payments.openAccount(payee);
  await earned(payee);
  expect(await payoutsOf(payee)).toMatchObject([
    { state: 'BLOCKED', requirements: expect.arrayContaining(['tos_acceptance.date']) },
  ]);
  await payments.verify(payee.userId);
  const { data } = await payments.openAccount(payee);
  expect(data.openPayoutAccount).toEqual({ status: 'ACTIVE', requirements: [], onboardingUrl: null });
  await payments.world.settle();
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'PAID' }]);
});

test.each(['drop_reply', 'error_after', 'error_before', 'rate_limit'] as const)(
  'a transfer that ends in %s arrives once',
  async (kind) => {
    const payee = user(`Faulty ${kind}`);
    await payments.readyAccount(payee);
    payments.faults.add({ kind, on: 'transfers.create', times: kind === 'drop_reply' ? 2 : 1 });
    await earned(payee);
    await payments.world.pass('1h');
    expect(await payoutsOf(payee)).toMatchObject([{ state: 'PAID' }]);
    expect(await transfersTo(payee)).toEqual([4000]);
    expect(await told(PayoutPaid, payee)).toHaveLength(1);
  },
);

test('a process that dies after the transfer and before we knew books it once', async () => {
  const payee = user('Crashed');
  await payments.readyAccount(payee);
  const change = (sql: string) => payments.world.database('payments').transaction((tx) => tx.sql(sql));
  // The commit that follows the vendor's answer fails, as it does when the process is killed.
  await change('alter table transfers add constraint dies check (false) not valid');
  await earned(payee);
  expect(await transfersTo(payee)).toEqual([4000]);
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'SUBMITTED' }]);
  await change('alter table transfers drop constraint dies');
  await payments.world.pass('10m');
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'PAID' }]);
  expect(await transfersTo(payee)).toEqual([4000]);
  expect((await payments.ledger())[`payable:${payee.userId}:EUR`]).toBe(0);
});

test('a transfer that is refused gives the money back to its payee’s balance and is tried again', async () => {
  const payee = user('Refused');
  await payments.readyAccount(payee);
  payments.faults.add({ kind: 'fail', on: 'transfers.create' });
  await earned(payee);
  expect((await payments.ledger())[`payable:${payee.userId}:EUR`]).toBe(4000);
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'ELIGIBLE' }]);
  await payments.world.pass('5m');
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'PAID' }]);
});

test('a transfer that is refused again and again is blocked after three more tries', async () => {
  const payee = user('Hopeless');
  await payments.readyAccount(payee);
  payments.faults.add({ kind: 'fail', on: 'transfers.create', times: 4 });
  await earned(payee);
  await payments.world.pass('2h');
  expect(await payoutsOf(payee)).toMatchObject([{ state: 'BLOCKED', requirements: ['transfer_refused'] }]);
  expect(await transfersTo(payee)).toEqual([]);
  await payments.openAccount(payee);
  await payments.world.settle();
  expect(await transfersTo(payee)).toEqual([4000]);
});

test('too little waits for more, and then all of it goes', async () => {
  const payee = user('Little');
  await payments.readyAccount(payee);
  await earned(payee, 60);
  expect(await payoutsOf(payee)).toEqual([]);
  await earned(payee, 50);
  expect((await transfersTo(payee)).sort()).toEqual([50, 60]);
});

test('payouts and accounts are seen by their owner alone', async () => {
  const payee = user('Private');
  await payments.readyAccount(payee);
  await earned(payee);
  const [{ id } = { id: '' }] = await payoutsOf(payee);
  const status = (viewer: UserViewer, payoutId = id) =>
    payments.world.execute(
      'payments',
      'query ($id: ID!) { payoutStatus(id: $id) { state } }',
      { id: payoutId },
      viewer,
    );
  expect((await status(payee)).data.payoutStatus.state).toBe('PAID');
  expect((await status(stranger)).codes).toEqual(['PAYOUT_NOT_FOUND']);
  expect((await status(payee, newId())).codes).toEqual(['PAYOUT_NOT_FOUND']);
  const hop = (viewer: UserViewer) =>
    payments.world.entities(
      'payments',
      [
        { __typename: 'User', id: payee.userId },
        { __typename: 'Payout', id },
      ],
      '{ ... on User { payoutAccount { status } } ... on Payout { state } }',
      viewer,
    );
  expect((await hop(payee)).data).toEqual([{ payoutAccount: { status: 'ACTIVE' } }, { state: 'PAID' }]);
  expect((await hop(stranger)).data).toEqual([{ payoutAccount: null }, null]);
});

test('an account needs a country and a currency that exist, and somebody signed in', async () => {
  const payee = user('Nowhere');
  const open = async (input: object, viewer: Parameters<PaymentWorld['openAccount']>[0] = payee) =>
    (await payments.openAccount(viewer, input)).codes;
  expect(await open({ country: 'France', currency: 'EUR' })).toEqual(['COUNTRY_INVALID']);
  expect(await open({ country: 'FR', currency: 'XXX' })).toEqual(['CURRENCY_UNKNOWN']);
  expect(await open({ country: 'FR', currency: 'EUR' }, { kind: 'anonymous' })).toEqual(['SIGN_IN_REQUIRED']);
  payments.faults.add({ kind: 'rate_limit', on: 'accounts.create' });
  expect(await open({ country: 'FR', currency: 'EUR' })).toEqual(['PROCESSOR_UNAVAILABLE']);
  expect(await open({ country: 'FR', currency: 'EUR' })).toEqual([]);
});

test.each([
  ['paid', 'fail'],
  ['paid', 'submit'],
  ['blocked', 'submit'],
  ['eligible', 'pay'],
  ['unknown', 'submit'],
] as const)('a payout that is %s cannot %s', (from, event) => {
  expect(() => nextState(payoutStates, from, event, 'system')).toThrow(
    expect.objectContaining({ code: 'INVALID_TRANSITION' }),
  );
});
