/**
 * `@defer`: first what is not deferred, then each deferred part as soon as its fetches are done. Results have
 * the form of `multipart/mixed; deferSpec=20220824`.
 */
import { GraphQLError } from 'graphql';
import type { Run } from './fetch.ts';
import { clientLabel } from './normalise.ts';
import { type CompiledPlan, type DeferringRun, FETCH_DONE } from './plan.ts';
import type { DeferredShape, FieldName, Shape } from './shape.ts';

type Json = Record<string, unknown>;
type Path = readonly (string | number)[];

interface Patch {
  readonly data: Json | null;
  readonly path: Path;
  readonly label?: string;
  readonly errors?: readonly GraphQLError[];
}

/** The first result carries `data`, every later one `incremental`; the last has `hasNext: false`. */
export interface IncrementalResult {
  readonly data?: Json | null;
  readonly errors?: readonly GraphQLError[];
  readonly incremental?: readonly Patch[];
  readonly hasNext: boolean;
}

export async function* runIncrementally(
  run: Run,
  plan: CompiledPlan,
  shape: Shape,
): AsyncGenerator<IncrementalResult, undefined> {
  const parts = new Parts(run);
  await plan.step?.(parts.run);
  run.observer?.gathered();
  const { data, errors } = shape.apply(run.root, run.notes);
  for (const { message, extensions } of run.notes.unplaced)
    errors.push(new GraphQLError(message, { extensions }));
  parts.begin(plan, shape, data, { object: run.root, path: [] });
  yield { data, ...(errors.length > 0 ? { errors } : {}), hasNext: parts.left > 0 };
  while (parts.left > 0) {
    const incremental = await parts.next();
    const hasNext = parts.left > 0;
    if (incremental.length > 0 || !hasNext)
      yield { ...(incremental.length > 0 ? { incremental } : {}), hasNext };
  }
}

/** The deferred parts of one run. */
class Parts {
  readonly run: DeferringRun;
  readonly #fetches = new Map<string, PromiseWithResolvers<void>>();
  readonly #ready: (readonly Patch[])[] = [];
  #woken = Promise.withResolvers<void>();
  /** Parts that the client does not have yet. */
  left = 0;

  constructor(run: Run) {
    this.run = { ...run, [FETCH_DONE]: (id) => this.#fetch(id).resolve() };
  }

  #fetch(id: string): PromiseWithResolvers<void> {
    const known = this.#fetches.get(id) ?? Promise.withResolvers<void>();
    this.#fetches.set(id, known);
    return known;
  }

  /** Starts the parts of a plan whose own answer, as the client has it now, is `shaped`. */
  begin(plan: CompiledPlan, { deferred }: Shape, shaped: Json | null, from: Place): void {
    for (const part of deferred) {
      const planned = plan.deferred.find(({ label }) => label === part.label);
      this.left += 1;
      this.#runPart(planned?.after ?? [], planned?.plan, part, shaped, from)
        .catch((error: unknown) => {
          const fault = new GraphQLError('A deferred part could not be had', {
            originalError: error as Error,
          });
          return [{ data: null, path: from.path, errors: [fault] }];
        })
        .then((patches) => {
          this.#ready.push(patches);
          this.#woken.resolve();
        });
    }
  }

  async #runPart(
    after: readonly string[],
    plan: CompiledPlan | undefined,
    part: DeferredShape,
    shaped: Json | null,
    from: Place,
  ): Promise<Patch[]> {
    await Promise.all(after.map((id) => this.#fetch(id).promise));
    await plan?.step?.(this.run);
    const label = clientLabel(part.label);
    const patches: Patch[] = [];
    for (const { object, path } of placesOf(part, shaped, from)) {
      const { data, errors } = part.shape.apply(object, this.run.notes, path);
      const told = errors.length > 0 ? { errors } : {};
      patches.push({ data, path, ...(label === undefined ? {} : { label }), ...told });
      if (part.shape.deferred.length > 0)
        this.begin(plan ?? { step: undefined, deferred: [] }, part.shape, data, { object, path });
    }
    return patches;
  }

  /** The parts that are ready, at least one. */
  async next(): Promise<Patch[]> {
    await this.#woken.promise;
    this.#woken = Promise.withResolvers();
    const ready = this.#ready.splice(0);
    this.left -= ready.length;
    return ready.flat();
  }
}

interface Place {
  readonly object: Json;
  readonly path: Path;
}

/** Where the objects of a part lie that the client knows: not below what became null for it. */
function placesOf(part: DeferredShape, shaped: Json | null, from: Place): Place[] {
  const places: Place[] = [];
  const walk = (value: unknown, seen: unknown, names: readonly FieldName[], path: Path): void => {
    if (typeof value !== 'object' || value === null || typeof seen !== 'object' || seen === null) return;
    if (Array.isArray(value)) {
      for (const [index, each] of value.entries())
        walk(each, (seen as unknown[])[index], names, [...path, index]);
      return;
    }
    const [field, ...rest] = names;
    if (field === undefined) {
      if (part.appliesTo(value as Json)) places.push({ object: value as Json, path });
    } else if (Object.hasOwn(value, field.dataName) && Object.hasOwn(seen, field.name))
      walk((value as Json)[field.dataName], (seen as Json)[field.name], rest, [...path, field.name]);
  };
  // A part within a part begins where that lies.
  const depth = from.path.filter((step) => typeof step === 'string').length;
  walk(from.object, shaped, part.path.slice(depth), from.path);
  return places;
}
