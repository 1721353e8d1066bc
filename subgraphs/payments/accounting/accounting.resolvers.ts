import { money } from '#shared/kernel/money.ts';
import type { Resolvers } from '../payments.generated.ts';
import type { BooksService } from './books.service.ts';

const upper = <T extends string>(text: T): Uppercase<T> => text.toUpperCase() as Uppercase<T>;

export const accountingResolvers = (books: BooksService): Resolvers => ({
  Query: {
    ledgerProof: () => books.proof(),
    myBalance: (_, __, { viewer }) => books.myBalance(viewer),
    myLedgerEntries: (_, { currency, first, after }, { viewer }) =>
      books.myEntries(viewer, currency, { first, after }),
    reconciliation: (_, __, { viewer }) => books.reconciliation(viewer),
  },
  LedgerEntry: {
    id: ({ id }) => String(id),
    kind: ({ kind }) => upper(kind),
    side: ({ side }) => upper(side),
    amount: ({ amount, unit }) => money(amount, unit),
    custodyEventId: ({ cause }) => (cause.custodyEventId as string | undefined) ?? null,
    bookedAt: ({ effectiveAt }) => effectiveAt,
  },
});
