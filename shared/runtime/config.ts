/** Configuration is read once, at start, from the environment, and every fault in it is told at once. */
import { z } from 'zod';
import { parseDuration } from '../kernel/time.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export class ConfigFault extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(
      `The configuration has ${faults.length} fault(s):\n${faults.map((fault) => `  - ${fault}`).join('\n')}`,
    );
    this.name = 'ConfigFault';
    this.faults = faults;
  }
}

/** A duration such as `30s`, `48h` or `7d`, in milliseconds. */
export const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      try {
        return parseDuration(text);
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message });
        return z.NEVER;
      }
    });

/** `true` or `false`. */
export const flag = (fallback: boolean) =>
  z
    .enum(['true', 'false'])
    .default(fallback ? 'true' : 'false')
    .transform((text) => text === 'true');

/** A reader of one part of the environment: throws `ConfigFault` with everything that is wrong. */
export function defineConfig<Shape extends z.ZodRawShape>(
  shape: Shape,
): (env: Environment) => z.output<z.ZodObject<Shape>> {
  const schema = z.object(shape);
  return (env) => {
    const result = schema.safeParse(env);
    if (result.success) return result.data;
    throw new ConfigFault(result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
  };
}

/** Runs several readers and throws one `ConfigFault` with the faults of all. */
export function readAll<Readers extends Record<string, () => unknown>>(
  readers: Readers,
): { [Name in keyof Readers]: ReturnType<Readers[Name]> } {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(readers)) {
    try {
      values[name] = read();
    } catch (error) {
      if (!(error instanceof ConfigFault)) throw error;
      faults.push(...error.faults.map((fault) => `${name}: ${fault}`));
    }
  }
  if (faults.length > 0) throw new ConfigFault(faults);
  return values as { [Name in keyof Readers]: ReturnType<Readers[Name]> };
}
