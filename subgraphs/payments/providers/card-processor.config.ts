/** Whether the contract suite also runs against Stripe itself. */
export interface StripeTestMode {
  readonly secretKey: string;
}

/** Stripe's test mode when `STRIPE_TEST_SECRET_KEY` is set; live keys are refused. */
export function stripeTestMode(env: NodeJS.ProcessEnv = process.env): StripeTestMode | undefined {
  const secretKey = env.STRIPE_TEST_SECRET_KEY;
  if (!secretKey) return undefined;
  if (!secretKey.startsWith('sk_test_'))
    throw new Error('STRIPE_TEST_SECRET_KEY must be a key of the test mode, sk_test_…');
  return { secretKey };
}
