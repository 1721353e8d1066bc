/**
 * A process that runs journeys until it is killed or they have ended:
 *   node shared/testing/durable-worker.ts '<WorkerOrders as JSON>'
 */
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Database } from '../runtime/database.ts';
import { openDbos } from '../runtime/durable/dbos.ts';
import type { StepEvent } from '../runtime/durable/engine.ts';
import { journeyIn, World } from './durable-journey.ts';

export interface WorkerOrders {
  readonly databaseUrl: string;
  readonly executorId: string;
  readonly start?: { readonly id: string; readonly refuse: boolean };
  /** Dies by SIGKILL at this point. */
  readonly dieAt?: StepEvent;
  /** Ends by itself once these have ended. */
  readonly awaitIds?: readonly string[];
}

const orders = JSON.parse(process.argv[2]!) as WorkerOrders;
await using world = new World(orders.databaseUrl);
await using database = await Database.open({
  url: orders.databaseUrl,
  schema: 'mortal',
  entities: [],
  migrations: tmpdir(),
});
await using durable = await openDbos({
  databaseUrl: orders.databaseUrl,
  executorId: orders.executorId,
  queuePollMs: 50,
  beatMs: 100,
  silentMs: 700,
  logger: pino({ level: 'warn' }, pino.destination(2)),
  onStep: (point) => {
    const { dieAt } = orders;
    if (dieAt?.sagaId !== point.sagaId || dieAt.step !== point.step || dieAt.phase !== point.phase) return;
    process.kill(process.pid, 'SIGKILL');
    for (;;);
  },
});
const journey = journeyIn(world);
durable.register('mortal', { sagas: [journey] });
await durable.start();
const { start } = orders;
if (start) {
  await database.transaction((tx) => durable.startSaga(tx, journey, start.id, { refuse: start.refuse }));
}
for (const id of orders.awaitIds ?? []) {
  while (!['done', 'refused', 'parked'].includes((await durable.stateOf(journey, id)) ?? '')) await sleep(20);
  console.log(`${id} ${await durable.stateOf(journey, id)}`);
}
if (!orders.awaitIds) await sleep(60_000);
