/** A saga of four steps for tests that kill its process: what it does to the world is counted in a table. */
import pg from 'pg';
import { z } from 'zod';
import { Conflict } from '../kernel/errors.ts';
import { defineSaga, type SagaDefinition } from '../runtime/durable.ts';

const steps = ['pick up', 'carry', 'hand over'] as const;

/** The world outside, which knows an idempotency key when it sees one again. */
export class World {
  readonly #pool: pg.Pool;

  constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: 2, connectionTimeoutMillis: 5_000 });
  }

  async make(): Promise<void> {
    await this.#pool.query(
      `create table effects (key text primary key, calls integer not null, at bigint generated always as identity)`,
    );
  }

  async act(key: string): Promise<void> {
    await this.#pool.query(
      `insert into effects (key, calls) values ($1, 1) on conflict (key) do update set calls = effects.calls + 1`,
      [key],
    );
  }

  /** Keys that took effect on this saga's behalf, in the order in which they first did. */
  async effectsOf(sagaId: string): Promise<{ key: string; calls: number }[]> {
    const { rows } = await this.#pool.query<{ key: string; calls: number }>(
      'select key, calls from effects where key like $1 order by at',
      [`%/${sagaId}:%`],
    );
    return rows;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.end();
  }
}

export type Journey = SagaDefinition<{ refuse: boolean }>;

/** Picks up, carries, hands over and settles, or is refused at settling and takes everything back. */
export const journeyIn = (world: World): Journey =>
  defineSaga({
    name: 'mortal.journey',
    input: z.object({ refuse: z.boolean() }),
    async run(saga, { refuse }) {
      for (const step of steps) {
        await saga.step(step, () => world.act(saga.key(step)), {
          undo: () => world.act(saga.key(`undo ${step}`)),
        });
      }
      await saga.step('settle', async () => {
        if (refuse) throw new Conflict('NOT_SETTLED', 'refused');
        await world.act(saga.key('settle'));
      });
    },
  });
