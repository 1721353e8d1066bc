/** Sends traces and metrics to an OpenTelemetry collector. Nothing here is global: two gateways never mix. */
import type { Tracer } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import type { Resource } from '@opentelemetry/resources';
import { type MetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { Logger } from 'pino';
import type { GatewayConfig } from '../gateway.config.ts';

/** Milliseconds, retries included: what cannot be sent in time is dropped. */
const EXPORT_TIMEOUT = 3_000;
const SPANS_EVERY = 2_000;
const METRICS_EVERY = 15_000;
/** Spans that may wait; more are dropped. */
const SPANS_WAITING = 8_192;

interface Exporter<Batch> {
  export(batch: Batch, done: (result: { readonly code: number; readonly error?: Error }) => void): void;
}

/** Tells in the log when a collector stops to take what it is sent, and when it does so again. */
function telling<Batch, Made extends Exporter<Batch>>(exporter: Made, what: string, logger: Logger): Made {
  const send = exporter.export.bind(exporter);
  let failing = false;
  exporter.export = (batch, done) =>
    send(batch, (result) => {
      const fails = result.code !== 0;
      if (fails && !failing) logger.warn({ err: result.error }, `${what} cannot be sent to the collector`);
      if (!fails && failing) logger.info(`${what} can be sent to the collector again`);
      failing = fails;
      done(result);
    });
  return exporter;
}

const at = (base: string, path: string): string => `${base.replace(/\/+$/, '')}${path}`;

export interface Tracing extends AsyncDisposable {
  readonly tracer: Tracer;
}

export function traceTo(config: GatewayConfig, resource: Resource, logger: Logger): Tracing {
  const url = at(config.OTLP_URL, '/v1/traces');
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT });
  const sampled = new TraceIdRatioBasedSampler(config.TRACE_SAMPLE);
  const provider = new TracerProvider({
    resource,
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: telling(exporter, 'Traces', logger),
        scheduledDelayMillis: SPANS_EVERY,
        maxQueueSize: SPANS_WAITING,
      }),
    ],
    // A client may name its trace, but not decide whether we keep it.
    sampler: new ParentBasedSampler({
      root: sampled,
      remoteParentSampled: sampled,
      remoteParentNotSampled: sampled,
    }),
  });
  return {
    tracer: provider.getTracer('gateway'),
    [Symbol.asyncDispose]: () => provider.shutdown(),
  };
}

export function metricsTo(config: GatewayConfig, logger: Logger): MetricReader {
  const url = at(config.OTLP_URL, '/v1/metrics');
  const exporter = new OTLPMetricExporter({ url, timeoutMillis: EXPORT_TIMEOUT });
  return new PeriodicExportingMetricReader({
    exporter: telling(exporter, 'Metrics', logger),
    exportIntervalMillis: METRICS_EVERY,
    exportTimeoutMillis: EXPORT_TIMEOUT,
  });
}
