/** Words that templates, preferences and deliveries share. */
export const categories = ['SECURITY', 'ACCOUNT', 'BOOKINGS', 'DELIVERIES', 'PAYMENTS'] as const;
export type Category = (typeof categories)[number];

/** What nobody can switch off and no quiet hour holds back: it guards the account and the goods. */
export const isCritical = (category: Category): boolean => category === 'SECURITY';

/** What a template says: plain text, in paragraphs. It becomes HTML in one place only, escaped. */
export interface Content {
  readonly title: string;
  readonly paragraphs: readonly string[];
  /** Set apart from the rest: a code to type. */
  readonly code?: string;
  readonly link?: { readonly label: string; readonly url: string };
}
