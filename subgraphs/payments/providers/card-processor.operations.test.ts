/** The contract of a card processor, part two: operation keys and unknown outcomes. */
import { backends, eur, operation, useBackend } from './card-processor.testing.ts';
import { OutcomeUnknown } from './card-processor.ts';
import { SECRET_KEY, simulatorWorld } from './simulator/simulator.testing.ts';
import { createStripeProcessor } from './stripe.ts';

describe.each(backends)('operations on $name', (backend) => {
  const rig = useBackend(backend);
  const simulated = backend.simulated ? test : test.skip;

  describe('operation keys', () => {
    test('the same key makes one payment', async () => {
      const key = operation();
      const [first, second] = [
        await rig.authorise('pm_card_visa', eur(4000), key),
        await rig.authorise('pm_card_visa', eur(4000), key),
      ];
      expect(second.payment.id).toBe(first.payment.id);
    });

    test('the same key with another request is refused', async () => {
      const key = operation();
      await rig.authorise('pm_card_visa', eur(4000), key);
      await expect(rig.authorise('pm_card_visa', eur(4001), key)).rejects.toMatchObject({
        kind: 'CONFLICT',
        code: 'OPERATION_KEY_REUSED',
      });
    });

    test('a payment is found by the operation that made it, and by no other', async () => {
      const key = operation();
      const { payment } = await rig.authorise('pm_card_visa', eur(4000), key);
      expect(await rig.processor.findByOperation(key, rig.now())).toMatchObject({
        id: payment.id,
        operationKey: key,
        chargeId: payment.chargeId,
      });
      expect(await rig.processor.findByOperation(operation(), rig.now())).toBeNull();
    });

    simulated(
      'a lost reply is an unknown outcome; the operation is found, once, and its replay adds nothing',
      async () => {
        const key = operation();
        // The client tries a closed connection once more by itself, and loses that reply too.
        rig.world.simulator.faults.add({ kind: 'drop_reply', on: 'payment_intents.create', times: 2 });
        await expect(rig.authorise('pm_card_visa', eur(4000), key)).rejects.toThrow(OutcomeUnknown);
        const found = await rig.processor.findByOperation(key, rig.now());
        expect(found).toMatchObject({ state: 'AUTHORISED', operationKey: key });
        expect((await rig.authorise('pm_card_visa', eur(4000), key)).payment.id).toBe(found?.id);
        const made = Object.values((await rig.world.simulator.state()).paymentIntents);
        expect(made.filter(({ metadata }) => metadata.operation === key)).toHaveLength(1);
      },
    );

    simulated('a capture whose reply is lost took the money once', async () => {
      const { id: paymentId } = await rig.authorised();
      const key = operation();
      rig.world.simulator.faults.add({ kind: 'drop_reply', on: 'payment_intents.capture', times: 2 });
      await expect(rig.processor.capture({ operationKey: key, paymentId })).rejects.toMatchObject({
        name: 'OutcomeUnknown',
        operationKey: key,
        reason: 'NO_ANSWER',
      });
      expect(await rig.processor.retrieve(paymentId)).toMatchObject({ state: 'CAPTURED' });
      await rig.processor.capture({ operationKey: key, paymentId });
      expect((await rig.world.simulator.state()).paymentIntents[paymentId]).toMatchObject({
        captures: 1,
        captured: 8960,
      });
    });

    simulated.each([
      ['error_before', 'PROCESSOR_FAILED', false],
      ['error_after', 'PROCESSOR_FAILED', true],
      ['rate_limit', 'PROCESSOR_BUSY', false],
    ] as const)('%s is an unknown outcome (%s)', async (kind, reason, happened) => {
      const key = operation();
      rig.world.simulator.faults.add({ kind, on: 'payment_intents.create' });
      await expect(rig.authorise('pm_card_visa', eur(4000), key)).rejects.toMatchObject({
        name: 'OutcomeUnknown',
        reason,
      });
      expect((await rig.processor.findByOperation(key, rig.now())) !== null).toBe(happened);
    });

    simulated('no answer in time is an unknown outcome', async () => {
      const impatient = createStripeProcessor({
        secretKey: SECRET_KEY,
        webhookSecrets: [],
        url: rig.world.simulator.url,
        maxNetworkRetries: 0,
        timeoutMs: 100,
      });
      const { id: paymentId } = await rig.authorised();
      rig.world.simulator.faults.add({ kind: 'stall_after', on: 'payment_intents.capture', ms: 1_000 });
      await expect(impatient.capture({ operationKey: operation(), paymentId })).rejects.toMatchObject({
        name: 'OutcomeUnknown',
        reason: 'NO_ANSWER',
      });
      expect(await rig.processor.retrieve(paymentId)).toMatchObject({ state: 'CAPTURED' });
    });
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
