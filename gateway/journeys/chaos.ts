/**
 * `npm run chaos -- [--clients 500] [--seconds 120]`: clients follow parcels and resume by cursor, while gateway,
 * subgraphs and PostgreSQL, which is database and bus, are killed at random and come back. In the end what each
 * client received must be the log: no gap, no duplicate, in order. Exit 0 only then.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { newId } from '#shared/kernel/ids.ts';
import { DAY } from '#shared/kernel/time.ts';
import { startPostgres } from '#shared/runtime/postgres/postgres.ts';
import { findPlace } from './carriage.ts';
import { type Person, signIn } from './client.ts';
import { Follower } from './follower.ts';
import { readJourneysConfig } from './journeys.config.ts';
import { submitShipment } from './parcel.ts';
import { type Platform, startPlatform } from './platform.ts';
import { install } from './served.ts';

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '120' },
    shipments: { type: 'string', default: '25' },
  },
});
const clientCount = Number(values.clients);
const shipmentCount = Math.min(Number(values.shipments), clientCount);
const victims = ['gateway', 'custody', 'shipments', 'postgres'];
const betweenKills = 5_000;
const eventsPerSecond = 25;
const catchUp = 90_000;

await using installation = await install('');
const { DATABASE_URL: _, ...env } = installation.env;
const config = readJourneysConfig({
  ...env,
  FORM: 'split',
  LOG_LEVEL: 'fatal',
  REQUESTS_PER_MINUTE: '0',
  COST_PER_MINUTE: '0',
  ANONYMOUS_REQUESTS_PER_MINUTE: '0',
  ANONYMOUS_COST_PER_MINUTE: '0',
});
await using platform = await startPlatform(
  { ...config, DATABASE_URL: undefined },
  (line) => console.log(`  ${line}`),
  { revive: true },
);
// It keeps its address when it comes back.
await using postgres = await startPostgres({ dataDir: join(platform.dataDir, 'postgres'), restart: false });
const databaseUrl = postgres.url('baton');
const sender = await signIn(platform.url, 'sofia@chaos.baton.test', 'Sofia Sender');
const shipmentIds = await submitShipments(sender);
console.log(`  ${shipmentIds.length} parcels, ${clientCount} clients, ${values.seconds} s of kills`);

const followers = Array.from(
  { length: clientCount },
  (_each, index) => new Follower(sender.client, shipmentIds[index % shipmentIds.length] as string),
);
const over = AbortSignal.timeout(Number(values.seconds) * 1_000);
const [killed, written] = await Promise.all([killAtRandom(platform, over), write(over)]);
const log = await readLog();
const began = performance.now();
while (performance.now() - began < catchUp && !followers.every((each) => each.reached(log))) await sleep(100);
const caughtUpAfter = ((performance.now() - began) / 1_000).toFixed(1);
for (const each of followers) each.stop();

const wrong = followers.filter((each) => !each.saw(log));
const delivered = followers.reduce((sum, { seen }) => sum + seen.length, 0);
const reconnected = followers.reduce((sum, { connections }) => sum + connections - 1, 0);
console.log(`
  killed            ${[...killed].map(([name, times]) => `${name} ${times}`).join(', ')}
  events            ${[...log.values()].flat().length} in the log (${written} told to the writer)
  deliveries        ${delivered}, over ${reconnected} reconnections
  caught up         ${caughtUpAfter} s after the last kill
  clients wrong     ${wrong.length} of ${followers.length}`);
for (const each of wrong.slice(0, 5)) console.log(`    ${each.difference(log)}`);
process.exitCode = wrong.length === 0 ? 0 : 1;

async function submitShipments(person: Person): Promise<string[]> {
  const recipient = await signIn(platform.url, 'remi@chaos.baton.test', 'Rémi Recipient');
  const [montreal, paris] = await Promise.all(
    ['YUL', 'CDG'].map((iata) => findPlace(person.client, iata, 'AIRPORT')),
  );
  const departsAt = new Date(Date.now() + 30 * DAY);
  const lane = {
    montreal: montreal!,
    paris: paris!,
    departsAt,
    arrivesAt: new Date(departsAt.getTime() + DAY / 3),
  };
  const ids: string[] = [];
  while (ids.length < shipmentCount)
    ids.push((await submitShipment(person, recipient, lane, () => undefined)).shipmentId);
  return ids;
}

async function killAtRandom(victimsOf: Platform, stop: AbortSignal): Promise<Map<string, number>> {
  const kills = new Map<string, number>();
  while (!stop.aborted) {
    await sleep(betweenKills * (0.5 + Math.random()), undefined, { signal: stop }).catch(() => undefined);
    if (stop.aborted) break;
    const name = victims[Math.floor(Math.random() * victims.length)] as string;
    const pid = victimsOf.parts().get(name);
    if (pid === undefined) continue;
    try {
      process.kill(pid, 'SIGKILL');
      kills.set(name, (kills.get(name) ?? 0) + 1);
      console.log(`  kill -9 ${name}`);
    } catch {
      // It is just coming back from the last time.
    }
  }
  return kills;
}

/** Notes events in the log as custody does; what a lost database leaves in doubt is settled by the log itself. */
async function write(stop: AbortSignal): Promise<number> {
  let written = 0;
  while (!stop.aborted) {
    const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      while (!stop.aborted) {
        const shipmentId = shipmentIds[Math.floor(Math.random() * shipmentIds.length)];
        await client.query(
          `with stream as (
             insert into custody.tracking_streams (shipment_id, last_seq) values ($1, 1)
             on conflict (shipment_id) do update set last_seq = tracking_streams.last_seq + 1 returning last_seq)
           insert into custody.tracking_events (id, shipment_id, seq, type, at, message)
           select $2, $1, last_seq, 'LOCATION_NOTED', now(), 'On the way' from stream`,
          [shipmentId, newId()],
        );
        written += 1;
        await sleep(1_000 / eventsPerSecond);
      }
    } catch {
      await sleep(200);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
  return written;
}

/** What each parcel's log says in the end: ids in order. */
async function readLog(): Promise<Map<string, string[]>> {
  for (;;) {
    const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 2_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rows } = await client.query<{ shipment_id: string; id: string }>(
        'select shipment_id, id from custody.tracking_events where shipment_id = any($1) order by shipment_id, seq',
        [shipmentIds],
      );
      return new Map(
        shipmentIds.map((shipmentId) => [
          shipmentId,
          rows.filter((row) => row.shipment_id === shipmentId).map(({ id }) => id),
        ]),
      );
    } catch {
      await sleep(200);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
