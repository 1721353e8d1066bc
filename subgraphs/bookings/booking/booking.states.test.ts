import { nextState, type StateMachine } from '#shared/kernel/states.ts';
import { itineraryStates } from '../itinerary/itinerary.states.ts';
import { bookingStates } from './booking.states.ts';

type Machine = StateMachine<string, string, string>;
const statesOf = ({ transitions, initial }: Machine) => [
  ...new Set([initial, ...transitions.flatMap(({ from, to }) => [...from, to])]),
];
const eventsOf = ({ transitions }: Machine) => [...new Set(transitions.map(({ event }) => event))];
const actorsOf = ({ transitions }: Machine) => [...new Set(transitions.flatMap(({ by }) => by))];
const machines = [bookingStates, itineraryStates] as unknown as Machine[];
const forbidden = machines.flatMap((machine) =>
  statesOf(machine).flatMap((from) =>
    eventsOf(machine).flatMap((event) =>
      actorsOf(machine)
        .filter(
          (by) =>
            !machine.transitions.some(
              (row) => row.event === event && row.from.includes(from) && row.by.includes(by),
            ),
        )
        .map((by) => ({ machine, from, event, by })),
    ),
  ),
);

test('what the tables do not list is refused, to every actor in every state', () => {
  expect(forbidden.length).toBeGreaterThan(200);
  for (const { machine, from, event, by } of forbidden)
    expect(() => nextState(machine, from, event, by)).toThrow(`${machine.name} cannot ${event}`);
});

test('every state but the last ones leads on, and the last ones lead nowhere', () => {
  for (const machine of machines)
    for (const state of statesOf(machine))
      expect(machine.transitions.some(({ from }) => from.includes(state))).toBe(
        !machine.terminal.includes(state),
      );
});
