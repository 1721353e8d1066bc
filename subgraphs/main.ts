/**
 * `node subgraphs/main.ts [names…]` serves the named subgraphs, each on the port of its routing URL in
 * rover.yaml: the split form. Without names it serves all of them in one process.
 */
import { serveSubgraph } from '#shared/runtime/server/subgraph-server.ts';
import { untilToldToStop } from '#shared/runtime/until-told-to-stop.ts';
import { readProcessConfig } from './process.config.ts';
import { openProcess } from './process.ts';

const stopped = untilToldToStop();
const config = readProcessConfig();
await using platform = await openProcess({ config, names: process.argv.slice(2) });
await using servers = new AsyncDisposableStack();
const { clock, logger } = platform.shared;
await platform.start();
for (const { local, listed } of platform.subgraphs) {
  servers.use(
    await serveSubgraph({
      local,
      port: Number(new URL(listed.routingUrl).port),
      host: config.HOST,
      secrets: platform.internalSecrets,
      clock,
      logger,
      contractHandler: platform.contractHandler(local.name),
    }),
  );
}
logger.info({ subgraphs: platform.subgraphs.map(({ name }) => name) }, 'serving');
await stopped;
