import { type Logger, pino } from 'pino';

export type { Logger };

/** Structured log lines on standard output; personal data and secrets are never logged. */
export const createLogger = (level: string): Logger =>
  pino({ level, base: undefined, redact: ['*.authorization', '*.code', '*.token', '*.refreshToken'] });
