/**
 * Follows one subscription over server-sent events for as long as it is wanted. It promises that whatever the
 * network does no event is left out: after a cut it resumes behind the last cursor that its caller knows. Between
 * two tries it waits, longer each time and never as long as others do. It runs in browsers, and in Node for its tests.
 */
export type FeedState = 'connecting' | 'live' | 'reconnecting' | 'offline';

/** Whether there is a network at all, as far as the machine knows. */
export interface Network {
  online(): boolean;
  /** Calls back on every change until the signal aborts. */
  onChange(changed: () => void, until: AbortSignal): void;
}

export interface FeedOptions<Event> {
  readonly endpoint: string;
  readonly token: string;
  /** The operation; its variable `after` is where it begins. */
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** Cursor of the last event that is known; empty for none. */
  readonly after: () => string;
  readonly onEvent: (event: Event) => void;
  readonly onState: (state: FeedState) => void;
  readonly signal: AbortSignal;
  readonly network: Network;
  readonly timing?: Partial<FeedTiming>;
}

export interface FeedTiming {
  /** The first wait after a cut; each one after it may be twice as long, up to the longest. */
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** Silence after which a connection counts as dead: several times the server's keep-alive. */
  readonly silenceMs: number;
}

const usual: FeedTiming = { firstWaitMs: 500, longestWaitMs: 30_000, silenceMs: 45_000 };

/** A connection that held so long was of use although nothing happened. */
const longQuietMs = 10_000;

/** The feed ended for good: the server refuses what was asked, and would refuse it again. */
export class FeedRefused extends Error {
  readonly code: string;
  constructor(code: string) {
    super(`The feed was refused: ${code}`);
    this.code = code;
  }
}

/** Refusals that another try does not change. */
const final = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'SHIPMENT_NOT_FOUND',
  'SCOPE_MISSING',
  'CURSOR_INVALID',
  'SUBSCRIPTION_NO_LONGER_VALID',
  'GRAPHQL_VALIDATION_FAILED',
  'DOCUMENT_UNKNOWN',
  'DOCUMENT_NOT_TRUSTED',
]);

interface Errors {
  readonly errors?: readonly { readonly extensions?: { readonly code?: string } }[];
}

interface Answer<Event> extends Errors {
  readonly data?: Readonly<Record<string, Event | null>> | null;
}

/** Runs until the signal aborts. Rejects with `FeedRefused` where the server will not serve this any more. */
export async function followFeed<Event>(options: FeedOptions<Event>): Promise<void> {
  const { signal, onState, network } = options;
  const { firstWaitMs, longestWaitMs } = { ...usual, ...options.timing };
  let failures = 0;
  let advisedMs = 0;
  onState('connecting');
  while (!signal.aborted) {
    if (!network.online()) {
      onState('offline');
      await changeOf(network, signal);
      failures = 0;
      continue;
    }
    const advise = (milliseconds: number): void => {
      advisedMs = Math.min(longestWaitMs, milliseconds);
    };
    const useful = await connection(options, advise).catch((error: unknown) => {
      if (error instanceof FeedRefused) throw error;
      return false;
    });
    if (signal.aborted || !network.online()) continue;
    onState('reconnecting');
    failures = useful ? 0 : failures + 1;
    // Anything up to the whole wait, so that those who were cut off together do not come back together.
    const longest = Math.max(advisedMs, Math.min(longestWaitMs, firstWaitMs * 2 ** failures));
    await pause(Math.random() * longest, options);
  }
}

/** One connection, from request to end; true where it was of use. */
async function connection<Event>(
  options: FeedOptions<Event>,
  advise: (milliseconds: number) => void,
): Promise<boolean> {
  const { silenceMs } = { ...usual, ...options.timing };
  const cut = new AbortController();
  const ended = AbortSignal.any([options.signal, cut.signal]);
  // The machine may know that its network is gone long before a connection notices.
  options.network.onChange(() => options.network.online() || cut.abort(), ended);
  let timer = setTimeout(() => cut.abort(), silenceMs);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => cut.abort(), silenceMs);
  };
  const after = options.after();
  const began = performance.now();
  let useful = false;
  try {
    const response = await fetch(options.endpoint, {
      method: 'POST',
      headers: {
        accept: 'text/event-stream',
        'content-type': 'application/json',
        authorization: `Bearer ${options.token}`,
        ...(after ? { 'last-event-id': after } : {}),
      },
      body: JSON.stringify({ query: options.query, variables: { ...options.variables, after } }),
      cache: 'no-store',
      credentials: 'omit',
      signal: ended,
    });
    heard();
    if (!response.ok || !response.headers.get('content-type')?.startsWith('text/event-stream')) {
      const answer = (await response.json().catch(() => ({}))) as Answer<Event>;
      refuse(answer, response.status);
      return false;
    }
    options.onState('live');
    for await (const message of messagesOf(response.body!, heard)) {
      if (message.retry !== undefined) advise(message.retry);
      if (message.event === 'complete') break;
      if (message.event !== 'next') continue;
      const answer = JSON.parse(message.data) as Answer<Event>;
      refuse(answer, response.status);
      for (const event of Object.values(answer.data ?? {})) {
        if (event === null) continue;
        useful = true;
        options.onEvent(event);
      }
    }
    return useful || performance.now() - began > longQuietMs;
  } finally {
    clearTimeout(timer);
    cut.abort();
  }
}

/** Throws `FeedRefused` for an answer that another try would not change. */
export function refuse(answer: Errors, status: number): void {
  const codes = (answer.errors ?? []).map(({ extensions }) => extensions?.code ?? '');
  const code = codes.find((each) => final.has(each)) ?? (status === 401 ? 'UNAUTHENTICATED' : undefined);
  if (code) throw new FeedRefused(code);
}

export interface Message {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
  /** Milliseconds that the server would like its clients to wait before they come back. */
  readonly retry: number | undefined;
}

/** The messages of an event stream, as the HTML standard reads them; comments only show that it is alive. */
export async function* messagesOf(
  stream: ReadableStream<Uint8Array>,
  heard: () => void = () => {},
): AsyncGenerator<Message> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let message = empty();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard();
      rest += decoder.decode(value, { stream: true });
      // A carriage return at the end may be the first half of a line's end.
      const whole = rest.endsWith('\r') ? rest.slice(0, -1) : rest;
      const lines = whole.split(/\r\n|\n|\r/);
      rest = lines.pop()! + rest.slice(whole.length);
      for (const line of lines) {
        if (line === '') {
          if (message.data.length > 0 || message.event === 'complete' || message.retry !== undefined)
            yield { ...message, data: message.data.join('\n') };
          message = empty();
          continue;
        }
        const [, name, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
        if (name === 'event') message.event = value;
        if (name === 'data') message.data.push(value);
        if (name === 'id') message.id = value;
        if (name === 'retry' && /^\d+$/.test(value)) message.retry = Number(value);
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** A message of which more lines may come. */
interface Reading {
  event: string;
  data: string[];
  id: string | undefined;
  retry: number | undefined;
}

const empty = (): Reading => ({ event: 'message', data: [], id: undefined, retry: undefined });

/** Waits; not longer than until the network changes. */
const pause = (milliseconds: number, { network, signal }: Pick<FeedOptions<never>, 'network' | 'signal'>) =>
  changeOf(network, AbortSignal.any([signal, AbortSignal.timeout(Math.round(milliseconds))]));

function changeOf(network: Network, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = (): void => {
      over.abort();
      resolve();
    };
    network.onChange(done, over.signal);
    signal.addEventListener('abort', done, { once: true, signal: over.signal });
    if (signal.aborted) done();
  });
}
