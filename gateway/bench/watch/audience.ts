/** All clients of a live bench, over several processes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { MeasuredProcess } from '../measured-process.ts';
import type { Connect, Report } from './clients.ts';
import { LATENCY_STEP } from './shipments.ts';

const PROCESSES = 4;

export class Audience implements AsyncDisposable {
  readonly #processes = Array.from(
    { length: PROCESSES },
    () => new MeasuredProcess({ file: new URL('clients.ts', import.meta.url) }),
  );

  /** Connects and subscribes so many clients. */
  async connect(
    clients: number,
    whereTo: Pick<Connect['connect'], 'to' | 'port' | 'authorization' | 'shipments'>,
  ): Promise<void> {
    const share = Math.ceil(clients / PROCESSES);
    await Promise.all(
      this.#processes.map(async (each, index) => {
        const last = Math.min(clients, (index + 1) * share);
        const done = each.message((message) => 'connected' in message);
        each.send({
          connect: { ...whereTo, first: index * share, last, from: `127.0.0.${index + 2}` },
        } satisfies Connect);
        const { connected, why } = await done;
        if (!connected) throw new Error(`${whereTo.to}: ${why}`);
      }),
    );
  }

  /** What all of them heard since the last report. */
  async report(to: string): Promise<Report> {
    const reports = await Promise.all(
      this.#processes.map(async (each) => {
        const told = each.message((message) => 'report' in message);
        each.send({ report: to });
        return (await told).report as Report;
      }),
    );
    return reports.reduce(added);
  }

  /** The same, once so many events have come, or none has come for a while. */
  async reportAfter(to: string, deliveries: number): Promise<Report> {
    let report = await this.report(to);
    let silent = 0;
    while (report.delivered < deliveries && silent < 50) {
      await sleep(100);
      const more = await this.report(to);
      silent = more.delivered === 0 ? silent + 1 : 0;
      report = { ...added(report, more), connected: more.connected };
    }
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((each) => each[Symbol.asyncDispose]()));
  }
}

export function added(one: Report, other: Report): Report {
  const longer = Math.max(one.latencies.length, other.latencies.length);
  return {
    connected: one.connected + other.connected,
    delivered: one.delivered + other.delivered,
    ended: one.ended + other.ended,
    astray: one.astray + other.astray,
    longestSilence: Math.max(one.longestSilence, other.longestSilence),
    latencies: Array.from(
      { length: longer },
      (_, step) => (one.latencies[step] ?? 0) + (other.latencies[step] ?? 0),
    ),
  };
}

/** Milliseconds that so many of a hundred events took at most. */
export function latency({ latencies, delivered }: Report, percent: number): number {
  let left = Math.ceil((delivered * percent) / 100);
  const step = latencies.findIndex((count) => {
    left -= count;
    return left <= 0;
  });
  return (step + 1) * LATENCY_STEP;
}
