import { BoundedNames, OTHER, operationNames } from './bounded-names.ts';
import { formatTraceparent, parseTraceparent } from './traceparent.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';
const span = 'b7ad6b7169203331';

describe('traceparent', () => {
  test.each([`00-${trace}-${span}-01`, `00-${trace}-${span}-00`])('%s comes out as it went in', (header) => {
    expect(formatTraceparent(parseTraceparent(header)!)).toBe(header);
  });

  test('of a version to come is understood as far as it can be', () => {
    expect(parseTraceparent(`01-${trace}-${span}-09-more`)).toMatchObject({ traceId: trace, traceFlags: 1 });
  });

  test.each<unknown>([
    undefined,
    7,
    '',
    `00-${trace}-${span}`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${trace}-${'0'.repeat(16)}-01`,
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${trace}-${span}-01\r\nx-evil: 1`,
    `01-${trace}-${span}-01-${'x'.repeat(600)}`,
  ])('%p is none', (header) => expect(parseTraceparent(header)).toBeUndefined());
});

describe('names as labels', () => {
  test('are those that come first, if their form is right', () => {
    const names = new BoundedNames(/^[A-Z]+$/, { most: 2 });
    expect(['A', 'b', 'B', 'C', 'A'].map((name) => names.of(name))).toEqual(['A', OTHER, 'B', OTHER, 'A']);
  });

  test('are those of trusted documents only, where there are any', () => {
    const names = operationNames([
      'query Shelf { a } mutation Add($a: Int) { b }',
      '{ c }',
      'subscription W { d }',
    ]);
    const known = new BoundedNames(/./, { names });
    expect(['Shelf', 'Add', 'W', 'Else'].map((name) => known.of(name))).toEqual(['Shelf', 'Add', 'W', OTHER]);
  });
});
