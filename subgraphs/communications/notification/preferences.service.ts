/**
 * Owns what each user wants to be told, and how (`user_notification_prefs`). Promises that what guards the
 * account and the goods reaches them whatever they chose. Called by resolvers (users about themselves) and by
 * the services that are about to write to somebody.
 */
import { Conflict, Invalid } from '#shared/kernel/errors.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { AddressBookService } from './address-book.service.ts';
import { NotificationPreferencesEntity, type NotificationPreferencesRow } from './notification.entities.ts';
import { type Category, categories, isCritical } from './notification.vocabulary.ts';
import type { QuietHours } from './quiet-hours.ts';

export interface CategoryPreferenceView {
  readonly category: Category;
  readonly email: boolean;
  readonly inApp: boolean;
  readonly critical: boolean;
}
export interface QuietHoursView {
  /** `22:00`. */
  readonly from: string;
  readonly to: string;
}
export interface NotificationPreferencesView {
  readonly categories: CategoryPreferenceView[];
  readonly quietHours: QuietHoursView | null;
  readonly timeZone: string;
}

export interface PreferencesChange {
  readonly categories?: readonly {
    category: Category;
    email?: boolean | null;
    inApp?: boolean | null;
  }[];
  /** Null switches them off, undefined leaves them. */
  readonly quietHours?: QuietHoursView | null;
}

type Choices = Pick<NotificationPreferencesRow, 'mutedEmail' | 'mutedInApp' | 'quietFrom' | 'quietTo'>;
const untouched: Choices = { mutedEmail: [], mutedInApp: [], quietFrom: null, quietTo: null };

export class PreferencesService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #addressBook: AddressBookService;

  constructor(deps: { db: Database; clock: Clock; addressBook: AddressBookService }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#addressBook = deps.addressBook;
  }

  /** The viewer's own. Refuses `SIGN_IN_REQUIRED`. */
  async mine(viewer: Viewer): Promise<NotificationPreferencesView> {
    const { userId } = requireUser(viewer);
    return this.#view(userId, await this.#choices(userId));
  }

  /** Changes what is given. Refuses `SIGN_IN_REQUIRED`, `CATEGORY_CRITICAL` {category}, `QUIET_HOURS_INVALID`. */
  async update(viewer: Viewer, change: PreferencesChange): Promise<NotificationPreferencesView> {
    const { userId } = requireUser(viewer);
    const quiet = change.quietHours ? quietHours(change.quietHours) : change.quietHours;
    for (const { category, email, inApp } of change.categories ?? []) {
      if (isCritical(category) && (email === false || inApp === false))
        throw new Conflict('CATEGORY_CRITICAL', 'These notifications guard you and stay on', { category });
    }
    return this.#db.transaction(async (tx) => {
      const now = this.#clock.now();
      // Locks the row where there is one and makes it where there is none: two changes at once both count.
      await tx.sql(
        `insert into user_notification_prefs (user_id, muted_email, muted_in_app, updated_at) values (?, '{}', '{}', ?)
         on conflict (user_id) do update set updated_at = excluded.updated_at`,
        [userId, now],
      );
      const row = await tx.em.findOneOrFail(NotificationPreferencesEntity, { userId });
      for (const { category, email, inApp } of change.categories ?? []) {
        row.mutedEmail = muted(row.mutedEmail, category, email);
        row.mutedInApp = muted(row.mutedInApp, category, inApp);
      }
      if (quiet !== undefined) {
        row.quietFrom = quiet?.from ?? null;
        row.quietTo = quiet?.to ?? null;
      }
      await tx.em.flush();
      return this.#view(userId, row);
    });
  }

  /** Whether a user takes what is written in a category on a channel. */
  async takes(userId: string, category: Category, channel: 'email' | 'in_app'): Promise<boolean> {
    if (isCritical(category)) return true;
    const { mutedEmail, mutedInApp } = await this.#choices(userId);
    return !(channel === 'email' ? mutedEmail : mutedInApp).includes(category);
  }

  async quietHoursOf(userId: string): Promise<QuietHours | null> {
    return quietOf(await this.#choices(userId));
  }

  async #choices(userId: string): Promise<Choices> {
    const row = await this.#db.read((em) => em.findOne(NotificationPreferencesEntity, { userId }));
    return row ?? untouched;
  }

  async #view(userId: string, choices: Choices): Promise<NotificationPreferencesView> {
    const { mutedEmail, mutedInApp } = choices;
    const quiet = quietOf(choices);
    return {
      categories: categories.map((category) => ({
        category,
        email: !mutedEmail.includes(category),
        inApp: !mutedInApp.includes(category),
        critical: isCritical(category),
      })),
      quietHours: quiet && { from: clockTime(quiet.from), to: clockTime(quiet.to) },
      timeZone: await this.#addressBook.timeZoneOf(userId),
    };
  }
}

function muted(
  list: readonly Category[],
  category: Category,
  wanted: boolean | null | undefined,
): Category[] {
  if (wanted === null || wanted === undefined) return [...list];
  const others = list.filter((each) => each !== category);
  return wanted ? others : [...others, category];
}

const quietOf = ({ quietFrom, quietTo }: Choices): QuietHours | null =>
  typeof quietFrom === 'number' && typeof quietTo === 'number' ? { from: quietFrom, to: quietTo } : null;

function quietHours({ from, to }: QuietHoursView): QuietHours {
  const quiet = { from: minuteOf(from), to: minuteOf(to) };
  if (quiet.from === quiet.to) throw new Invalid('QUIET_HOURS_INVALID', 'Quiet hours end at another time');
  return quiet;
}

function minuteOf(text: string): number {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (!match) throw new Invalid('QUIET_HOURS_INVALID', 'A time of day is written like 22:00');
  return Number(match[1]) * 60 + Number(match[2]);
}

const clockTime = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
