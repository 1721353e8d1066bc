import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createTransport } from 'nodemailer';
import { createLogger } from '#shared/runtime/logger.ts';
import { ManualClock } from '#shared/testing/clock.ts';
import { startWorld, type World } from '../../../testing/world.ts';
import { readCommunicationsConfig } from '../../communications.config.ts';
import { SmtpMail, smtpServer } from '../smtp.ts';
import { isPrivate, mailboxRoutes } from './mailbox-routes.ts';
import { MailboxServer } from './mailbox-server.ts';
import { MailboxStore } from './mailbox-store.ts';

let world: World;
let store: MailboxStore;
beforeAll(async () => {
  world = await startWorld({ subgraphs: ['communications'], env: { MAILBOX_SMTP_PORT: '0' } });
  store = new MailboxStore({ db: world.database('communications'), clock: new ManualClock(), keep: 3 });
});
afterAll(() => world[Symbol.asyncDispose]());

const mailbox = (port: number, platform = 'platform-one') =>
  new MailboxServer({ store, port, platform, logger: createLogger('silent') });
const mail = (change: object = {}) => ({
  messageId: 'one',
  to: 'ana@example.com',
  subject: 'Hello',
  text: 'Text',
  html: '<p>Text</p>',
  ...change,
});
const get = (path: string) => world.route('communications', new Request(`http://x${path}`));

test('a mail sent twice under one id is there once, and only the newest are kept', async () => {
  await using server = mailbox(0);
  const sender = new SmtpMail(() => server.locate(), 'post@baton.example');
  await sender.send(mail());
  await sender.send(mail());
  expect(await store.list({ to: 'ANA@example.com', limit: 10 })).toMatchObject([
    { subject: 'Hello', text: 'Text\n', recipient: 'ana@example.com', sender: 'post@baton.example' },
  ]);
  for (const messageId of ['two', 'three', 'four'])
    await sender.send(mail({ messageId, subject: messageId }));
  const kept = await store.list({ to: null, limit: 10 });
  expect(kept.map(({ subject }) => subject)).toEqual(['four', 'three', 'two']);
});

test('a subject or address that carries a header is refused before anything is sent', async () => {
  await using server = mailbox(0);
  const sender = new SmtpMail(() => server.locate(), 'post@baton.example');
  await expect(sender.send(mail({ subject: 'Hi\r\nBcc: eve@example.com' }))).rejects.toMatchObject({
    code: 'MAIL_HEADER_INVALID',
  });
  await expect(sender.send(mail({ messageId: 'x\n> y' }))).rejects.toMatchObject({
    code: 'MAIL_HEADER_INVALID',
  });
  await expect(sender.send(mail({ to: 'a@b.example,c@d.example' }))).rejects.toMatchObject({
    code: 'MAIL_ADDRESS_INVALID',
  });
  expect(await store.list({ to: 'eve@example.com', limit: 1 })).toEqual([]);
});

test('processes of one platform share a mailbox, the second takes over, and a foreign program is left alone', async () => {
  const first = mailbox(0);
  const { port } = await first.locate();
  await using second = mailbox(port);
  await using stranger = mailbox(port, 'platform-two');
  expect((await second.locate()).port).toBe(port);
  expect((await stranger.locate()).port).not.toBe(port);
  await first[Symbol.asyncDispose]();
  await new SmtpMail(() => second.locate(), 'post@baton.example').send(
    mail({ messageId: 'takeover', subject: 'After' }),
  );
  expect((await store.list({ to: null, limit: 1 }))[0]).toMatchObject({ subject: 'After' });
});

test('whatever a mail says is shown as text, and the page loads nothing', async () => {
  await using server = mailbox(0);
  const { port } = await server.locate();
  const hostile = '"><img src=x onerror=alert(1)><script>alert(2)</script>';
  const transport = createTransport({ host: '127.0.0.1', port, ignoreTLS: true });
  await transport.sendMail({
    from: 'eve@example.com',
    to: 'page@example.com',
    subject: hostile,
    text: `</pre>${hostile}`,
    html: `<h1>Hi</h1>${hostile}`,
  });
  transport.close();
  const list = await get('/mailbox?to=page@example.com');
  const html = await list.text();
  expect(list.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(html).not.toMatch(/<script|<img/);
  const path = /href="(mailbox\/[\w-]{36})"/.exec(html)![1];
  const message = await (await get(`/${path}`)).text();
  expect(message).not.toMatch(/<script|<img|<h1>Hi/);
  expect(message).toContain('<iframe sandbox title');
  expect(message).toContain('&lt;/pre&gt;');
  expect(await (await get(`/mailbox?to=${encodeURIComponent(hostile)}`)).text()).not.toMatch(/<script|<img/);
  expect((await get('/mailbox/nothing')).status).toBe(404);
  expect((await get(`/mailbox.json?to=${'a'.repeat(300)}`)).status).toBe(400);
});

test('a mail that is too large is refused', async () => {
  await using server = mailbox(0);
  const sender = new SmtpMail(() => server.locate(), 'post@baton.example');
  await expect(sender.send(mail({ messageId: 'large', text: 'x'.repeat(1_200_000) }))).rejects.toMatchObject({
    code: 'MAIL_REFUSED',
  });
});

test('a mail server that accepts and says nothing is given up in seconds and tried again', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const sender = new SmtpMail(
    async () => ({ ...smtpServer(`smtp://127.0.0.1:${port}`) }),
    'post@baton.example',
  );
  const began = performance.now();
  await expect(sender.send(mail())).rejects.toMatchObject({ name: 'PeerUnreachable' });
  expect(performance.now() - began).toBeLessThan(8_000);
  silent.close();
});

test('the mailbox of a public platform is read only where its operator says so', async () => {
  for (const url of ['http://127.0.0.1:4000', 'http://localhost', 'http://[::1]:1', 'https://a.localhost']) {
    expect(isPrivate(url)).toBe(true);
  }
  for (const url of ['https://baton.example', 'http://0.0.0.0:4000', 'http://127.0.0.1.evil.example']) {
    expect(isPrivate(url)).toBe(false);
  }
  const [page] = mailboxRoutes(store, false);
  const call = { params: {}, facts: {} as never };
  await expect(page!.handle(new Request('http://x/mailbox'), call)).rejects.toMatchObject({
    code: 'MAILBOX_CLOSED',
  });
});

test('settings are checked at the start, and credentials never travel in the clear', () => {
  expect(() => readCommunicationsConfig({ SMTP_URL: 'smtp://mail.example' })).toThrow(/MAIL_FROM/);
  expect(() => readCommunicationsConfig({ SMTP_URL: 'http://mail.example' })).toThrow(/SMTP_URL/);
  expect(readCommunicationsConfig({ SMTP_URL: '' }).SMTP_URL).toBeUndefined();
  expect(smtpServer('smtp://ana:p%40ss@mail.example')).toEqual({
    host: 'mail.example',
    port: 587,
    encryption: 'starttls',
    auth: { user: 'ana', pass: 'p@ss' },
  });
  expect(smtpServer('smtps://mail.example')).toMatchObject({ port: 465, encryption: 'tls' });
});
