import { Conflict, Forbidden, Invalid, NotFound, refusalFromRecord, Unavailable } from './errors.ts';

test.each([Invalid, Forbidden, NotFound, Conflict, Unavailable])(
  '%p is the same after crossing as JSON',
  (Kind) => {
    const refusal = new Kind('SOME_CODE', 'Some words', { legId: 'x', left: [1] });
    const crossed = refusalFromRecord(JSON.parse(JSON.stringify(refusal.toRecord())));
    expect(crossed).toBeInstanceOf(Kind);
    expect(crossed).toEqual(refusal);
    expect(crossed.toRecord()).toEqual(refusal.toRecord());
  },
);

test('a client sees code and kind, and details where there are some', () => {
  expect(new Conflict('TAKEN', 'x').extensions).toEqual({ code: 'TAKEN', kind: 'CONFLICT' });
  expect(new Conflict('TAKEN', 'x', { by: 'y' }).extensions).toEqual({
    code: 'TAKEN',
    kind: 'CONFLICT',
    details: { by: 'y' },
  });
});
