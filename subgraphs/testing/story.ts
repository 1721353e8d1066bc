/**
 * What a sender does until a parcel is booked, for tests of several subgraphs: each step goes through the API of
 * the subgraph that owns it. Gifts of two kilograms go from Montréal to Paris, by Ava, Ben and Cleo.
 */
import { TripsContract } from '#shared/contracts/trips.ts';
import type { UserViewer, Viewer } from '#shared/kernel/viewer.ts';
import { london, montreal, paris } from '../discovery/testing/supply.ts';
import { user } from './actors.ts';
import { ava, ben, cleo, euros, type Json, Market, type Offers } from './market.ts';
import { type Answer, startWorld, type WorldOptions } from './world.ts';

export { ava, ben, cleo, euros, eve, type Offers } from './market.ts';

export const sara = user('Sara, who sends');

const contact = { phone: '+33155550100', address: '1 rue de Rivoli\nParis' };

export interface Asked {
  readonly itineraryId: string;
  readonly shipmentId: string;
  /** What the request was made with. */
  readonly terms: Terms;
}

export interface Terms {
  readonly itineraryId: string;
  readonly quoteId: string;
  readonly quoteSignature: string;
  readonly expectedTotal: { amountMinor: string; currency: string };
}

export class Story extends Market {
  /** A shipment from Montréal to Paris of which nothing else is said yet. */
  async draft(sender: UserViewer = sara): Promise<string> {
    const { id } = await this.mutate('shipments', sender, 'createShipment', {
      originLocationId: montreal,
      destinationLocationId: paris,
      senderInfo: { name: 'Sara', email: 'sara@example.com', ...contact },
    });
    return id;
  }

  /** Gifts of two kilograms from Montréal to Paris, complete and submitted. */
  async shipment(
    sender: UserViewer = sara,
    more: { photoFileId?: string; recipientEmail?: string } = {},
  ): Promise<string> {
    const run = (field: string, input: object, type?: string) =>
      this.mutate('shipments', sender, field, input, type ? { type } : {});
    const shipmentId = await this.draft(sender);
    const blanket = {
      description: 'Woollen blanket',
      quantity: 1,
      unitValue: euros(5_000),
      weightGrams: 2_000,
      hsCode: '630120',
      originCountry: 'CA',
    };
    const { id: packageId } = await run('addPackage', {
      shipmentId,
      category: 'GIFTS',
      weightGrams: 2_000,
      dimensions: { lengthMm: 300, widthMm: 200, heightMm: 150 },
      declaredValue: euros(8_000),
      items: [blanket],
    });
    const fileId = more.photoFileId ?? (await this.upload(sender, 'PACKAGE_PHOTO'));
    await run('addPackagePhoto', { packageId, fileId });
    const email = more.recipientEmail ?? 'rosa@example.com';
    await run('setRecipient', { shipmentId, name: 'Rosa', email, ...contact });
    await run('declareCustoms', { shipmentId, contentType: 'GIFT', signerName: 'Sara' });
    await run('submitShipment', { shipmentId }, 'ShipmentActionInput');
    return shipmentId;
  }

  /** Suggestions from Montréal to Paris or only to London, cheapest first. */
  search(sender: Viewer = sara, more: { destination?: 'LONDON' | 'PARIS' } = {}): Promise<Json[]> {
    const criteria = {
      originLocationId: montreal,
      destinationLocationId: more.destination === 'LONDON' ? london : paris,
      earliestDeparture: '2026-03-05T18:00:00Z',
      latestArrival: '2026-03-07T20:00:00Z',
      category: 'GIFTS',
      grams: 2_000,
    };
    return this.did(
      'discovery',
      sender,
      'query ($input: SearchRoutesInput!) { searchRoutes(input: $input) { token legs { carrier { id } } } }',
      { input: { criteria, sort: 'CHEAPEST', first: 10 } },
    );
  }

  /** Token of the suggestion with these carriers. */
  async chain(carriers: readonly UserViewer[] = [ava, ben, cleo]): Promise<string> {
    const wanted = carriers.map(({ userId }) => userId).join();
    const found = (await this.search()).find(
      ({ legs }) => legs.map((leg: Json) => leg.carrier.id).join() === wanted,
    );
    if (!found) throw new Error('the search does not find the chain');
    return found.token;
  }

  createItinerary(viewer: Viewer, shipmentId: string, suggestionToken: string): Promise<Answer> {
    return this.bookings(viewer, 'createItinerary', { shipmentId, suggestionToken });
  }

  quoteItinerary(viewer: Viewer, itineraryId: string): Promise<Answer> {
    const selection =
      '{ id signature expiresAt total { amountMinor currency } fee { amountMinor } lines { price { amountMinor } feeShare { amountMinor } } }';
    return this.bookings(viewer, 'quoteItinerary', { itineraryId }, selection);
  }

  /** A planned itinerary of a shipment of this sender's, with its quote. */
  async planned(
    sender: UserViewer = sara,
    more: { shipmentId?: string; token?: string } = {},
  ): Promise<Asked> {
    const shipmentId = more.shipmentId ?? (await this.shipment(sender));
    const created = await this.createItinerary(sender, shipmentId, more.token ?? (await this.chain()));
    if (created.errors[0]) throw created.errors[0];
    const itineraryId = created.data.createItinerary.id;
    return { itineraryId, shipmentId, terms: await this.terms(itineraryId, sender) };
  }

  /** A new quote of an itinerary, as it is sent back with the request. */
  async terms(itineraryId: string, sender: Viewer = sara): Promise<Terms> {
    const { data, errors } = await this.quoteItinerary(sender, itineraryId);
    if (errors[0]) throw errors[0];
    const { id: quoteId, signature: quoteSignature, total: expectedTotal } = data.quoteItinerary;
    return { itineraryId, quoteId, quoteSignature, expectedTotal };
  }

  request({ terms }: Asked, viewer: Viewer = sara, change: Partial<Terms> = {}): Promise<Answer> {
    return this.bookings(viewer, 'requestBooking', { ...terms, ...change }, '{ id state answerBy }');
  }

  /** An itinerary whose carriers were asked; nothing else has moved yet. */
  async requested(sender: UserViewer = sara, more: { token?: string } = {}): Promise<Asked> {
    const planned = await this.planned(sender, more);
    const { errors } = await this.request(planned, sender);
    if (errors[0]) throw errors[0];
    return planned;
  }

  /** Id of the booking that asks this carrier. */
  async bookingOf({ itineraryId }: Asked, carrier: UserViewer): Promise<string> {
    const [row] = await this.rows<{ id: string }>(
      'bookings',
      'select id from leg_bookings where itinerary_id = ? and carrier_id = ?',
      [itineraryId, carrier.userId],
    );
    return row!.id;
  }

  async accept(asked: Asked, carrier: UserViewer): Promise<Answer> {
    return this.bookings(carrier, 'acceptBooking', { bookingId: await this.bookingOf(asked, carrier) });
  }

  async decline(asked: Asked, carrier: UserViewer, reason = 'No room after all'): Promise<Answer> {
    const bookingId = await this.bookingOf(asked, carrier);
    return this.bookings(carrier, 'declineBooking', { bookingId, reason });
  }

  async acceptAll(asked: Asked, carriers: readonly UserViewer[] = [ava, ben, cleo]): Promise<void> {
    for (const carrier of carriers) {
      const { errors } = await this.accept(asked, carrier);
      if (errors[0]) throw errors[0];
    }
  }

  cancel({ itineraryId }: Asked, viewer: Viewer = sara): Promise<Answer> {
    return this.bookings(viewer, 'cancelItinerary', { itineraryId });
  }

  /** The sender tries a card on the payment of an itinerary. */
  async pay({ itineraryId }: Asked, card = 'pm_card_visa', sender: Viewer = sara): Promise<Answer> {
    const [itinerary] = (
      await this.world.entities(
        'payments',
        [{ __typename: 'Itinerary', id: itineraryId }],
        '{ ... on Itinerary { payment { id } } }',
        sender,
      )
    ).data;
    return this.world.execute(
      'payments',
      'mutation ($input: ProcessPaymentInput!) { processPayment(input: $input) { __typename } }',
      {
        input: {
          paymentId: itinerary.payment.id,
          paymentMethodId: card,
          returnUrl: 'https://app.example/paid',
        },
      },
      sender,
    );
  }

  /** From nothing to a confirmed itinerary. */
  async confirmed(sender: UserViewer = sara, more: { token?: string } = {}): Promise<Asked> {
    const asked = await this.requested(sender, more);
    await this.world.settle();
    await this.acceptAll(asked);
    const { errors } = await this.pay(asked, 'pm_card_visa', sender);
    if (errors[0]) throw errors[0];
    await this.world.settle();
    return asked;
  }

  /** A mutation of bookings. */
  bookings(viewer: Viewer, field: string, input: object, selection = '{ id state }'): Promise<Answer> {
    const types: Record<string, string> = { acceptBooking: 'AnswerBookingInput' };
    const type = types[field] ?? `${field[0]!.toUpperCase()}${field.slice(1)}Input`;
    const text = `mutation ($input: ${type}!) { ${field}(input: $input) ${selection} }`;
    return this.world.execute('bookings', text, { input }, viewer);
  }

  /** What is free on the three legs now, by what their owners answer for. */
  async free({ firstLegId, secondLegId, segmentId }: Offers): Promise<number[]> {
    const free = async (subgraph: string, code: string): Promise<number | null> => {
      const [row] = await this.rows<{ free: string }>(
        subgraph,
        'select (posted - pending_out)::text as free from ledger_accounts where code like ?',
        [code],
      );
      return row ? Number(row.free) : null;
    };
    const run = await free('discovery', `leg:${segmentId}@%:free`);
    return [
      (await free('trips', `leg:${firstLegId}:free`))!,
      (await free('trips', `leg:${secondLegId}:free`))!,
      // A courier's day has an account once somebody has asked for it.
      ...(run === null ? [] : [run]),
    ];
  }

  /** What is held on the trips of a shipment is lost, as when a hold has run out. */
  async loseHold({ shipmentId }: Asked): Promise<void> {
    const holds = await this.rows<{ key: string }>(
      'trips',
      `select key from ledger_journals where kind = 'pending' and cause ->> 'shipmentId' = ?`,
      [shipmentId],
    );
    for (const { key } of holds)
      await this.world
        .ask(TripsContract)
        .releaseHold({ holdId: key.slice('hold:'.length) }, { key: `lose ${key}` });
  }

  rows<Row extends object = Record<string, unknown>>(
    subgraph: string,
    text: string,
    parameters: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.world.database(subgraph).read((em) => em.execute<Row[]>(text, [...parameters]));
  }
}

/** A world in which a parcel can be booked and paid: the card processor is the simulator that payments brings along. */
export async function startStory(
  options: Partial<WorldOptions> & Pick<WorldOptions, 'env'> = {},
): Promise<Story> {
  const world = await startWorld({
    subgraphs: ['identity', 'trips', 'discovery', 'shipments', 'bookings', 'payments'],
    // The simulator's webhooks find a closed door at once: what is told by answers is enough here.
    publicUrl: 'http://127.0.0.1:9',
    ...options,
    env: { SIMULATOR_PORT: '0', ...options.env },
  });
  return new Story(world);
}
