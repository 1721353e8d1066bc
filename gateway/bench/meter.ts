/**
 * Loaded into a measured process before its own code (`node --import meter.ts …`): answers over the process's
 * channel what it has used so far. What is measured does not know of it.
 */
import { writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface Usage {
  /** Microseconds of CPU, user and system, of all threads. */
  readonly cpu: number;
  /** Bytes. */
  readonly rss: number;
  /** The longest stop of the event loop since the last question, in milliseconds. */
  readonly longestPause: number;
}

export type Question = { readonly ask: 'usage' } | { readonly ask: 'profile'; readonly into: string | null };

const delays = monitorEventLoopDelay({ resolution: 5 });
delays.enable();
const session = new Session();

async function answer(question: Question): Promise<Usage | 'done'> {
  if (question.ask === 'profile') {
    await profile(question.into);
    return 'done';
  }
  const { user, system } = process.cpuUsage();
  const longestPause = delays.max / 1e6;
  delays.reset();
  return { cpu: user + system, rss: process.memoryUsage.rss(), longestPause };
}

/** Starts a CPU profile, or ends it into a file. */
async function profile(into: string | null): Promise<void> {
  if (into === null) {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    return;
  }
  const { profile: sampled } = await session.post('Profiler.stop');
  session.disconnect();
  await writeFile(into, JSON.stringify(sampled));
}

process.on('message', (question: Question) => {
  if (question.ask === 'usage' || question.ask === 'profile')
    void answer(question).then((told) => process.send?.({ meter: told }));
});
// Without the bench nobody needs it any more; who knows how to end by itself gets the time to.
process.once('disconnect', () => setTimeout(() => process.exit(), 5_000).unref());
