/** A stranger at the door of a gateway in production: what is sent, what comes back, and what it costs us. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket as TcpSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Reachable, Socket } from '../../testing/socket.ts';

export interface Outcome {
  /** Of HTTP; 0 over a socket. */
  readonly status: number;
  /** Of the errors, or that with which the socket was closed. */
  readonly codes: readonly unknown[];
  /** The whole answer as it came. */
  readonly text: string;
  /** Of the processor, at both ends: what it costs, whatever else the machine does. */
  readonly milliseconds: number;
}

/** Milliseconds of the processor that this process takes from now on. */
export function stopwatch(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
}

export type Transport = 'HTTP' | 'event stream' | 'deferred parts' | 'WebSocket';
export const transports: Transport[] = ['HTTP', 'event stream', 'deferred parts', 'WebSocket'];

const accepts: Partial<Record<Transport, Record<string, string>>> = {
  'event stream': { accept: 'text/event-stream' },
  'deferred parts': { accept: 'multipart/mixed;deferSpec=20220824' },
};

export interface Attack {
  readonly query?: string;
  readonly variables?: Record<string, unknown>;
  readonly documentId?: string;
  readonly extensions?: Record<string, unknown>;
}

export class Attacker {
  readonly platform: Reachable;

  constructor(platform: Reachable) {
    this.platform = platform;
  }

  async send(transport: Transport, attack: Attack, token?: string): Promise<Outcome> {
    if (transport === 'WebSocket') return this.#overSocket(attack, token);
    return this.post(attack, token, accepts[transport]);
  }

  /** Any body, as JSON unless it is text already. */
  async post(body: unknown, token?: string, headers: Record<string, string> = {}): Promise<Outcome> {
    const taken = stopwatch();
    const response = await fetch(this.platform.gateway.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { status: response.status, text, codes: codesIn(text), milliseconds: taken() };
  }

  async #overSocket(attack: Attack, token?: string): Promise<Outcome> {
    const socket = await Socket.open(this.platform, token ? { authorization: `Bearer ${token}` } : undefined);
    const [started, taken] = [performance.now(), stopwatch()];
    socket.send({ id: '1', type: 'subscribe', payload: attack });
    let closed: { code: number; reason: string } | undefined;
    void socket.closed.then((how) => {
      closed = how;
    });
    while (!closed && socket.unread === 0 && performance.now() - started < 20_000) await sleep(1);
    const milliseconds = taken();
    if (closed) return { status: 0, text: closed.reason, codes: [closed.code], milliseconds };
    const { payload } = await socket.any();
    await socket.close();
    const text = JSON.stringify(payload);
    const errors = Array.isArray(payload) ? payload : [];
    return { status: 0, text, codes: errors.map((each) => each.extensions?.code), milliseconds };
  }

  /** The cheapest of several attempts. */
  async cheapest(transport: Transport, attack: Attack, attempts = 5): Promise<Outcome> {
    const outcomes: Outcome[] = [];
    for (let attempt = 0; attempt < attempts; attempt += 1) outcomes.push(await this.send(transport, attack));
    return outcomes.toSorted((one, other) => one.milliseconds - other.milliseconds)[0]!;
  }

  /** Whether others are served meanwhile. */
  async serves(): Promise<boolean> {
    const { status } = await this.post({ query: '{ __typename }' });
    return status === 200;
  }

  /** Bytes as they are, without any client's good manners. */
  raw(): TcpSocket {
    const socket = connect(this.platform.gateway.port, '127.0.0.1');
    socket.on('error', () => undefined);
    return socket;
  }
}

function codesIn(text: string): unknown[] {
  try {
    const { errors = [] } = JSON.parse(text) as { errors?: { extensions?: { code?: unknown } }[] };
    return errors.map(({ extensions }) => extensions?.code);
  } catch {
    return [];
  }
}

/** A request whose body is written piece by piece, by hand. */
export function open(
  platform: Reachable,
  options: { method?: string; path?: string; headers: Record<string, string> },
) {
  const request = httpRequest({
    host: '127.0.0.1',
    port: platform.gateway.port,
    method: options.method ?? 'POST',
    path: options.path ?? '/graphql',
    headers: options.headers,
  });
  const answer = new Promise<{ status: number; headers: IncomingHttpHeaders; text: string }>(
    (resolve, reject) => {
      request.once('error', reject);
      request.once('response', async (response) => {
        const text = (await response.setEncoding('utf8').toArray()).join('');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
      });
    },
  );
  return { request, answer };
}

/** The process's memory before and after; both are printed, since no bound fits every machine. */
export function memory(what: string): () => number {
  const before = process.memoryUsage().rss;
  return () => {
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    console.log(`${what}: RSS ${(before / 2 ** 20).toFixed(0)} MB before, ${grown.toFixed(0)} MB more after`);
    return grown;
  };
}

/** What no answer to a stranger may hold: names and sizes of the schema, and of the machine below it. */
export const secrets =
  /\b(book|books|author|addBook|Review|Query\.|Author|Did you mean|select \*|node_modules|at \w+ \(|serviceName|127\.0\.0\.1|ECONN|1000|5000|limit of \d+)\b/;
