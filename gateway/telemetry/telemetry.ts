/**
 * What the gateway tells of itself, to those whom the configuration names: traces and metrics to a collector,
 * metrics to Prometheus, the trace of a request in the log. Where nobody is named nothing is opened or sent.
 */
import type { Meter, Tracer } from '@opentelemetry/api';
import type { Logger } from 'pino';
import { newId } from '#shared/kernel/ids.ts';
import { INTERNAL_SERVER_ERROR } from '#shared/runtime/server/subgraph-executor.ts';
import type { GatewayConfig } from '../gateway.config.ts';
import { TrustedDocuments } from '../policy/trusted-documents.ts';
import type { LiveOperation } from '../subscriptions/live-operation.ts';
import { BoundedNames, operationNames } from './bounded-names.ts';
import { type FigureSources, keepGauges } from './gauges.ts';
import { Instruments } from './instruments.ts';
import type { RequestObserver, Transport } from './observer.ts';
import { RequestTrace, type SpansFrom, type TraceHost, type TraceOrigin } from './request-trace.ts';
import { RequestSpans } from './spans.ts';
import { TraceLog } from './trace-log.ts';
import { parseTraceparent } from './traceparent.ts';

export interface BegunRequest {
  readonly transport: Transport;
  readonly requestId: string;
  /** As the client sent it, whatever it is. */
  readonly traceparent?: unknown;
}

export interface Telemetry extends AsyncDisposable {
  /** Of the endpoint for Prometheus. */
  readonly metricsUrl: string | undefined;
  /** Begins to watch a request; `undefined` where nobody would look. */
  request(begun: BegunRequest): RequestObserver | undefined;
  /** The same operation, with each of its events watched. */
  watchEvents(operation: LiveOperation): LiveOperation;
  /** Says where figures are found that are read when somebody looks. Once. */
  figuresFrom(sources: FigureSources): void;
}

interface Outlets {
  readonly meter: Meter | undefined;
  readonly tracer: Tracer | undefined;
  readonly metricsUrl: string | undefined;
}

export interface TelemetryOptions {
  readonly config: GatewayConfig;
  readonly logger: Logger;
}

/** Opens what the configuration asks for; rejects where the trusted documents cannot be read, or the port be opened. */
export async function openTelemetry({ config, logger }: TelemetryOptions): Promise<Telemetry> {
  const trusted = operationNames(TrustedDocuments.read(config.TRUSTED_DOCUMENTS_PATH).texts);
  await using opened = new AsyncDisposableStack();
  const outlets = await openOutlets(config, logger, opened);
  return new GatewayTelemetry(outlets, new TraceLog(config, logger), trusted, opened.move());
}

/** The SDK is loaded only where it is used. */
async function openOutlets(
  config: GatewayConfig,
  logger: Logger,
  opened: AsyncDisposableStack,
): Promise<Outlets> {
  const { OTLP_URL, METRICS_PORT } = config;
  if (OTLP_URL === '' && METRICS_PORT === undefined)
    return { meter: undefined, tracer: undefined, metricsUrl: undefined };
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  const resource = resourceFromAttributes({
    'service.name': config.OTEL_SERVICE_NAME,
    'service.instance.id': newId(),
  });
  const otlp = OTLP_URL === '' ? undefined : await import('./otlp.ts');
  const tracing = otlp && opened.use(otlp.traceTo(config, resource, logger));
  const readers = otlp ? [otlp.metricsTo(config, logger)] : [];
  let metricsUrl: string | undefined;
  if (METRICS_PORT !== undefined) {
    const { serveMetrics } = await import('./metrics-endpoint.ts');
    const { reader, url } = opened.use(await serveMetrics(config, METRICS_PORT, logger));
    readers.push(reader);
    metricsUrl = url;
    logger.info({ url }, 'metrics are served');
  }
  const { meterFor } = await import('./metering.ts');
  const { meter } = opened.use(meterFor(readers, resource));
  return { meter, tracer: tracing?.tracer, metricsUrl };
}

const OPERATIONS = 200;
const CODES = 200;

class GatewayTelemetry implements Telemetry {
  readonly metricsUrl: string | undefined;
  readonly #meter: Meter | undefined;
  readonly #tracer: Tracer | undefined;
  readonly #log: TraceLog;
  readonly #host: TraceHost;
  readonly #opened: AsyncDisposableStack;
  readonly #watched = new WeakMap<LiveOperation, LiveOperation>();

  constructor(outlets: Outlets, log: TraceLog, trusted: readonly string[], opened: AsyncDisposableStack) {
    this.metricsUrl = outlets.metricsUrl;
    this.#meter = outlets.meter;
    this.#tracer = outlets.tracer;
    this.#opened = opened;
    this.#log = log;
    const operations = new BoundedNames(
      /^[_A-Za-z]\w{0,63}$/,
      trusted.length > 0 ? { names: trusted } : { most: OPERATIONS },
    );
    const codes = new BoundedNames(/^[A-Z][A-Z\d_]{1,63}$/, { most: CODES });
    this.#host = {
      instruments: outlets.meter && new Instruments(outlets.meter),
      nameOf: ({ name }) => (name ? operations.of(name.value) : 'anonymous'),
      codeOf: (code) => codes.of(typeof code === 'string' ? code : INTERNAL_SERVER_ERROR),
      ended: (record) => this.#log.write(record),
    };
  }

  request({ transport, requestId, traceparent }: BegunRequest): RequestObserver | undefined {
    const asked = traceparent !== undefined;
    if (!asked && !this.#somebodyLooks) return undefined;
    const parent = asked ? parseTraceparent(traceparent) : undefined;
    if (!parent && !this.#somebodyLooks) return undefined;
    const passed = parent && { traceId: parent.traceId, traceparent: String(traceparent) };
    return this.#begin({ transport, requestId, ...passed }, parent);
  }

  get #somebodyLooks(): boolean {
    return this.#meter !== undefined || this.#tracer !== undefined || this.#log.listens;
  }

  #begin(origin: TraceOrigin, parent?: ReturnType<typeof parseTraceparent>): RequestTrace {
    const tracer = this.#tracer;
    const spans = tracer && ((...begun: Parameters<SpansFrom>) => new RequestSpans(tracer, parent, ...begun));
    return new RequestTrace(this.#host, origin, spans);
  }

  watchEvents(operation: LiveOperation): LiveOperation {
    if (!this.#somebodyLooks) return operation;
    const known = this.#watched.get(operation);
    if (known) return known;
    const { subgraph } = operation.upstream;
    const watched: LiveOperation = {
      ...operation,
      complete: async (event, variables, facts) => {
        const trace = this.#begin({ transport: 'event', requestId: facts.requestId, subgraph });
        try {
          const completed = await operation.complete(event, variables, facts, trace);
          trace.stage('shape');
          trace.failed(completed.errors ?? []);
          return completed;
        } finally {
          trace.end();
        }
      },
    };
    this.#watched.set(operation, watched);
    return watched;
  }

  figuresFrom(sources: FigureSources): void {
    if (this.#meter) this.#opened.use(keepGauges(this.#meter, sources));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened.disposeAsync();
  }
}
