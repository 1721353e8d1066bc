import fc from 'fast-check';
import { connection, decodeCursor, encodeCursor, pageSize } from './pages.ts';

test.each([
  [{}, 20],
  [{ first: null }, 20],
  [{ first: 1 }, 1],
  [{ first: 100 }, 100],
])('%j asks for %d entries', (page, size) => {
  expect(pageSize(page)).toBe(size);
});

test.each([0, -1, 101, 1.5, Number.NaN])('a page of %d entries is refused', (first) => {
  expect(() => pageSize({ first })).toThrow(
    expect.objectContaining({ code: 'PAGE_SIZE_INVALID', details: { max: 100 } }),
  );
});

test('a cursor gives back the key it was made of', () => {
  const key = fc.string({ minLength: 1, unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text));
  fc.assert(fc.property(key, (text) => expect(decodeCursor(encodeCursor(text))).toBe(text)));
});

test.each([
  ['empty', ''],
  ['padded', `${Buffer.from('a').toString('base64')}`],
  ['with other letters', 'a b!'],
  ['with trailing bits', 'YR'],
  ['no text', Buffer.from([0xff, 0xfe]).toString('base64url')],
  ['a key with NUL', encodeCursor('a\0b')],
])('a cursor that is %s was made by no list', (_, cursor) => {
  expect(() => decodeCursor(cursor)).toThrow(expect.objectContaining({ code: 'CURSOR_INVALID' }));
});

test('the surplus row says that there is more and is not shown', () => {
  const page = connection(['a', 'b', 'c'], 2, (row) => row);
  expect(page.edges.map(({ node }) => node)).toEqual(['a', 'b']);
  expect(page.pageInfo).toEqual({ hasNextPage: true, endCursor: encodeCursor('b') });
});

test('the last page says that it is, an empty one ends nowhere', () => {
  expect(connection(['a'], 2, (row) => row).pageInfo).toMatchObject({ hasNextPage: false });
  expect(connection([], 2, String)).toEqual({ edges: [], pageInfo: { hasNextPage: false, endCursor: null } });
});
