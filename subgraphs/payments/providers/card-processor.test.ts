/**
 * The contract of a card processor, run against the adapter on our simulator, and on Stripe's test mode too
 * where a key is configured. What only a simulator can be made to do is marked by `simulated`.
 */
import { money } from '#shared/kernel/money.ts';
import { DAY, MINUTE, SECOND } from '#shared/kernel/time.ts';
import { stripeTestMode } from './card-processor.config.ts';
import { type CardProcessor, OutcomeUnknown } from './card-processor.ts';
import {
  answerChallenge,
  SECRET_KEY,
  type SimulatorWorld,
  simulatorWorld,
  WEBHOOK_SECRET,
} from './simulator/simulator.testing.ts';
import { createStripeProcessor } from './stripe.ts';

interface Backend {
  readonly name: string;
  readonly open: () => Promise<{ processor: CardProcessor; world: SimulatorWorld | null }>;
}

const testMode = stripeTestMode();
const backends: Backend[] = [
  {
    name: 'our simulator',
    async open() {
      const world = await simulatorWorld();
      const processor = createStripeProcessor({
        secretKey: SECRET_KEY,
        webhookSecrets: [WEBHOOK_SECRET],
        url: world.simulator.url,
        maxNetworkRetries: 0,
        timeoutMs: 5_000,
      });
      return { processor, world };
    },
  },
  ...(testMode
    ? [
        {
          name: "Stripe's test mode",
          open: async () => ({
            processor: createStripeProcessor({ secretKey: testMode.secretKey, webhookSecrets: [] }),
            world: null,
          }),
        },
      ]
    : []),
];

const eur = (amountMinor: number) => money(amountMinor, 'EUR');
let operations = 0;
const run = crypto.randomUUID();
/** A new operation key. */
const operation = (step = 'step') => `${run}:${step}:${++operations}`;
const returnUrl = 'https://baton.example/back';

describe.each(backends)('a card processor on $name', ({ name, open }) => {
  let processor: CardProcessor;
  let world: SimulatorWorld;
  const simulated = name === 'our simulator' ? test : test.skip;
  const now = () => world?.clock.now() ?? new Date();

  beforeAll(async () => {
    const opened = await open();
    processor = opened.processor;
    if (opened.world) world = opened.world;
  });
  afterAll(() => world?.[Symbol.asyncDispose]());
  afterEach(() => world?.simulator.faults.clear());

  const authorise = (methodId: string, amount = eur(8960), operationKey = operation('authorise')) =>
    processor.authorise({ operationKey, amount, capture: 'LATER', methodId, returnUrl });

  /** An authorised payment. */
  async function authorised(amount = eur(8960), methodId = 'pm_card_visa') {
    const { kind, payment } = await authorise(methodId, amount);
    expect(kind).toBe('DONE');
    return payment;
  }

  async function captured(amount = eur(8960), methodId = 'pm_card_visa') {
    const { id: paymentId } = await authorised(amount, methodId);
    return processor.capture({ operationKey: operation('capture'), paymentId });
  }

  const moneyTaken = async (paymentId: string) => (await world.simulator.state()).paymentIntents[paymentId];

  async function payoutAccount({ verified = true } = {}) {
    const account = await processor.createPayoutAccount({
      operationKey: operation('account'),
      country: 'FR',
      email: 'carrier@baton.example',
      currency: 'EUR',
    });
    if (verified) await world.control('POST', `accounts/${account.id}`, { payoutsEnabled: true });
    return account;
  }

  describe('authorise and capture', () => {
    test('an authorised amount is held, and captured once', async () => {
      const held = await authorised();
      expect(held).toMatchObject({ state: 'AUTHORISED', capturable: eur(8960), captured: eur(0) });
      const days = ((held.captureBefore?.getTime() ?? 0) - now().getTime()) / DAY;
      expect(days).toBeGreaterThan(4);
      const paid = await processor.capture({ operationKey: operation(), paymentId: held.id });
      expect(paid).toMatchObject({ state: 'CAPTURED', capturable: eur(0), captured: eur(8960) });
      await expect(
        processor.capture({ operationKey: operation(), paymentId: held.id }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'PAYMENT_STATE_CONFLICT' });
    });

    test('a part can be captured, and the rest is let go', async () => {
      const { id: paymentId } = await authorised();
      const paid = await processor.capture({ operationKey: operation(), paymentId, amount: eur(5000) });
      expect(paid).toMatchObject({ state: 'CAPTURED', captured: eur(5000), capturable: eur(0) });
      await expect(
        processor.refund({ operationKey: operation(), paymentId, amount: eur(5001) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'REFUND_EXCEEDS_CAPTURED' });
    });

    test('no more can be captured than is held', async () => {
      const { id: paymentId } = await authorised();
      await expect(
        processor.capture({ operationKey: operation(), paymentId, amount: eur(8961) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'CAPTURE_EXCEEDS_AUTHORISED' });
    });

    test('a payment can be taken at once', async () => {
      const { payment } = await processor.authorise({
        operationKey: operation(),
        amount: eur(1000),
        capture: 'NOW',
        methodId: 'pm_card_visa',
        returnUrl,
      });
      expect(payment).toMatchObject({ state: 'CAPTURED', captured: eur(1000) });
    });

    test('a payment without a card waits for one', async () => {
      const { payment } = await processor.authorise({
        operationKey: operation(),
        amount: eur(1000),
        capture: 'LATER',
      });
      expect(payment.state).toBe('REQUIRES_METHOD');
      const confirmed = await processor.confirm({
        operationKey: operation(),
        paymentId: payment.id,
        methodId: 'pm_card_visa',
        returnUrl,
      });
      expect(confirmed).toMatchObject({ kind: 'DONE', payment: { state: 'AUTHORISED' } });
    });

    test('a cancelled payment holds nothing and cannot be captured', async () => {
      const { id: paymentId } = await authorised();
      const cancelled = await processor.cancel({ operationKey: operation(), paymentId });
      expect(cancelled).toMatchObject({ state: 'CANCELLED', capturable: eur(0), captured: eur(0) });
      await expect(processor.capture({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
        details: { status: 'canceled' },
      });
      await expect(processor.cancel({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
      });
    });

    test('a captured payment cannot be cancelled', async () => {
      const { id: paymentId } = await captured();
      await expect(processor.cancel({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
      });
    });

    simulated('a hold ends by itself after seven days', async () => {
      const { id: paymentId, captureBefore } = await authorised();
      await world.clock.set(new Date((captureBefore?.getTime() ?? 0) - SECOND));
      expect(await processor.retrieve(paymentId)).toMatchObject({ state: 'AUTHORISED' });
      await world.clock.advance(SECOND);
      await expect(processor.capture({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        code: 'PAYMENT_STATE_CONFLICT',
      });
      expect(await processor.retrieve(paymentId)).toMatchObject({ state: 'CANCELLED', captured: eur(0) });
    });

    simulated('a slow payment is processing until it is authorised', async () => {
      world.simulator.faults.add({ kind: 'processing', ms: MINUTE });
      const { kind, payment } = await authorise('pm_card_visa');
      expect([kind, payment.state]).toEqual(['DONE', 'PROCESSING']);
      await world.clock.advance(MINUTE);
      expect(await processor.retrieve(payment.id)).toMatchObject({ state: 'AUTHORISED' });
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
      const result = await authorise(methodId);
      expect(result).toMatchObject({ kind: 'REFUSED', declined: { code } });
      if (code === 'card_declined') expect(result).toMatchObject({ declined: { declineCode } });
      expect(result.payment).toMatchObject({
        state: 'REQUIRES_METHOD',
        captured: eur(0),
        declined: { code },
      });
      expect(await processor.retrieve(result.payment.id)).toMatchObject({ state: 'REQUIRES_METHOD' });
    });

    test('after a refusal another card can pay', async () => {
      const { payment } = await authorise('pm_card_chargeDeclined');
      const again = await processor.confirm({
        operationKey: operation(),
        paymentId: payment.id,
        methodId: 'pm_card_visa',
        returnUrl,
      });
      expect(again).toMatchObject({ kind: 'DONE', payment: { state: 'AUTHORISED', declined: null } });
    });

    test('a refusal is replayed as a refusal', async () => {
      const key = operation();
      const first = await authorise('pm_card_chargeDeclined', eur(700), key);
      expect(await authorise('pm_card_chargeDeclined', eur(700), key)).toMatchObject({
        kind: 'REFUSED',
        payment: { id: first.payment.id },
      });
    });
  });

  describe('3-D Secure', () => {
    async function challenged(methodId = 'pm_card_threeDSecure2Required') {
      const result = await authorise(methodId);
      if (result.kind !== 'REQUIRES_ACTION') throw new Error(`no challenge but ${result.kind}`);
      return result;
    }

    test('the cardholder is sent to a page, and an abandoned challenge can be cancelled', async () => {
      const { payment, redirectUrl } = await challenged();
      expect(payment.state).toBe('REQUIRES_ACTION');
      expect(redirectUrl).toMatch(/^https?:/);
      expect(await processor.cancel({ operationKey: operation(), paymentId: payment.id })).toMatchObject({
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
      expect(await processor.retrieve(payment.id)).toMatchObject({ state: 'AUTHORISED', redirectUrl: null });
      await expect(answerChallenge(redirectUrl, 'complete')).rejects.toThrow('no challenge is shown');
    });

    simulated('a failed challenge leaves the payment without a card', async () => {
      const { payment, redirectUrl } = await challenged();
      const back = new URL((await answerChallenge(redirectUrl, 'fail')) ?? '');
      expect(back.searchParams.get('redirect_status')).toBe('failed');
      expect(await processor.retrieve(payment.id)).toMatchObject({
        state: 'REQUIRES_METHOD',
        declined: { code: 'payment_intent_authentication_failure' },
      });
    });

    simulated('an authenticated card can still be refused', async () => {
      const { payment, redirectUrl } = await challenged('pm_card_threeDSecureRequiredChargeDeclined');
      await answerChallenge(redirectUrl, 'complete');
      expect(await processor.retrieve(payment.id)).toMatchObject({
        state: 'REQUIRES_METHOD',
        declined: { code: 'card_declined' },
      });
    });

    test('without the cardholder a challenge is a refusal', async () => {
      const result = await processor.authorise({
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
        processor.authorise({
          operationKey: operation(),
          amount: eur(1000),
          capture: 'LATER',
          methodId: 'pm_card_visa',
        }),
      ).rejects.toMatchObject({ kind: 'INVALID', code: 'RETURN_URL_REQUIRED' });
    });
  });

  describe('operation keys', () => {
    test('the same key makes one payment', async () => {
      const key = operation();
      const [first, second] = [
        await authorise('pm_card_visa', eur(4000), key),
        await authorise('pm_card_visa', eur(4000), key),
      ];
      expect(second.payment.id).toBe(first.payment.id);
    });

    test('the same key with another request is refused', async () => {
      const key = operation();
      await authorise('pm_card_visa', eur(4000), key);
      await expect(authorise('pm_card_visa', eur(4001), key)).rejects.toMatchObject({
        kind: 'CONFLICT',
        code: 'OPERATION_KEY_REUSED',
      });
    });

    test('a payment is found by the operation that made it, and by no other', async () => {
      const key = operation();
      const { payment } = await authorise('pm_card_visa', eur(4000), key);
      expect(await processor.findByOperation(key, now())).toMatchObject({
        id: payment.id,
        operationKey: key,
        chargeId: payment.chargeId,
      });
      expect(await processor.findByOperation(operation(), now())).toBeNull();
    });

    simulated(
      'a lost reply is an unknown outcome; the operation is found, once, and its replay adds nothing',
      async () => {
        const key = operation();
        // The client tries a closed connection once more by itself, and loses that reply too.
        world.simulator.faults.add({ kind: 'drop_reply', on: 'payment_intents.create', times: 2 });
        await expect(authorise('pm_card_visa', eur(4000), key)).rejects.toThrow(OutcomeUnknown);
        const found = await processor.findByOperation(key, now());
        expect(found).toMatchObject({ state: 'AUTHORISED', operationKey: key });
        expect((await authorise('pm_card_visa', eur(4000), key)).payment.id).toBe(found?.id);
        const made = Object.values((await world.simulator.state()).paymentIntents);
        expect(made.filter(({ metadata }) => metadata.operation === key)).toHaveLength(1);
      },
    );

    simulated('a capture whose reply is lost took the money once', async () => {
      const { id: paymentId } = await authorised();
      const key = operation();
      world.simulator.faults.add({ kind: 'drop_reply', on: 'payment_intents.capture', times: 2 });
      await expect(processor.capture({ operationKey: key, paymentId })).rejects.toMatchObject({
        name: 'OutcomeUnknown',
        operationKey: key,
        reason: 'NO_ANSWER',
      });
      expect(await processor.retrieve(paymentId)).toMatchObject({ state: 'CAPTURED' });
      await processor.capture({ operationKey: key, paymentId });
      expect(await moneyTaken(paymentId)).toMatchObject({ captures: 1, captured: 8960 });
    });

    simulated.each([
      ['error_before', 'PROCESSOR_FAILED', false],
      ['error_after', 'PROCESSOR_FAILED', true],
      ['rate_limit', 'PROCESSOR_BUSY', false],
    ] as const)('%s is an unknown outcome (%s)', async (kind, reason, happened) => {
      const key = operation();
      world.simulator.faults.add({ kind, on: 'payment_intents.create' });
      await expect(authorise('pm_card_visa', eur(4000), key)).rejects.toMatchObject({
        name: 'OutcomeUnknown',
        reason,
      });
      expect((await processor.findByOperation(key, now())) !== null).toBe(happened);
    });

    simulated('no answer in time is an unknown outcome', async () => {
      const impatient = createStripeProcessor({
        secretKey: SECRET_KEY,
        webhookSecrets: [],
        url: world.simulator.url,
        maxNetworkRetries: 0,
        timeoutMs: 100,
      });
      const { id: paymentId } = await authorised();
      world.simulator.faults.add({ kind: 'stall_after', on: 'payment_intents.capture', ms: 1_000 });
      await expect(impatient.capture({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        name: 'OutcomeUnknown',
        reason: 'NO_ANSWER',
      });
      expect(await processor.retrieve(paymentId)).toMatchObject({ state: 'CAPTURED' });
    });
  });

  describe('refunds', () => {
    test('refunds of a payment never exceed what was captured', async () => {
      const { id: paymentId } = await captured();
      const key = operation();
      const refund = await processor.refund({ operationKey: key, paymentId, amount: eur(4480) });
      expect(refund).toMatchObject({ paymentId, amount: eur(4480), state: 'SUCCEEDED', operationKey: key });
      await expect(
        processor.refund({ operationKey: operation(), paymentId, amount: eur(4481) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'REFUND_EXCEEDS_CAPTURED' });
      await processor.refund({ operationKey: operation(), paymentId, amount: eur(4480) });
      await expect(
        processor.refund({ operationKey: operation(), paymentId, amount: eur(1) }),
      ).rejects.toMatchObject({ code: 'REFUND_EXCEEDS_CAPTURED' });
      expect(await processor.findRefundByOperation(key, paymentId)).toEqual(refund);
      expect(await processor.findRefundByOperation(operation(), paymentId)).toBeNull();
      expect(await processor.retrieveRefund(refund.id)).toEqual(refund);
    });

    test('what was not captured cannot be refunded', async () => {
      const { id: paymentId } = await authorised();
      await expect(
        processor.refund({ operationKey: operation(), paymentId, amount: eur(100) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT' });
    });
  });

  describe('currencies', () => {
    test.each([
      ['JPY', 5000n],
      ['KWD', 12340n],
      ['ISK', 2500n],
    ])('an amount in %s comes back as it was sent', async (currency, minor) => {
      const paid = await captured(money(minor, currency));
      expect([paid.amount, paid.captured]).toEqual([money(minor, currency), money(minor, currency)]);
      const amount = money(currency === 'KWD' ? 10n : 1n, currency);
      expect(await processor.refund({ operationKey: operation(), paymentId: paid.id, amount })).toMatchObject(
        { amount },
      );
    });

    test('a third decimal that no card can carry is refused before anything is sent', async () => {
      await expect(authorise('pm_card_visa', money(12345, 'KWD'))).rejects.toMatchObject({
        kind: 'INVALID',
        code: 'AMOUNT_NOT_CHARGEABLE',
      });
    });

    test('an amount below the smallest charge is refused', async () => {
      await expect(authorise('pm_card_visa', eur(49))).rejects.toMatchObject({
        kind: 'INVALID',
        code: 'AMOUNT_NOT_CHARGEABLE',
      });
    });
  });

  test('what the processor does not know is not found', async () => {
    await expect(processor.retrieve('pi_unknown')).rejects.toMatchObject({
      kind: 'NOT_FOUND',
      code: 'PROCESSOR_OBJECT_UNKNOWN',
    });
    await expect(processor.payoutAccountStatus('acct_unknown')).rejects.toMatchObject({
      code: 'PROCESSOR_OBJECT_UNKNOWN',
    });
  });

  test('cards that a customer saved are listed', async () => {
    const { id: customerId } = await processor.createCustomer({ operationKey: operation(), name: 'Ada' });
    expect(await processor.listPaymentMethods(customerId)).toEqual([]);
    await processor.authorise({
      operationKey: operation(),
      amount: eur(1000),
      capture: 'LATER',
      methodId: 'pm_card_visa',
      customerId,
      saveMethod: true,
      returnUrl,
    });
    expect(await processor.listPaymentMethods(customerId)).toMatchObject([{ brand: 'visa', last4: '4242' }]);
  });

  describe('payout accounts', () => {
    test('a new account can receive nothing and says what is missing', async () => {
      const account = await payoutAccount({ verified: false });
      expect(account).toMatchObject({ transfersEnabled: false, payoutsEnabled: false });
      expect((await processor.payoutAccountStatus(account.id)).requirementsDue).not.toEqual([]);
      const { chargeId } = await captured();
      await expect(
        processor.transfer({
          operationKey: operation(),
          payoutAccountId: account.id,
          amount: eur(100),
          chargeId: chargeId ?? '',
        }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'PAYOUT_ACCOUNT_NOT_ENABLED' });
    });

    simulated('onboarding on the processor’s page enables the account', async () => {
      const { id } = await payoutAccount({ verified: false });
      const link = await processor.onboardingLink({
        payoutAccountId: id,
        returnUrl: 'https://baton.example/payouts',
        refreshUrl: 'https://baton.example/again',
      });
      expect(link.expiresAt.getTime()).toBeGreaterThan(now().getTime());
      const done = await fetch(link.url, {
        method: 'POST',
        body: new URLSearchParams({ outcome: 'complete' }),
        redirect: 'manual',
        signal: AbortSignal.timeout(5_000),
      });
      expect(done.headers.get('location')).toBe('https://baton.example/payouts');
      expect(await processor.payoutAccountStatus(id)).toMatchObject({
        transfersEnabled: true,
        payoutsEnabled: true,
        requirementsDue: [],
      });
    });

    simulated('a transfer is funded by its charge before that settles, and never beyond it', async () => {
      const { id: payoutAccountId } = await payoutAccount();
      const { chargeId } = await captured(eur(8960));
      const key = operation();
      const sent = { payoutAccountId, amount: eur(4000), chargeId: chargeId ?? '', group: 'booking-1' };
      const transfer = await processor.transfer({ operationKey: key, ...sent });
      expect(transfer).toMatchObject({
        payoutAccountId,
        amount: eur(4000),
        reversed: eur(0),
        group: 'booking-1',
      });
      expect(await processor.transfer({ operationKey: key, ...sent })).toEqual(transfer);
      expect(await processor.findTransferByOperation(key, { payoutAccountId, sentAt: now() })).toEqual(
        transfer,
      );
      await expect(
        processor.transfer({ operationKey: operation(), ...sent, amount: eur(4961) }),
      ).rejects.toMatchObject({ code: 'PROCESSOR_BALANCE_INSUFFICIENT' });
    });

    simulated('a transfer can be taken back, no further than it went', async () => {
      const { id: payoutAccountId } = await payoutAccount();
      const { chargeId } = await captured();
      const { id: transferId } = await processor.transfer({
        operationKey: operation(),
        payoutAccountId,
        amount: eur(4000),
        chargeId: chargeId ?? '',
      });
      const key = operation();
      const reversal = await processor.reverseTransfer({ operationKey: key, transferId, amount: eur(1500) });
      expect(await processor.findReversalByOperation(key, transferId)).toEqual(reversal);
      expect(await processor.retrieveTransfer(transferId)).toMatchObject({ reversed: eur(1500) });
      await expect(
        processor.reverseTransfer({ operationKey: operation(), transferId, amount: eur(2501) }),
      ).rejects.toMatchObject({ kind: 'CONFLICT', code: 'REVERSAL_EXCEEDS_TRANSFER' });
    });

    simulated('a payout drains what has settled, once, and a failed one comes back', async () => {
      const { id: payoutAccountId } = await payoutAccount();
      const { chargeId } = await captured(eur(8960), 'pm_card_bypassPending');
      await processor.transfer({
        operationKey: operation(),
        payoutAccountId,
        amount: eur(4000),
        chargeId: chargeId ?? '',
      });
      world.simulator.faults.add({ kind: 'fail', on: 'payouts.create' });
      const key = operation();
      const payout = await processor.payOut({ operationKey: key, payoutAccountId, amount: eur(4000) });
      expect(payout).toMatchObject({ state: 'IN_TRANSIT', amount: eur(4000) });
      await expect(
        processor.payOut({ operationKey: operation(), payoutAccountId, amount: eur(1) }),
      ).rejects.toMatchObject({ code: 'PROCESSOR_BALANCE_INSUFFICIENT' });
      expect(await processor.findPayoutByOperation(key, { payoutAccountId, sentAt: now() })).toEqual(payout);
      await world.clock.set(payout.arrivesAt);
      expect(await processor.retrievePayout(payoutAccountId, payout.id)).toMatchObject({
        state: 'FAILED',
        failureCode: 'account_closed',
      });
      const again = await processor.payOut({ operationKey: operation(), payoutAccountId, amount: eur(4000) });
      await world.clock.set(again.arrivesAt);
      expect(await processor.retrievePayout(payoutAccountId, again.id)).toMatchObject({ state: 'PAID' });
    });
  });

  simulated('the movements of the balance add up to it', async () => {
    await world.clock.advance('1d');
    const from = now();
    const before = (await world.simulator.state()).balance.eur;
    const { id: paymentId, fee } = await captured(eur(8960));
    expect(fee).toEqual(eur(150));
    await processor.refund({ operationKey: operation(), paymentId, amount: eur(4480) });
    const movements = [];
    for await (const movement of processor.balanceMovements({ from, to: now() })) movements.push(movement);
    expect(movements.map(({ type, net }) => [type, net])).toEqual([
      ['charge', eur(8810)],
      ['refund', eur(-4480)],
    ]);
    const after = (await world.simulator.state()).balance.eur;
    const sum = (balance: typeof after) => (balance?.available ?? 0) + (balance?.pending ?? 0);
    expect(sum(after) - sum(before)).toBe(8810 - 4480);
  });

  simulated('what happened in a period can be asked for, whatever webhooks lost', async () => {
    await world.clock.advance('1d');
    const from = now();
    const { id: paymentId } = await captured();
    const notices = [];
    for await (const notice of processor.events({ from, to: now() })) notices.push(notice);
    expect(notices[0]).toMatchObject({
      type: 'payment_intent.succeeded',
      objectKind: 'PAYMENT',
      objectId: paymentId,
    });
    expect(new Set(notices.map(({ objectId }) => objectId))).toEqual(new Set([paymentId]));
  });
});

test('a key that the processor does not accept is a fault of ours, not a refusal', async () => {
  await using world = await simulatorWorld();
  const processor = createStripeProcessor({
    secretKey: 'sk_test_wrong',
    webhookSecrets: [],
    url: world.simulator.url,
  });
  await expect(
    processor.authorise({ operationKey: operation(), amount: eur(1000), capture: 'LATER' }),
  ).rejects.toMatchObject({ name: 'ProcessorMisconfigured' });
});

test('a processor that is not there leaves changes unknown and reads unavailable', async () => {
  const gone = await simulatorWorld();
  const processor = createStripeProcessor({
    secretKey: SECRET_KEY,
    webhookSecrets: [],
    url: gone.simulator.url,
    maxNetworkRetries: 0,
  });
  await gone[Symbol.asyncDispose]();
  await expect(
    processor.authorise({ operationKey: operation(), amount: eur(1000), capture: 'LATER' }),
  ).rejects.toThrow(OutcomeUnknown);
  await expect(processor.retrieve('pi_1')).rejects.toMatchObject({
    kind: 'UNAVAILABLE',
    code: 'PROCESSOR_UNAVAILABLE',
  });
});
