import { Ledger } from '#shared/runtime/ledger/ledger.ts';
import { mergeResolvers } from '#shared/runtime/merge-resolvers.ts';
import { scalars } from '#shared/runtime/scalars.ts';
import { defineSubgraph } from '#shared/runtime/subgraph.ts';
import { accountingResolvers } from './accounting/accounting.resolvers.ts';
import { AccountingService } from './accounting/accounting.service.ts';
import { BooksService } from './accounting/books.service.ts';
import { EscrowEntryEntity } from './escrow/escrow.entities.ts';
import { escrowHandlers } from './escrow/escrow.handlers.ts';
import { escrowJobs } from './escrow/escrow.jobs.ts';
import { escrowResolvers } from './escrow/escrow.resolvers.ts';
import { EscrowService } from './escrow/escrow.service.ts';
import { PaymentCapture } from './payment/payment.capture.ts';
import { paymentEntities } from './payment/payment.entities.ts';
import { paymentJobs } from './payment/payment.jobs.ts';
import { PaymentProgress } from './payment/payment.progress.ts';
import { paymentResolvers } from './payment/payment.resolvers.ts';
import { PaymentService } from './payment/payment.service.ts';
import { PaymentWebhooks } from './payment/payment.webhooks.ts';
import { readPaymentsConfig } from './payments.config.ts';
import { paymentsContract } from './payments.contract.ts';
import { payoutEntities } from './payout/payout.entities.ts';
import { payoutJobs } from './payout/payout.jobs.ts';
import { payoutResolvers } from './payout/payout.resolvers.ts';
import { PayoutService } from './payout/payout.service.ts';
import { OperationJournal } from './processor/operation-journal.ts';
import { PaymentAccountEntity } from './processor/payment-account.entities.ts';
import { PaymentAccounts } from './processor/payment-accounts.ts';
import { PspOperationEntity } from './processor/psp-operation.entities.ts';
import { openProcessor } from './providers/open-processor.ts';

export default defineSubgraph({
  name: 'payments',
  root: import.meta.url,
  config: readPaymentsConfig,
  entities: [
    PspOperationEntity,
    PaymentAccountEntity,
    EscrowEntryEntity,
    ...paymentEntities,
    ...payoutEntities,
  ],
  ledger: true,
  async build(deps) {
    const opened = await openProcessor(deps);
    const { processor } = opened;
    const ledger = new Ledger(deps.db);
    const accounting = new AccountingService({ ...deps, ledger });
    const books = new BooksService({ ...deps, ledger, processor });
    const operations = new OperationJournal(deps);
    const accounts = new PaymentAccounts({ ...deps, processor, operations });
    const payouts = new PayoutService({ ...deps, processor, operations, accounting, accounts });
    const escrow = new EscrowService({ ...deps, accounting, payouts });
    const progress = new PaymentProgress({ ...deps, processor, escrow, accounting });
    const payments = new PaymentService({ ...deps, opened, operations, progress, accounts, escrow });
    const capture = new PaymentCapture({ ...deps, processor, operations, progress, escrow, accounting });
    const webhooks = new PaymentWebhooks(
      { ...deps, processor },
      {
        PAYMENT: (id) => progress.syncByProcessorId(id),
        PAYOUT_ACCOUNT: (id) => payouts.learnAccount(id),
      },
    );
    return {
      resolvers: mergeResolvers(
        scalars,
        accountingResolvers(books),
        paymentResolvers(payments, capture, escrow),
        escrowResolvers(escrow),
        payoutResolvers(payouts),
      ),
      handlers: escrowHandlers(escrow),
      jobs: [
        ...operations.jobs,
        ...paymentJobs(progress, payments, webhooks),
        ...escrowJobs(escrow),
        ...payoutJobs(payouts),
      ],
      contract: paymentsContract(payments, capture),
      routes: webhooks.routes,
      [Symbol.asyncDispose]: async () => opened[Symbol.asyncDispose](),
    };
  },
});
