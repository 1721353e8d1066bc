/** What a sender does before anybody can carry: packages, contents, photos, people, customs. */
import assert from 'node:assert/strict';
import {
  AddPackageDocument,
  AddPackagePhotoDocument,
  CreateShipmentDocument,
  DeclareCustomsDocument,
  RecipientLinkDocument,
  SetRecipientDocument,
  SubmitShipmentDocument,
} from '../../schema/operations/operations.generated.ts';
import type { Person } from './client.ts';
import { takePhoto } from './photo.ts';
import type { Lane, Say } from './story.ts';

const euros = (cents: number) => ({ amountMinor: String(cents), currency: 'EUR' });

export interface Parcel {
  readonly shipmentId: string;
  /** Bearer token of the recipient's signed link. */
  readonly linkToken: string;
}

/** Creates, describes and submits one shipment of one package of two kilograms. */
export async function submitShipment(
  sender: Person,
  recipient: Person,
  lane: Lane,
  say: Say,
): Promise<Parcel> {
  const { client } = sender;
  const { createShipment } = await client.run(CreateShipmentDocument, {
    input: {
      originLocationId: lane.montreal.id,
      destinationLocationId: lane.paris.id,
      senderInfo: {
        name: sender.name,
        email: sender.email,
        phone: '+15145550100',
        address: '1 rue Sainte-Catherine, Montréal, Canada',
      },
    },
  });
  const shipmentId = createShipment.id;
  const { addPackage } = await client.run(AddPackageDocument, {
    input: {
      shipmentId,
      category: 'GIFTS',
      weightGrams: 2_000,
      dimensions: { lengthMm: 300, widthMm: 200, heightMm: 150 },
      declaredValue: euros(8_000),
      items: [
        {
          description: 'Woollen blanket',
          quantity: 1,
          unitValue: euros(5_000),
          weightGrams: 1_200,
          hsCode: '630120',
          originCountry: 'CA',
        },
        {
          description: 'Maple syrup tin',
          quantity: 2,
          unitValue: euros(1_500),
          weightGrams: 300,
          hsCode: '170220',
          originCountry: 'CA',
        },
      ],
    },
  });
  const packageId = addPackage.id;
  const fileId = await client.upload(takePhoto(), 'image/png', 'PACKAGE_PHOTO');
  await client.run(AddPackagePhotoDocument, { input: { packageId, fileId } });
  await client.run(SetRecipientDocument, {
    input: {
      shipmentId,
      name: recipient.name,
      email: recipient.email,
      phone: '+33155550100',
      address: '1 rue de Rivoli, 75001 Paris, France',
    },
  });
  const early = await client.refused(SubmitShipmentDocument, { input: { shipmentId } });
  assert.equal(early.codes.length, 1, 'an international shipment needs its customs declaration');
  await client.run(DeclareCustomsDocument, {
    input: { shipmentId, contentType: 'GIFT', signerName: sender.name },
  });
  const { submitShipment: submitted } = await client.run(SubmitShipmentDocument, { input: { shipmentId } });
  assert.equal(submitted.state, 'SEARCHING');
  const { recipientLink } = await client.run(RecipientLinkDocument, { shipmentId });
  const linkToken = new URL(recipientLink.url).searchParams.get('token');
  assert.ok(linkToken, 'the link carries a token');
  say('Shipment', '2 kg of gifts with photo, contents, recipient and customs declaration, Montréal to Paris');
  return { shipmentId, linkToken };
}
