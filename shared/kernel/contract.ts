/** A contract is what one subgraph may ask another: questions read, commands change and carry an idempotency key. */
import type { z } from 'zod';

export interface Method<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType> {
  readonly kind: 'question' | 'command' | 'external-command';
  readonly input: Input;
  readonly output: Output;
}

export interface Contract<Methods extends Record<string, Method> = Record<string, Method>> {
  readonly answerer: string;
  readonly methods: Methods;
}

type Definition<I extends z.ZodType, O extends z.ZodType> = { input: I; output: O };

export const question = <I extends z.ZodType, O extends z.ZodType>(of: Definition<I, O>) =>
  ({ kind: 'question', ...of }) as const;

/** Runs in one transaction together with its idempotency record. */
export const command = <I extends z.ZodType, O extends z.ZodType>(of: Definition<I, O>) =>
  ({ kind: 'command', ...of }) as const;

/** A command that calls a vendor and therefore cannot hold a transaction; its service journals by the key. */
export const externalCommand = <I extends z.ZodType, O extends z.ZodType>(of: Definition<I, O>) =>
  ({ kind: 'external-command', ...of }) as const;

export const defineContract = <Methods extends Record<string, Method>>(
  answerer: string,
  methods: Methods,
): Contract<Methods> => ({
  answerer,
  methods,
});

type Input<M> = M extends Method<infer I, z.ZodType> ? z.output<I> : never;
type Output<M> = M extends Method<z.ZodType, infer O> ? z.output<O> : never;

/** How a caller sees a contract: commands cannot be sent without a key. */
export type Caller<C> =
  C extends Contract<infer Methods>
    ? {
        readonly [Name in keyof Methods]: Methods[Name]['kind'] extends 'question'
          ? (input: Input<Methods[Name]>) => Promise<Output<Methods[Name]>>
          : (input: Input<Methods[Name]>, options: { key: string }) => Promise<Output<Methods[Name]>>;
      }
    : never;

/** How an answerer implements it; `key` is the caller's idempotency key, empty for questions. */
export type Answers<C> =
  C extends Contract<infer Methods>
    ? {
        readonly [Name in keyof Methods]: (
          input: Input<Methods[Name]>,
          key: string,
        ) => Promise<Output<Methods[Name]>>;
      }
    : never;
