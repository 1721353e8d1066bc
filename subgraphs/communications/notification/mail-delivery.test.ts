import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { OtpRequested } from '#shared/events/identity.ts';
import { PayoutPaid } from '#shared/events/payments.ts';
import { newId } from '#shared/kernel/ids.ts';
import { money } from '#shared/kernel/money.ts';
import { Correspondence } from '../testing/correspondence.ts';

/** A mail server that the tests let fail. */
class MailServer implements AsyncDisposable {
  readonly port: number;
  readonly received: { to: string; raw: string }[] = [];
  /** Code of the answer to each recipient; accepts where it gives none. */
  answer: (to: string) => number | undefined = () => undefined;
  #server: SMTPServer | undefined;

  constructor(port: number) {
    this.port = port;
  }

  /** On a free port, and down. */
  static async make(): Promise<MailServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return new MailServer(port);
  }

  async up(): Promise<void> {
    this.#server = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      closeTimeout: 100,
      onRcptTo: ({ address }, _session, done) => {
        const responseCode = this.answer(address);
        done(responseCode ? Object.assign(new Error('no'), { responseCode }) : undefined);
      },
      onData: (stream, { envelope }, done) => {
        let raw = '';
        stream.on('data', (chunk) => (raw += chunk));
        stream.on('end', () => {
          this.received.push({ to: envelope.rcptTo[0]!.address, raw });
          done();
        });
      },
    });
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => (this.#server ? this.#server.close(resolve) : resolve()));
  }
}

let server: MailServer;
let post: Correspondence;
beforeEach(async () => {
  server = await MailServer.make();
  post = await Correspondence.start({
    SMTP_URL: `smtp://127.0.0.1:${server.port}`,
    MAIL_FROM: 'post@baton.example',
  });
});
afterEach(async () => {
  await post[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const askForCode = (email: string) =>
  post.world.hear(OtpRequested, {
    challengeId: newId(),
    email,
    sealedCode: post.world.shared.secrets.seal('otp', '123456'),
    expiresAt: post.hours(1),
  });
const payOut = (payeeId: string) => {
  const amount = money(1_000, 'EUR');
  return post.world.hear(PayoutPaid, { payoutId: newId(), payeeId, amount, paidAt: post.hours(0) });
};
const states = () =>
  post.world
    .database('communications')
    .read((em) =>
      em.execute(
        'select template, state, failure, count(*)::int from mail_deliveries group by 1, 2, 3 order by 1, 2',
      ),
    );

test('while the mail server is down people are told inside the application; once it is back each mail is sent once', async () => {
  const { world } = post;
  const viewer = await post.person('Ana');
  for (let each = 0; each < 20; each += 1) await askForCode(`user${each}@example.com`);
  await payOut(viewer.userId);
  await world.settle();
  expect(await post.titles(viewer)).toEqual(['Welcome to Baton', 'A payout is on its way']);
  await world.pass('2m');
  expect(await states()).toEqual([
    { template: 'PAYOUT_PAID', state: 'scheduled', failure: null, count: 1 },
    { template: 'SIGN_IN_CODE', state: 'scheduled', failure: null, count: 20 },
    { template: 'WELCOME', state: 'scheduled', failure: null, count: 1 },
  ]);
  // Greylisting: the first try of each recipient is put off.
  const seen = new Set<string>();
  server.answer = (to) => {
    if (seen.has(to)) return undefined;
    seen.add(to);
    return 451;
  };
  await server.up();
  await world.pass('2m');
  expect(server.received.map(({ to }) => to).sort()).toEqual(
    [
      ...Array.from({ length: 20 }, (_, each) => `user${each}@example.com`),
      'ana@example.com',
      'ana@example.com',
    ].sort(),
  );
  const messageIds = server.received.map(
    ({ raw }) => /^Message-ID: <([\w-]{36})@baton\.example>$/m.exec(raw)?.[1],
  );
  expect(new Set(messageIds).size).toBe(22);
  expect((await states()).every(({ state }) => state === 'sent')).toBe(true);
});

test('a mail that its server will never take ends, and one that is of no more use is not sent late', async () => {
  const { world } = post;
  const viewer = await post.person('Bob');
  await askForCode('late@example.com');
  await payOut(viewer.userId);
  await world.settle();
  await world.clock.advance('4d');
  await server.up();
  server.answer = (to) => (to === 'gone@example.com' ? 550 : undefined);
  await askForCode('gone@example.com');
  await world.pass('1m');
  expect(server.received).toEqual([]);
  expect(await states()).toEqual([
    { template: 'PAYOUT_PAID', state: 'stale', failure: null, count: 1 },
    { template: 'SIGN_IN_CODE', state: 'refused', failure: 'MAIL_REFUSED', count: 1 },
    { template: 'SIGN_IN_CODE', state: 'stale', failure: null, count: 1 },
    { template: 'WELCOME', state: 'stale', failure: null, count: 1 },
  ]);
  const mailbox = await world.route('communications', new Request('http://x/mailbox.json'));
  expect(mailbox.status).toBe(404);
});
