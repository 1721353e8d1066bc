/** A client of results that come in parts: reads them over either transport and puts them together. */
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql';

interface Patch {
  readonly path: readonly (string | number)[];
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly label?: string;
  readonly errors?: readonly GraphQLFormattedError[];
}

export interface Part extends FormattedExecutionResult {
  readonly incremental?: readonly Patch[];
  readonly hasNext?: boolean;
}

export const transports = {
  multipart: 'multipart/mixed; deferSpec=20220824, application/json',
  'server-sent events': 'text/event-stream',
} as const;
export type Transport = keyof typeof transports;

export async function askForParts(
  url: string,
  transport: Transport,
  query: string,
  variables?: Readonly<Record<string, unknown>>,
): Promise<Part[]> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: transports[transport] },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(10_000),
  });
  const type = response.headers.get('content-type') ?? '';
  const body = await response.text();
  if (type.startsWith('application/json')) return [JSON.parse(body) as Part];
  return type.startsWith('text/event-stream') ? eventsOf(body) : partsOf(body, type);
}

function partsOf(body: string, type: string): Part[] {
  const [, boundary] = /boundary="?([^";]+)"?/.exec(type) ?? [];
  if (!type.startsWith('multipart/mixed') || !type.includes('deferSpec=20220824') || !boundary)
    throw new Error(`"${type}" is no incremental answer`);
  const [before, ...sections] = `\r\n${body}`.split(`\r\n--${boundary}`);
  const last = sections.pop();
  if (before?.trim() !== '' || last?.trim() !== '--') throw new Error(`The parts do not end well: ${body}`);
  return sections.map((section) => {
    const [head = '', json = ''] = section.split('\r\n\r\n');
    if (!/^\r\ncontent-type: application\/json/i.test(head)) throw new Error(`A part has the head "${head}"`);
    return JSON.parse(json) as Part;
  });
}

function eventsOf(body: string): Part[] {
  const events = body.split('\n\n').filter((each) => each.trim() !== '' && !each.startsWith(':'));
  const parsed = events.map((event) => ({
    name: /^event: ?(.*)$/m.exec(event)?.[1],
    data: /^data: ?(.*)$/m.exec(event)?.[1] ?? '',
  }));
  if (parsed.pop()?.name !== 'complete') throw new Error(`The events do not end well: ${body}`);
  return parsed.map(({ name, data }) => {
    if (name !== 'next') throw new Error(`An event is called ${name}`);
    return JSON.parse(data) as Part;
  });
}

/** What a client has in the end; throws where parts contradict each other. */
export function together(parts: readonly Part[]): FormattedExecutionResult {
  const [first, ...later] = parts;
  if (!first) throw new Error('There is no part');
  parts.forEach(({ hasNext }, index) => {
    if ((hasNext ?? false) !== index < parts.length - 1) throw new Error(`hasNext is wrong in part ${index}`);
  });
  const data = structuredClone(first.data) as Record<string, unknown> | null;
  const errors = [...(first.errors ?? [])];
  for (const patch of later.flatMap(({ incremental }) => incremental ?? [])) {
    errors.push(...(patch.errors ?? []));
    let target: unknown = data;
    for (const step of patch.path) target = (target as Record<string | number, unknown> | null)?.[step];
    if (typeof target !== 'object' || target === null)
      throw new Error(`Nothing is at ${patch.path.join('.')}`);
    if (patch.data) fill(target as Record<string, unknown>, patch.data);
  }
  return { data, ...(errors.length > 0 ? { errors } : {}) };
}

function fill(target: Record<string, unknown>, source: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries(source)) {
    const known = target[key];
    if (typeof known === 'object' && known !== null && typeof value === 'object' && value !== null)
      fill(known as Record<string, unknown>, value as Record<string, unknown>);
    else target[key] = value;
  }
}

/** Data whatever the order of its fields: that of parts is their own. */
export const sorted = ({ data }: FormattedExecutionResult): string => JSON.stringify(data, byKey, 1);

const byKey = (_: string, value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
    : value;
