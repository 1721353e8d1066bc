/** The trade's worked example: three legs, one of them delivered and paid, one lost, the rest refunded. */
import { money, splitByWeights } from '../../kernel/money.ts';
import { journal, move, openLedger } from './ledger.testing.ts';

const open = (normal: 'debit' | 'credit', floor: bigint | null, ...codes: string[]) =>
  codes.map((code) => ({ code, unit: 'EUR', normal, floor }));

test('a shipment whose second leg is lost leaves us the fee of the first leg, less what the processor took', async () => {
  await using under = await openLedger();
  const { ledger } = under;
  await ledger.openAccounts([
    ...open('debit', null, 'psp_clearing', 'psp_fees', 'payout_in_transit'),
    ...open('credit', 0n, 'held:S:A', 'held:S:B', 'held:S:C', 'deferred_fee:S', 'payable:T_A'),
    ...open('credit', null, 'platform_fee', 'refund_payable:S'),
  ]);
  const columns = [
    ...['psp_clearing', 'held:S:A', 'held:S:B', 'held:S:C', 'deferred_fee:S', 'payable:T_A'],
    ...['platform_fee', 'psp_fees', 'refund_payable:S'],
  ];
  const table = async () =>
    Promise.all(columns.map(async (code) => Number((await ledger.balance(code)).posted)));

  const feeShares = splitByWeights(money(960, 'EUR'), [4000n, 3000n, 1000n]).map(
    (share) => share.amountMinor,
  );
  expect(feeShares).toEqual([480n, 360n, 120n]);
  const [feeA, feeB, feeC] = feeShares as [bigint, bigint, bigint];

  await ledger.post(
    journal(
      move('psp_clearing', 'held:S:A', 4000n),
      move('psp_clearing', 'held:S:B', 3000n),
      move('psp_clearing', 'held:S:C', 1000n),
      move('psp_clearing', 'deferred_fee:S', 960n),
    ),
  );
  expect(await table()).toEqual([8960, 4000, 3000, 1000, 960, 0, 0, 0, 0]);

  await ledger.post(journal(move('psp_fees', 'psp_clearing', 159n)));
  expect(await table()).toEqual([8801, 4000, 3000, 1000, 960, 0, 0, 159, 0]);

  await ledger.post(
    journal(move('held:S:A', 'payable:T_A', 4000n), move('deferred_fee:S', 'platform_fee', feeA)),
  );
  expect(await table()).toEqual([8801, 0, 3000, 1000, 480, 4000, 480, 159, 0]);
  const again = ledger.post(journal(move('held:S:A', 'payable:T_A', 1n)));
  await expect(again).rejects.toMatchObject({ code: 'LEDGER_FLOOR' });

  await ledger.post(journal(move('payable:T_A', 'payout_in_transit', 4000n)));
  await ledger.post(journal(move('payout_in_transit', 'psp_clearing', 4000n)));
  expect(await table()).toEqual([4801, 0, 3000, 1000, 480, 0, 480, 159, 0]);

  await ledger.post(
    journal(
      move('held:S:B', 'refund_payable:S', 3000n),
      move('held:S:C', 'refund_payable:S', 1000n),
      move('deferred_fee:S', 'refund_payable:S', feeB + feeC),
    ),
  );
  expect((await ledger.balance('refund_payable:S')).posted).toBe(4480n);
  await ledger.post(journal(move('refund_payable:S', 'psp_clearing', 4480n)));
  expect(await table()).toEqual([321, 0, 0, 0, 0, 0, 480, 159, 0]);
  expect((await ledger.balance('payout_in_transit')).posted).toBe(0n);

  expect(await ledger.trialBalance()).toEqual([{ unit: 'EUR', debits: 480n, credits: 480n, difference: 0n }]);
  expect(await ledger.verifyChain()).toMatchObject({ intact: true, length: 7n });
});
