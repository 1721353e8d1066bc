/**
 * Owns partners: companies whose programs ask the platform with keys, what their programs see, and how much they
 * may ask. Promises that administrators alone read and change them, and that every change is told. Called by the
 * resolvers, by keys, and by the contract, which says what a partner is called.
 */
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { PartnerBudgetsChanged, PartnerCreated } from '#shared/events/identity.ts';
import { canonicalEmail } from '#shared/kernel/email-address.ts';
import { Conflict, Forbidden, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId, requireId } from '#shared/kernel/ids.ts';
import {
  type Connection,
  connection,
  decodeCursor,
  type PageArguments,
  pageSize,
} from '#shared/kernel/pages.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { UserViewer, Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import type { IdentityConfig } from '../identity.config.ts';
import { Partner } from './api-key.entities.ts';

export type PartnerView = Partner;

type Budgets = Pick<Partner, 'costPerMinute' | 'requestsPerMinute'>;
type Given<Values> = { [Name in keyof Values]?: Values[Name] | null | undefined };

const limits: Budgets = { costPerMinute: 10_000_000, requestsPerMinute: 100_000 };

/** The only contract so far; the gateway composes one schema per contract. */
const CONTRACT = 'partner';

export class PartnerService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #usual: Budgets;

  constructor({ db, clock, config }: { db: Database; clock: Clock; config: IdentityConfig }) {
    this.#db = db;
    this.#clock = clock;
    this.#usual = {
      costPerMinute: config.PARTNER_COST_PER_MINUTE,
      requestsPerMinute: config.PARTNER_REQUESTS_PER_MINUTE,
    };
  }

  /** Partners, newest first. Refuses `ROLE_REQUIRED`, `PAGE_SIZE_INVALID`, `CURSOR_INVALID`. */
  async list(viewer: Viewer, page: PageArguments): Promise<Connection<Partner>> {
    requireAdmin(viewer);
    const size = pageSize(page);
    const before = page.after ? requireId(decodeCursor(page.after), 'cursor') : null;
    const rows = await this.#db.read((em) =>
      em.find(Partner, before ? { id: { $lt: before } } : {}, { orderBy: { id: 'desc' }, limit: size + 1 }),
    );
    return connection(rows, size, ({ id }) => id);
  }

  /** One partner; null where there is none. Refuses `ROLE_REQUIRED`. */
  async find(viewer: Viewer, partnerId: string): Promise<Partner | null> {
    requireAdmin(viewer);
    return isId(partnerId) ? this.#db.read((em) => em.findOne(Partner, { id: partnerId })) : null;
  }

  /**
   * Takes a company on and tells it. Refuses `ROLE_REQUIRED`, `PARTNER_NAME_INVALID`, `PARTNER_NAME_TAKEN`,
   * `EMAIL_INVALID`, `BUDGET_INVALID`.
   */
  async create(
    viewer: Viewer,
    input: { name: string; contactEmail: string } & Given<Budgets>,
  ): Promise<Partner> {
    const { userId } = requireAdmin(viewer);
    const name = nameOf(input.name, 'PARTNER_NAME_INVALID');
    const contactEmail = canonicalEmail(input.contactEmail);
    const budgets = { ...this.#usual, ...budgetsOf(input) };
    const createdAt = this.#clock.now();
    const made = { id: newId(), name, contactEmail, contract: CONTRACT, ...budgets, createdAt };
    try {
      return await this.#db.transaction(async (tx) => {
        const partner = tx.em.create(Partner, made);
        await tx.em.flush();
        tx.tell(PartnerCreated, { partnerId: made.id, name, ...budgets, byUserId: userId, at: createdAt });
        return partner;
      });
    } catch (error) {
      if (error instanceof UniqueConstraintViolationException)
        throw new Conflict('PARTNER_NAME_TAKEN', 'Another partner has this name');
      throw error;
    }
  }

  /** Changes what is given, and tells it. Refuses `ROLE_REQUIRED`, `PARTNER_NOT_FOUND`, `BUDGET_INVALID`. */
  async updateBudgets(viewer: Viewer, input: { partnerId: string } & Given<Budgets>): Promise<Partner> {
    const { userId } = requireAdmin(viewer);
    const change = budgetsOf(input);
    return this.#db.transaction(async (tx) => {
      const partner = await this.lock(input.partnerId);
      Object.assign(partner, change);
      const { id: partnerId, costPerMinute, requestsPerMinute } = partner;
      const facts = { partnerId, costPerMinute, requestsPerMinute };
      tx.tell(PartnerBudgetsChanged, { ...facts, byUserId: userId, at: this.#clock.now() });
      return partner;
    });
  }

  /** Locks a partner within the caller's transaction. Refuses `PARTNER_NOT_FOUND`. */
  async lock(partnerId: string): Promise<Partner> {
    return this.#db.transaction(async (tx) => {
      const [row] = isId(partnerId)
        ? await tx.sql<{ id: string }>('select id from partners where id = ? for update', [partnerId])
        : [];
      if (!row) throw new NotFound('PARTNER_NOT_FOUND', 'There is no such partner');
      return tx.em.findOneOrFail(Partner, { id: row.id }, { refresh: true });
    });
  }

  /** What a partner is called; null where there is none. For other subgraphs. */
  async nameOf(partnerId: string): Promise<string | null> {
    const partner = await this.#db.read((em) => em.findOne(Partner, { id: partnerId }));
    return partner?.name ?? null;
  }
}

/** Refuses `ROLE_REQUIRED`. */
export function requireAdmin(viewer: Viewer): UserViewer {
  if (viewer.kind === 'user' && viewer.roles.includes('admin')) return viewer;
  throw new Forbidden('ROLE_REQUIRED', 'Only administrators may do this');
}

/** One line of 1 to 100 printable characters, without spaces at its ends. */
export function nameOf(text: string, code: string): string {
  const name = text.normalize('NFC').trim();
  if (name === '' || name.length > 100 || /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(name))
    throw new Invalid(code, 'A name has 1 to 100 printable characters');
  return name;
}

function budgetsOf(given: Given<Budgets>): Partial<Budgets> {
  const budgets: Partial<Budgets> = {};
  for (const name of ['costPerMinute', 'requestsPerMinute'] as const) {
    const value = given[name];
    if (value == null) continue;
    if (value < 1 || value > limits[name])
      throw new Invalid('BUDGET_INVALID', `${name} is between 1 and ${limits[name]}`, { max: limits[name] });
    budgets[name] = value;
  }
  return budgets;
}
