/** A client of the hub that writes down what it is sent, and takes it as fast as it is told. */
import type { GraphQLFormattedError } from 'graphql';
import type { ReadyEvent } from '../event-log.ts';
import type { Outlet } from '../follower.ts';
import type { Entry } from './log-source.ts';

interface Result {
  readonly data: { readonly entry: Entry } | null;
  readonly extensions?: { readonly cursor?: string; readonly mayHaveMissed?: boolean };
}

export class Recorder implements Outlet {
  readonly events: ReadyEvent[] = [];
  errors: readonly GraphQLFormattedError[] | undefined;
  completed = false;
  /** Takes nothing: everything it is sent stays unsent. */
  stalled = false;
  unsent = 0;

  next(event: ReadyEvent): void {
    this.events.push(event);
    if (this.stalled) this.unsent += event.payload.length;
  }

  fail(errors: readonly GraphQLFormattedError[]): void {
    this.errors = errors;
  }

  complete(): void {
    this.completed = true;
  }

  take(): void {
    this.stalled = false;
    this.unsent = 0;
  }

  get results(): Result[] {
    return this.events.map(({ payload }) => JSON.parse(payload) as Result);
  }

  get numbers(): number[] {
    return this.results.map(({ data }) => Number(data?.entry.cursor));
  }

  get code(): unknown {
    return this.errors?.[0]?.extensions?.code;
  }
}
