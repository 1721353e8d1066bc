/** A small believable world to begin with, made through the API by the people who live in it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DAY, HOUR } from '#shared/kernel/time.ts';
import { CourierSegmentsDocument } from '../../schema/operations/operations.generated.ts';
import { findPlace, type Place, publishFlight, serveConnection } from './carriage.ts';
import { Client, signIn } from './client.ts';

export interface Inhabitant {
  readonly role: string;
  readonly email: string;
}

const lanes = [
  {
    traveller: 'Maya Tremblay',
    from: 'YUL',
    to: 'LHR',
    flight: 'AC864',
    hours: 6.8,
    every: 2,
    base: 2_400,
    perKilogram: 1_150,
  },
  {
    traveller: 'Oliver Hughes',
    from: 'LHR',
    to: 'CDG',
    flight: 'BA314',
    hours: 1.4,
    every: 1,
    base: 2_200,
    perKilogram: 650,
  },
  {
    traveller: 'Inès Moreau',
    from: 'YUL',
    to: 'CDG',
    flight: 'AF345',
    hours: 7,
    every: 3,
    base: 5_200,
    perKilogram: 1_900,
  },
  {
    traveller: 'Lukas Brandt',
    from: 'CDG',
    to: 'BER',
    flight: 'AF1734',
    hours: 1.8,
    every: 2,
    base: 2_000,
    perKilogram: 700,
  },
] as const;

const courier = { name: 'Vélo Rive Gauche', from: 'CDG', to: 'Paris', base: 900, perKilogram: 250 } as const;
const daysAhead = 14;

const emailOf = (name: string): string =>
  `${name
    .normalize('NFD')
    .replace(/[^a-zA-Z ]/g, '')
    .toLowerCase()
    .replaceAll(' ', '.')}@demo.baton.test`;

/**
 * Adds what is missing: on the first start everything, later the trips that have departed meanwhile. Whether
 * something is missing is asked without signing in, since codes are limited per address and hour.
 */
export async function ensureWorld(
  url: string,
  dataDir: string,
  say: (line: string) => void,
): Promise<Inhabitant[]> {
  const note = join(dataDir, 'world.json');
  const airport = await findPlace(new Client(url), courier.from, 'AIRPORT');
  const served = await isServed(url, airport.id);
  if (!served || (await readUntil(note)) < Date.now() + 3 * DAY) {
    for (const lane of lanes) await publishLane(url, lane, say);
    if (!served) await serve(url, airport);
    await writeFile(note, JSON.stringify({ until: Date.now() + daysAhead * DAY }));
  }
  return [
    ...lanes.map(({ traveller }) => ({ role: 'Traveller', email: emailOf(traveller) })),
    { role: 'Courier operator', email: emailOf(courier.name) },
    { role: 'Sender', email: 'any address you like' },
  ];
}

async function readUntil(note: string): Promise<number> {
  const text = await readFile(note, 'utf8').catch(() => '{"until":0}');
  return Number(JSON.parse(text).until);
}

async function isServed(url: string, locationId: string): Promise<boolean> {
  const { courierSegments } = await new Client(url).run(CourierSegmentsDocument, { locationId });
  return courierSegments.edges.some(({ node }) => node.courier.name === courier.name);
}

async function publishLane(
  url: string,
  lane: (typeof lanes)[number],
  say: (line: string) => void,
): Promise<void> {
  say(`${lane.traveller} publishes trips ${lane.from} to ${lane.to}`);
  const traveller = await signIn(url, emailOf(lane.traveller), lane.traveller);
  const from = await findPlace(traveller.client, lane.from, 'AIRPORT');
  const to = await findPlace(traveller.client, lane.to, 'AIRPORT');
  for (let day = 1; day <= daysAhead; day += lane.every) {
    const departsAt = new Date(Math.floor(Date.now() / HOUR) * HOUR + day * DAY);
    const arrivesAt = new Date(departsAt.getTime() + lane.hours * HOUR);
    await publishFlight(traveller, { ...lane, from, to, departsAt, arrivesAt, capacityGrams: 8_000 });
  }
}

async function serve(url: string, from: Place): Promise<void> {
  const operator = await signIn(url, emailOf(courier.name), courier.name);
  const to = await findPlace(operator.client, courier.to, 'CITY');
  await serveConnection(operator, { ...courier, from, to });
}
