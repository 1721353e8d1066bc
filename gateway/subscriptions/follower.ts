/** One client's subscription as the hub keeps it: what it has, and where the rest comes from. */
import type { GraphQLFormattedError } from 'graphql';
import type { ReadyEvent } from './event-log.ts';
import type { Lane } from './lane.ts';
import type { Topic } from './topic.ts';

/** A transport's end of one subscription. All of it is synchronous: nothing here may throw or wait. */
export interface Outlet {
  /** Bytes that the peer has not taken yet, over all that shares its connection. */
  readonly unsent: number;
  next(event: ReadyEvent): void;
  /** The subscription failed; nothing follows. */
  fail(errors: readonly GraphQLFormattedError[]): void;
  /** The subscription ended; nothing follows. */
  complete(): void;
}

/** The position of a follower that must be found anew by its cursor. */
export const ADRIFT = -1;

export class Follower {
  readonly topic: Topic;
  readonly outlet: Outlet;
  lane: Lane | undefined;
  /** The number in the lane's log of the last event it was sent. */
  position = ADRIFT;
  /** Of the last event it was sent, or where it began. */
  cursor: string | undefined;
  /** It has taken too little and is sent nothing until it has caught up. */
  behind = false;
  /** It comes back to a field that cannot be resumed: its first event says so. */
  mayHaveMissed: boolean;

  constructor(topic: Topic, outlet: Outlet, mayHaveMissed: boolean) {
    this.topic = topic;
    this.outlet = outlet;
    this.mayHaveMissed = mayHaveMissed;
  }

  send(event: ReadyEvent): void {
    this.position += 1;
    this.cursor = event.cursor ?? this.cursor;
    this.outlet.next(this.mayHaveMissed ? withNotice(event) : event);
    this.mayHaveMissed = false;
  }

  /** The client left: nothing is sent any more, and what nobody else follows ends. */
  leave(): void {
    this.topic.leave(this);
  }
}

/** The same event, saying that others may have come before it. */
function withNotice({ cursor, payload }: ReadyEvent): ReadyEvent {
  const result = JSON.parse(payload) as { extensions?: object };
  return {
    cursor,
    payload: JSON.stringify({ ...result, extensions: { ...result.extensions, mayHaveMissed: true } }),
  };
}
