/** The contract of a card processor, part three: payout accounts, transfers, payouts and reconciliation. */
import { backends, eur, operation, useBackend } from './card-processor.testing.ts';

describe.each(backends)('payouts on $name', (backend) => {
  const rig = useBackend(backend);
  const simulated = backend.simulated ? test : test.skip;

  describe('payout accounts', () => {
    test('a new account can receive nothing and says what is missing', async () => {
      const account = await rig.payoutAccount({ verified: false });
      expect(account).toMatchObject({ transfersEnabled: false, payoutsEnabled: false });
      expect((await rig.processor.payoutAccountStatus(account.id)).requirementsDue).not.toEqual([]);
      const { chargeId } = await rig.captured();
      await expect(
        rig.processor.transfer({
          operationKey: operation(),
          payoutAccountId: account.id,
          amount: eur(100),
          chargeId: chargeId ?? '',
        }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'PAYOUT_ACCOUNT_NOT_ENABLED' });
    });

    simulated('onboarding on the processor’s page enables the account', async () => {
      const { id } = await rig.payoutAccount({ verified: false });
      const link = await rig.processor.onboardingLink({
        payoutAccountId: id,
        returnUrl: 'https://baton.example/payouts',
        refreshUrl: 'https://baton.example/again',
      });
      expect(link.expiresAt.getTime()).toBeGreaterThan(rig.now().getTime());
      const done = await fetch(link.url, {
        method: 'POST',
        body: new URLSearchParams({ outcome: 'complete' }),
        redirect: 'manual',
        signal: AbortSignal.timeout(5_000),
      });
      expect(done.headers.get('location')).toBe('https://baton.example/payouts');
      expect(await rig.processor.payoutAccountStatus(id)).toMatchObject({
        transfersEnabled: true,
        payoutsEnabled: true,
        requirementsDue: [],
      });
    });

    simulated('a transfer is funded by its charge before that settles, and never beyond it', async () => {
      const { id: payoutAccountId } = await rig.payoutAccount();
      const { chargeId } = await rig.captured(eur(8960));
      const key = operation();
      const sent = { payoutAccountId, amount: eur(4000), chargeId: chargeId ?? '', group: 'booking-1' };
      const transfer = await rig.processor.transfer({ operationKey: key, ...sent });
      expect(transfer).toMatchObject({
        payoutAccountId,
        amount: eur(4000),
        reversed: eur(0),
        group: 'booking-1',
      });
      expect(await rig.processor.transfer({ operationKey: key, ...sent })).toEqual(transfer);
      expect(
        await rig.processor.findTransferByOperation(key, { payoutAccountId, sentAt: rig.now() }),
      ).toEqual(transfer);
      await expect(
        rig.processor.transfer({ operationKey: operation(), ...sent, amount: eur(4961) }),
      ).rejects.toMatchObject({ code: 'PROCESSOR_BALANCE_INSUFFICIENT' });
    });

    simulated('a transfer can be taken back, no further than it went', async () => {
      const { id: payoutAccountId } = await rig.payoutAccount();
      const { chargeId } = await rig.captured();
      const { id: transferId } = await rig.processor.transfer({
        operationKey: operation(),
        payoutAccountId,
        amount: eur(4000),
        chargeId: chargeId ?? '',
      });
      const key = operation();
      const reversal = await rig.processor.reverseTransfer({
        operationKey: key,
        transferId,
        amount: eur(1500),
      });
      expect(await rig.processor.findReversalByOperation(key, transferId)).toEqual(reversal);
      expect(await rig.processor.retrieveTransfer(transferId)).toMatchObject({ reversed: eur(1500) });
      await expect(
        rig.processor.reverseTransfer({ operationKey: operation(), transferId, amount: eur(2501) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'REVERSAL_EXCEEDS_TRANSFER' });
    });

    simulated('a payout drains what has settled, once, and a failed one comes back', async () => {
      const { id: payoutAccountId } = await rig.payoutAccount();
      const { chargeId } = await rig.captured(eur(8960), 'pm_card_bypassPending');
      await rig.processor.transfer({
        operationKey: operation(),
        payoutAccountId,
        amount: eur(4000),
        chargeId: chargeId ?? '',
      });
      rig.world.simulator.faults.add({ kind: 'fail', on: 'payouts.create' });
      const key = operation();
      const payout = await rig.processor.payOut({ operationKey: key, payoutAccountId, amount: eur(4000) });
      expect(payout).toMatchObject({ state: 'IN_TRANSIT', amount: eur(4000) });
      await expect(
        rig.processor.payOut({ operationKey: operation(), payoutAccountId, amount: eur(1) }),
      ).rejects.toMatchObject({ code: 'PROCESSOR_BALANCE_INSUFFICIENT' });
      expect(await rig.processor.findPayoutByOperation(key, { payoutAccountId, sentAt: rig.now() })).toEqual(
        payout,
      );
      await rig.world.clock.set(payout.arrivesAt);
      expect(await rig.processor.retrievePayout(payoutAccountId, payout.id)).toMatchObject({
        state: 'FAILED',
        failureCode: 'account_closed',
      });
      const again = await rig.processor.payOut({
        operationKey: operation(),
        payoutAccountId,
        amount: eur(4000),
      });
      await rig.world.clock.set(again.arrivesAt);
      expect(await rig.processor.retrievePayout(payoutAccountId, again.id)).toMatchObject({ state: 'PAID' });
    });
  });

  simulated('the movements of the balance add up to it', async () => {
    await rig.world.clock.advance('1d');
    const from = rig.now();
    const before = (await rig.world.simulator.state()).balance.eur;
    const { id: paymentId, fee } = await rig.captured(eur(8960));
    expect(fee).toEqual(eur(150));
    await rig.processor.refund({ operationKey: operation(), paymentId, amount: eur(4480) });
    const movements = [];
    for await (const movement of rig.processor.balanceMovements({ from, to: rig.now() }))
      movements.push(movement);
    expect(movements.map(({ type, net }) => [type, net])).toEqual([
      ['charge', eur(8810)],
      ['refund', eur(-4480)],
    ]);
    const after = (await rig.world.simulator.state()).balance.eur;
    const sum = (balance: typeof after) => (balance?.available ?? 0) + (balance?.pending ?? 0);
    expect(sum(after) - sum(before)).toBe(8810 - 4480);
  });

  simulated('what happened in a period can be asked for, whatever webhooks lost', async () => {
    await rig.world.clock.advance('1d');
    const from = rig.now();
    const { id: paymentId } = await rig.captured();
    const notices = [];
    for await (const notice of rig.processor.events({ from, to: rig.now() })) notices.push(notice);
    expect(notices[0]).toMatchObject({
      type: 'payment_intent.succeeded',
      objectKind: 'PAYMENT',
      objectId: paymentId,
    });
    expect(new Set(notices.map(({ objectId }) => objectId))).toEqual(new Set([paymentId]));
  });
});
