/**
 * What every card processor is held to: one suite, run against the adapter on our simulator, and on Stripe's
 * test mode too where a key is configured. What only a simulator can be made to do is marked `simulated`.
 */
import { type Money, money } from '#shared/kernel/money.ts';
import { stripeTestMode } from './card-processor.config.ts';
import type {
  AuthorisationResult,
  CardProcessor,
  PayoutAccountStatus,
  ProcessorPayment,
} from './card-processor.ts';
import {
  SECRET_KEY,
  type SimulatorWorld,
  simulatorWorld,
  WEBHOOK_SECRET,
} from './simulator/simulator.testing.ts';
import { createStripeProcessor } from './stripe.ts';

export interface Backend {
  readonly name: string;
  readonly simulated: boolean;
  readonly open: () => Promise<{ processor: CardProcessor; world: SimulatorWorld | null }>;
}

async function openSimulator() {
  const world = await simulatorWorld();
  const processor = createStripeProcessor({
    secretKey: SECRET_KEY,
    webhookSecrets: [WEBHOOK_SECRET],
    url: world.simulator.url,
    maxNetworkRetries: 0,
    timeoutMs: 5_000,
  });
  return { processor, world };
}

const testMode = stripeTestMode();

export const backends: readonly Backend[] = [
  { name: 'our simulator', simulated: true, open: openSimulator },
  ...(testMode
    ? [
        {
          name: "Stripe's test mode",
          simulated: false,
          open: async () => ({
            processor: createStripeProcessor({ secretKey: testMode.secretKey, webhookSecrets: [] }),
            world: null,
          }),
        },
      ]
    : []),
];

export const eur = (amountMinor: number): Money => money(amountMinor, 'EUR');
export const returnUrl = 'https://baton.example/back';

const run = crypto.randomUUID();
let operations = 0;
/** A new operation key. */
export const operation = (): string => `${run}:${++operations}`;

export interface Rig {
  readonly processor: CardProcessor;
  readonly world: SimulatorWorld;
  now(): Date;
  authorise(methodId: string, amount?: Money, operationKey?: string): Promise<AuthorisationResult>;
  /** A payment that is held. */
  authorised(amount?: Money, methodId?: string): Promise<ProcessorPayment>;
  /** A payment that was taken. */
  captured(amount?: Money, methodId?: string): Promise<ProcessorPayment>;
  payoutAccount(options?: { verified?: boolean }): Promise<PayoutAccountStatus>;
}

/** Opens a backend for the tests of this block, and takes its faults away after each. */
export function useBackend(backend: Backend): Rig {
  let opened: Awaited<ReturnType<Backend['open']>> | undefined;
  beforeAll(async () => {
    opened = await backend.open();
  });
  afterEach(() => opened?.world?.simulator.faults.clear());
  afterAll(() => opened?.world?.[Symbol.asyncDispose]());

  const rig: Rig = {
    get processor() {
      if (!opened) throw new Error('the backend is not open yet');
      return opened.processor;
    },
    get world() {
      if (!opened?.world) throw new Error('this backend is no simulator');
      return opened.world;
    },
    now: () => opened?.world?.clock.now() ?? new Date(),
    authorise: (methodId, amount = eur(8960), operationKey = operation()) =>
      rig.processor.authorise({ operationKey, amount, capture: 'LATER', methodId, returnUrl }),
    async authorised(amount, methodId = 'pm_card_visa') {
      const { kind, payment } = await rig.authorise(methodId, amount);
      if (kind !== 'DONE' || payment.state !== 'AUTHORISED') throw new Error(`${kind} ${payment.state}`);
      return payment;
    },
    async captured(amount, methodId) {
      const { id: paymentId } = await rig.authorised(amount, methodId);
      return rig.processor.capture({ operationKey: operation(), paymentId });
    },
    async payoutAccount({ verified = true } = {}) {
      const account = await rig.processor.createPayoutAccount({
        operationKey: operation(),
        country: 'FR',
        email: 'carrier@baton.example',
        currency: 'EUR',
      });
      if (verified) await rig.world.control('POST', `accounts/${account.id}`, { payoutsEnabled: true });
      return account;
    },
  };
  return rig;
}
