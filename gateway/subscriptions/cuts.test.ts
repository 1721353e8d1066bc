/**
 * Fifty clients for a hundred and fifty steps: sockets are cut, the source breaks and comes back, the supergraph changes, joins
 * take their time. In the end each client must hold what the log holds, from where it began, once and in order.
 */
import { writeFile } from 'node:fs/promises';
import { WebSocket } from 'ws';
import { compose, forms, Platform, until } from '../testing/platform.ts';
import { sdl } from '../testing/toys.ts';

const CLIENTS = 50;
const STEPS = 150;
const query =
  'subscription ($after: String) { reviewAdded(after: $after) { cursor text book { title } author { name } } }';

interface Message {
  readonly type: string;
  readonly payload: {
    readonly data: { readonly reviewAdded: { readonly cursor: string; readonly text: string } };
    readonly extensions: { readonly cursor: string };
  };
}

/** Comes back by itself after every cut, from its last cursor; an error counts as a cut. */
class Client {
  readonly seen: string[] = [];
  readonly began: number;
  cuts = 0;
  #cursor: string;
  #socket: WebSocket | undefined;
  #left = false;
  readonly #url: string;

  constructor(url: string, began: number) {
    this.#url = url;
    this.began = began;
    this.#cursor = String(began);
    this.#connect();
  }

  #connect(): void {
    const socket = new WebSocket(this.#url, 'graphql-transport-ws');
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('open', () => {
      socket.send('{"type":"connection_init"}');
    });
    socket.on('message', (text) => {
      if (socket === this.#socket) this.#take(JSON.parse(String(text)) as Message);
    });
    socket.on('close', () => {
      if (!this.#left) this.#connect();
    });
  }

  #take({ type, payload }: Message): void {
    if (type === 'connection_ack') {
      const message = { id: '1', type: 'subscribe', payload: { query, variables: { after: this.#cursor } } };
      this.#socket?.send(JSON.stringify(message));
    } else if (type === 'next') {
      expect(payload.extensions.cursor).toBe(payload.data.reviewAdded.cursor);
      this.seen.push(payload.data.reviewAdded.text);
      this.#cursor = payload.extensions.cursor;
    } else this.cut();
  }

  cut(): void {
    this.cuts += 1;
    this.#socket?.terminate();
  }

  leave(): void {
    this.#left = true;
    this.#socket?.terminate();
  }
}

test.each(forms)('%s: whatever is cut, every client sees the log, once and in order', async (form) => {
  await using platform = await Platform.start(form, { SUBSCRIPTION_BUFFER: '20' });
  const { world, gateway } = platform;
  world.add('r1', 'r2', 'r3');
  const url = gateway.url.replace('http', 'ws');
  const clients = Array.from({ length: CLIENTS }, (_, index) => new Client(url, index % 4));
  world.beforeName = () => new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
  const happenings: (() => unknown)[] = [
    () => clients[Math.floor(Math.random() * CLIENTS)]?.cut(),
    () => clients[Math.floor(Math.random() * CLIENTS)]?.cut(),
    () => {
      for (const client of clients) if (Math.random() < 0.2) client.cut();
    },
    () => {
      world.sourceFault = new Error('down');
      world.wake();
      setTimeout(() => {
        world.sourceFault = undefined;
      }, 40);
    },
    async () => {
      const books = `${sdl.books}\n# ${Math.random()}`.replace(
        'title: String!  author',
        `title: String! p${world.reviews.length}: Int author`,
      );
      await writeFile(platform.supergraphPath, compose({ ...sdl, books }));
    },
  ];
  for (let step = 0; step < STEPS; step += 1) {
    world.add(`r${world.reviews.length + 1}`);
    if (Math.random() < 0.3) world.add(...[1, 2, 3].map((more) => `r${world.reviews.length + more}`));
    if (step % 3 === 0) await happenings[(step / 3) % happenings.length]?.();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
  }
  world.sourceFault = undefined;
  const log = world.reviews.map(({ text }) => text);
  await until(() => clients.every(({ seen, began }) => seen.length >= log.length - began));
  for (const { seen, began } of clients) expect(seen).toEqual(log.slice(began));
  expect(clients.reduce((sum, { cuts }) => sum + cuts, 0)).toBeGreaterThan(CLIENTS);
  for (const client of clients) client.leave();
  await until(() => world.sources === 0);
});
