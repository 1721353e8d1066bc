import { contentProblems } from './content-rules.ts';

const rulesOf = (description: string, battery: object = {}) =>
  contentProblems([{ id: '1', description, ...battery }]).map(({ rule }) => rule);

test.each([
  ['Hunting rifle', ['WEAPON']],
  ['2 PISTOLS', ['WEAPON']],
  ['Armes à feu', ['WEAPON']],
  ['arme a feu', ['WEAPON']],
  ['Feux d’artifice', ['EXPLOSIVE']],
  ['Box of fireworks', ['EXPLOSIVE']],
  ['camping gas and lighter-fluid', ['FLAMMABLE']],
  ['Ivory chess set', ['PROTECTED_SPECIES']],
  ['Gold bars', ['CASH']],
  ['hot glue gun', []],
  ['glue gun and stun gun', ['WEAPON']],
  ['Gunther’s begonia', []],
  ['Cashmere scarf', []],
  ['Ivory-coloured blouse', []],
  ['Novel', []],
])('%s is read as %j', (description, rules) => {
  expect(rulesOf(description)).toEqual(rules);
});

test.each([
  [99, null, []],
  [100, null, []],
  [100.1, null, ['LITHIUM_NEEDS_APPROVAL']],
  [100.1, 'AC-2026-17', []],
  [160, 'AC-2026-17', []],
  [160.1, 'AC-2026-17', ['LITHIUM_TOO_LARGE']],
  [160.1, null, ['LITHIUM_TOO_LARGE']],
])(
  'a lithium battery of %d Wh with approval %j is read as %j',
  (lithiumWattHours, airlineApproval, rules) => {
    expect(rulesOf('Laptop', { lithiumWattHours, airlineApproval })).toEqual(rules);
  },
);
