/**
 * What went wrong while data was gathered, noted on the objects that it cost. Paths of a subgraph's answer mean
 * nothing to the client, and one entity may stand at many places of the response: so nothing is said until the
 * answer is shaped, and then at each place where it is seen, under the client's own path.
 */
import { GraphQLError, type GraphQLErrorExtensions } from 'graphql';

/** A long list of which nothing can be had gets no more errors than this. */
export const MAX_ERRORS = 200;

type Path = readonly (string | number)[];

/** An error of which the path is not known yet. */
export interface Failure {
  readonly message: string;
  readonly extensions: GraphQLErrorExtensions;
}

interface Note {
  readonly failure: Failure;
  /** The value was never answered: nothing to tell where another fetch brought it. */
  readonly lost: boolean;
  /** How far below the field the fault lies. */
  readonly below: Path;
}

const isSame = (one: Note, other: Note): boolean =>
  one.failure === other.failure && one.lost === other.lost && one.below.join('/') === other.below.join('/');

/** Notes on one object. */
export class Noted {
  readonly #fields = new Map<string, Note[]>();

  add(field: string, note: Note): void {
    const notes = this.#fields.get(field);
    if (!notes) this.#fields.set(field, [note]);
    // An object that stands for an entity at several places is told once for each of them.
    else if (!notes.some((each) => isSame(each, note))) notes.push(note);
  }

  /** What went wrong with one of these fields. */
  failureOf(fields: readonly string[]): Failure | undefined {
    for (const field of fields) {
      const [note] = this.#fields.get(field) ?? [];
      if (note) return note.failure;
    }
    return undefined;
  }

  /** What is to blame for whatever could not be asked of this object. */
  get anyFailure(): Failure | undefined {
    for (const [note] of this.#fields.values()) if (note) return note.failure;
    return undefined;
  }

  /** Tells what is noted on a field that is now at `path`. */
  tell(
    field: string,
    value: unknown,
    path: Path,
    { errors, clientNames }: { errors: GraphQLError[]; clientNames: ReadonlyMap<string, string> },
  ): void {
    for (const { failure, lost, below } of this.#fields.get(field) ?? []) {
      if ((lost && value !== null && value !== undefined) || errors.length >= MAX_ERRORS) continue;
      const { message, extensions } = failure;
      errors.push(
        new GraphQLError(message, {
          path: [...path, ...below.map((step) => clientNames.get(String(step)) ?? step)],
          extensions,
        }),
      );
    }
  }
}

export class Notes {
  readonly #noted = new Map<object, Noted>();
  /** Errors that no place in the answer can be found for. */
  readonly unplaced: Failure[] = [];

  of(object: object): Noted | undefined {
    return this.#noted.size === 0 ? undefined : this.#noted.get(object);
  }

  /** Fields of an object that a failed fetch would have brought. */
  lose(object: object, fields: Iterable<string>, failure: Failure): void {
    for (const field of fields) this.#on(object).add(field, { failure, lost: true, below: [] });
  }

  /** An error at a path below an object of the data: noted on the deepest object that is there. */
  place(object: object, path: Path, failure: Failure): void {
    let holder = object;
    let field: string | undefined;
    let below: Path = [];
    let value: unknown = object;
    for (const [index, step] of path.entries()) {
      if (typeof value !== 'object' || value === null) break;
      if (typeof step === 'string' && !Array.isArray(value)) {
        holder = value;
        field = step;
        below = path.slice(index + 1);
      }
      value = Object.hasOwn(value, step) ? (value as Record<string | number, unknown>)[step] : undefined;
    }
    if (field === undefined) this.unplaced.push(failure);
    else this.#on(holder).add(field, { failure, lost: false, below });
  }

  #on(object: object): Noted {
    let noted = this.#noted.get(object);
    if (!noted) {
      noted = new Noted();
      this.#noted.set(object, noted);
    }
    return noted;
  }
}
