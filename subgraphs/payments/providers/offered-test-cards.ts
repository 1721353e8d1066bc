/** Cards of the processor's test mode that a checkout may offer where no real money moves. */
export interface TestCard {
  readonly id: string;
  readonly brand: string;
  readonly last4: string;
  /** How it behaves. */
  readonly note: string;
}

export const offeredTestCards: readonly TestCard[] = [
  { id: 'pm_card_visa', brand: 'visa', last4: '4242', note: 'Is accepted.' },
  { id: 'pm_card_mastercard', brand: 'mastercard', last4: '4444', note: 'Is accepted.' },
  { id: 'pm_card_threeDSecure2Required', brand: 'visa', last4: '3220', note: 'Asks you to authenticate.' },
  { id: 'pm_card_chargeDeclined', brand: 'visa', last4: '0002', note: 'Is declined.' },
  {
    id: 'pm_card_chargeDeclinedInsufficientFunds',
    brand: 'visa',
    last4: '9995',
    note: 'Is declined: insufficient funds.',
  },
];
