/** Who is shown what of a shipment, and while it is in which states. Read by the code and by its test alike. */
import type { ShipmentState } from '#shared/events/shipments.ts';

/** What the viewer is to a shipment; one viewer may be several. A recipient may come by account or by link. */
export type Relation = 'sender' | 'recipient' | 'carrier';

export type Disclosure =
  /** That it exists, its route, its state and its dates. */
  | 'frame'
  /** Packages, their contents, weights, declared values and photos. */
  | 'contents'
  /** Name and account of the recipient. */
  | 'recipient'
  /** E-mail, phone and address of the recipient. */
  | 'recipientContact'
  | 'senderContact'
  | 'declaration'
  | 'duties'
  /** What a draft still lacks. */
  | 'preparation';

const always: readonly ShipmentState[] = [
  'draft',
  'searching',
  'awaiting_acceptance',
  'booked',
  'in_transit',
  'awaiting_delivery',
  'delivered',
  'completed',
  'cancelled',
];
const sinceSubmitted = always.filter((state) => state !== 'draft');
/** From the request on, carriers see what they are asked to carry. */
const sinceAsked: readonly ShipmentState[] = [
  'awaiting_acceptance',
  'booked',
  'in_transit',
  'awaiting_delivery',
  'delivered',
  'completed',
];
/** Carriers reach people only while they have something to hand over or to answer for. */
const whileCarried: readonly ShipmentState[] = ['booked', 'in_transit', 'awaiting_delivery', 'delivered'];
const never: readonly ShipmentState[] = [];

export const disclosure: Readonly<Record<Disclosure, Readonly<Record<Relation, readonly ShipmentState[]>>>> =
  {
    frame: { sender: always, recipient: sinceSubmitted, carrier: sinceAsked },
    contents: { sender: always, recipient: sinceSubmitted, carrier: sinceAsked },
    recipient: { sender: always, recipient: sinceSubmitted, carrier: sinceAsked },
    recipientContact: { sender: always, recipient: sinceSubmitted, carrier: whileCarried },
    senderContact: { sender: always, recipient: sinceSubmitted, carrier: whileCarried },
    declaration: { sender: always, recipient: sinceSubmitted, carrier: whileCarried },
    duties: { sender: always, recipient: sinceSubmitted, carrier: never },
    preparation: { sender: always, recipient: never, carrier: never },
  };

const kinds = Object.keys(disclosure) as Disclosure[];

/** Everything that these relations together are shown in a state. */
export const disclosed = (relations: readonly Relation[], state: ShipmentState): ReadonlySet<Disclosure> =>
  new Set(kinds.filter((kind) => relations.some((relation) => disclosure[kind][relation].includes(state))));
