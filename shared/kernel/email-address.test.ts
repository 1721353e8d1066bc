import { canonicalEmail } from './email-address.ts';

test.each([
  ['Ana@Example.COM', 'ana@example.com'],
  ['  ana@example.com ', 'ana@example.com'],
  ['ana+parcels@example.com', 'ana+parcels@example.com'],
  ['a.n.a@example.com', 'a.n.a@example.com'],
  ['ana@München.de', 'ana@xn--mnchen-3ya.de'],
  ['ana@ＥＸＡＭＰＬＥ.com', 'ana@example.com'],
  ['ana@example。com', 'ana@example.com'],
])('%j has one spelling', (typed, canonical) => {
  expect(canonicalEmail(typed)).toBe(canonical);
  expect(canonicalEmail(canonical)).toBe(canonical);
});

test('a domain of look-alike letters is never that of its model', () => {
  expect(canonicalEmail('ana@exаmple.com')).toBe('ana@xn--exmple-4nf.com');
});

test.each([
  ['a header break', 'ana@example.com\r\nBcc: eve@example.com'],
  ['a break at the end', 'ana@example.com\n'],
  ['NUL', 'ana\0@example.com'],
  ['letters beyond ASCII before the @', 'аna@example.com'],
  ['no @', 'ana.example.com'],
  ['two @', 'ana@evil.com@example.com'],
  ['a quoted mailbox', '"ana"@example.com'],
  ['a space inside', 'an a@example.com'],
  ['two dots', 'an..a@example.com'],
  ['a comment', 'ana(x)@example.com'],
  ['no mailbox', '@example.com'],
  ['no top-level domain', 'ana@localhost'],
  ['an address of a machine', 'ana@127.0.0.1'],
  ['a short address of a machine', 'ana@127.1'],
  ['an address in brackets', 'ana@[::1]'],
  ['a port', 'ana@example.com:25'],
  ['a percent escape', 'ana@%65xample.com'],
  ['a hyphen at a label’s edge', 'ana@-example.com'],
  ['a mailbox over 64 characters', `${'a'.repeat(65)}@example.com`],
  ['ten kilobytes', `${'a'.repeat(10_240)}@example.com`],
  ['nothing', ''],
])('an address with %s is refused', (_, typed) => {
  expect(() => canonicalEmail(typed)).toThrow(expect.objectContaining({ code: 'EMAIL_INVALID' }));
});
