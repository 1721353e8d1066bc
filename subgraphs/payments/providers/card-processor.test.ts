/** The contract of a card processor, part one: payments and refunds. See `card-processor.testing.ts`. */
import { money } from '#shared/kernel/money.ts';
import { DAY, MINUTE, SECOND } from '#shared/kernel/time.ts';
import { backends, eur, operation, returnUrl, useBackend } from './card-processor.testing.ts';
import { answerChallenge } from './simulator/simulator.testing.ts';

describe.each(backends)('cards on $name', (backend) => {
  const rig = useBackend(backend);
  const simulated = backend.simulated ? test : test.skip;

  describe('authorise and capture', () => {
    test('an authorised amount is held, and captured once', async () => {
      const held = await rig.authorised();
      expect(held).toMatchObject({ state: 'AUTHORISED', capturable: eur(8960), captured: eur(0) });
      const days = ((held.captureBefore?.getTime() ?? 0) - rig.now().getTime()) / DAY;
      expect(days).toBeGreaterThan(4);
      const paid = await rig.processor.capture({ operationKey: operation(), paymentId: held.id });
      expect(paid).toMatchObject({ state: 'CAPTURED', capturable: eur(0), captured: eur(8960) });
      await expect(
        rig.processor.capture({ operationKey: operation(), paymentId: held.id }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'PAYMENT_STATE_CONFLICT' });
    });

    test('a part can be captured, and the rest is let go', async () => {
      const { id: paymentId } = await rig.authorised();
      const paid = await rig.processor.capture({ operationKey: operation(), paymentId, amount: eur(5000) });
      expect(paid).toMatchObject({ state: 'CAPTURED', captured: eur(5000), capturable: eur(0) });
      await expect(
        rig.processor.refund({ operationKey: operation(), paymentId, amount: eur(5001) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'REFUND_EXCEEDS_CAPTURED' });
    });

    test('no more can be captured than is held', async () => {
      const { id: paymentId } = await rig.authorised();
      await expect(
        rig.processor.capture({ operationKey: operation(), paymentId, amount: eur(8961) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'CAPTURE_EXCEEDS_AUTHORISED' });
    });

    test('a payment can be taken at once', async () => {
      const { payment } = await rig.processor.authorise({
        operationKey: operation(),
        amount: eur(1000),
        capture: 'NOW',
        methodId: 'pm_card_visa',
        returnUrl,
      });
      expect(payment).toMatchObject({ state: 'CAPTURED', captured: eur(1000) });
    });

    test('a payment without a card waits for one', async () => {
      const { payment } = await rig.processor.authorise({
        operationKey: operation(),
        amount: eur(1000),
        capture: 'LATER',
      });
      expect(payment.state).toBe('REQUIRES_METHOD');
      const confirmed = await rig.processor.confirm({
        operationKey: operation(),
        paymentId: payment.id,
        methodId: 'pm_card_visa',
        returnUrl,
      });
      expect(confirmed).toMatchObject({ kind: 'DONE', payment: { state: 'AUTHORISED' } });
    });

    test('a cancelled payment holds nothing and cannot be captured', async () => {
      const { id: paymentId } = await rig.authorised();
      const cancelled = await rig.processor.cancel({ operationKey: operation(), paymentId });
      expect(cancelled).toMatchObject({ state: 'CANCELLED', capturable: eur(0), captured: eur(0) });
      await expect(rig.processor.capture({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
        details: { status: 'canceled' },
      });
      await expect(rig.processor.cancel({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
      });
    });

    test('a captured payment cannot be cancelled', async () => {
      const { id: paymentId } = await rig.captured();
      await expect(rig.processor.cancel({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
      });
    });

    simulated('a hold ends by itself after seven days', async () => {
      const { id: paymentId, captureBefore } = await rig.authorised();
      await rig.world.clock.set(new Date((captureBefore?.getTime() ?? 0) - SECOND));
      expect(await rig.processor.retrieve(paymentId)).toMatchObject({ state: 'AUTHORISED' });
      await rig.world.clock.advance(SECOND);
      await expect(rig.processor.capture({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
      });
      expect(await rig.processor.retrieve(paymentId)).toMatchObject({ state: 'CANCELLED', captured: eur(0) });
    });

    simulated('a slow payment is processing until it is authorised', async () => {
      rig.world.simulator.faults.add({ kind: 'processing', ms: MINUTE });
      const { kind, payment } = await rig.authorise('pm_card_visa');
      expect([kind, payment.state]).toEqual(['DONE', 'PROCESSING']);
      await rig.world.clock.advance(MINUTE);
      expect(await rig.processor.retrieve(payment.id)).toMatchObject({ state: 'AUTHORISED' });
    });
  });

  describe('refused cards', () => {
    test.each([
      ['pm_card_chargeDeclined', 'card_declined', 'generic_decline'],
      ['pm_card_chargeDeclinedInsufficientFunds', 'card_declined', 'insufficient_funds'],
      ['pm_card_chargeDeclinedLostCard', 'card_declined', 'lost_card'],
      ['pm_card_chargeDeclinedExpiredCard', 'expired_card', 'expired_card'],
      ['pm_card_chargeDeclinedIncorrectCvc', 'incorrect_cvc', 'incorrect_cvc'],
      ['pm_card_chargeDeclinedProcessingError', 'processing_error', 'processing_error'],
    ])('%s is refused as %s', async (methodId, code, declineCode) => {
      const result = await rig.authorise(methodId);
      expect(result).toMatchObject({ kind: 'REFUSED', declined: { code } });
      if (code === 'card_declined') expect(result).toMatchObject({ declined: { declineCode } });
      expect(result.payment).toMatchObject({
        state: 'REQUIRES_METHOD',
        captured: eur(0),
        declined: { code },
      });
      expect(await rig.processor.retrieve(result.payment.id)).toMatchObject({ state: 'REQUIRES_METHOD' });
    });

    test('after a refusal another card can pay', async () => {
      const { payment } = await rig.authorise('pm_card_chargeDeclined');
      const again = await rig.processor.confirm({
        operationKey: operation(),
        paymentId: payment.id,
        methodId: 'pm_card_visa',
        returnUrl,
      });
      expect(again).toMatchObject({ kind: 'DONE', payment: { state: 'AUTHORISED', declined: null } });
    });

    test('a refusal is replayed as a refusal', async () => {
      const key = operation();
      const first = await rig.authorise('pm_card_chargeDeclined', eur(700), key);
      expect(await rig.authorise('pm_card_chargeDeclined', eur(700), key)).toMatchObject({
        kind: 'REFUSED',
        payment: { id: first.payment.id },
      });
    });
  });

  describe('3-D Secure', () => {
    async function challenged(methodId = 'pm_card_threeDSecure2Required') {
      const result = await rig.authorise(methodId);
      if (result.kind !== 'REQUIRES_ACTION') throw new Error(`no challenge but ${result.kind}`);
      return result;
    }

    test('the cardholder is sent to a page, and an abandoned challenge can be cancelled', async () => {
      const { payment, redirectUrl } = await challenged();
      expect(payment.state).toBe('REQUIRES_ACTION');
      expect(redirectUrl).toMatch(/^https?:/);
      expect(await rig.processor.cancel({ operationKey: operation(), paymentId: payment.id })).toMatchObject({
        state: 'CANCELLED',
        redirectUrl: null,
      });
    });

    simulated('a completed challenge authorises, once', async () => {
      const { payment, redirectUrl } = await challenged();
      const back = new URL((await answerChallenge(redirectUrl, 'complete')) ?? '');
      expect(back.href).toContain(returnUrl);
      expect(Object.fromEntries(back.searchParams)).toMatchObject({
        payment_intent: payment.id,
        redirect_status: 'succeeded',
      });
      expect(await rig.processor.retrieve(payment.id)).toMatchObject({
        state: 'AUTHORISED',
        redirectUrl: null,
      });
      await expect(answerChallenge(redirectUrl, 'complete')).rejects.toThrow('no challenge is shown');
    });

    simulated('a failed challenge leaves the payment without a card', async () => {
      const { payment, redirectUrl } = await challenged();
      const back = new URL((await answerChallenge(redirectUrl, 'fail')) ?? '');
      expect(back.searchParams.get('redirect_status')).toBe('failed');
      expect(await rig.processor.retrieve(payment.id)).toMatchObject({
        state: 'REQUIRES_METHOD',
        declined: { code: 'payment_intent_authentication_failure' },
      });
    });

    simulated('an authenticated card can still be refused', async () => {
      const { payment, redirectUrl } = await challenged('pm_card_threeDSecureRequiredChargeDeclined');
      await answerChallenge(redirectUrl, 'complete');
      expect(await rig.processor.retrieve(payment.id)).toMatchObject({
        state: 'REQUIRES_METHOD',
        declined: { code: 'card_declined' },
      });
    });

    test('without the cardholder a challenge is a refusal', async () => {
      const result = await rig.processor.authorise({
        operationKey: operation(),
        amount: eur(1000),
        capture: 'LATER',
        methodId: 'pm_card_authenticationRequired',
        offSession: true,
      });
      expect(result).toMatchObject({ kind: 'REFUSED', declined: { code: 'authentication_required' } });
    });

    test('a card is not tried where its holder could not come back', async () => {
      await expect(
        rig.processor.authorise({
          operationKey: operation(),
          amount: eur(1000),
          capture: 'LATER',
          methodId: 'pm_card_visa',
        }),
      ).rejects.toMatchObject({ kind: 'INVALID', code: 'RETURN_URL_REQUIRED' });
    });
  });

  describe('refunds', () => {
    test('refunds of a payment never exceed what was captured', async () => {
      const { id: paymentId } = await rig.captured();
      const key = operation();
      const refund = await rig.processor.refund({ operationKey: key, paymentId, amount: eur(4480) });
      expect(refund).toMatchObject({ paymentId, amount: eur(4480), state: 'SUCCEEDED', operationKey: key });
      await expect(
        rig.processor.refund({ operationKey: operation(), paymentId, amount: eur(4481) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'REFUND_EXCEEDS_CAPTURED' });
      await rig.processor.refund({ operationKey: operation(), paymentId, amount: eur(4480) });
      await expect(
        rig.processor.refund({ operationKey: operation(), paymentId, amount: eur(1) }),
      ).rejects.toMatchObject({ code: 'REFUND_EXCEEDS_CAPTURED' });
      expect(await rig.processor.findRefundByOperation(key, paymentId)).toEqual(refund);
      expect(await rig.processor.findRefundByOperation(operation(), paymentId)).toBeNull();
      expect(await rig.processor.retrieveRefund(refund.id)).toEqual(refund);
    });

    test('what was not captured cannot be refunded', async () => {
      const { id: paymentId } = await rig.authorised();
      await expect(
        rig.processor.refund({ operationKey: operation(), paymentId, amount: eur(100) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT' });
    });
  });

  describe('currencies', () => {
    test.each([
      ['JPY', 5000n],
      ['KWD', 12340n],
      ['ISK', 2500n],
    ])('an amount in %s comes back as it was sent', async (currency, minor) => {
      const paid = await rig.captured(money(minor, currency));
      expect([paid.amount, paid.captured]).toEqual([money(minor, currency), money(minor, currency)]);
      const amount = money(currency === 'KWD' ? 10n : 1n, currency);
      expect(
        await rig.processor.refund({ operationKey: operation(), paymentId: paid.id, amount }),
      ).toMatchObject({ amount });
    });

    test('a third decimal that no card can carry is refused before anything is sent', async () => {
      await expect(rig.authorise('pm_card_visa', money(12345, 'KWD'))).rejects.toMatchObject({
        kind: 'INVALID',
        code: 'AMOUNT_NOT_CHARGEABLE',
      });
    });

    test('an amount below the smallest charge is refused', async () => {
      await expect(rig.authorise('pm_card_visa', eur(49))).rejects.toMatchObject({
        kind: 'INVALID',
        code: 'AMOUNT_NOT_CHARGEABLE',
      });
    });
  });

  test('what the processor does not know is not found', async () => {
    await expect(rig.processor.retrieve('pi_unknown')).rejects.toMatchObject({
      kind: 'NOT_FOUND',
      code: 'PROCESSOR_OBJECT_UNKNOWN',
    });
    await expect(rig.processor.payoutAccountStatus('acct_unknown')).rejects.toMatchObject({
      code: 'PROCESSOR_OBJECT_UNKNOWN',
    });
  });

  test('cards that a customer saved are listed', async () => {
    const { id: customerId } = await rig.processor.createCustomer({ operationKey: operation(), name: 'Ada' });
    expect(await rig.processor.listPaymentMethods(customerId)).toEqual([]);
    await rig.processor.authorise({
      operationKey: operation(),
      amount: eur(1000),
      capture: 'LATER',
      methodId: 'pm_card_visa',
      customerId,
      saveMethod: true,
      returnUrl,
    });
    expect(await rig.processor.listPaymentMethods(customerId)).toMatchObject([
      { brand: 'visa', last4: '4242' },
    ]);
  });
});
