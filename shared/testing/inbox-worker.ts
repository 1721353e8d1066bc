/**
 * A process that hears one publisher and writes what it heard into `effect` of its own schema. It says `up`,
 * and `inside` when it has written the effect of the fact it is to die at: there it stays until it is killed.
 */
import { z } from 'zod';
import { defineEvent } from '../kernel/event.ts';
import { systemClock } from '../kernel/time.ts';
import { Database } from '../runtime/database.ts';
import { Inbox, on } from '../runtime/inbox.ts';
import { createLogger } from '../runtime/logger.ts';
import { Wakeups } from '../runtime/wakeups.ts';

const orders = z
  .object({ url: z.string(), publisher: z.string(), schema: z.string(), dieAt: z.int().optional() })
  .parse(JSON.parse(process.argv[2] ?? ''));

const fact = defineEvent(orders.publisher, 'Weighed', {
  key: 'id',
  payload: { id: z.string(), grams: z.int() },
});
const logger = createLogger('silent');
const wakeups = await Wakeups.open(orders.url, logger);
const db = await Database.open({ url: orders.url, schema: orders.schema, entities: [], migrations: '.' });
const inbox = new Inbox({
  db,
  clock: systemClock,
  logger,
  handlers: [
    on(fact, async ({ id, grams }) => {
      await db.transaction((tx) => tx.sql('insert into effect (key, grams) values (?, ?)', [id, grams]));
      if (grams !== orders.dieAt) return;
      console.log('inside');
      await new Promise(() => {});
    }),
  ],
});
inbox.start(wakeups);
console.log('up');
