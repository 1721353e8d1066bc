/**
 * Payments with a card processor beside them: our simulator, whose faults a test sets and whose webhooks it
 * delivers itself, in any order. Legs and people of the worked example: A 40, B 30, C 10 and 12 % for us.
 */
import { PaymentsContract } from '#shared/contracts/payments.ts';
import { HandoffTransferred } from '#shared/events/custody.ts';
import { newId } from '#shared/kernel/ids.ts';
import { type Money, money } from '#shared/kernel/money.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { DeterministicDurable } from '#shared/testing/durable.ts';
import { user } from '../../testing/actors.ts';
import { startWorld, type World } from '../../testing/world.ts';
import {
  PUBLISHABLE_KEY,
  type ReceivedWebhook,
  SECRET_KEY,
  type SimulatorWorld,
  simulatorWorld,
  until,
  WEBHOOK_SECRET,
} from '../providers/simulator/simulator.testing.ts';

export const sender = user('Sara');
export const carriers = [user('Ava'), user('Ben'), user('Cleo')] as const;
export const stranger = user('Eve');

export const eur = (amountMinor: number): Money => money(amountMinor, 'EUR');

export interface Order {
  readonly itineraryId: string;
  readonly shipmentId: string;
  readonly payerId: string;
  readonly total: Money;
  readonly legs: { bookingId: string; payeeId: string; amount: Money; feeShare: Money }[];
}

/** The worked example, with an itinerary of its own. */
export const anOrder = (): Order => ({
  itineraryId: newId(),
  shipmentId: newId(),
  payerId: sender.userId,
  total: eur(8960),
  legs: [
    { bookingId: newId(), payeeId: carriers[0].userId, amount: eur(4000), feeShare: eur(480) },
    { bookingId: newId(), payeeId: carriers[1].userId, amount: eur(3000), feeShare: eur(360) },
    { bookingId: newId(), payeeId: carriers[2].userId, amount: eur(1000), feeShare: eur(120) },
  ],
});

export interface Opened extends Order {
  readonly paymentId: string;
}

export class PaymentWorld implements AsyncDisposable {
  readonly bank: SimulatorWorld;
  readonly world: World;

  constructor(bank: SimulatorWorld, world: World) {
    this.bank = bank;
    this.world = world;
  }

  get payments() {
    return this.world.ask(PaymentsContract);
  }

  get faults() {
    return this.bank.simulator.faults;
  }

  async opened(order = anOrder()): Promise<Opened> {
    const { paymentId } = await this.payments.openPayment(order, { key: newId() });
    return { ...order, paymentId };
  }

  async authorised(order?: Order): Promise<Opened> {
    const opened = await this.opened(order);
    const { codes } = await this.pay(opened.paymentId);
    if (codes.length > 0) throw new Error(String(codes));
    return opened;
  }

  async captured(order?: Order): Promise<Opened> {
    const opened = await this.authorised(order);
    await this.capture(opened);
    return opened;
  }

  capture({ itineraryId }: Order) {
    return this.payments.capturePayment({ itineraryId }, { key: newId() });
  }

  cancel({ itineraryId }: Order) {
    return this.payments.cancelPayment({ itineraryId, reason: 'a carrier declined' }, { key: newId() });
  }

  /** The payer tries a card. */
  pay(paymentId: string, paymentMethodId = 'pm_card_visa', viewer: Viewer = sender, more: object = {}) {
    return this.world.execute(
      'payments',
      `mutation ($input: ProcessPaymentInput!) { processPayment(input: $input) {
         __typename ... on Payment { id state } ... on PaymentActionRequired { redirectUrl payment { id state } } } }`,
      { input: { paymentId, paymentMethodId, returnUrl: 'https://app.example/back', ...more } },
      viewer,
    );
  }

  async stateOf({ itineraryId }: Order): Promise<string | undefined> {
    return (await this.payments.payment({ itineraryId }))?.state;
  }

  /** The hand-over that ends a leg. */
  async handedOver(
    order: Order,
    leg: number,
    more: Partial<{ delivered: boolean; discrepancy: boolean; custodyEventIds: string[] }> = {},
  ): Promise<void> {
    const { itineraryId, shipmentId, legs } = order;
    await this.world.hear(HandoffTransferred, {
      shipmentId,
      itineraryId,
      stepId: newId(),
      sequence: leg + 1,
      from: { type: 'traveller', id: legs[leg]!.payeeId },
      to: { type: 'recipient', id: newId() },
      finishedBookingId: legs[leg]!.bookingId,
      startedBookingId: legs[leg + 1]?.bookingId ?? null,
      packageIds: [newId()],
      custodyEventIds: [newId()],
      discrepancy: false,
      lastLegStarted: false,
      delivered: false,
      transferredAt: this.world.clock.now(),
      ...more,
    });
    await this.world.settle();
  }

  openAccount(viewer: Viewer, input: object = { country: 'FR', currency: 'EUR' }) {
    return this.world.execute(
      'payments',
      'mutation ($input: OpenPayoutAccountInput!) { openPayoutAccount(input: $input) { status requirements onboardingUrl } }',
      { input },
      viewer,
    );
  }

  /** The processor has verified somebody's account. */
  async verify(userId: string, verdict: object = { payoutsEnabled: true }): Promise<void> {
    const [account] = await this.rows<{ processor_id: string }>(
      `select processor_id from payment_accounts where kind = 'payee' and user_id = ?`,
      [userId],
    );
    await this.bank.control('POST', `accounts/${account!.processor_id}`, verdict);
  }

  async readyAccount(viewer: Viewer & { userId: string }): Promise<void> {
    await this.openAccount(viewer);
    await this.verify(viewer.userId);
    await this.openAccount(viewer);
  }

  /** Webhooks that the processor has sent so far, once all are there. */
  async webhooks(): Promise<readonly ReceivedWebhook[]> {
    await until(async () => (await this.bank.simulator.state()).webhooks.waiting === 0);
    return this.bank.webhooks.received;
  }

  deliver({ body, headers }: Pick<ReceivedWebhook, 'body' | 'headers'>): Promise<Response> {
    const request = new Request('http://x/webhooks/stripe', {
      method: 'POST',
      body: new Uint8Array(body),
      headers: { 'stripe-signature': String(headers['stripe-signature']) },
    });
    return this.world.route('payments', request);
  }

  async ledger(): Promise<Record<string, number>> {
    const rows = await this.rows<{ code: string; posted: string }>(
      `select a.code, coalesce(d.posted, a.posted)::text as posted from ledger_accounts a
       left join lateral (select * from ledger_derived(a.id) where a.floor is null) d on true order by a.code`,
    );
    return Object.fromEntries(rows.map(({ code, posted }) => [code, Number(posted)]));
  }

  /** Trial balance, chain and the processor's own balance must agree with the books. */
  async requireSoundBooks(): Promise<void> {
    const admin = user('Ada', ['admin']);
    const { data } = await this.world.execute(
      'payments',
      `{ ledgerProof { chainIntact currencies { currency trialBalance } } reconciliation { currency difference } }`,
      {},
      admin,
    );
    expect(data.ledgerProof.chainIntact).toBe(true);
    for (const { trialBalance } of data.ledgerProof.currencies) expect(trialBalance).toBe('0');
    for (const { difference } of data.reconciliation) expect(difference).toBe('0');
  }

  rows<Row extends object>(text: string, parameters: unknown[] = []): Promise<Row[]> {
    return this.world
      .database('payments')
      .read((em) => em.execute(text, parameters) as unknown as Promise<Row[]>);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.world[Symbol.asyncDispose]();
    await this.bank[Symbol.asyncDispose]();
  }
}

export async function startPaymentWorld(env: Record<string, string> = {}): Promise<PaymentWorld> {
  const bank = await simulatorWorld();
  try {
    const { clock } = bank;
    const world = await startWorld({
      subgraphs: ['payments'],
      clock,
      durable: new DeterministicDurable({ clock }),
      env: {
        STRIPE_SECRET_KEY: SECRET_KEY,
        STRIPE_PUBLISHABLE_KEY: PUBLISHABLE_KEY,
        STRIPE_WEBHOOK_SECRETS: WEBHOOK_SECRET,
        STRIPE_URL: bank.simulator.url,
        STRIPE_RETRIES: '0',
        ...env,
      },
    });
    return new PaymentWorld(bank, world);
  } catch (error) {
    await bank[Symbol.asyncDispose]();
    throw error;
  }
}
