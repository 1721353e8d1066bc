/** State machines as tables: the code, the tests and the documentation read the same rows. */
import { Conflict } from './errors.ts';

export interface Transition<State extends string, Event extends string, Actor extends string> {
  readonly from: readonly State[];
  readonly event: Event;
  readonly to: State;
  readonly by: readonly Actor[];
}

export interface StateMachine<State extends string, Event extends string, Actor extends string> {
  readonly name: string;
  /** Raised when rows change meaning; entities keep the version they started with. */
  readonly version: number;
  readonly initial: State;
  readonly terminal: readonly State[];
  readonly transitions: readonly Transition<State, Event, Actor>[];
}

export const defineStates = <State extends string, Event extends string, Actor extends string>(
  machine: StateMachine<State, Event, Actor>,
): StateMachine<State, Event, Actor> => machine;

/** The events that may happen in a state. */
export function allowedEvents<S extends string, E extends string, A extends string>(
  machine: StateMachine<S, E, A>,
  from: S,
): E[] {
  return machine.transitions.filter((row) => row.from.includes(from)).map((row) => row.event);
}

/**
 * The state that an event leads to.
 * Refuses `INVALID_TRANSITION` {machine, from, event, allowed} for whatever the table does not list.
 */
export function nextState<S extends string, E extends string, A extends string>(
  machine: StateMachine<S, E, A>,
  from: S,
  event: E,
  by: A,
): S {
  const row = machine.transitions.find(
    (each) => each.event === event && each.from.includes(from) && each.by.includes(by),
  );
  if (row) return row.to;
  throw new Conflict('INVALID_TRANSITION', `${machine.name} cannot ${event} while ${from}`, {
    machine: machine.name,
    from,
    event,
    allowed: allowedEvents(machine, from),
  });
}
