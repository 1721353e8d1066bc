/** Capacity as every owner of legs answers for it: trips for trip legs, discovery for courier segments. */
import { z } from 'zod';
import { command } from '../kernel/contract.ts';
import { id, instant } from '../kernel/wire.ts';

const done = z.object({});
const hold = z.object({ holdId: id });

export const capacityMethods = {
  /**
   * Holds weight on all legs, or on none. Refuses `CAPACITY_GONE` {legId, freeGrams} where a leg has less,
   * `LEG_NOT_BOOKABLE` {legId} where it is unknown, withdrawn or departed, `PACKAGE_NOT_ACCEPTED` {legId}.
   */
  holdCapacity: command({
    input: z.object({
      holdId: id,
      shipmentId: id,
      items: z
        .array(
          z.object({
            legId: id,
            grams: z.int().positive(),
            /** When the leg starts; a courier's segment, which runs every day, needs it to know the day. */
            departsAt: instant.optional(),
          }),
        )
        .min(1),
      expiresAt: instant,
    }),
    output: done,
  }),
  /** Moves the end of a hold. Refuses `HOLD_RESOLVED` where it was confirmed, released or ran out. */
  extendHold: command({ input: hold.extend({ expiresAt: instant }), output: done }),
  /** Sells what is held. Refuses `HOLD_RESOLVED` where it was released or ran out. */
  confirmHold: command({ input: hold, output: done }),
  /** Gives back what is held, or was sold; a hold that is unknown or already released is no fault. */
  releaseHold: command({ input: hold, output: done }),
};
