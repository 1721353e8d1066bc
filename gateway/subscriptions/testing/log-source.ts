/**
 * A subgraph whose one subscription field is a log: what it has been told, under the cursors "1", "2", …
 *
 * An upstream reads on its own as the log grows, or, with `manual`, only when it is told to.
 */
import type { FormattedExecutionResult } from 'graphql';
import { EventQueue } from '#shared/runtime/server/event-queue.ts';
import type { SubgraphCall } from '#shared/runtime/server/subgraph-executor.ts';
import type { SubgraphClient } from '../../subgraph-client/subgraph-client.ts';
import type { LiveOperation } from '../live-operation.ts';

export interface Entry {
  readonly cursor: string;
  readonly text: string;
}

class Upstream {
  readonly queue: EventQueue<FormattedExecutionResult>;
  open = true;
  #position: number;
  readonly #log: readonly Entry[];

  constructor(log: readonly Entry[], from: number, limit: number) {
    this.#log = log;
    this.#position = from;
    this.queue = new EventQueue(limit, () => {
      this.open = false;
    });
  }

  get idle(): boolean {
    return !this.open || this.#position === this.#log.length;
  }

  read(count = Number.POSITIVE_INFINITY): void {
    for (let left = count; left > 0 && !this.idle; left -= 1)
      this.queue.push({ data: { entry: this.#log[this.#position++] } });
  }
}

export class LogSource {
  readonly log: Entry[] = [];
  readonly calls: SubgraphCall[] = [];
  /** Thrown at whoever subscribes. */
  refusal: unknown;
  readonly #upstreams = new Set<Upstream>();
  readonly #manual: boolean;
  readonly #limit: number;

  constructor({ manual = false, limit = 256 } = {}) {
    this.#manual = manual;
    this.#limit = limit;
  }

  get upstreams(): Upstream[] {
    for (const upstream of this.#upstreams) if (!upstream.open) this.#upstreams.delete(upstream);
    return [...this.#upstreams];
  }

  add(count = 1, text = ''): void {
    for (let left = count; left > 0; left -= 1) {
      const cursor = String(this.log.length + 1);
      this.log.push({ cursor, text: text || `text ${cursor}` });
    }
    if (!this.#manual) for (const upstream of this.upstreams) upstream.read();
  }

  lose(upstream: Upstream, error: unknown = new Error('lost')): void {
    upstream.queue.fail(error);
  }

  readonly client: Pick<SubgraphClient, 'name' | 'subscribe'> = {
    name: 'log',
    subscribe: (call) => {
      this.calls.push(call);
      const { after } = call.variables as { after?: string };
      const upstream = new Upstream(
        this.log,
        after === undefined ? this.log.length : Number(after),
        this.#limit,
      );
      this.#upstreams.add(upstream);
      if (this.refusal) upstream.queue.fail(this.refusal);
      else if (!this.#manual) upstream.read();
      return upstream.queue;
    },
  };
}

/** What the executor would compile from `subscription ($after: String) { entry(after: $after) { … } }`. */
export function entryOperation(changes: Partial<LiveOperation> = {}): LiveOperation {
  return {
    key: 'entry',
    field: 'entry',
    resumable: true,
    lastValueWins: false,
    upstream: {
      subgraph: 'log',
      query: 'subscription ($after: String) { entry(after: $after) { cursor text } }',
    },
    afterOf: ({ after }) => after as string | undefined,
    upstreamVariables: ({ after: _, ...rest }, after) => (after === undefined ? rest : { ...rest, after }),
    variablesKey: ({ after: _, ...rest }) => JSON.stringify(rest),
    cursorOf: ({ data }) => (data?.entry as Entry | undefined)?.cursor,
    complete: async ({ data }) => ({ data: data ?? null }),
    ...changes,
  };
}
