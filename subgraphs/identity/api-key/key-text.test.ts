import fc from 'fast-check';
import { newId } from '#shared/kernel/ids.ts';
import { hashOf, isHashOf, keyIdOf, newKeyText } from './key-text.ts';

const id = fc.uuid();

test('a key names itself, in letters and digits of one length', () => {
  fc.assert(
    fc.property(id, (each) => {
      const text = newKeyText(each);
      expect(text).toMatch(/^bk_live_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}$/);
      expect(keyIdOf(text)).toBe(each);
    }),
  );
});

test('two keys of one id differ in their secrets, which hold 256 bits', () => {
  const secrets = new Set(Array.from({ length: 200 }, () => newKeyText(newId()).slice(31, 74)));
  expect(secrets.size).toBe(200);
  expect(BigInt(62) ** 43n).toBeGreaterThan(2n ** 256n);
});

test('one wrong character is noticed without a look into the database', () => {
  fc.assert(
    fc.property(id, fc.nat(79), fc.constantFrom(...'0Aaz_ é'), (each, at, letter) => {
      const text = newKeyText(each);
      fc.pre(text[at] !== letter);
      expect(keyIdOf(text.slice(0, at) + letter + text.slice(at + 1))).toBeNull();
    }),
  );
});

test.each(['', 'bk_live_', 'bk_test_x', newKeyText(newId()).slice(0, -1), `${newKeyText(newId())} `])(
  '%j is no key',
  (text) => expect(keyIdOf(text)).toBeNull(),
);

test('the hash of one text is that of no other', () => {
  const [one, other] = [newKeyText(newId()), newKeyText(newId())];
  expect(isHashOf(hashOf(one), one)).toBe(true);
  expect(isHashOf(hashOf(one), other)).toBe(false);
});
