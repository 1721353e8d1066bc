/**
 * The five ways a service says no. A refusal is a fact about the request, never about the infrastructure:
 * sagas compensate on refusals and retry everything else, clients see its code in `extensions.code`.
 */
export type RefusalKind = 'INVALID' | 'FORBIDDEN' | 'NOT_FOUND' | 'CONFLICT' | 'UNAVAILABLE';

export type RefusalDetails = Readonly<Record<string, unknown>>;

/** A refusal as plain JSON, the shape in which it crosses processes and is kept by saga steps. */
export interface RefusalRecord {
  readonly kind: RefusalKind;
  readonly code: string;
  readonly message: string;
  readonly details: RefusalDetails;
}

export abstract class Refusal extends Error {
  abstract readonly kind: RefusalKind;
  /** Stable machine-readable code in capitals, for example `ESCROW_NOT_HELD`. */
  readonly code: string;
  /** What the client needs for its next step; safe to show to whoever sent the request. */
  readonly details: RefusalDetails;

  constructor(code: string, message: string, details: RefusalDetails = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.details = details;
  }

  /** What GraphQL clients see beside the message. */
  get extensions(): Record<string, unknown> {
    const { code, kind, details } = this;
    return Object.keys(details).length > 0 ? { code, kind, details } : { code, kind };
  }

  toRecord(): RefusalRecord {
    return { kind: this.kind, code: this.code, message: this.message, details: this.details };
  }
}

/** The request itself is wrong: it can never succeed as sent. */
export class Invalid extends Refusal {
  readonly kind = 'INVALID';
}
/** The viewer may not do this. Where even existence is private, services throw `NotFound` instead. */
export class Forbidden extends Refusal {
  readonly kind = 'FORBIDDEN';
}
/** No such thing, or none that the viewer may know of. */
export class NotFound extends Refusal {
  readonly kind = 'NOT_FOUND';
}
/** The request was fine, the state of the world is not: another state, another version, another winner. */
export class Conflict extends Refusal {
  readonly kind = 'CONFLICT';
}
/** A dependency refuses service for now; the same request may succeed later. */
export class Unavailable extends Refusal {
  readonly kind = 'UNAVAILABLE';
}

const kinds = {
  INVALID: Invalid,
  FORBIDDEN: Forbidden,
  NOT_FOUND: NotFound,
  CONFLICT: Conflict,
  UNAVAILABLE: Unavailable,
};

/** Rebuilds the refusal that `toRecord` took apart. */
export function refusalFromRecord(record: RefusalRecord): Refusal {
  return new kinds[record.kind](record.code, record.message, record.details);
}
