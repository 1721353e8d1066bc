import { type ShipmentState, shipmentState } from '#shared/events/shipments.ts';
import type { Viewer } from '#shared/kernel/viewer.ts';
import { link } from '../../testing/actors.ts';
import {
  carrier,
  itineraryOf,
  montreal,
  recipient,
  Story,
  sender,
  stranger,
  tell,
} from '../testing/story.ts';
import { type Disclosure, disclosure, type Relation } from './shipment.disclosure.ts';

/** One letter per state, in the order of `shipmentState`: x where the relation is shown it. */
const expected: Record<Disclosure, Record<Relation, string>> = {
  //                             dsabiadcc
  frame: { sender: /*         */ 'xxxxxxxxx', recipient: '.xxxxxxxx', carrier: '..xxxxxx.' },
  contents: { sender: /*      */ 'xxxxxxxxx', recipient: '.xxxxxxxx', carrier: '..xxxxxx.' },
  recipient: { sender: /*     */ 'xxxxxxxxx', recipient: '.xxxxxxxx', carrier: '..xxxxxx.' },
  recipientContact: { sender: 'xxxxxxxxx', recipient: '.xxxxxxxx', carrier: '...xxxx..' },
  senderContact: { sender: /* */ 'xxxxxxxxx', recipient: '.xxxxxxxx', carrier: '...xxxx..' },
  declaration: { sender: /*   */ 'xxxxxxxxx', recipient: '.xxxxxxxx', carrier: '...xxxx..' },
  duties: { sender: /*        */ 'xxxxxxxxx', recipient: '.xxxxxxxx', carrier: '.........' },
  preparation: { sender: /*   */ 'xxxxxxxxx', recipient: '.........', carrier: '.........' },
};

let story: Story;
let shipmentId: string;
let recipientId: string;
beforeAll(async () => {
  story = await Story.begin();
  story.accounts.set('rosa@example.com', recipient.userId);
  ({ shipmentId } = await story.ready({ origin: montreal }));
  await story.did('submitShipment', { shipmentId });
  await tell(story.world, itineraryOf(shipmentId, story.world.clock).requested);
  const known = (await story.seen(sender, shipmentId, '{ recipient { id } }')).recipient;
  recipientId = known.id;
});
afterAll(() => story.world[Symbol.asyncDispose]());

const text = `query ($id: ID!) {
  shipment(id: $id) {
    state senderContact { name email phone address } packages { items { description } photos { sha256 } }
    recipient { name email phone address } customsDeclaration { id }
  }
  customsDuties(shipmentId: $id) { status }
  recipientLink(shipmentId: $id) { url }
}`;

/** What an answer really shows, read from its fields alone. */
async function shown(viewer: Viewer): Promise<Record<Disclosure, boolean>> {
  const fields = async (query: string) =>
    (await story.world.execute('shipments', query, { id: shipmentId }, viewer)).data;
  const shipment = (await fields(text.replace(/customsDuties[^}]*}|recipientLink[^}]*}/g, '')))?.shipment;
  const alone = (field: string) => fields(`query ($id: ID!) { ${field} }`);
  return {
    frame: shipment !== null,
    contents: (shipment?.packages[0]?.items.length ?? 0) > 0 && shipment.packages[0].photos.length > 0,
    recipient: Boolean(shipment?.recipient?.name),
    recipientContact: whole(shipment?.recipient),
    senderContact: whole(shipment?.senderContact),
    declaration: Boolean(shipment?.customsDeclaration),
    duties: Boolean(await alone('customsDuties(shipmentId: $id) { status }')),
    preparation: Boolean(await alone('recipientLink(shipmentId: $id) { url }')),
  };
}

/** Contacts are shown whole or not at all. */
function whole(contact?: { email?: string; phone?: string; address?: string } | null): boolean {
  const parts = [contact?.email, contact?.phone, contact?.address].filter(Boolean).length;
  expect([0, 3]).toContain(parts);
  return parts === 3;
}

const relations = (): [Relation, Viewer][] => [
  ['sender', sender],
  ['recipient', recipient],
  ['recipient', link(shipmentId, recipientId)],
  ['carrier', carrier],
];

test.each(shipmentState.options)('a shipment that is %s shows each party what concerns it', async (state) => {
  await putInto(state);
  const at = shipmentState.options.indexOf(state);
  for (const [relation, viewer] of relations()) {
    const cells = Object.entries(expected).map(([what, row]) => [what, row[relation][at] === 'x']);
    expect([relation, viewer.kind, await shown(viewer)]).toEqual([
      relation,
      viewer.kind,
      Object.fromEntries(cells),
    ]);
  }
  expect(Object.values(await shown(stranger))).not.toContain(true);
});

test('the table has no cell that is not tested', () => {
  expect(Object.keys(disclosure).sort()).toEqual(Object.keys(expected).sort());
});

const putInto = (state: ShipmentState) =>
  story.world
    .database('shipments')
    .transaction((tx) => tx.sql('update shipments set state = ? where id = ?', [state, shipmentId]));
