/** The trace of a request as one line of the log, to be found by its `requestId`. */
import type { Logger } from 'pino';
import type { GatewayConfig } from '../gateway.config.ts';
import type { FetchTiming, TraceRecord } from './request-trace.ts';

/** Fetches that one line lists; with contexts a plan may make more. */
const FETCHES = 100;

const rounded = (milliseconds: number): number => Math.round(milliseconds * 100) / 100;

export class TraceLog {
  readonly #logger: Logger;
  /** Milliseconds from which on a request is slow. */
  readonly #slow: number;
  readonly #sample: number;

  constructor({ SLOW_REQUEST, LOG_SAMPLE }: GatewayConfig, logger: Logger) {
    this.#logger = logger;
    this.#slow = SLOW_REQUEST > 0 ? SLOW_REQUEST : Number.POSITIVE_INFINITY;
    this.#sample = LOG_SAMPLE;
  }

  /** Whether any request may be written. */
  get listens(): boolean {
    if (!this.#logger.isLevelEnabled('warn')) return false;
    return Number.isFinite(this.#slow) || this.#sample > 0 || this.#logger.isLevelEnabled('debug');
  }

  write(record: TraceRecord): void {
    const slow = record.took >= this.#slow;
    const level = slow ? 'warn' : Math.random() < this.#sample ? 'info' : 'debug';
    if (this.#logger.isLevelEnabled(level)) this.#logger[level](lineOf(record, slow), 'request trace');
  }
}

const lineOf = ({ took, stages, fetches, ...record }: TraceRecord, slow: boolean): object => ({
  ...record,
  ...(slow ? { slow } : {}),
  milliseconds: rounded(took),
  stages: Object.fromEntries(Object.entries(stages).map(([stage, spent]) => [stage, rounded(spent)])),
  fetches: fetches.slice(0, FETCHES).map(fetchOf),
  ...(fetches.length > FETCHES ? { moreFetches: fetches.length - FETCHES } : {}),
});

const fetchOf = ({ at, took, ...fetch }: FetchTiming): object => ({
  ...fetch,
  at: rounded(at),
  // Deferred or abandoned, it may still run.
  ...(took === undefined ? {} : { milliseconds: rounded(took) }),
});
