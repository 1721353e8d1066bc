/** What gateways do wrong, and by which cases the suite must find out. */
import type { Result, ResultError } from '../client/result.ts';
import type { Message } from '../client/socket.ts';
import type { Fault } from './faulty-proxy.ts';

const isNext = ({ type }: Message): boolean => type === 'next';

/** Changes each event on its way to the client. */
const eventsAs = (change: (message: Message) => readonly Message[]) => () => (message: Message) =>
  isNext(message) ? change(message) : [message];

const withResult = (change: (result: Result) => Result) =>
  eventsAs((message) => [{ ...message, payload: change(message.payload as Result) }]);

const withErrors = (change: (error: ResultError) => ResultError) =>
  withResult((result) => (result.errors ? { ...result, errors: result.errors.map(change) } : result));

/** Changes the variables of each subscription on its way to the gateway. */
const withVariables =
  (change: (variables: Record<string, unknown>) => Record<string, unknown>) => () => (text: string) => {
    const message = JSON.parse(text) as { type: string; payload?: { variables?: Record<string, unknown> } };
    if (message.type !== 'subscribe' || !message.payload?.variables) return [text];
    return [
      JSON.stringify({
        ...message,
        payload: { ...message.payload, variables: change(message.payload.variables) },
      }),
    ];
  };

function everySecondWaits(): (message: Message) => readonly Message[] {
  let held: Message | undefined;
  return (message) => {
    if (!isNext(message)) return held ? [held, message] : [message];
    const before = held;
    held = before ? undefined : message;
    return before ? [message, before] : [];
  };
}

function everySeventhIsLost(): (message: Message) => readonly Message[] {
  let seen = 0;
  return (message) => {
    if (isNext(message)) seen += 1;
    return isNext(message) && seen % 7 === 0 ? [] : [message];
  };
}

/** Repeats its last event when the client completes the operation. */
function lateEvents() {
  let last: Message | undefined;
  return (message: Message): readonly Message[] => {
    if (isNext(message)) last ??= message;
    return message.type === 'pong' && last ? [message, last] : [message];
  };
}

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, sortedKeys(each)] as const);
  return Object.fromEntries(entries.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Makes each socket's documents its own, by fields that only the gateway sees. */
function ownDocuments(): Pick<Fault, 'toGateway' | 'toClient'> {
  const fields = ['cursor', 'legacy', 'fragile', 'buyer { id }', 'products { id }'];
  let sockets = 0;
  return {
    toGateway: () => {
      sockets += 1;
      const own = fields
        .filter((_, bit) => sockets & (1 << bit))
        .map((field, index) => `own${index}: ${field}`);
      return (text) => [
        text.includes('"subscribe"') ? text.replace(/\{ number\b/, `{ ${own.join(' ')} number`) : text,
      ];
    },
    toClient: withResult((result) => ({
      ...result,
      data: JSON.parse(
        JSON.stringify(result.data, (key, value) => (/^own\d+$/.test(key) ? undefined : value)),
      ),
    })),
  };
}

const previousCursor = (cursor: unknown): unknown =>
  typeof cursor === 'string'
    ? cursor.replace(/\d+$/, (number) => String(Math.max(Number(number) - 1, 0)))
    : cursor;

export const faults: readonly Fault[] = [
  {
    name: 'sends each event twice',
    cases: ['delivery/in-order-once', 'resume/missed-then-live'],
    toClient: eventsAs((message) => [message, message]),
  },
  {
    name: 'swaps neighbouring events',
    cases: ['delivery/in-order-once', 'delivery/burst', 'failures/slow-join-keeps-order'],
    toClient: everySecondWaits,
  },
  {
    name: 'loses every seventh event',
    cases: ['delivery/in-order-once', 'delivery/burst', 'resume/long-replay', 'chaos/clients-and-subgraphs'],
    toClient: everySeventhIsLost,
  },
  {
    name: 'does not end upstream what the client completed',
    cases: ['delivery/complete-stops-upstream', 'delivery/complete-at-once', 'sharing/one-leaves'],
    toGateway: () => (text) => (text.includes('"complete"') ? [] : [text]),
  },
  {
    name: 'does not end upstream what a client left behind',
    cases: [
      'delivery/close-stops-upstream',
      'delivery/lost-client-stops-upstream',
      'sse/close-stops-upstream',
      'pressure/come-and-go',
    ],
    forgetsToLeave: true,
  },
  {
    name: 'sends events of what is over',
    cases: ['protocol/complete-unknown-id', 'delivery/source-ends'],
    toClient: lateEvents,
  },
  {
    name: 'completes what ended with an error',
    cases: ['protocol/error-and-nothing-after', 'operations/unknown-field'],
    toClient: () => (message) =>
      message.type === 'error' && message.id ? [message, { id: message.id, type: 'complete' }] : [message],
  },
  {
    name: 'closes the socket where one operation fails',
    cases: ['operations/unknown-field', 'delivery/refused-by-subgraph'],
    closesAfter: ({ type, payload }) =>
      type === 'error' || (type === 'next' && 'errors' in (payload as object)),
  },
  {
    name: 'does not answer pings',
    cases: ['protocol/ping', 'protocol/ping-before-init'],
    toClient: () => (message) => (message.type === 'pong' ? [] : [message]),
  },
  {
    name: 'closes with a code of its own',
    cases: [
      'protocol/duplicate-init',
      'protocol/subscribe-before-init',
      'protocol/duplicate-id',
      'protocol/not-json',
      'protocol/init-timeout',
    ],
    closeCode: (code) => (code >= 4000 ? 1011 : code),
  },
  {
    name: 'never completes',
    cases: ['delivery/source-ends', 'protocol/id-again-after-server-complete'],
    toClient: () => (message) => (message.type === 'complete' ? [] : [message]),
  },
  {
    name: 'hides errors',
    cases: ['failures/field-of-join', 'failures/required-root', 'failures/status-500'],
    toClient: withResult(({ errors: _, ...result }) => result),
  },
  {
    name: 'tells errors without codes',
    cases: ['failures/field-of-event'],
    toClient: withErrors(({ extensions: _, ...error }) => error),
  },
  {
    name: 'tells the paths of the subgraph instead of its own',
    cases: ['failures/field-of-join', 'failures/item-of-list', 'failures/aliased-path'],
    toClient: withErrors((error) => ({ ...error, path: ['_entities', 0, ...(error.path?.slice(-1) ?? [])] })),
  },
  {
    name: 'has an order of fields of its own',
    cases: ['operations/field-order'],
    toClient: withResult((result) => sortedKeys(result) as Result),
  },
  {
    name: 'forgets the cursor that the client came with',
    cases: ['resume/missed-then-live', 'resume/from-the-beginning', 'resume/invalid-cursor'],
    toGateway: withVariables(({ after: _, ...variables }) => variables),
  },
  {
    name: 'begins one event too early',
    cases: ['resume/missed-then-live', 'resume/from-the-newest', 'resume/reconnecting-while-events-flow'],
    toGateway: withVariables((variables) => ({ ...variables, after: previousCursor(variables.after) })),
  },
  {
    name: 'keeps cursors to itself',
    cases: ['resume/cursor-in-extensions', 'resume/cursor-with-errors'],
    toClient: withResult(({ extensions: _, ...result }) => result),
  },
  {
    name: 'shares nothing',
    cases: ['sharing/one-upstream', 'sharing/late-joiner'],
    ...ownDocuments(),
  },
  {
    name: 'streams without ids',
    cases: ['sse/id', 'sse/reconnecting-while-events-flow'],
    toStream: (block) => block.replace(/^id:.*\n/m, ''),
  },
  {
    name: 'streams each event twice',
    cases: ['sse/live', 'sse/post'],
    toStream: (block) => (block.includes('event: next') ? block + block : block),
  },
  {
    name: 'ends streams without a word',
    cases: ['sse/post', 'sse/get'],
    toStream: (block) => (block.includes('event: complete') ? '' : block),
  },
  {
    name: 'shows no sign of life on idle streams',
    cases: ['sse/keep-alive'],
    toStream: (block) => (block.startsWith(':') ? '' : block),
  },
];
