/**
 * Resolves when this process is told to stop: by a signal, or by the end of the parent that started it with a
 * channel. Call it first thing, so that a signal during the start is not lost.
 */
export async function untilToldToStop(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
    process.once('disconnect', () => resolve());
  });
  // An open channel would keep this process from ending.
  if (process.connected) process.disconnect();
}
