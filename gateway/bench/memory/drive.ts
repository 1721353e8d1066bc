/** Runs operations one after another for as long as the parent orders, and answers how many there were. */
import { storeOf } from '../shop/schemas.ts';

export type Execute = (variables: { readonly store: string }) => Promise<unknown>;

/** Orders: `{ run: milliseconds }` is answered with `{ answered }`, `{ show: store }` with `{ answer }`. */
export function driveOnOrder(execute: Execute, atOnce: number): void {
  let stores = 0;

  async function run(milliseconds: number): Promise<number> {
    const until = performance.now() + milliseconds;
    let answered = 0;
    const one = async (): Promise<void> => {
      while (performance.now() < until) {
        await execute({ store: storeOf(++stores) });
        answered += 1;
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    return answered;
  }

  process.on('message', ({ run: milliseconds, show }: { run?: number; show?: string }) => {
    if (milliseconds) void run(milliseconds).then((answered) => process.send?.({ answered }));
    if (show) void execute({ store: show }).then((answer) => process.send?.({ answer }));
  });
  process.once('disconnect', () => process.exit());
  process.send?.({ ready: true });
}
