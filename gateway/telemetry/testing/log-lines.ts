/** A logger whose lines can be looked at. */
import { type Logger, pino } from 'pino';

export type Line = Readonly<Record<string, unknown>>;

export class LogLines {
  readonly text: string[] = [];
  readonly logger: Logger;

  constructor(level: string) {
    this.logger = pino({ level, base: undefined }, { write: (line: string) => void this.text.push(line) });
  }

  get all(): Line[] {
    return this.text.map((line) => JSON.parse(line) as Line);
  }

  of(message: string): Line[] {
    return this.all.filter(({ msg }) => msg === message);
  }
}
