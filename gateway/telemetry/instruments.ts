/** The metrics that are counted as things happen; those that are read when asked for are in `gauges.ts`. */
import type { Meter } from '@opentelemetry/api';
import type { FetchTiming, TraceRecord } from './request-trace.ts';

/** Seconds, from what a cache answers to what a vendor takes. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const inSeconds = { unit: 's', advice: { explicitBucketBoundaries: SECONDS } };

export class Instruments {
  readonly #requests;
  readonly #requestDuration;
  readonly #eventDuration;
  readonly #plans;
  readonly #planDuration;
  readonly #fetches;
  readonly #fetchDuration;
  readonly #entities;
  readonly #places;

  constructor(meter: Meter) {
    const counter = (name: string, description: string) =>
      meter.createCounter(`gateway.${name}`, { description });
    const histogram = (name: string, description: string) =>
      meter.createHistogram(`gateway.${name}.duration`, { description, ...inSeconds });
    this.#requests = counter('requests', 'Requests by operation, transport and outcome');
    this.#requestDuration = histogram('request', 'From the request to its answer');
    this.#eventDuration = histogram(
      'event',
      'Completing one event of a subscription, once for all its clients',
    );
    this.#plans = counter('plans', 'Plans that requests needed: known ones, and new ones');
    this.#planDuration = histogram('plan', 'Making a new plan');
    this.#fetches = counter('fetches', 'Fetches by subgraph and outcome');
    this.#fetchDuration = histogram('fetch', 'From a fetch to its answer');
    this.#entities = counter('fetch.entities', 'Distinct entities that subgraphs were asked for');
    this.#places = counter('fetch.places', 'Objects of answers that waited for those entities');
  }

  /** `took` in milliseconds, as everywhere but in what is measured. */
  planned(known: boolean, took: number): void {
    this.#plans.add(1, { plan: known ? 'known' : 'new' });
    if (!known) this.#planDuration.record(took / 1_000);
  }

  ended({ transport, operation, subgraph, outcome, took }: TraceRecord): void {
    if (subgraph !== undefined) {
      this.#eventDuration.record(took / 1_000, { subgraph });
      return;
    }
    this.#requests.add(1, { operation, transport, outcome });
    this.#requestDuration.record(took / 1_000, { operation, transport });
  }

  fetchEnded({ subgraph, outcome, entities, places, took }: FetchTiming): void {
    this.#fetches.add(1, { subgraph, outcome });
    this.#fetchDuration.record((took ?? 0) / 1_000, { subgraph });
    if (entities === 0) return;
    this.#entities.add(entities, { subgraph });
    this.#places.add(places, { subgraph });
  }
}
