/** The W3C header that says to which trace a request belongs. `tracestate` is not passed: it may hold anything. */
import { type SpanContext, TraceFlags } from '@opentelemetry/api';

const FORM = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** `undefined` for what is none. Versions to come may have more at the end, the first may not. */
export function parseTraceparent(header: unknown): SpanContext | undefined {
  if (typeof header !== 'string' || header.length > 512) return undefined;
  const [, traceId, spanId, flags, more] = FORM.exec(header) ?? [];
  if (!traceId || !spanId || !flags || (more !== undefined && header.startsWith('00'))) return undefined;
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  return { traceId, spanId, traceFlags, isRemote: true };
}

export const formatTraceparent = ({ traceId, spanId, traceFlags }: SpanContext): string =>
  `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
