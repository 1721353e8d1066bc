/** An event is a fact told after commit: who tells it, under which key it is ordered, and its payload. */
import { z } from 'zod';

export interface EventDefinition<Shape extends z.ZodRawShape = z.ZodRawShape> {
  readonly publisher: string;
  /** Past tense, for example `TripPublished`. */
  readonly name: string;
  readonly version: number;
  /** Payload field by which events are ordered: events of one key arrive in the order they were told. */
  readonly key: keyof Shape & string;
  readonly payload: z.ZodObject<Shape>;
}

export type PayloadOf<E> = E extends EventDefinition<infer Shape> ? z.output<z.ZodObject<Shape>> : never;

export function defineEvent<Shape extends z.ZodRawShape>(
  publisher: string,
  name: string,
  definition: { version?: number; key: keyof Shape & string; payload: Shape },
): EventDefinition<Shape> {
  return {
    publisher,
    name,
    version: definition.version ?? 1,
    key: definition.key,
    payload: z.object(definition.payload),
  };
}
