/** The part of the gateway's environment that says what is observed and who is told; unset, nobody is. */
import { z } from 'zod';
import { duration } from '#shared/runtime/config.ts';

const share = (fallback: number) => z.coerce.number().min(0).max(1).default(fallback);

export const telemetrySettings = {
  /** An OpenTelemetry collector that takes OTLP over HTTP: `http://127.0.0.1:4318`. Empty: nothing leaves. */
  OTLP_URL: z.union([z.literal(''), z.url({ protocol: /^https?$/ })]).default(''),
  /** The name under which this gateway is known there. */
  OTEL_SERVICE_NAME: z.string().min(1).default('gateway'),
  /** Share of requests, 0 to 1, whose traces are sent to `OTLP_URL`. */
  TRACE_SAMPLE: share(1),
  /** Serves `/metrics` for Prometheus at a port of its own, never at that of clients. Unset: nowhere. */
  METRICS_PORT: z.coerce.number().int().min(0).max(65_535).optional(),
  METRICS_HOST: z.string().default('127.0.0.1'),
  /** Who reads `/metrics` has to send it as Bearer token. Empty: whoever reaches the port may read. */
  METRICS_TOKEN: z.string().default(''),
  /** A request that takes longer has its trace logged, as does an event of a subscription. `0s`: none. */
  SLOW_REQUEST: duration('1s'),
  /** Share of other requests, 0 to 1, whose traces are logged. At log level `debug` all are. */
  LOG_SAMPLE: share(0),
};
