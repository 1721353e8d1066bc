/** What resolvers get: only what the viewer may see, so that nothing has to be hidden later. */
import type { ShipmentState } from '#shared/events/shipments.ts';
import type { ContentProblem } from './content-rules.ts';
import type { Disclosure } from './shipment.disclosure.ts';
import type { PackageItemRow, PackagePhotoRow, PackageRow } from './shipment.entities.ts';

export interface ContactDetailsView {
  readonly name: string;
  readonly email: string;
  readonly phone: string;
  readonly address: string;
}

export interface ShipmentView {
  readonly id: string;
  readonly senderId: string;
  readonly state: ShipmentState;
  readonly originLocationId: string;
  readonly destinationLocationId: string;
  readonly international: boolean;
  readonly destinationTerritory: string;
  readonly destinationTimeZone: string;
  readonly specialHandling: string | null;
  readonly senderContact: ContactDetailsView | null;
  readonly createdAt: Date;
  readonly submittedAt: Date | null;
  /** What this viewer is shown of it. */
  readonly discloses: ReadonlySet<Disclosure>;
}

export interface RecipientView {
  readonly id: string;
  readonly name: string;
  readonly userId: string | null;
  readonly email: string | null;
  readonly phone: string | null;
  readonly address: string | null;
}

export interface RecipientLinkView {
  readonly url: string;
  readonly expiresAt: Date;
}

export type PackageView = PackageRow;
export type PackageItemView = PackageItemRow;
export type PackagePhotoView = PackagePhotoRow;
export type ContentProblemView = ContentProblem;
