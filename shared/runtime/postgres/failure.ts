/** Why the embedded PostgreSQL cannot run here, with a code for machines and a way out for people. */
export class PostgresFailure extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'PostgresFailure';
    this.code = code;
  }
}
