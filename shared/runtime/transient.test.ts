import { connect } from 'node:net';
import { Conflict, Unavailable } from '../kernel/errors.ts';
import { isTransient, PeerUnreachable } from './transient.ts';

const coded = (code: string) => Object.assign(new Error('x'), { code });

test.each([
  ['a connection that the server ended', coded('57P01')],
  ['a lock waited for too long', coded('55P03')],
  ['a deadlock', coded('40P01')],
  ['a full disk', coded('53100')],
  ['a database that only reads', coded('25006')],
  ['a transaction that idled too long', coded('25P03')],
  ['a peer that did not answer', new PeerUnreachable('payments')],
  ['a request that took too long', new DOMException('x', 'TimeoutError')],
  ['a connection lost in a query', new Error('Connection terminated unexpectedly')],
  ['such an error as the cause of another', new Error('flush failed', { cause: coded('ECONNRESET') })],
])('%s may pass', (_, error) => {
  expect(isTransient(error)).toBe(true);
});

test('a refused connection may pass, as the operating system tells it', async () => {
  const refused = await new Promise((resolve) =>
    connect({ port: 1, host: 'localhost' }).on('error', resolve),
  );
  expect(isTransient(refused)).toBe(true);
});

const circular = new Error('x');
circular.cause = circular;

test.each([
  ['a refusal', new Conflict('TAKEN', 'x')],
  ['a refusal for now', new Unavailable('NO_COURIER', 'x')],
  ['a refusal that speaks of a timeout', new Conflict('X', 'timeout exceeded when trying to connect')],
  ['a row that is there already', coded('23505')],
  ['a bug', new TypeError('x is undefined')],
  ['an error that is its own cause', circular],
  ['no error at all', undefined],
])('%s does not pass by waiting', (_, error) => {
  expect(isTransient(error)).toBe(false);
});
