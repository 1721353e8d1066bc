/** Numbers that may depend on variables: what does not is reckoned once. */
export type Variables = Readonly<Record<string, unknown>>;
export type Amount = number | ((variables: Variables) => number);

export const amountAt = (amount: Amount, variables: Variables): number =>
  typeof amount === 'number' ? amount : amount(variables);

export function sum(amounts: readonly Amount[]): Amount {
  const moving = amounts.filter((each) => typeof each === 'function');
  const fixed = amounts.reduce<number>((total, each) => total + (typeof each === 'number' ? each : 0), 0);
  if (moving.length === 0) return fixed;
  return (variables) => moving.reduce((total, each) => total + each(variables), fixed);
}

export function product(one: Amount, other: Amount): Amount {
  if (typeof one === 'number' && typeof other === 'number') return one * other;
  if (one === 0 || other === 0) return 0;
  return (variables) => amountAt(one, variables) * amountAt(other, variables);
}
