/**
 * Owns customs declarations and estimates duties. Promises that what is missing is called missing and never
 * counted as nothing, and that every estimate shows the dated rule and the source it came from: advice, not a
 * ruling. Called by resolvers, and by the shipment service before a shipment is submitted.
 */
import { Conflict, Invalid } from '#shared/kernel/errors.ts';
import { newId } from '#shared/kernel/ids.ts';
import { addMoney, type Money, money } from '#shared/kernel/money.ts';
import type { Clock } from '#shared/kernel/time.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, inOrder } from '#shared/runtime/graph.ts';
import { countryOf, hsCodeOf } from '../shipment/commodity.ts';
import type { ShipmentAccess } from '../shipment/shipment.access.ts';
import type { ShipmentContents } from '../shipment/shipment.contents.ts';
import type { PackageItemView, ShipmentView } from '../shipment/shipment.views.ts';
import {
  type ContentType,
  CustomsDeclarationEntity,
  type CustomsDeclarationRow,
  type DeclaredLine,
  type Incoterm,
} from './customs.entities.ts';
import type { CustomsDeclarationView, CustomsLineView, DutyEstimateView } from './customs.views.ts';
import { estimateDuty, incomplete, noBorder } from './duty-estimate.ts';
import { dutyRules } from './duty-rules.ts';

export interface LineDraft {
  readonly description: string;
  readonly quantity: number;
  /** Of all pieces together, like the weight. */
  readonly value: Money;
  readonly weightGrams: number;
  readonly hsCode?: string | null;
  readonly originCountry?: string | null;
}

export interface DeclarationDraft {
  readonly shipmentId: string;
  readonly contentType: ContentType;
  readonly incoterm?: Incoterm | null;
  readonly lines?: readonly LineDraft[] | null;
  readonly signerName: string;
}

const maxLines = 200;

export class CustomsService {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #access: ShipmentAccess;
  readonly #contents: ShipmentContents;

  constructor(deps: { db: Database; clock: Clock; access: ShipmentAccess; contents: ShipmentContents }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#access = deps.access;
    this.#contents = deps.contents;
  }

  /**
   * Declares a draft's goods, complete or not yet; what is lacking is said in the answer. Refuses
   * `DECLARATION_NOT_NEEDED`, `SIGNER_INVALID`, `LINE_INVALID`, `HS_CODE_INVALID`, `COUNTRY_INVALID`,
   * `CURRENCY_MIXED`, `SHIPMENT_NOT_DRAFT`, `SHIPMENT_NOT_FOUND`.
   */
  async declare(viewer: Viewer, draft: DeclarationDraft): Promise<CustomsDeclarationView> {
    const signerName = draft.signerName.normalize('NFC').trim();
    if (signerName.length < 2 || signerName.length > 120 || /\p{Cc}/u.test(signerName))
      throw new Invalid('SIGNER_INVALID', 'Whoever signs gives a name of 2 to 120 printable characters');
    const lines = draft.lines ? linesOf(draft.lines) : null;
    return this.#db.transaction(async ({ em }) => {
      const shipment = this.#access.ownView(await this.#access.lockDraft(em, viewer, draft.shipmentId));
      if (!shipment.international)
        throw new Conflict('DECLARATION_NOT_NEEDED', 'Origin and destination lie in one customs territory');
      const row = {
        shipmentId: shipment.id,
        contentType: draft.contentType,
        incoterm: draft.incoterm ?? null,
        lines,
        signerName,
        declaredAt: this.#clock.now(),
      };
      const known = await em.findOne(CustomsDeclarationEntity, { shipmentId: shipment.id });
      const declared = known
        ? Object.assign(known, row)
        : em.create(CustomsDeclarationEntity, { id: newId(), ...row });
      await em.flush();
      return this.#view(declared);
    });
  }

  /** The declarations of shipments whose declaration the viewer may see. */
  readonly ofShipments: Batch<ShipmentView, CustomsDeclarationView> = async (_viewer, shipments) => {
    const open = shipments.filter(({ discloses }) => discloses.has('declaration')).map(({ id }) => id);
    const views = await this.#views(open);
    return inOrder(
      shipments.map(({ id }) => id),
      views,
      ({ shipmentId }) => shipmentId,
    );
  };

  /** What the papers of shipments lack: `CUSTOMS_DECLARATION_MISSING`, `CUSTOMS_DECLARATION_INCOMPLETE`. */
  async missing(shipmentIds: readonly string[]): Promise<Map<string, string[]>> {
    const declared = new Map((await this.#views(shipmentIds)).map((view) => [view.shipmentId, view]));
    return new Map(
      shipmentIds.map((id) => {
        const view = declared.get(id);
        if (!view) return [id, ['CUSTOMS_DECLARATION_MISSING']];
        return [id, view.missing.length > 0 ? ['CUSTOMS_DECLARATION_INCOMPLETE'] : []];
      }),
    );
  }

  /**
   * What customs may take at the destination, by the rules of a day. Refuses `SHIPMENT_NOT_FOUND` everybody but
   * sender and recipient.
   * @param at an instant of that day; now where it is left out
   */
  async duties(viewer: Viewer, shipmentId: string, at?: Date | null): Promise<DutyEstimateView> {
    const shipment = await this.#access.require(viewer, shipmentId, 'duties');
    const day = calendarDay(at ?? this.#clock.now(), shipment.destinationTimeZone);
    if (!shipment.international) {
      const items = (await this.#contents.itemsOfShipments([shipmentId])).get(shipmentId)!;
      return noBorder(day, items[0]?.currency ?? 'EUR');
    }
    const [declared] = await this.#views([shipmentId]);
    if (!declared) return incomplete(day, ['CUSTOMS_DECLARATION_MISSING']);
    const lines = declared.lines.flatMap(({ hsCode, value }) => (hsCode ? [{ hsCode, value }] : []));
    if (declared.missing.length > 0 || lines.length === 0) return incomplete(day, declared.missing);
    const { contentType } = declared;
    return estimateDuty({ territory: shipment.destinationTerritory, day, contentType, lines }, dutyRules);
  }

  async #views(shipmentIds: readonly string[]): Promise<CustomsDeclarationView[]> {
    const rows = await this.#db.read((em) =>
      em.find(CustomsDeclarationEntity, { shipmentId: { $in: [...shipmentIds] } }),
    );
    const items = await this.#contents.itemsOfShipments(shipmentIds);
    return rows.map((row) => declarationView(row, items.get(row.shipmentId)!));
  }

  async #view(row: CustomsDeclarationRow): Promise<CustomsDeclarationView> {
    const items = await this.#contents.itemsOfShipments([row.shipmentId]);
    return declarationView(row, items.get(row.shipmentId)!);
  }
}

function linesOf(drafts: readonly LineDraft[]): DeclaredLine[] {
  const [first] = drafts;
  if (!first || drafts.length > maxLines)
    throw new Invalid('LINE_INVALID', `A declaration has 1 to ${maxLines} lines`);
  return drafts.map(({ description: typed, quantity, value, weightGrams, ...origin }) => {
    const description = typed.normalize('NFC').trim();
    const sound =
      description.length >= 2 &&
      description.length <= 200 &&
      !/\p{Cc}/u.test(description) &&
      quantity >= 1 &&
      weightGrams >= 1 &&
      value.amountMinor >= 0n;
    if (!sound)
      throw new Invalid('LINE_INVALID', 'A line has a description, a quantity, a weight and a value', {
        description,
      });
    if (value.currency !== first.value.currency)
      throw new Invalid('CURRENCY_MIXED', 'All lines of a declaration are in one currency');
    return {
      description,
      quantity,
      valueMinor: value.amountMinor.toString(),
      currency: value.currency,
      weightGrams,
      hsCode: hsCodeOf(origin.hsCode),
      originCountry: countryOf(origin.originCountry),
    };
  });
}

const lineOfItem = (item: PackageItemView): DeclaredLine => ({
  description: item.description,
  quantity: item.quantity,
  valueMinor: (item.unitMinor * BigInt(item.quantity)).toString(),
  currency: item.currency,
  weightGrams: item.weightGrams,
  hsCode: item.hsCode ?? null,
  originCountry: item.originCountry ?? null,
});

function declarationView(
  row: CustomsDeclarationRow,
  items: readonly PackageItemView[],
): CustomsDeclarationView {
  const contents = items.map(lineOfItem);
  const lines = (row.lines ?? contents).map(lineView);
  const missing = new Set(lines.flatMap((line) => line.missing));
  if (lines.length === 0) missing.add('LINES_MISSING');
  if (row.lines && !sameTotals(row.lines, contents)) missing.add('LINES_DIFFER_FROM_CONTENTS');
  if (row.contentType === 'merchandise' && !row.incoterm) missing.add('INCOTERM_MISSING');
  return {
    id: row.id,
    shipmentId: row.shipmentId,
    contentType: row.contentType,
    incoterm: row.incoterm ?? null,
    lines,
    signerName: row.signerName,
    declaredAt: row.declaredAt,
    missing: [...missing].sort(),
  };
}

const lineView = ({ valueMinor, currency, ...line }: DeclaredLine): CustomsLineView => ({
  ...line,
  value: money(valueMinor, currency),
  missing: [
    ...(line.hsCode ? [] : ['HS_CODE_MISSING']),
    ...(line.originCountry ? [] : ['ORIGIN_COUNTRY_MISSING']),
  ],
});

/** Lines may be worded otherwise than the items, but are worth and weigh the same. */
function sameTotals(lines: readonly DeclaredLine[], contents: readonly DeclaredLine[]): boolean {
  const totals = (each: readonly DeclaredLine[]): string => {
    const [first, ...more] = each.map(({ valueMinor, currency }) => money(valueMinor, currency));
    if (!first) return '';
    const { amountMinor, currency } = addMoney(first, ...more);
    return `${amountMinor} ${currency} ${each.reduce((sum, { weightGrams }) => sum + weightGrams, 0)}`;
  };
  return totals(lines) === totals(contents);
}

/** `2026-07-01` where the clock there shows that day. */
const calendarDay = (instant: Date, timeZone: string): string =>
  new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }).format(
    instant,
  );
