/**
 * What the platform writes to people, one template per kind. A template gets the few facts it needs and says
 * them in plain text: no template writes HTML, and no text of a user ever stands in a title, which becomes a
 * mail's subject.
 */
import { z } from 'zod';
import { formatMoney } from '#shared/kernel/money.ts';
import { amount, instant } from '#shared/kernel/wire.ts';
import type { Category, Content } from './notification.vocabulary.ts';
import { knownZone } from './quiet-hours.ts';

/** Who reads it, and what only the moment of writing knows. */
export interface Reading {
  readonly timeZone: string;
  /** Signed link of a recipient without an account; null for everybody else. */
  readonly trackingUrl: string | null;
  unseal(sealedCode: string): string;
}

export interface Template<Facts = unknown> {
  readonly category: Category;
  readonly channels: readonly ('email' | 'in_app')[];
  readonly facts: z.ZodType<Facts>;
  write(facts: Facts, reading: Reading): Content;
}

const template = <Facts>(definition: Template<Facts>): Template<Facts> => definition;
const everywhere = ['email', 'in_app'] as const;
const nothing = z.object({});
const money = z.object({ amount });
const legs = z.array(z.object({ sequence: z.int(), departsAt: instant, arrivesAt: instant, price: amount }));

export const templates = {
  SIGN_IN_CODE: template({
    category: 'SECURITY',
    channels: ['email'],
    facts: z.object({ sealedCode: z.string(), expiresAt: instant }),
    write: ({ sealedCode, expiresAt }, { unseal }) => ({
      title: 'Your sign-in code',
      paragraphs: [
        `Type this code where you asked for it. It works once, until ${timeOf(expiresAt, 'UTC')}.`,
        'If you did not ask for it, you need not do anything: without the code nobody gets in.',
      ],
      code: unseal(sealedCode),
    }),
  }),
  WELCOME: template({
    category: 'ACCOUNT',
    channels: everywhere,
    facts: nothing,
    write: () => ({
      title: 'Welcome to Baton',
      paragraphs: [
        'Your account is ready. You can send parcels with people who travel anyway, or offer room on your own trips.',
      ],
    }),
  }),
  NEW_DEVICE: template({
    category: 'SECURITY',
    channels: everywhere,
    facts: z.object({ userAgent: z.string(), openedAt: instant }),
    write: ({ userAgent, openedAt }, { timeZone }) => ({
      title: 'New sign-in to your account',
      paragraphs: [
        `Somebody signed in from a device we had not seen before, on ${timeOf(openedAt, timeZone)}: ${brief(userAgent) || 'unknown device'}.`,
        'If it was not you, end that session in your account at once.',
      ],
    }),
  }),
  SESSIONS_REVOKED: template({
    category: 'SECURITY',
    channels: everywhere,
    facts: z.object({ revokedAt: instant }),
    write: ({ revokedAt }, { timeZone }) => ({
      title: 'We ended a session of yours',
      paragraphs: [
        `On ${timeOf(revokedAt, timeZone)} a used key to your session was shown to us again, as happens when one is stolen. We ended the session on every device that shared it.`,
        'Sign in again. If you do not recognise this, check your other sessions too.',
      ],
    }),
  }),
  BOOKING_REQUESTED: template({
    category: 'BOOKINGS',
    channels: everywhere,
    facts: z.object({ legs, answerBy: instant }),
    write: ({ legs: asked, answerBy }, { timeZone }) => ({
      title: 'Somebody asks you to carry a parcel',
      paragraphs: [...asked.map(legWords(timeZone)), `Please answer by ${timeOf(answerBy, timeZone)}.`],
    }),
  }),
  BOOKING_ANSWERED: template({
    category: 'BOOKINGS',
    channels: everywhere,
    facts: z.object({
      answer: z.enum(['accepted', 'declined', 'expired']),
      reason: z.string().nullable(),
    }),
    write: ({ answer, reason }) => ({
      title: {
        accepted: 'A carrier accepted your request',
        declined: 'A carrier declined your request',
        expired: 'A carrier did not answer in time',
      }[answer],
      paragraphs: [
        {
          accepted: 'One of the carriers of your parcel has said yes. We tell you when all of them have.',
          declined: 'One of the carriers you asked cannot take your parcel.',
          expired: 'One of the carriers you asked let the time to answer pass.',
        }[answer],
        ...(reason ? [`They wrote: “${brief(reason)}”`] : []),
      ],
    }),
  }),
  PAYMENT_REFUSED: template({
    category: 'PAYMENTS',
    channels: everywhere,
    facts: z.object({ amount, code: z.string() }),
    write: ({ amount: asked, code }) => ({
      title: 'Your payment was refused',
      paragraphs: [
        `Your payment of ${formatMoney(asked)} did not go through: ${refusalWords[code] ?? 'your bank declined it'}.`,
        'Nothing was taken. You can try again with the same card or another one.',
      ],
    }),
  }),
  PAYMENT_CAPTURED: template({
    category: 'PAYMENTS',
    channels: everywhere,
    facts: money,
    write: ({ amount: taken }) => ({
      title: 'We hold your payment',
      paragraphs: [
        `${formatMoney(taken)} was taken from your card. We hold each carrier's share until they have handed your parcel over.`,
      ],
    }),
  }),
  ITINERARY_CONFIRMED: template({
    category: 'BOOKINGS',
    channels: everywhere,
    facts: z.object({ legs, total: amount }),
    write: ({ legs: booked, total }, { timeZone }) => ({
      title: 'Your parcel is booked',
      paragraphs: [
        `Every carrier has accepted. The whole way costs ${formatMoney(total)}.`,
        ...booked.map(({ sequence, departsAt, arrivesAt }) => {
          const times = `${timeOf(departsAt, timeZone)} to ${timeOf(arrivesAt, timeZone)}`;
          return `Leg ${sequence}: ${times}.`;
        }),
      ],
    }),
  }),
  CARRIAGE_CONFIRMED: template({
    category: 'BOOKINGS',
    channels: everywhere,
    facts: z.object({ legs }),
    write: ({ legs: booked }, { timeZone }) => ({
      title: 'You carry a parcel',
      paragraphs: [
        'The booking is confirmed and the money for it is held.',
        ...booked.map(legWords(timeZone)),
        'We tell you when the hand-over opens.',
      ],
    }),
  }),
  PARCEL_COMING: template({
    category: 'DELIVERIES',
    channels: everywhere,
    facts: z.object({ arrivesAt: instant }),
    write: ({ arrivesAt }, { timeZone, trackingUrl }) => ({
      title: 'A parcel is on its way to you',
      paragraphs: [
        `Somebody sends you a parcel. It should arrive around ${timeOf(arrivesAt, timeZone)}.`,
        'You receive it from the last carrier, who needs your code to hand it over.',
      ],
      ...(trackingUrl ? { link: { label: 'Follow it and get your code', url: trackingUrl } } : {}),
    }),
  }),
  ITINERARY_CANCELLED: template({
    category: 'BOOKINGS',
    channels: everywhere,
    facts: z.object({ reason: z.string(), role: z.enum(['sender', 'carrier']) }),
    write: ({ reason, role }) => ({
      title: 'A booking was cancelled',
      paragraphs: [
        `The booking does not go ahead: ${cancelWords[reason] ?? 'it could not be completed'}.`,
        role === 'sender'
          ? 'Nothing was charged; whatever was reserved on your card is let go.'
          : 'You need not carry anything for it, and the room on your trip is free again.',
      ],
    }),
  }),
  HANDOFF_READY: template({
    category: 'DELIVERIES',
    channels: everywhere,
    facts: z.object({ side: z.enum(['giver', 'receiver']), opensAt: instant }),
    write: ({ side, opensAt }, { timeZone, trackingUrl }) => ({
      title: side === 'giver' ? 'Time to hand the parcel over' : 'Time to receive the parcel',
      paragraphs: [
        `The hand-over is open from ${timeOf(opensAt, timeZone)}. Both of you show a code and scan the other's.`,
        side === 'giver'
          ? 'You are answerable for the parcel until both codes are scanned.'
          : 'Look at the parcel before you scan: with the second scan it is in your hands.',
      ],
      ...(trackingUrl ? { link: { label: 'Get your code', url: trackingUrl } } : {}),
    }),
  }),
  PARCEL_MOVED: template({
    category: 'DELIVERIES',
    channels: everywhere,
    facts: z.object({ delivered: z.boolean(), discrepancy: z.boolean(), at: instant }),
    write: ({ delivered, discrepancy, at }, { timeZone, trackingUrl }) => ({
      title: delivered ? 'The parcel was delivered' : 'The parcel changed hands',
      paragraphs: [
        delivered
          ? `The recipient received it on ${timeOf(at, timeZone)}.`
          : `It was handed over on ${timeOf(at, timeZone)}, proven by both sides.`,
        ...(discrepancy ? ['The receiver noted that something was wrong with it.'] : []),
      ],
      ...(trackingUrl ? { link: { label: 'See where it is', url: trackingUrl } } : {}),
    }),
  }),
  SCAN_REFUSED: template({
    category: 'SECURITY',
    channels: everywhere,
    facts: z.object({ at: instant }),
    write: ({ at }, { timeZone, trackingUrl }) => ({
      title: 'Somebody tried to scan your hand-over code',
      paragraphs: [
        `On ${timeOf(at, timeZone)} a code of your hand-over was scanned by somebody it is not meant for. The scan was refused and the parcel is still in the same hands.`,
        'Show your code only to the person you hand the parcel to or receive it from.',
      ],
      ...(trackingUrl ? { link: { label: 'See where it is', url: trackingUrl } } : {}),
    }),
  }),
  SHARE_RELEASED: template({
    category: 'PAYMENTS',
    channels: everywhere,
    facts: money,
    write: ({ amount: released }) => ({
      title: 'Your share was released',
      paragraphs: [`${formatMoney(released)} for the parcel you carried is yours and will be paid out.`],
    }),
  }),
  PAYOUT_PAID: template({
    category: 'PAYMENTS',
    channels: everywhere,
    facts: money,
    write: ({ amount: paid }) => ({
      title: 'A payout is on its way',
      paragraphs: [`${formatMoney(paid)} has left for your account. Banks take a few days until you see it.`],
    }),
  }),
  PAYOUT_BLOCKED: template({
    category: 'PAYMENTS',
    channels: everywhere,
    facts: z.object({ amount, requirements: z.array(z.string()) }),
    write: ({ amount: due, requirements }) => ({
      title: 'Your payout waits for you',
      paragraphs: [
        `We cannot pay out ${formatMoney(due)} yet: your payout account is not complete.`,
        ...(requirements.length > 0 ? [`Still missing: ${requirements.map(brief).join(', ')}.`] : []),
      ],
    }),
  }),
  DELIVERY_SETTLED: template({
    category: 'PAYMENTS',
    channels: everywhere,
    facts: nothing,
    write: () => ({
      title: 'Everything is settled',
      paragraphs: ['Nothing of your money for this parcel is held any more.'],
    }),
  }),
} as const;

export type TemplateName = keyof typeof templates;
export type FactsOf<Name extends TemplateName> = z.output<(typeof templates)[Name]['facts']>;
export const templateOf = (name: TemplateName): Template => templates[name] as Template;

const cancelWords: Readonly<Record<string, string>> = {
  CARRIER_DECLINED: 'a carrier declined',
  CARRIER_SILENT: 'a carrier did not answer in time',
  PAYMENT_FAILED: 'the payment did not go through',
  PAYMENT_ABANDONED: 'the payment was not made in time',
  CAPACITY_GONE: 'the room on a trip is no longer free',
  SENDER_CANCELLED: 'the sender cancelled it',
};

/** What the payer can act on; a bank's suspicion of theft is not for us to pass on. */
const refusalWords: Readonly<Record<string, string>> = {
  insufficient_funds: 'there is not enough money on the card',
  expired_card: 'the card has expired',
  incorrect_cvc: 'the security code of the card is wrong',
  authentication_required: 'your bank wants you to confirm it',
};

const legWords =
  (timeZone: string) =>
  ({ departsAt, arrivesAt, price }: z.output<typeof legs>[number]): string =>
    `From ${timeOf(departsAt, timeZone)} to ${timeOf(arrivesAt, timeZone)}, for ${formatMoney(price)}.`;

/** `Mon, 2 Mar 2026, 10:00 (Europe/Paris)`. */
function timeOf(at: Date, timeZone: string): string {
  const zone = knownZone(timeZone);
  const words = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  }).format(at);
  return `${words} (${zone})`;
}

/** Somebody else's words on one line, at a length that fits a mail. */
const brief = (text: string): string => {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > 200 ? `${line.slice(0, 199)}…` : line;
};
