import { allowedEvents, defineStates, nextState } from './states.ts';

const parcel = defineStates({
  name: 'parcel',
  version: 1,
  initial: 'packed',
  terminal: ['delivered', 'lost'],
  transitions: [
    { from: ['packed'], event: 'pickUp', to: 'underway', by: ['carrier'] },
    { from: ['underway'], event: 'deliver', to: 'delivered', by: ['carrier', 'desk'] },
    { from: ['packed', 'underway'], event: 'lose', to: 'lost', by: ['desk'] },
  ],
});

test('what the table lists happens, for whom it lists', () => {
  expect(nextState(parcel, 'packed', 'pickUp', 'carrier')).toBe('underway');
  expect(nextState(parcel, 'underway', 'lose', 'desk')).toBe('lost');
});

test.each([
  ['from another state', 'packed', 'deliver', 'carrier', ['pickUp', 'lose']],
  ['by somebody else', 'underway', 'lose', 'carrier', ['deliver', 'lose']],
  ['after the end', 'delivered', 'lose', 'desk', []],
] as const)('a move %s is refused, and what may happen is told', (_, from, event, by, allowed) => {
  expect(() => nextState(parcel, from, event, by)).toThrow(
    expect.objectContaining({
      kind: 'CONFLICT',
      code: 'INVALID_TRANSITION',
      details: { machine: 'parcel', from, event, allowed },
    }),
  );
});

test('nothing may happen in a terminal state', () => {
  expect(parcel.terminal.flatMap((state) => allowedEvents(parcel, state))).toEqual([]);
});
