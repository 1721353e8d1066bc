/** `node gateway/main.ts`: the gateway as a process of its own, with every subgraph in another. */
import { systemClock } from '#shared/kernel/time.ts';
import { createLogger } from '#shared/runtime/logger.ts';
import { untilToldToStop } from '#shared/runtime/until-told-to-stop.ts';
import { gatewayConfigOf } from './gateway.config.ts';
import { startGateway } from './server.ts';

const stopped = untilToldToStop();
const config = gatewayConfigOf();
const logger = createLogger(config.LOG_LEVEL);
await using _gateway = await startGateway({ config, logger, clock: systemClock });
await stopped;
