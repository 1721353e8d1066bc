import { writeFile } from 'node:fs/promises';
import { systemClock } from '#shared/kernel/time.ts';
import { parseInternalSecrets } from '#shared/runtime/internal-auth.ts';
import { serveSubgraph } from '#shared/runtime/server/subgraph-server.ts';
import { compose, forms, INTERNAL_SECRETS, logger, Platform, until } from '../testing/platform.ts';
import { Socket } from '../testing/socket.ts';
import { sdl, toySubgraphs } from '../testing/toys.ts';

const joined =
  'subscription ($after: String) { reviewAdded(after: $after) { cursor text book { title } author { name } } }';
const plain = 'subscription ($after: String) { reviewAdded(after: $after) { cursor } }';
const unresumable = 'subscription { reviewNow { text author { name } } }';
const textsOf = (events: unknown[]) =>
  events.map((event) => (event as { data: { reviewAdded: { text: string } } }).data.reviewAdded.text);
const cursorsOf = (events: unknown[]) =>
  events.map((event) => (event as { data: { reviewAdded: { cursor: string } } }).data.reviewAdded.cursor);
const codeOf = ({ payload }: { payload?: unknown }) =>
  (payload as { extensions: { code: string } }[])[0]?.extensions.code;

describe.each(forms)('%s', (form) => {
  let platform: Platform;
  let socket: Socket;
  beforeEach(async () => {
    platform = await Platform.start(form, { SUBGRAPH_TIMEOUT: '400ms', SUBSCRIPTION_BUFFER: '20' });
    socket = await Socket.open(platform);
  });
  afterEach(async () => {
    await socket.close();
    await platform[Symbol.asyncDispose]();
  });
  const watching = (count = 1) => until(() => platform.world.sources === count);

  test('an event joins what two other subgraphs know', async () => {
    socket.subscribe('1', joined);
    await watching();
    platform.world.add('fine');
    expect(await socket.events('1', 1)).toEqual([
      {
        data: {
          reviewAdded: {
            cursor: '1',
            text: 'fine',
            book: { title: 'Solaris' },
            author: { name: 'Lem' },
          },
        },
        extensions: { cursor: '1' },
      },
    ]);
  });

  test('clients that ask for the same share one source, whatever their cursor, and each gets its own events', async () => {
    const other = await Socket.open(platform);
    platform.world.add('one');
    socket.subscribe('1', joined);
    await watching();
    other.subscribe('1', joined.replace('subscription', 'subscription Named'));
    other.subscribe('2', joined, { after: '0' });
    expect(textsOf(await other.events('2', 1))).toEqual(['one']);
    platform.world.add('two');
    expect(textsOf(await socket.events('1', 1))).toEqual(['two']);
    const events = [await other.any(), await other.any()];
    expect(events.map(({ id }) => id).sort()).toEqual(['1', '2']);
    await watching(1);
    await other.close();
  });

  test('clients who are not the same viewer share nothing', async () => {
    const other = await Socket.open(platform, { authorization: `Bearer ${await platform.token()}` });
    socket.subscribe('1', plain);
    other.subscribe('1', plain);
    await watching(2);
    await other.close();
  });

  test('events keep their order when an earlier join is slower', async () => {
    let first = true;
    const gate = Promise.withResolvers<void>();
    platform.world.beforeName = async () => {
      if (first) {
        first = false;
        await gate.promise;
      }
    };
    socket.subscribe('1', joined);
    await watching();
    platform.world.add('one', 'two', 'three');
    await until(() => !first);
    gate.resolve();
    expect(textsOf(await socket.events('1', 3))).toEqual(['one', 'two', 'three']);
  });

  test('the cursor reaches the subgraph: what was missed comes first, then what is new', async () => {
    platform.world.add('one', 'two', 'three');
    socket.subscribe('1', joined, { after: '1' });
    expect(textsOf(await socket.events('1', 2))).toEqual(['two', 'three']);
    platform.world.add('four');
    expect(textsOf(await socket.events('1', 1))).toEqual(['four']);
  });

  test('an error in a join is in its event, and the next event is whole again', async () => {
    platform.world.beforeName = async (id) => {
      if (id === '1') throw new Error('boom');
    };
    platform.world.add('one', 'two');
    socket.subscribe('1', joined, { after: '0' });
    const [broken, whole] = (await socket.events('1', 2)) as {
      data: unknown;
      errors?: { path: unknown; extensions: { code: string } }[];
    }[];
    expect(broken?.data).toMatchObject({ reviewAdded: { text: 'one', author: { name: null } } });
    expect(broken?.errors?.map(({ path, extensions }) => [path, extensions.code])).toEqual([
      [['reviewAdded', 'author', 'name'], 'INTERNAL_SERVER_ERROR'],
    ]);
    expect(whole).toEqual({
      data: {
        reviewAdded: {
          cursor: '2',
          text: 'two',
          book: { title: 'The Dispossessed' },
          author: { name: 'Le Guin' },
        },
      },
      extensions: { cursor: '2' },
    });
  });

  test('a silent subgraph costs an event its own fields', async () => {
    platform.world.silence();
    platform.world.add('one');
    socket.subscribe('1', joined, { after: '0' });
    const [event] = (await socket.events('1', 1)) as { data: unknown; errors: { extensions: object }[] }[];
    expect(event?.data).toMatchObject({
      reviewAdded: { book: { title: 'Solaris' }, author: { name: null } },
    });
    expect(event?.errors[0]?.extensions).toMatchObject({ code: 'SUBGRAPH_TIMEOUT' });
  });

  test('a forbidden null in the root field nulls the data of the event', async () => {
    platform.world.add('one');
    socket.subscribe('1', 'subscription { mustReview { text } }');
    const [event] = (await socket.events('1', 1)) as { data: unknown; errors: unknown[] }[];
    expect([event?.data, event?.errors]).toEqual([null, [expect.objectContaining({ path: ['mustReview'] })]]);
  });

  test("the subgraph's refusal to subscribe arrives with its code, and others go on", async () => {
    socket.subscribe('1', plain);
    await watching();
    socket.subscribe('2', plain, { after: 'forged' });
    expect(codeOf(await socket.next('error', '2'))).toBe('CURSOR_INVALID');
    platform.world.add('one');
    expect(cursorsOf(await socket.events('1', 1))).toEqual(['1']);
  });

  test.each([
    ['@include', 'subscription ($on: Boolean = true) { reviewAdded @include(if: $on) { cursor } }'],
    [
      '@skip in a fragment',
      'subscription { ...F } fragment F on Subscription { reviewAdded @skip(if: false) { cursor } }',
    ],
  ])('%s at the root is refused clearly', async (_, query) => {
    socket.subscribe('1', query);
    expect(codeOf(await socket.next('error', '1'))).toBe('SUBSCRIPTION_ROOT_CONDITION');
  });

  test.each([
    ['query', '{ books { id } }', 'SUBSCRIPTIONS_ONLY'],
    ['mutation', 'mutation { addBook(title: "x") { id } }', 'SUBSCRIPTIONS_ONLY'],
    ['unknown field', 'subscription { nothing }', 'GRAPHQL_VALIDATION_FAILED'],
    ['syntax error', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    [
      'wrong variable',
      'subscription ($after: String!) { reviewAdded(after: $after) { cursor } }',
      'BAD_USER_INPUT',
    ],
    [
      'far too long document',
      `subscription { reviewAdded { ${'cursor '.repeat(1_000)} } }`,
      'GRAPHQL_PARSE_FAILED',
    ],
  ])('a %s is refused', async (_, query, code) => {
    socket.subscribe('1', query);
    expect(codeOf(await socket.next('error', '1'))).toBe(code);
    expect(platform.world.books).toHaveLength(3);
  });

  test('when the client completes, its upstream ends and the others go on', async () => {
    socket.subscribe('1', joined);
    socket.subscribe('2', plain);
    socket.subscribe('3', plain);
    await watching(2);
    socket.send({ id: '1', type: 'complete' });
    await watching(1);
    socket.send({ id: '3', type: 'complete' });
    socket.send({ type: 'ping' });
    await socket.next('pong');
    platform.world.add('one');
    expect(cursorsOf(await socket.events('2', 1))).toEqual(['1']);
    socket.send({ type: 'ping' });
    await socket.next('pong');
    expect(socket.unread).toBe(0);
  });

  test('an id can be used again at once after it was completed, even while a join was running', async () => {
    const gate = Promise.withResolvers<void>();
    let waiting = 0;
    platform.world.beforeName = () => {
      waiting += 1;
      return gate.promise;
    };
    socket.subscribe('1', joined);
    await watching();
    platform.world.add('one');
    await until(() => waiting > 0);
    socket.send({ id: '1', type: 'complete' });
    socket.subscribe('1', plain, { after: '0' });
    expect(await socket.events('1', 1)).toMatchObject([{ data: { reviewAdded: { cursor: '1' } } }]);
    gate.resolve();
    await watching(1);
    platform.world.add('two');
    expect(await socket.events('1', 1)).toMatchObject([{ data: { reviewAdded: { cursor: '2' } } }]);
  });

  test('when the client disconnects, its upstreams end', async () => {
    socket.subscribe('1', plain);
    socket.subscribe('2', joined);
    await watching(2);
    await socket.close();
    await watching(0);
  });

  test('a source that breaks before it told a cursor interrupts its subscription only, in words of ours', async () => {
    const other = await Socket.open(platform);
    other.subscribe('1', joined);
    socket.subscribe('1', plain);
    await watching(2);
    platform.world.sourceFault = new Error('select * from secret');
    platform.world.wake();
    for (const each of [socket, other]) {
      const message = await each.next('error', '1');
      expect(codeOf(message)).toBe('SUBSCRIPTION_INTERRUPTED');
      expect(JSON.stringify(message)).not.toContain('secret');
    }
    platform.world.sourceFault = undefined;
    socket.subscribe('1', plain, { after: '0' });
    platform.world.add('one');
    expect(cursorsOf(await socket.events('1', 1))).toEqual(['1']);
    await other.close();
  });

  test('a source that breaks and comes back is resumed after the last event, and the client notices nothing', async () => {
    platform.world.add('one');
    socket.subscribe('1', joined, { after: '0' });
    expect(textsOf(await socket.events('1', 1))).toEqual(['one']);
    platform.world.sourceFault = new Error('down');
    platform.world.wake();
    await watching(0);
    platform.world.add('two', 'three');
    platform.world.sourceFault = undefined;
    expect(textsOf(await socket.events('1', 2))).toEqual(['two', 'three']);
    expect(socket.unread).toBe(0);
  });

  test('the last event id of the payload wins over the argument', async () => {
    platform.world.add('one', 'two', 'three');
    const payload = { query: joined, variables: { after: '0' }, extensions: { lastEventId: '2' } };
    socket.send({ id: '1', type: 'subscribe', payload });
    expect(textsOf(await socket.events('1', 1))).toEqual(['three']);
  });

  test('a field without cursor says that events may have been missed, when it is subscribed to again', async () => {
    socket.send({
      id: '1',
      type: 'subscribe',
      payload: { query: unresumable, extensions: { lastEventId: '-' } },
    });
    await watching();
    platform.world.add('one', 'two');
    expect(await socket.events('1', 2)).toEqual([
      expect.objectContaining({ extensions: { mayHaveMissed: true } }),
      expect.not.objectContaining({ extensions: expect.anything() }),
    ]);
  });

  const changeBooks = async (books: string) => {
    await writeFile(platform.supergraphPath, compose({ ...sdl, books }));
    await platform.gateway.reload();
  };

  test('a live subscription survives a new supergraph, on the source that it has', async () => {
    socket.subscribe('1', joined);
    await watching();
    await changeBooks(sdl.books.replace('title: String!  author', 'title: String! pages: Int author'));
    platform.world.add('one');
    expect(textsOf(await socket.events('1', 1))).toEqual(['one']);
    expect(platform.world.opened).toBe(1);
  });

  test('what a new supergraph does not know any more ends, told so, and nothing else ends', async () => {
    socket.subscribe('1', joined);
    socket.subscribe('2', plain);
    await watching(2);
    await changeBooks(sdl.books.replace('title: String!  author', 'name: String  author'));
    expect(codeOf(await socket.next('error', '1'))).toBe('SUBSCRIPTION_NO_LONGER_VALID');
    await watching(1);
    platform.world.add('one');
    expect(cursorsOf(await socket.events('2', 1))).toEqual(['1']);
  });

  test('events that come faster than they can be joined are read again, not lost and not heaped up', async () => {
    const gate = Promise.withResolvers<void>();
    platform.world.beforeName = () => gate.promise;
    socket.subscribe('1', joined);
    await watching();
    const all = Array.from({ length: 100 }, (_, index) => `r${index}`);
    platform.world.add(...all);
    await watching(0);
    platform.world.beforeName = async () => undefined;
    gate.resolve();
    expect(textsOf(await socket.events('1', 100))).toEqual(all);
  });

  test('the same interrupts a field without cursor', async () => {
    const gate = Promise.withResolvers<void>();
    platform.world.beforeName = () => gate.promise;
    socket.subscribe('1', unresumable);
    await watching();
    platform.world.add(...Array.from({ length: 100 }, (_, index) => `r${index}`));
    await watching(0);
    gate.resolve();
    let message = await socket.any();
    while (message.type === 'next') message = await socket.any();
    expect(message).toMatchObject({
      type: 'error',
      payload: [
        {
          extensions: {
            code: 'SUBSCRIPTION_INTERRUPTED',
            details: { reason: 'TOO_SLOW', resume: false },
          },
        },
      ],
    });
  });

  test('where the last value wins, a field goes on with the newest', async () => {
    const gate = Promise.withResolvers<void>();
    platform.world.beforeName = () => gate.promise;
    socket.subscribe('1', 'subscription { latestReview { text author { name } } }');
    await watching();
    for (let count = 1; count <= 100; count += 1) {
      platform.world.add(`r${count}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    gate.resolve();
    const texts: string[] = [];
    while (texts.at(-1) !== 'r100') {
      const { payload } = await socket.next('next', '1');
      texts.push((payload as { data: { latestReview: { text: string } } }).data.latestReview.text);
    }
    expect(texts.length).toBeLessThan(100);
  });

  if (form === 'split') {
    test('a subgraph that is lost and comes back goes on where it was, and the client notices nothing', async () => {
      platform.world.add('one');
      socket.subscribe('1', joined, { after: '0' });
      expect(textsOf(await socket.events('1', 1))).toEqual(['one']);
      const lost = platform.served.get('reviews')!;
      await lost[Symbol.asyncDispose]();
      await watching(0);
      platform.world.add('two', 'three');
      const local = toySubgraphs(platform.world).get('reviews')!;
      const secrets = parseInternalSecrets(INTERNAL_SECRETS);
      const serving = { host: '127.0.0.1', port: lost.port, secrets, clock: systemClock, logger };
      await using _back = await serveSubgraph({ local, ...serving });
      expect(textsOf(await socket.events('1', 2))).toEqual(['two', 'three']);
      await socket.close();
      await watching(0);
    });

    test('a subgraph that is lost interrupts what it fed, and nothing else', async () => {
      socket.subscribe('1', joined);
      await watching();
      await platform.served.get('reviews')?.[Symbol.asyncDispose]();
      expect(codeOf(await socket.next('error', '1'))).toBe('SUBSCRIPTION_INTERRUPTED');
      const { body } = await platform.query('{ books(first: 1) { title } }');
      expect(body.data).toEqual({ books: [{ title: 'Solaris' }] });
    });
  }
});
