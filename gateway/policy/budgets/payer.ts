/** Whose budget pays: the partner's for all its keys, the person's, or the address's where nobody said who it is. */
import { isIPv6 } from 'node:net';
import type { Caller } from '../policy.ts';

export function payerOf({ viewer, address }: Caller): string {
  switch (viewer.kind) {
    case 'user':
      return `user:${viewer.userId}`;
    case 'link':
      return `link:${viewer.recipientId}`;
    case 'partner':
      return `partner:${viewer.partnerId}`;
    case 'service':
      return `service:${viewer.name}`;
    case 'anonymous':
      return `address:${networkOf(address)}`;
  }
}

/** One customer of a provider holds 2^64 addresses of IPv6: they count as one. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('%')[0]!.split('::') as [string, string?];
  const groups = head === '' ? [] : head.split(':');
  const after = tail ? tail.split(':') : [];
  const missing = tail === undefined ? 0 : 8 - groups.length - after.length;
  const all = [...groups, ...Array<string>(Math.max(0, missing)).fill('0'), ...after];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
