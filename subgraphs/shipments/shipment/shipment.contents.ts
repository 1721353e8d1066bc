/**
 * Owns packages, what is in them and their photos. Promises that the contents of a package add up to its weight
 * and declared value, and that what was submitted is carried as it was submitted: contents change in drafts
 * alone, which the database holds too. Called by resolvers, customs and the shipment service.
 */
import type { EntityManager } from '@mikro-orm/postgresql';
import type { z } from 'zod';
import type { IdentityContract } from '#shared/contracts/identity.ts';
import type { packageFacts } from '#shared/events/shipments.ts';
import type { PackageCategory } from '#shared/events/vocabulary.ts';
import type { Caller } from '#shared/kernel/contract.ts';
import { Conflict, Invalid, NotFound } from '#shared/kernel/errors.ts';
import { isId, newId, requireId } from '#shared/kernel/ids.ts';
import { addMoney, currencyExponent, type Money, money } from '#shared/kernel/money.ts';
import type { Clock } from '#shared/kernel/time.ts';
import { requireUser, type Viewer } from '#shared/kernel/viewer.ts';
import type { Database } from '#shared/runtime/database.ts';
import { type Batch, groupedBy, inOrder } from '#shared/runtime/graph.ts';
import { countryOf, hsCodeOf } from './commodity.ts';
import { contentProblems } from './content-rules.ts';
import type { ShipmentAccess } from './shipment.access.ts';
import {
  PackageEntity,
  PackageItemEntity,
  type PackageItemRow,
  PackagePhotoEntity,
  type PackageRow,
} from './shipment.entities.ts';
import type {
  ContentProblemView,
  PackageItemView,
  PackagePhotoView,
  PackageView,
  ShipmentView,
} from './shipment.views.ts';

export interface ItemDraft {
  readonly description: string;
  readonly quantity: number;
  readonly unitValue: Money;
  /** Of all pieces together. */
  readonly weightGrams: number;
  readonly hsCode?: string | null;
  readonly originCountry?: string | null;
  readonly lithiumWattHours?: number | null;
  readonly airlineApproval?: string | null;
}

export interface PackageDraft {
  readonly shipmentId: string;
  readonly category: PackageCategory;
  readonly weightGrams: number;
  readonly dimensions: { readonly lengthMm: number; readonly widthMm: number; readonly heightMm: number };
  readonly declaredValue: Money;
  readonly items: readonly ItemDraft[];
}

const maxPackages = 20;
const maxItems = 50;
const maxPhotos = 12;
const maxGrams = 100_000;
const maxMillimetres = 5_000;
const maxMinor = 10n ** 12n;

export class ShipmentContents {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #identity: Caller<typeof IdentityContract>;
  readonly #access: ShipmentAccess;

  constructor(deps: {
    db: Database;
    clock: Clock;
    identity: Caller<typeof IdentityContract>;
    access: ShipmentAccess;
  }) {
    this.#db = deps.db;
    this.#clock = deps.clock;
    this.#identity = deps.identity;
    this.#access = deps.access;
  }

  /**
   * Puts a package with its items into a draft. Refuses `PACKAGE_INVALID`, `ITEMS_MISSING`, `ITEM_INVALID`,
   * `ITEMS_TOO_HEAVY`, `ITEMS_ABOVE_DECLARED_VALUE`, `HS_CODE_INVALID`, `COUNTRY_INVALID`, `CURRENCY_UNKNOWN`,
   * `CURRENCY_MIXED`, `PACKAGE_LIMIT_REACHED`, `SHIPMENT_NOT_DRAFT`, `SHIPMENT_NOT_FOUND`.
   */
  async add(viewer: Viewer, draft: PackageDraft): Promise<PackageView> {
    checkPackage(draft);
    const items = draft.items.map(itemOf);
    checkSums(draft, items);
    return this.#db.transaction(async ({ em }) => {
      const { id: shipmentId } = await this.#access.lockDraft(em, viewer, draft.shipmentId);
      const known = await em.find(PackageEntity, { shipmentId }, { orderBy: { sequence: 'asc' } });
      if (known.length >= maxPackages)
        throw new Conflict('PACKAGE_LIMIT_REACHED', `A shipment has at most ${maxPackages} packages`);
      const { amountMinor: declaredMinor, currency } = draft.declaredValue;
      if (known.some((other) => other.currency !== currency))
        throw new Invalid('CURRENCY_MIXED', 'All packages of a shipment are declared in one currency');
      const added = em.create(PackageEntity, {
        id: newId(),
        shipmentId,
        sequence: (known.at(-1)?.sequence ?? 0) + 1,
        category: draft.category,
        weightGrams: draft.weightGrams,
        ...draft.dimensions,
        declaredMinor,
        currency,
      });
      await em.flush();
      for (const [index, { unitValue, ...item }] of items.entries()) {
        em.create(PackageItemEntity, {
          ...item,
          id: newId(),
          packageId: added.id,
          sequence: index + 1,
          unitMinor: unitValue.amountMinor,
          currency: unitValue.currency,
        });
      }
      return added;
    });
  }

  /** Takes a package out of a draft. Refuses `PACKAGE_NOT_FOUND`, `SHIPMENT_NOT_DRAFT`, `NOT_YOUR_SHIPMENT`. */
  async remove(viewer: Viewer, packageId: string): Promise<ShipmentView> {
    return this.#changePackage(viewer, packageId, async (em, { id, shipmentId }, view) => {
      await em.nativeDelete(PackagePhotoEntity, { packageId: id });
      await em.nativeDelete(PackageItemEntity, { packageId: id });
      await em.nativeDelete(PackageEntity, { id, shipmentId });
      return view;
    });
  }

  /**
   * Attaches a stored image of the viewer's and keeps its hash; the same file twice is one photo. Refuses
   * `FILE_NOT_FOUND`, `PHOTO_NOT_IMAGE`, `PHOTO_LIMIT_REACHED`, `PACKAGE_NOT_FOUND`, `SHIPMENT_NOT_DRAFT`,
   * `NOT_YOUR_SHIPMENT`.
   */
  async addPhoto(viewer: Viewer, draft: { packageId: string; fileId: string }): Promise<PackageView> {
    const { userId } = requireUser(viewer);
    const [file] = await this.#identity.files({ fileIds: [requireId(draft.fileId, 'fileId')] });
    if (file?.ownerId !== userId) throw new NotFound('FILE_NOT_FOUND', 'There is no such file of yours');
    if (!file.mediaType.startsWith('image/'))
      throw new Invalid('PHOTO_NOT_IMAGE', 'A photo is an image', { mediaType: file.mediaType });
    return this.#changePackage(viewer, draft.packageId, async (em, row) => {
      const known = await em.find(PackagePhotoEntity, { packageId: row.id });
      if (known.some(({ fileId }) => fileId === file.fileId)) return row;
      if (known.length >= maxPhotos)
        throw new Conflict('PHOTO_LIMIT_REACHED', `A package has at most ${maxPhotos} photos`);
      em.create(PackagePhotoEntity, {
        id: newId(),
        packageId: row.id,
        fileId: file.fileId,
        sha256: file.sha256,
        mediaType: file.mediaType,
        addedAt: this.#clock.now(),
      });
      return row;
    });
  }

  readonly byIds: Batch<string, PackageView> = async (viewer, ids) => {
    const rows = await this.#db.read((em) => em.find(PackageEntity, { id: { $in: ids.filter(isId) } }));
    const shipmentIds = [...new Set(rows.map(({ shipmentId }) => shipmentId))];
    const seen = await this.#access.byIds(viewer, shipmentIds);
    const open = new Set(
      seen.flatMap((view) =>
        view && !(view instanceof Error) && view.discloses.has('contents') ? [view.id] : [],
      ),
    );
    return inOrder(
      ids,
      rows.filter(({ shipmentId }) => open.has(shipmentId)),
      ({ id }) => id,
    );
  };

  readonly ofShipments: Batch<ShipmentView, PackageView[]> = async (_viewer, shipments) => {
    const open = shipments.filter(({ discloses }) => discloses.has('contents')).map(({ id }) => id);
    const rows = await this.#db.read((em) => packagesOf(em, open));
    return groupedBy(
      shipments.map(({ id }) => id),
      rows,
      ({ shipmentId }) => shipmentId,
    );
  };

  /** Items of packages that the viewer has been shown. */
  readonly itemsOfPackages: Batch<string, PackageItemView[]> = async (_viewer, packageIds) => {
    const rows = await this.#db.read((em) => itemsOf(em, packageIds));
    return groupedBy(packageIds, rows, ({ packageId }) => packageId);
  };

  /** Photos of packages that the viewer has been shown. */
  readonly photosOfPackages: Batch<string, PackagePhotoView[]> = async (_viewer, packageIds) => {
    const rows = await this.#db.read((em) =>
      em.find(PackagePhotoEntity, { packageId: { $in: [...packageIds] } }, { orderBy: { id: 'asc' } }),
    );
    return groupedBy(packageIds, rows, ({ packageId }) => packageId);
  };

  /** Why these goods may not travel; empty where nothing speaks against them. */
  problems(items: readonly PackageItemView[]): ContentProblemView[] {
    return contentProblems(items);
  }

  /** Items of whole shipments, for this subgraph's own reckoning. */
  async itemsOfShipments(shipmentIds: readonly string[]): Promise<Map<string, PackageItemRow[]>> {
    const packages = await this.#db.read((em) => packagesOf(em, shipmentIds));
    const items = await this.#db.read((em) =>
      itemsOf(
        em,
        packages.map(({ id }) => id),
      ),
    );
    const grouped = groupedBy(
      packages.map(({ id }) => id),
      items,
      ({ packageId }) => packageId,
    );
    const found = new Map<string, PackageItemRow[]>(shipmentIds.map((id) => [id, []]));
    for (const [index, { shipmentId }] of packages.entries()) found.get(shipmentId)!.push(...grouped[index]!);
    return found;
  }

  /** What the contents of shipments still lack, as codes: `PACKAGES_MISSING`, `PHOTOS_MISSING`. */
  async missing(shipmentIds: readonly string[]): Promise<Map<string, string[]>> {
    const packages = await this.#db.read((em) => packagesOf(em, shipmentIds));
    const photos = await this.#db.read((em) =>
      em.find(PackagePhotoEntity, { packageId: { $in: packages.map(({ id }) => id) } }),
    );
    const pictured = new Set(photos.map(({ packageId }) => packageId));
    const grouped = groupedBy(shipmentIds, packages, ({ shipmentId }) => shipmentId);
    return new Map(
      shipmentIds.map((id, index) => {
        const own = grouped[index]!;
        if (own.length === 0) return [id, ['PACKAGES_MISSING']];
        return [id, own.every((each) => pictured.has(each.id)) ? [] : ['PHOTOS_MISSING']];
      }),
    );
  }

  /** What other subgraphs know of a shipment's packages. */
  async facts(shipmentId: string): Promise<z.output<typeof packageFacts>[]> {
    const rows = await this.#db.read((em) => packagesOf(em, [shipmentId]));
    return rows.map((row) => ({
      packageId: row.id,
      category: row.category,
      grams: row.weightGrams,
      declaredValue: money(row.declaredMinor, row.currency),
    }));
  }

  async #changePackage<T>(
    viewer: Viewer,
    packageId: string,
    change: (em: EntityManager, row: PackageRow, shipment: ShipmentView) => Promise<T>,
  ): Promise<T> {
    requireUser(viewer);
    const [seen] = await this.byIds(viewer, [requireId(packageId, 'packageId')]);
    if (!seen || seen instanceof Error) throw packageNotFound();
    return this.#db.transaction(async ({ em }) => {
      const shipment = await this.#access.lockDraft(em, viewer, seen.shipmentId);
      const row = await em.findOne(PackageEntity, { id: packageId });
      if (!row) throw packageNotFound();
      return change(em, row, this.#access.ownView(shipment));
    });
  }
}

const packageNotFound = (): NotFound =>
  new NotFound('PACKAGE_NOT_FOUND', 'There is no such package of yours');

const packagesOf = (em: EntityManager, shipmentIds: readonly string[]): Promise<PackageRow[]> =>
  em.find(
    PackageEntity,
    { shipmentId: { $in: [...shipmentIds] } },
    { orderBy: { shipmentId: 'asc', sequence: 'asc' } },
  );

const itemsOf = (em: EntityManager, packageIds: readonly string[]): Promise<PackageItemRow[]> =>
  em.find(
    PackageItemEntity,
    { packageId: { $in: [...packageIds] } },
    { orderBy: { packageId: 'asc', sequence: 'asc' } },
  );

const within = (value: number, max: number): boolean => Number.isInteger(value) && value >= 1 && value <= max;

function checkPackage({ weightGrams, dimensions, declaredValue, items }: PackageDraft): void {
  currencyExponent(declaredValue.currency);
  const { lengthMm, widthMm, heightMm } = dimensions;
  if (
    !within(weightGrams, maxGrams) ||
    ![lengthMm, widthMm, heightMm].every((side) => within(side, maxMillimetres)) ||
    declaredValue.amountMinor < 0n ||
    declaredValue.amountMinor > maxMinor
  ) {
    throw new Invalid('PACKAGE_INVALID', 'A package has a weight, three sides and a declared value', {
      maxGrams,
      maxMillimetres,
    });
  }
  if (items.length === 0 || items.length > maxItems)
    throw new Invalid('ITEMS_MISSING', `List what is in the package, 1 to ${maxItems} items`);
}

function itemOf(draft: ItemDraft): ItemDraft {
  const description = draft.description.normalize('NFC').trim();
  const airlineApproval = draft.airlineApproval?.trim() || null;
  if (
    description.length < 2 ||
    description.length > 200 ||
    /\p{Cc}/u.test(description) ||
    (airlineApproval?.length ?? 0) > 100 ||
    !within(draft.quantity, 10_000) ||
    !within(draft.weightGrams, maxGrams) ||
    draft.unitValue.amountMinor < 0n ||
    draft.unitValue.amountMinor > maxMinor ||
    (draft.lithiumWattHours != null && !(draft.lithiumWattHours >= 0))
  ) {
    throw new Invalid('ITEM_INVALID', 'An item has a description, a quantity, a weight and a value', {
      description,
    });
  }
  return {
    description,
    quantity: draft.quantity,
    unitValue: draft.unitValue,
    weightGrams: draft.weightGrams,
    hsCode: hsCodeOf(draft.hsCode),
    originCountry: countryOf(draft.originCountry),
    lithiumWattHours: draft.lithiumWattHours ?? null,
    airlineApproval,
  };
}

function checkSums({ weightGrams, declaredValue }: PackageDraft, items: readonly ItemDraft[]): void {
  const itemGrams = items.reduce((sum, item) => sum + item.weightGrams, 0);
  if (itemGrams > weightGrams) {
    throw new Invalid('ITEMS_TOO_HEAVY', 'The items weigh more than their package', {
      itemGrams,
      weightGrams,
    });
  }
  const worth = addMoney(
    money(0, declaredValue.currency),
    ...items.map(({ unitValue, quantity }) =>
      money(unitValue.amountMinor * BigInt(quantity), unitValue.currency),
    ),
  );
  if (worth.amountMinor > declaredValue.amountMinor) {
    throw new Invalid('ITEMS_ABOVE_DECLARED_VALUE', 'The items are worth more than the package is declared', {
      itemsMinor: worth.amountMinor.toString(),
      declaredMinor: declaredValue.amountMinor.toString(),
    });
  }
}
