import type { Viewer } from '#shared/kernel/viewer.ts';
import {
  eur,
  lyon,
  montreal,
  newYork,
  oslo,
  paris,
  recipient,
  Story,
  scarf,
  sender,
  stranger,
} from '../testing/story.ts';

const silk = { ...scarf, description: 'Silk blouse', quantity: 1, weightGrams: 100, hsCode: '6206.10' };
const wool = { ...scarf, description: 'Wool blouse', quantity: 2, weightGrams: 300, hsCode: '6206.20' };
const blouses = [
  { ...silk, unitValue: eur(2_000) },
  { ...wool, unitValue: eur(1_000) },
];

let story: Story;
beforeAll(async () => {
  story = await Story.begin();
});
afterAll(() => story.world[Symbol.asyncDispose]());

const estimate =
  '{ status amount { amountMinor currency } confidence missing day trace { ruleId hsCode source } }';
const duties = (shipmentId: string, at?: string, viewer: Viewer = sender) =>
  story.world.execute(
    'shipments',
    `query ($id: ID!, $at: DateTime) { customsDuties(shipmentId: $id, at: $at) ${estimate} }`,
    { id: shipmentId, at },
    viewer,
  );

async function declared(items: object[], declaration: object = {}, destination = paris): Promise<string> {
  const shipmentId = await story.draft(montreal, destination);
  await story.package(shipmentId, { items });
  await story.did('declareCustoms', {
    shipmentId,
    contentType: 'MERCHANDISE',
    incoterm: 'DAP',
    signerName: 'Sara Sender',
    ...declaration,
  });
  return shipmentId;
}

test('one silk and two wool blouses pay 3 EUR for each of two sub-headings, with the rule behind it', async () => {
  const { data } = await duties(await declared(blouses), '2026-07-15T12:00:00Z');
  expect(data.customsDuties).toEqual({
    status: 'ESTIMATED',
    amount: eur(600),
    confidence: 'MEDIUM',
    missing: [],
    day: '2026-07-15',
    trace: [
      { ruleId: 'eu-flat-duty', hsCode: '620610', source: expect.stringMatching(/^https:/) },
      { ruleId: 'eu-flat-duty', hsCode: '620620', source: expect.stringMatching(/^https:/) },
    ],
  });
});

test('the rules change at midnight where the goods arrive', async () => {
  const shipmentId = await declared(blouses);
  const on = async (at: string) => {
    const { day, amount } = (await duties(shipmentId, at)).data.customsDuties;
    return [day, amount];
  };
  expect(await on('2026-06-30T21:59:59Z')).toEqual(['2026-06-30', eur(0)]);
  expect(await on('2026-06-30T22:00:00Z')).toEqual(['2026-07-01', eur(600)]);
});

test('a missing HS code makes an estimate incomplete and never zero', async () => {
  const shipmentId = await declared([blouses[0]!, { ...blouses[1], hsCode: null }]);
  const { data } = await duties(shipmentId, '2026-07-15T12:00:00Z');
  expect(data.customsDuties).toMatchObject({
    status: 'INCOMPLETE',
    amount: null,
    missing: ['HS_CODE_MISSING'],
  });
  const undeclared = await story.draft();
  expect((await duties(undeclared)).data.customsDuties).toMatchObject({
    status: 'INCOMPLETE',
    amount: null,
    missing: ['CUSTOMS_DECLARATION_MISSING'],
  });
});

test('where no rule gives an amount, none is invented', async () => {
  const unknown = async (shipmentId: string, at: string) => {
    const { status, amount, trace } = (await duties(shipmentId, at)).data.customsDuties;
    expect([status, amount]).toEqual(['UNKNOWN', null]);
    return trace[0].ruleId;
  };
  const at = '2026-07-15T12:00:00Z';
  expect(await unknown(await declared(blouses, {}, oslo), at)).toBe('no-rule-pack');
  expect(await unknown(await declared(blouses, {}, newYork), '2025-08-28T12:00:00Z')).toBe('us-de-minimis');
});

test('nothing is due within one territory, and nothing is declared', async () => {
  const shipmentId = await story.draft(lyon, paris);
  await story.package(shipmentId);
  const { data } = await duties(shipmentId);
  expect(data.customsDuties).toMatchObject({ status: 'ESTIMATED', amount: eur(0), confidence: 'HIGH' });
  const declare = { shipmentId, contentType: 'GIFT', signerName: 'Sara' };
  expect((await story.run('declareCustoms', declare)).codes).toEqual(['DECLARATION_NOT_NEEDED']);
});

test('a declaration follows the items, says what it lacks, and own lines must match the contents', async () => {
  const shipmentId = await story.draft();
  await story.package(shipmentId, { items: [{ ...blouses[0], hsCode: null, originCountry: null }] });
  const declare = (more: object) =>
    story.did(
      'declareCustoms',
      { shipmentId, contentType: 'MERCHANDISE', signerName: 'Sara', ...more },
      '{ complete missing lines { description hsCode value { amountMinor } missing } }',
    );
  expect(await declare({})).toEqual({
    complete: false,
    missing: ['HS_CODE_MISSING', 'INCOTERM_MISSING', 'ORIGIN_COUNTRY_MISSING'],
    lines: [
      {
        description: 'Silk blouse',
        hsCode: null,
        value: { amountMinor: '2000' },
        missing: ['HS_CODE_MISSING', 'ORIGIN_COUNTRY_MISSING'],
      },
    ],
  });
  const line = {
    description: 'Blouses of silk',
    quantity: 1,
    value: eur(2_000),
    weightGrams: 100,
    hsCode: '620610',
    originCountry: 'it',
  };
  const whole = await declare({ incoterm: 'DDP', lines: [line] });
  expect(whole).toMatchObject({ complete: true, missing: [] });
  await story.package(shipmentId, { items: [blouses[1]] });
  const { customsDeclaration } = await story.seen(sender, shipmentId, '{ customsDeclaration { missing } }');
  expect(customsDeclaration).toEqual({ missing: ['LINES_DIFFER_FROM_CONTENTS'] });
});

test.each<[string, object]>([
  ['SIGNER_INVALID', { signerName: ' ' }],
  ['LINE_INVALID', { lines: [] }],
  ['LINE_INVALID', { lines: [{ description: 'Book', quantity: 0, value: eur(1), weightGrams: 1 }] }],
  [
    'HS_CODE_INVALID',
    { lines: [{ description: 'Book', quantity: 1, value: eur(1), weightGrams: 1, hsCode: '49' }] },
  ],
  [
    'COUNTRY_INVALID',
    { lines: [{ description: 'Book', quantity: 1, value: eur(1), weightGrams: 1, originCountry: 'Italy' }] },
  ],
  [
    'CURRENCY_MIXED',
    {
      lines: [
        { description: 'Book', quantity: 1, value: eur(1), weightGrams: 1 },
        { description: 'Book', quantity: 1, value: { amountMinor: '1', currency: 'CAD' }, weightGrams: 1 },
      ],
    },
  ],
])('a declaration that makes no sense is refused with %s', async (code, change) => {
  const shipmentId = await story.draft();
  const declaration = { shipmentId, contentType: 'GIFT', signerName: 'Sara', ...change };
  expect((await story.run('declareCustoms', declaration)).codes).toEqual([code]);
});

test('duties are shown to nobody but sender and recipient, and only the sender declares', async () => {
  const shipmentId = await declared(blouses);
  expect((await duties(shipmentId, undefined, stranger)).codes).toEqual(['SHIPMENT_NOT_FOUND']);
  expect((await duties(shipmentId, undefined, recipient)).codes).toEqual(['SHIPMENT_NOT_FOUND']);
  const declaration = { shipmentId, contentType: 'GIFT', signerName: 'Eve' };
  expect((await story.run('declareCustoms', declaration, stranger)).codes).toEqual(['SHIPMENT_NOT_FOUND']);
});
