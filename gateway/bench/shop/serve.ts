/**
 * The shop's four subgraphs as HTTP servers of one process, so cheap that they limit nobody: a request that came
 * before, for whatever store, is answered with the ready text of the first answer. Tells its URLs over its channel.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { graphql } from 'graphql';
import { listen } from '#shared/runtime/server/http-server.ts';
import { subgraphSchema } from './data.ts';
import { STORE, subgraphNames } from './schemas.ts';

/** An answer, cut where the store's name stands. */
type Template = readonly string[];

const urls = await Promise.all(
  subgraphNames.map(async (name) => {
    const schema = subgraphSchema(name);
    const templates = new Map<string, Promise<Template>>();

    async function execute(body: string, store: string): Promise<Template> {
      const { query, variables, operationName } = JSON.parse(body) as Record<string, unknown>;
      const result = await graphql({
        schema,
        source: String(query),
        variableValues: variables as Record<string, unknown>,
        operationName: operationName as string | undefined,
      });
      if (result.errors) console.error(name, body, result.errors.map(String));
      return JSON.stringify(result).split(store);
    }

    async function answer(body: string, response: ServerResponse): Promise<void> {
      const [store = 'nowhere'] = STORE.exec(body) ?? [];
      const key = body.replaceAll(store, '*');
      const template = templates.get(key) ?? execute(body, store);
      templates.set(key, template);
      const text = (await template).join(store);
      response.writeHead(200, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      });
      response.end(text);
    }

    const server = createServer((request: IncomingMessage, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => void answer(String(Buffer.concat(chunks)), response));
    });
    server.keepAliveTimeout = 120_000;
    return [name, `http://127.0.0.1:${await listen(server, 0, '127.0.0.1')}/graphql`] as const;
  }),
);
process.send?.({ urls: Object.fromEntries(urls) });
process.once('disconnect', () => process.exit());
