/** Everything that the tracking page says, in one language; moments come in already written. */
import type { Handover, Journey, Person, TrackedEvent } from './journey.ts';

export const languages = ['en', 'de'] as const;
export type Language = (typeof languages)[number];

export interface Words {
  readonly title: string;
  readonly loading: string;
  readonly needsScript: string;
  readonly headline: (journey: Journey) => string;
  readonly explanation: (journey: Journey) => string;
  readonly fromTo: (from: string, to: string) => string;
  readonly arrival: string;
  readonly arrivalUnknown: string;
  readonly arrivalOverdue: string;
  readonly arrived: string;
  readonly holder: string;
  readonly since: (when: string) => string;
  readonly lastSeen: string;
  readonly role: Readonly<Record<Person['role'], string>>;
  readonly map: (journey: Journey) => string;
  readonly mapLegend: { readonly done: string; readonly underWay: string; readonly ahead: string };
  readonly next: string;
  readonly nextHandover: (handover: Handover) => string;
  readonly nextNothing: (journey: Journey) => string;
  readonly window: (planned: string, closes: string) => string;
  readonly custody: string;
  readonly handedOver: (giver: string, receiver: string) => string;
  readonly proof: (photos: number) => string;
  readonly progress: Readonly<Record<Exclude<Handover['progress'], 'done' | 'ahead'>, string>>;
  readonly planned: (when: string) => string;
  readonly chain: Readonly<Record<'checking' | 'broken' | 'none' | 'platform', string>> & {
    readonly checkedHere: (links: number) => string;
  };
  readonly discrepancy: string;
  readonly log: string;
  readonly logEmpty: string;
  readonly event: (event: TrackedEvent, place: string | null) => string;
  readonly news: (text: string) => string;
  readonly connection: Readonly<Record<'connecting' | 'live' | 'reconnecting', string>> & {
    readonly offline: (known: string | null) => string;
  };
  readonly lastNews: (when: string) => string;
  readonly timesIn: (zone: string) => string;
  readonly keepLink: string;
  readonly gone: {
    readonly headline: string;
    readonly explanation: string;
    readonly advice: readonly string[];
  };
  readonly outdated: string;
}
