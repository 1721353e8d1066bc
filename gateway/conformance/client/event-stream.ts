/** A client's side of GraphQL over server-sent events, in distinct connections mode. */
import { Mailbox } from './mailbox.ts';
import { faultOfResult, type Request, type Result } from './result.ts';

export interface StreamOptions {
  readonly url: string;
  readonly request: Request;
  readonly method?: 'POST' | 'GET';
  readonly headers?: Readonly<Record<string, string>>;
  readonly patience: number;
}

export interface StreamEvent {
  readonly event: string;
  readonly data: string;
  /** The last id that was told, as an `EventSource` would keep it. */
  readonly id: string;
}

export class EventStream {
  readonly #aborted = new AbortController();
  readonly #patience: number;
  readonly #events = new Mailbox<StreamEvent>();
  readonly comments = new Mailbox<string>();
  readonly violations: string[] = [];
  #held: PromiseWithResolvers<void> | undefined;
  status = 0;
  contentType = '';
  /** The whole body, where the server answered with something else than an event stream. */
  body = '';

  private constructor(patience: number) {
    this.#patience = patience;
  }

  /** Resolves when the server has answered; events follow. */
  static async open(options: StreamOptions): Promise<EventStream> {
    const stream = new EventStream(options.patience);
    const late = setTimeout(() => stream.close(), options.patience);
    const response = await fetch(...requestOf(options, stream.#aborted.signal)).finally(() =>
      clearTimeout(late),
    );
    stream.status = response.status;
    stream.contentType = response.headers.get('content-type') ?? '';
    if (stream.isEventStream) void stream.#read(response);
    else stream.body = await response.text();
    return stream;
  }

  get isEventStream(): boolean {
    return this.contentType.startsWith('text/event-stream');
  }

  /** Events that have arrived and were not taken. */
  get unread(): readonly StreamEvent[] {
    return this.#events.unread;
  }

  /** The next event, which must be a `next`. */
  async next(): Promise<{ id: string; result: Result }> {
    const { event, data, id } = await this.#take('next');
    const result: unknown = JSON.parse(data);
    const fault = event === 'next' ? faultOfResult(result) : undefined;
    if (fault) throw new Error(`${fault}: ${data.slice(0, 200)}`);
    return { id, result: result as Result };
  }

  async take(count: number): Promise<Result[]> {
    const results: Result[] = [];
    while (results.length < count) results.push((await this.next()).result);
    return results;
  }

  /** The next event, which must be `complete`. */
  async completed(): Promise<StreamEvent> {
    return this.#take('complete');
  }

  /** Takes nothing from the network until `resume`, as a stalled client does. */
  pause(): void {
    this.#held ??= Promise.withResolvers();
  }

  resume(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Leaves, as a client of server-sent events does: by closing the connection. */
  close(): void {
    this.#aborted.abort();
  }

  async #take(event: string): Promise<StreamEvent> {
    if (!this.isEventStream)
      throw new Error(
        `Expected an event stream, got ${this.status} ${this.contentType}: ${this.body.slice(0, 300)}`,
      );
    const taken = await this.#events.take(`event "${event}"`, this.#patience);
    if (taken.event !== event)
      throw new Error(`Expected event "${event}", got ${JSON.stringify(taken).slice(0, 500)}`);
    return taken;
  }

  async #read(response: Response): Promise<void> {
    let text = '';
    let lastId = '';
    try {
      for await (const chunk of (response.body ?? new Blob([]).stream()).pipeThrough(
        new TextDecoderStream(),
      )) {
        await this.#held?.promise;
        text += chunk;
        const blocks = text.split(/\r\n\r\n|\n\n|\r\r/);
        text = blocks.pop() ?? '';
        for (const block of blocks) lastId = this.#block(block, lastId);
      }
      this.#events.close('the server ended the stream');
    } catch {
      this.#events.close(this.#aborted.signal.aborted ? 'the client had left' : 'the connection broke');
    }
    this.comments.close('the stream ended');
  }

  /** Takes one event or comment; returns the id that holds from now on. */
  #block(block: string, lastId: string): string {
    let event = 'message';
    let id = lastId;
    const data: string[] = [];
    for (const line of block.split(/\r\n|\n|\r/)) {
      if (line === '') continue;
      if (line.startsWith(':')) {
        this.comments.put(line.slice(1).trim());
        continue;
      }
      const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === 'event') event = value;
      else if (name === 'data') data.push(value);
      else if (name === 'id') id = value;
      else if (name !== 'retry')
        this.violations.push(`a line that is no field of an event: ${line.slice(0, 100)}`);
    }
    // Without data no event is dispatched.
    if (data.length > 0) this.#events.put({ event, data: data.join('\n'), id });
    else if (event === 'complete')
      this.violations.push('"complete" without a data field never reaches an EventSource');
    return id;
  }
}

function requestOf(options: StreamOptions, signal: AbortSignal): [string, RequestInit] {
  const { url, request, method = 'POST' } = options;
  const headers = { accept: 'text/event-stream', ...options.headers };
  if (method === 'POST') {
    const body = JSON.stringify(request);
    return [url, { method, signal, body, headers: { ...headers, 'content-type': 'application/json' } }];
  }
  const address = new URL(url);
  address.searchParams.set('query', request.query);
  if (request.variables) address.searchParams.set('variables', JSON.stringify(request.variables));
  if (request.operationName) address.searchParams.set('operationName', request.operationName);
  if (request.extensions) address.searchParams.set('extensions', JSON.stringify(request.extensions));
  return [address.href, { method, signal, headers }];
}
