/** What every HTTP server of the platform needs around Node's own. */
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Aborts when the peer goes away before it has been answered. */
export function closed(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}

/** Starts to listen; resolves to the port. */
export async function listen(server: Server, port: number, host: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(port, host, resolve);
  await promise;
  server.off('error', reject);
  return (server.address() as AddressInfo).port;
}

/** Takes no more connections, lets what runs end within `drain` milliseconds, then cuts the rest. */
export async function closeServer(server: Server, drain: number): Promise<void> {
  const cut = setTimeout(() => server.closeAllConnections(), drain);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  await promise;
  clearTimeout(cut);
}
