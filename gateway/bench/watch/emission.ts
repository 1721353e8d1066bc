/** Emits events at a fixed rate, one shipment after the other, and says when it is done. */
import { setTimeout as sleep } from 'node:timers/promises';
import { shipmentOf } from './shipments.ts';

export interface Emission {
  readonly emit: { readonly shipments: number; readonly perSecond: number; readonly seconds: number };
}

const TICK = 10;

/** Answers each order of the parent with `{ emitted }`. */
export function emitOnOrder(emit: (shipment: string, number: number) => void): void {
  const numbers = new Map<string, number>();
  let next = 0;

  async function run({ shipments, perSecond, seconds }: Emission['emit']): Promise<number> {
    const began = performance.now();
    const total = perSecond * seconds;
    let emitted = 0;
    while (emitted < total) {
      const due = Math.min(total, ((performance.now() - began) / 1_000) * perSecond);
      for (; emitted < due; emitted += 1) {
        const shipment = shipmentOf(next++ % shipments);
        const number = (numbers.get(shipment) ?? 0) + 1;
        numbers.set(shipment, number);
        emit(shipment, number);
      }
      await sleep(TICK);
    }
    return emitted;
  }

  process.on('message', (message: Partial<Emission>) => {
    if (message.emit) void run(message.emit).then((emitted) => process.send?.({ emitted }));
  });
  process.once('disconnect', () => process.exit());
}
