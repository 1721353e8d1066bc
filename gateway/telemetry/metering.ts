/** The meter of one gateway, and those who read it: Prometheus, a collector, or both. */
import type { Meter } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import { type IMetricReader, MeterProvider } from '@opentelemetry/sdk-metrics';

export interface Metering extends AsyncDisposable {
  readonly meter: Meter;
}

export function meterFor(readers: IMetricReader[], resource: Resource): Metering {
  const provider = new MeterProvider({ resource, readers });
  return { meter: provider.getMeter('gateway'), [Symbol.asyncDispose]: () => provider.shutdown() };
}
