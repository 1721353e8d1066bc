import { buildSchema } from 'graphql';
import { CARD_WIDTH, neighbours, readSchemaMap, wholePicture } from './schema-map.ts';

const map = readSchemaMap(
  buildSchema(`
    type Query { books(by: Order): [Book!]! find: Found node: Node }
    "What is read."
    type Book implements Node { id: ID! author: Author! sequel: Book old: String @deprecated(reason: "gone") }
    type Author implements Node { id: ID! books: [Book!]! }
    interface Node { id: ID! }
    union Found = Book | Author
    enum Order { TITLE YEAR }
    type Forgotten { author: Author }
  `),
);
const everything = () => true;

test('the map tells what refers to what, arguments and abstract types included', () => {
  expect(map.get('Order')!.usedBy).toEqual([{ type: 'Query', field: 'books' }]);
  expect(map.get('Author')!.usedBy.map(({ type, field }) => `${type}.${field}`)).toEqual([
    'Book.author',
    'Node.… on Author',
    'Found.Author',
    'Forgotten.author',
  ]);
  expect(map.get('Book')).toMatchObject({ description: 'What is read.', kind: 'object', isRoot: false });
  expect(map.get('Book')!.fields.find(({ name }) => name === 'old')).toMatchObject({ deprecated: 'gone' });
  expect([...map.keys()].filter((name) => name.startsWith('__') || name === 'String')).toEqual([]);
});

test('the whole picture holds what can be walked to, and no cards lie over each other', () => {
  const { cards, width, height } = wholePicture(map, everything);
  expect(cards.map(({ type }) => type.name).sort()).toEqual([
    'Author',
    'Book',
    'Found',
    'Node',
    'Order',
    'Query',
  ]);
  for (const one of cards) {
    expect(one.x >= 0 && one.y >= 0 && one.x + CARD_WIDTH <= width && one.y + one.height <= height).toBe(
      true,
    );
    for (const other of cards)
      if (other !== one && other.x === one.x)
        expect(one.y + one.height <= other.y || other.y + other.height <= one.y).toBe(true);
  }
});

test('what is not shown is not walked through', () => {
  const { cards, edges } = wholePicture(map, ({ kind }) => kind !== 'enum');
  expect(cards.map(({ type }) => type.name)).not.toContain('Order');
  expect(edges.map(({ to }) => to)).not.toContain('Order');
});

test('around a type lie those that refer to it and those that it refers to', () => {
  const { cards, edges } = neighbours(map, 'Book');
  const x = (name: string) => cards.find(({ type }) => type.name === name)?.x ?? Number.NaN;
  expect(x('Query')).toBeLessThan(x('Book'));
  expect(x('Author')).toBeGreaterThan(x('Book'));
  expect(x('Order')).toBeNaN();
  expect(edges.filter(({ from, to }) => from !== 'Book' && to !== 'Book')).toEqual([]);
});

test('long columns are split', () => {
  const fields = Array.from({ length: 90 }, (_, index) => `f${index}: T${index % 30}`).join(' ');
  const types = Array.from({ length: 30 }, (_, index) => `type T${index} { id: ID }`).join(' ');
  const wide = wholePicture(readSchemaMap(buildSchema(`type Query { ${fields} } ${types}`)), everything);
  expect(new Set(wide.cards.map(({ x }) => x)).size).toBeGreaterThan(2);
});
