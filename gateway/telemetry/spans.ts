/** Traces as OpenTelemetry spans: one for a request or an event, below it one for a new plan and for each fetch. */
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { FetchTiming, TraceOrigin, TraceRecord } from './request-trace.ts';
import { formatTraceparent } from './traceparent.ts';

/** Outcomes that are nobody's mistake but ours, or a subgraph's. */
const FAULT = /^(?:INTERNAL|SUBGRAPH_|DOWNSTREAM|status 5)/;

const marked = (span: Span, outcome: string): Span =>
  FAULT.test(outcome) ? span.setStatus({ code: SpanStatusCode.ERROR, message: outcome }) : span;

export interface FetchSpan {
  readonly traceparent: string;
  end(timing: FetchTiming, ended: number): void;
}

/** All instants are `performance.now()`. */
export class RequestSpans {
  readonly #tracer: Tracer;
  readonly #root: Span;
  readonly #within: Context;
  /** From that clock to the wall's, which may be set anew while the gateway runs. */
  readonly #toWall = Date.now() - performance.now();

  constructor(tracer: Tracer, parent: SpanContext | undefined, origin: TraceOrigin, began: number) {
    this.#tracer = tracer;
    const kind = origin.transport === 'event' ? SpanKind.CONSUMER : SpanKind.SERVER;
    const attributes = { 'request.id': origin.requestId, 'gateway.transport': origin.transport };
    const above = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    this.#root = tracer.startSpan('request', { kind, attributes, startTime: this.#at(began) }, above);
    this.#within = trace.setSpan(above, this.#root);
  }

  #at(instant: number): number {
    return this.#toWall + instant;
  }

  get traceId(): string {
    return this.#root.spanContext().traceId;
  }

  planned(known: boolean, began: number, ended: number): void {
    if (known) return;
    this.#tracer.startSpan('plan', { startTime: this.#at(began) }, this.#within).end(this.#at(ended));
  }

  fetch({ subgraph, entities, places }: FetchTiming, began: number): FetchSpan {
    const attributes: Attributes = { 'gateway.subgraph': subgraph };
    if (entities > 0) {
      attributes['gateway.fetch.entities'] = entities;
      attributes['gateway.fetch.places'] = places;
    }
    const options = { kind: SpanKind.CLIENT, attributes, startTime: this.#at(began) };
    const span = this.#tracer.startSpan(`fetch ${subgraph}`, options, this.#within);
    return {
      traceparent: formatTraceparent(span.spanContext()),
      end: ({ outcome, errors }, ended) => {
        span.setAttributes({ 'gateway.outcome': outcome, 'gateway.errors': errors });
        marked(span, outcome).end(this.#at(ended));
      },
    };
  }

  end({ transport, type, operation, subgraph, outcome, status, plan }: TraceRecord, ended: number): void {
    this.#root.updateName(`${type ?? transport} ${operation ?? subgraph}`);
    const attributes: Attributes = { 'gateway.transport': transport, 'gateway.outcome': outcome };
    if (subgraph) attributes['gateway.subgraph'] = subgraph;
    if (type && operation) {
      attributes['graphql.operation.type'] = type;
      attributes['graphql.operation.name'] = operation;
    }
    if (plan) attributes['gateway.plan'] = plan;
    if (status !== undefined) attributes['http.response.status_code'] = status;
    this.#root.setAttributes(attributes);
    marked(this.#root, outcome).end(this.#at(ended));
  }
}
