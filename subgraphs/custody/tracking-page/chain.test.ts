import { canonicalJson, chainHash, GENESIS_HASH } from '../tracking/custody-chain.ts';
import { chainHolds, type Link } from './chain.ts';

/** A chain as custody writes it. */
function chain(length: number): Link[] {
  const links: Link[] = [];
  for (let number = 0; number < length; number += 1) {
    const canonical = canonicalJson({ number, condition: 'intact', photoHashes: ['é'] } as never);
    const previousHash = links.at(-1)?.hash ?? GENESIS_HASH;
    links.push({ number, canonical, previousHash, hash: chainHash(previousHash, canonical) });
  }
  return links;
}

test('what custody hashed, a browser recomputes', async () => {
  expect(await chainHolds(chain(4))).toBe(true);
});

test.each<[string, (links: Link[]) => Link[]]>([
  [
    'changed',
    (links) => links.with(1, { ...links[1]!, canonical: links[1]!.canonical.replace('intact', 'ok') }),
  ],
  ['taken out', (links) => links.toSpliced(1, 1)],
  ['put in', (links) => links.toSpliced(2, 0, links[1]!)],
  ['moved', (links) => [links[0]!, links[2]!, links[1]!]],
  ['cut off at its beginning', (links) => links.slice(1)],
])('a chain with a link %s does not hold', async (_name, change) => {
  expect(await chainHolds(change(chain(3)))).toBe(false);
});
