/**
 * The card processor of this process: Stripe, where a key is configured, else our simulator, started here with
 * keys derived from the platform's secret. One simulator serves the processes of one database: whoever finds
 * the port taken by it uses it, and a stranger on the port is a fault that is told.
 */
import type { Clock } from '#shared/kernel/time.ts';
import { ConfigFault } from '#shared/runtime/config.ts';
import type { Logger } from '#shared/runtime/logger.ts';
import type { Secrets } from '#shared/runtime/secrets.ts';
import type { PaymentsConfig } from '../payments.config.ts';
import type { CardProcessor } from './card-processor.ts';
import { startStripeSimulator } from './simulator/simulator.ts';
import { createStripeProcessor } from './stripe.ts';

export interface OpenProcessor extends AsyncDisposable {
  readonly processor: CardProcessor;
  /** What a browser makes payment methods with; null where none is configured. */
  readonly publishableKey: string | null;
  /** True where no real money moves: test cards can be offered. */
  readonly testMode: boolean;
}

interface Deps {
  readonly config: PaymentsConfig;
  readonly databaseUrl: string;
  readonly publicUrl: string;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly logger: Logger;
}

export async function openProcessor(deps: Deps): Promise<OpenProcessor> {
  const { STRIPE_SECRET_KEY: secretKey, STRIPE_WEBHOOK_SECRETS: webhookSecrets } = deps.config;
  if (secretKey === undefined) return openSimulator(deps);
  if (webhookSecrets.length === 0)
    throw new ConfigFault(['STRIPE_WEBHOOK_SECRETS: needed with STRIPE_SECRET_KEY']);
  return {
    processor: createStripeProcessor({
      secretKey,
      webhookSecrets,
      url: deps.config.STRIPE_URL,
      timeoutMs: deps.config.STRIPE_TIMEOUT,
      maxNetworkRetries: deps.config.STRIPE_RETRIES,
    }),
    publishableKey: deps.config.STRIPE_PUBLISHABLE_KEY ?? null,
    testMode: secretKey.includes('_test_'),
    async [Symbol.asyncDispose]() {},
  };
}

async function openSimulator(deps: Deps): Promise<OpenProcessor> {
  const { config, databaseUrl, publicUrl, secrets, clock, logger } = deps;
  const { host, pathname } = new URL(databaseUrl);
  // Of this platform and this database: a simulator with another past must not answer for ours.
  const derived = (purpose: string) => secrets.mac(`stripe-simulator:${purpose}`, `${host}${pathname}`);
  const secretKey = `sk_test_${derived('secret-key')}`;
  const publishableKey = `pk_test_${derived('publishable-key')}`;
  const webhookSecret = `whsec_${derived('webhooks')}`;
  const started = await startStripeSimulator({
    databaseUrl,
    port: config.SIMULATOR_PORT,
    clock,
    logger,
    webhooks: [{ url: `${publicUrl}/services/payments/webhooks/stripe`, secret: webhookSecret }],
    secretKey,
    publishableKey,
    delays: config.SIMULATOR_DELAYS,
  }).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE' && (await isOurs(config.SIMULATOR_PORT, secretKey))) return undefined;
    if (error.code !== 'EADDRINUSE') throw error;
    throw new ConfigFault([
      `SIMULATOR_PORT: ${config.SIMULATOR_PORT} is taken by something else; choose another or 0`,
    ]);
  });
  return {
    processor: createStripeProcessor({
      secretKey,
      webhookSecrets: [webhookSecret],
      url: started?.url ?? `http://127.0.0.1:${config.SIMULATOR_PORT}`,
      timeoutMs: config.STRIPE_TIMEOUT,
      maxNetworkRetries: config.STRIPE_RETRIES,
    }),
    publishableKey,
    testMode: true,
    [Symbol.asyncDispose]: async () => started?.[Symbol.asyncDispose](),
  };
}

async function isOurs(port: number, secretKey: string): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/_simulator/faults`, {
      headers: { authorization: `Bearer ${secretKey}` },
      signal: AbortSignal.timeout(2_000),
    });
    const answer: unknown = await response.json();
    return response.ok && typeof answer === 'object' && answer !== null && 'faults' in answer;
  } catch {
    return false;
  }
}
