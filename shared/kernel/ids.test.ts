import { isId, newId, requireId } from './ids.ts';

test('ids made one after another are unique and in the order of their making', () => {
  const ids = Array.from({ length: 5_000 }, newId);
  expect(new Set(ids).size).toBe(ids.length);
  expect([...ids].sort()).toEqual(ids);
});

test.each(['', 'abc', `${newId()} `, newId().slice(1), "'; drop table trip"])('%j is no id', (text) => {
  expect(isId(text)).toBe(false);
  expect(() => requireId(text)).toThrow(expect.objectContaining({ kind: 'INVALID', code: 'ID_MALFORMED' }));
});

test('an id passes as it is', () => {
  const id = newId();
  expect(requireId(id)).toBe(id);
});
