import { newId } from '#shared/kernel/ids.ts';
import { Ledger } from '#shared/runtime/ledger/ledger.ts';
import { user } from '../../testing/actors.ts';
import { carriers, eur, type PaymentWorld, startPaymentWorld } from '../testing/payment-world.ts';
import { AccountingService } from './accounting.service.ts';

let payments: PaymentWorld;
beforeAll(async () => {
  payments = await startPaymentWorld();
});
afterAll(() => payments[Symbol.asyncDispose]());

const proof = async () =>
  (
    await payments.world.execute(
      'payments',
      '{ ledgerProof { chainIntact journals currencies { currency trialBalance held deferredFees payable } } }',
    )
  ).data.ledgerProof;

test('the worked example, journal by journal, to the cent', async () => {
  const { world } = payments;
  const accounting = new AccountingService({
    ledger: new Ledger(world.database('payments')),
    clock: world.clock,
  });
  const db = world.database('payments');
  const [shipmentId, paymentId, ava] = [newId(), newId(), carriers[0].userId];
  const [a, b, c] = [
    { bookingId: newId(), amount: eur(4000), feeShare: eur(480) },
    { bookingId: newId(), amount: eur(3000), feeShare: eur(360) },
    { bookingId: newId(), amount: eur(1000), feeShare: eur(120) },
  ];
  const books = async () => {
    const all = await payments.ledger();
    const at = (code: string) => all[code] ?? 0;
    return [
      at('psp_clearing:EUR'),
      ...[a, b, c].map(({ bookingId }) => at(`held:${shipmentId}:${bookingId}`)),
      at(`deferred_fee:${shipmentId}:EUR`),
      at(`payable:${ava}:EUR`),
      at('platform_fee:EUR'),
      at('psp_fees:EUR'),
      at(`refund_payable:${shipmentId}:EUR`),
    ];
  };
  await accounting.captured({ paymentId, chargeId: 'ch_1', shipmentId, shares: [a, b, c] });
  expect(await books()).toEqual([8960, 4000, 3000, 1000, 960, 0, 0, 0, 0]);
  await accounting.processorFee({ chargeId: 'ch_1', fee: eur(159) });
  expect(await books()).toEqual([8801, 4000, 3000, 1000, 960, 0, 0, 159, 0]);
  await accounting.released({ ...a, shipmentId, payeeId: ava, custodyEventId: newId() });
  expect(await books()).toEqual([8801, 0, 3000, 1000, 480, 4000, 480, 159, 0]);
  const [payoutId, operationId] = [newId(), newId()];
  const payout = { operationId, payoutId, payeeId: ava, amount: eur(4000) };
  const holdId = await accounting.payoutPrepared(payout);
  await accounting.paidOut({ holdId, payoutId, transferId: 'tr_1', amount: eur(4000) });
  expect(await books()).toEqual([4801, 0, 3000, 1000, 480, 0, 480, 159, 0]);
  const refund = { operationId: newId(), shipmentId, reason: 'B was lost', shares: [b, c] };
  const refundHold = await accounting.refundPrepared(refund);
  await db.transaction(() =>
    accounting.refunded({ ...refund, holdId: refundHold, refundId: 're_1', amount: eur(4480) }),
  );
  expect(await books()).toEqual([321, 0, 0, 0, 0, 0, 480, 159, 0]);
  expect(await proof()).toMatchObject({
    chainIntact: true,
    currencies: [{ currency: 'EUR', trialBalance: '0', held: '0', deferredFees: '0', payable: '0' }],
  });
});

test('the proof is for everybody, follows every journal and walks the chain no more often than that', async () => {
  const before = await proof();
  const repeated = await payments.world.countQueries(() => proof());
  expect(repeated).toBe(1);
  const ledger = new Ledger(payments.world.database('payments'));
  const accounting = new AccountingService({ ledger, clock: payments.world.clock });
  await accounting.processorFee({ chargeId: newId(), fee: eur(1) });
  expect(BigInt((await proof()).journals)).toBe(BigInt(before.journals) + 1n);
});

test('only administrators reconcile; balances are one own', async () => {
  const { world } = payments;
  const reconcile = (roles: string[]) =>
    world.execute('payments', '{ reconciliation { currency } }', {}, user('Ada', roles));
  expect((await reconcile([])).codes).toEqual(['ROLE_REQUIRED']);
  expect((await reconcile(['support'])).codes).toEqual(['ROLE_REQUIRED']);
  expect((await reconcile(['admin'])).codes).toEqual([]);
  expect((await world.execute('payments', '{ myBalance { available { amountMinor } } }')).codes).toEqual([
    'SIGN_IN_REQUIRED',
  ]);
});

test('a payee reads what moved on their own account and on no other', async () => {
  const entries = async (viewer: ReturnType<typeof user>) =>
    (
      await payments.world.execute(
        'payments',
        `{ myLedgerEntries(currency: "EUR") { edges { node { kind side reason amount { amountMinor } } } } }`,
        {},
        viewer,
      )
    ).data.myLedgerEntries.edges.map(({ node }: { node: { side: string; kind: string } }) => [
      node.kind,
      node.side,
    ]);
  expect(await entries(carriers[0])).toEqual([
    ['POST', 'DEBIT'],
    ['PENDING', 'DEBIT'],
    ['POSTED', 'CREDIT'],
  ]);
  expect(await entries(user('Eve'))).toEqual([]);
});
