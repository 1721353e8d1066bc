/** `node gateway/main.ts`: the gateway as a process of its own, with every subgraph in another. */
import { systemClock } from '#shared/kernel/time.ts';
import { createLogger } from '#shared/runtime/logger.ts';
import { gatewayConfigOf } from './gateway.config.ts';
import { startGateway } from './server.ts';

const config = gatewayConfigOf();
const logger = createLogger(config.LOG_LEVEL);
await using _gateway = await startGateway({ config, logger, clock: systemClock });
await new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
});
