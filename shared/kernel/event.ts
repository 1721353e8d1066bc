/** An event is a fact told after commit: who tells it, under which key it is ordered, and its payload. */
import { z } from 'zod';

export interface EventDefinition<Payload extends z.ZodType = z.ZodType> {
  readonly publisher: string;
  /** Past tense, for example `TripPublished`. */
  readonly name: string;
  readonly version: number;
  /** Payload field by which events are ordered: events of one key arrive in the order they were told. */
  readonly key: string;
  readonly payload: Payload;
}

export type PayloadOf<E extends EventDefinition> = z.output<E['payload']>;

export const defineEvent = <Shape extends z.ZodRawShape>(
  publisher: string,
  name: string,
  definition: { version?: number; key: keyof Shape & string; payload: Shape },
): EventDefinition<z.ZodObject<Shape>> => ({
  publisher,
  name,
  version: definition.version ?? 1,
  key: definition.key,
  payload: z.object(definition.payload),
});
