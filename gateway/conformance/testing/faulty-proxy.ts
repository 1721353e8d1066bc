/**
 * Stands between the suite and a gateway that is right, and does one thing wrong. The suite must find out: what
 * is a proxy here may be a gateway elsewhere.
 */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import type { Target } from '../case.ts';
import type { Message } from '../client/socket.ts';

/** What is wrong; everything that is not named is passed on as it came. */
export interface Fault {
  readonly name: string;
  /** The cases of the suite that must fail by it. */
  readonly cases: readonly string[];
  /** What the client gets for one message of the gateway; one function for each socket. */
  readonly toClient?: () => (message: Message) => readonly Message[];
  /** What the gateway gets for one text of the client. */
  readonly toGateway?: () => (text: string) => readonly string[];
  readonly closeCode?: (code: number) => number;
  /** Closes the socket after such a message. */
  readonly closesAfter?: (message: Message) => boolean;
  /** The gateway is not told that the client left. */
  readonly forgetsToLeave?: boolean;
  /** What the client gets for one event or comment of an event stream. */
  readonly toStream?: (block: string) => string;
}

export class FaultyProxy implements AsyncDisposable {
  readonly #target: Target;
  readonly #fault: Fault;
  readonly #server = createServer((incoming, response) => this.#pass(incoming, response));
  readonly #sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => this.#choose(offered),
  });
  readonly #open = new Set<{ terminate(): void }>();
  target: Target;

  private constructor(target: Target, fault: Fault) {
    this.#target = target;
    this.#fault = fault;
    this.target = target;
    this.#server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#sockets.handleUpgrade(incoming, socket, head, (client) => this.#link(client)),
    );
  }

  static async open(target: Target, fault: Fault): Promise<FaultyProxy> {
    const proxy = new FaultyProxy(target, fault);
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve));
    const { port } = proxy.#server.address() as AddressInfo;
    const path = new URL(target.url).pathname;
    proxy.target = { url: `http://127.0.0.1:${port}${path}`, socketUrl: `ws://127.0.0.1:${port}${path}` };
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#open) each.terminate();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #choose(offered: Set<string>): string | false {
    return offered.has('graphql-transport-ws') ? 'graphql-transport-ws' : false;
  }

  #link(client: WebSocket): void {
    const { toClient, toGateway, closeCode = (code) => code, closesAfter, forgetsToLeave } = this.#fault;
    const gateway = new WebSocket(this.#target.socketUrl, client.protocol ? [client.protocol] : []);
    this.#open.add(gateway);
    const [forClient, forGateway] = [toClient?.(), toGateway?.()];
    const waiting: (() => void)[] = [];
    const send = (data: Buffer | string, binary: boolean) => {
      const sending = () => gateway.readyState === WebSocket.OPEN && gateway.send(data, { binary });
      if (gateway.readyState === WebSocket.CONNECTING) waiting.push(sending);
      else sending();
    };
    gateway.on('open', () => {
      for (const sending of waiting) sending();
    });
    for (const socket of [client, gateway]) socket.on('error', () => undefined);
    client.on('message', (data: Buffer, binary) => {
      if (binary || !forGateway) send(data, binary);
      else for (const text of forGateway(String(data))) send(text, false);
    });
    gateway.on('message', (data) => {
      const message = JSON.parse(String(data)) as Message;
      for (const each of forClient?.(message) ?? [message]) client.send(JSON.stringify(each));
      if (closesAfter?.(message)) client.close(1011);
    });
    gateway.on('close', (code, reason) => {
      if (code === 1006 || code === 1005) client.terminate();
      else client.close(closeCode(code), reason);
    });
    client.on('close', () => {
      if (!forgetsToLeave) gateway.terminate();
    });
  }

  #pass(incoming: IncomingMessage, response: ServerResponse): void {
    const { toStream, forgetsToLeave } = this.#fault;
    const { method, headers } = incoming;
    const url = new URL(incoming.url ?? '/', this.#target.url);
    const asked = request(url, { method, headers: { ...headers, host: url.host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      const blocks = String(answer.headers['content-type']).startsWith('text/event-stream');
      if (!toStream || !blocks) return void answer.pipe(response);
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const complete = text.split('\n\n');
        text = complete.pop() ?? '';
        for (const block of complete) response.write(toStream(`${block}\n\n`));
      });
      answer.on('end', () => response.end());
    });
    this.#open.add({ terminate: () => asked.destroy() });
    asked.on('error', () => response.destroy());
    response.on('close', () => {
      if (!forgetsToLeave) asked.destroy();
    });
    incoming.pipe(asked);
  }
}
