import { createHmac } from 'node:crypto';
import { MINUTE, SECOND } from '#shared/kernel/time.ts';
import { createStripeProcessor } from './stripe.ts';

const CURRENT = 'whsec_current';
const NEXT = 'whsec_next';
const now = new Date('2026-03-02T09:00:00Z');
const processor = createStripeProcessor({ secretKey: 'sk_test_none', webhookSecrets: [CURRENT, NEXT] });

const event = (object: object, more: object = {}) =>
  Buffer.from(
    JSON.stringify({
      id: 'evt_1',
      object: 'event',
      type: 'payment_intent.succeeded',
      created: 1_772_442_000,
      data: { object },
      ...more,
    }),
  );
const paid = event({ id: 'pi_1', object: 'payment_intent' });

function signed(body: Buffer, secret: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / SECOND);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
const verify = (body: Buffer, signature: string, at = now) =>
  processor.verifyWebhook(body, { 'Stripe-Signature': signature }, at);

test('a webhook names the object to fetch', () => {
  expect(verify(paid, signed(paid, CURRENT, now))).toEqual({
    eventId: 'evt_1',
    type: 'payment_intent.succeeded',
    objectKind: 'PAYMENT',
    objectId: 'pi_1',
    payoutAccountId: null,
    createdAt: new Date(1_772_442_000_000),
  });
});

test('the news of a charge are news of its payment, and a payout names its account', () => {
  const charge = event({ id: 'ch_1', object: 'charge', payment_intent: 'pi_1' });
  expect(verify(charge, signed(charge, CURRENT, now))).toMatchObject({
    objectKind: 'PAYMENT',
    objectId: 'pi_1',
  });
  const payout = event({ id: 'po_1', object: 'payout' }, { account: 'acct_1' });
  expect(verify(payout, signed(payout, CURRENT, now))).toMatchObject({
    objectKind: 'PAYOUT',
    objectId: 'po_1',
    payoutAccountId: 'acct_1',
  });
  const other = event({ id: 'cus_1', object: 'customer' });
  expect(verify(other, signed(other, CURRENT, now))).toMatchObject({
    objectKind: 'OTHER',
    objectId: 'cus_1',
  });
});

test('while a secret is rotated both are accepted', () => {
  expect(verify(paid, signed(paid, NEXT, now)).eventId).toBe('evt_1');
});

test.each([
  ['a wrong secret', signed(paid, 'whsec_wrong', now)],
  ['a signature of another body', signed(event({ id: 'pi_2', object: 'payment_intent' }), CURRENT, now)],
  ['another instant than the signed one', signed(paid, CURRENT, now).replace(/t=\d+/, 't=1772442001')],
  [
    'a fresh instant before the signed old one',
    `t=${now.getTime() / SECOND},${signed(paid, CURRENT, new Date(now.getTime() - 10 * MINUTE))}`,
  ],
  ['no signature', `t=${now.getTime() / SECOND}`],
  ['no instant', signed(paid, CURRENT, now).replace(/t=\d+,/, '')],
  ['nonsense', 'nonsense'],
])('a webhook with %s is refused', (_, signature) => {
  expect(() => verify(paid, signature)).toThrow(
    expect.objectContaining({ kind: 'FORBIDDEN', code: 'WEBHOOK_SIGNATURE_INVALID' }),
  );
});

test('a webhook without the header is refused', () => {
  expect(() => processor.verifyWebhook(paid, {}, now)).toThrow(
    expect.objectContaining({ code: 'WEBHOOK_SIGNATURE_INVALID' }),
  );
});

test.each([
  ['300 s old', -300 * SECOND, true],
  ['301 s old', -301 * SECOND, false],
  ['300 s from the future', 300 * SECOND, true],
  ['301 s from the future', 301 * SECOND, false],
  ['10 minutes from the future', 10 * MINUTE, false],
])('a signature that is %s', (_, skew, accepted) => {
  const deliver = () => verify(paid, signed(paid, CURRENT, new Date(now.getTime() + skew)));
  if (accepted) expect(deliver().eventId).toBe('evt_1');
  else expect(deliver).toThrow(expect.objectContaining({ code: 'WEBHOOK_TIMESTAMP_OUTSIDE_TOLERANCE' }));
});

test.each([
  ['no JSON', Buffer.from('{')],
  ['no object with an id', event({ object: 'balance' })],
])('a well signed webhook with %s is malformed', (_, body) => {
  expect(() => verify(body, signed(body, CURRENT, now))).toThrow(
    expect.objectContaining({ kind: 'INVALID', code: 'WEBHOOK_MALFORMED' }),
  );
});
