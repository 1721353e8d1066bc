/** A schema as a picture: types as cards, what refers to what, and where each card lies. Lengths are in pixels. */
import {
  type GraphQLArgument,
  type GraphQLInputType,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isScalarType,
  isUnionType,
} from 'graphql';

export type MapKind = 'object' | 'interface' | 'union' | 'input' | 'enum';

export interface MapArgument {
  readonly name: string;
  readonly type: string;
  /** The card that it leads to; `null` where that is a scalar. */
  readonly target: string | null;
  readonly description: string | null;
}

export interface MapField extends MapArgument {
  readonly deprecated: string | null;
  readonly arguments: readonly MapArgument[];
}

export interface MapType {
  readonly name: string;
  readonly kind: MapKind;
  /** `Query`, `Mutation`, `Subscription`: where walks begin. */
  readonly isRoot: boolean;
  readonly description: string | null;
  /** Fields, members of a union, values of an enum. */
  readonly fields: readonly MapField[];
  readonly usedBy: readonly { readonly type: string; readonly field: string }[];
}

export type SchemaMap = ReadonlyMap<string, MapType>;

export function readSchemaMap(schema: GraphQLSchema): SchemaMap {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const types = Object.values(schema.getTypeMap()).flatMap((type) => {
    const kind = isIntrospectionType(type) ? null : kindOf(type);
    if (!kind) return [];
    const isRoot = roots.some((root) => root?.name === type.name);
    return [
      {
        name: type.name,
        kind,
        isRoot,
        description: type.description ?? null,
        fields: fieldsOf(schema, type),
      },
    ];
  });
  const usedBy = new Map<string, { type: string; field: string }[]>();
  for (const type of types)
    for (const field of type.fields)
      for (const target of new Set([field.target, ...field.arguments.map((each) => each.target)]))
        if (target !== null)
          usedBy.set(target, [...(usedBy.get(target) ?? []), { type: type.name, field: field.name }]);
  return new Map(types.map((type) => [type.name, { ...type, usedBy: usedBy.get(type.name) ?? [] }]));
}

function kindOf(type: GraphQLNamedType): MapKind | null {
  if (isObjectType(type)) return 'object';
  if (isInterfaceType(type)) return 'interface';
  if (isUnionType(type)) return 'union';
  if (isInputObjectType(type)) return 'input';
  return isEnumType(type) ? 'enum' : null;
}

const plain = { deprecated: null, arguments: [], description: null } as const;

function fieldsOf(schema: GraphQLSchema, type: GraphQLNamedType): MapField[] {
  if (isUnionType(type))
    return type.getTypes().map(({ name }) => ({ ...plain, name, type: name, target: name }));
  if (isEnumType(type))
    return type.getValues().map(({ name, description, deprecationReason }) => ({
      ...plain,
      name,
      type: '',
      target: null,
      description: description ?? null,
      deprecated: deprecationReason ?? null,
    }));
  if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) return [];
  const fields = Object.values(type.getFields()).map((field) => ({
    ...read(field),
    deprecated: field.deprecationReason ?? null,
    arguments: 'args' in field ? (field.args as readonly GraphQLArgument[]).map(read) : [],
  }));
  if (!isInterfaceType(type)) return fields;
  const kinds = schema
    .getPossibleTypes(type)
    .map(({ name }) => ({ ...plain, name: `… on ${name}`, type: name, target: name }));
  return [...fields, ...kinds];
}

function read(field: {
  name: string;
  type: GraphQLOutputType | GraphQLInputType;
  description?: string | null | undefined;
}): MapArgument {
  const named = getNamedType(field.type);
  return {
    name: field.name,
    type: String(field.type),
    target: isScalarType(named) ? null : named.name,
    description: field.description ?? null,
  };
}

export interface Card {
  readonly type: MapType;
  readonly x: number;
  readonly y: number;
  readonly height: number;
}

export interface Edge {
  readonly from: string;
  readonly field: string;
  readonly to: string;
  /** Of an SVG path. */
  readonly path: string;
}

export interface Picture {
  readonly cards: readonly Card[];
  readonly edges: readonly Edge[];
  readonly width: number;
  readonly height: number;
}

export const CARD_WIDTH = 272;
export const HEAD_HEIGHT = 36;
export const ROW_HEIGHT = 24;
const FOOT = 6;
const ACROSS = 76;
const BETWEEN = 28;
/** Columns that would become longer than this are split, or than what makes a large picture as wide as a window. */
const COLUMN = 1_100;
const WINDOW = 1.3;

const heightOf = ({ fields }: MapType): number => HEAD_HEIGHT + fields.length * ROW_HEIGHT + FOOT;

/** Every type that one can walk to, in columns by its distance from the roots. */
export function wholePicture(map: SchemaMap, shown: (type: MapType) => boolean): Picture {
  const columns: MapType[][] = [];
  const seen = new Set<string>();
  let column = [...map.values()].filter((type) => type.isRoot && shown(type));
  for (const { name } of column) seen.add(name);
  while (column.length > 0) {
    columns.push(column);
    const next: MapType[] = [];
    for (const { fields } of column)
      for (const name of fields.flatMap(({ target, arguments: given }) => [
        target,
        ...given.map((each) => each.target),
      ])) {
        const type = name === null || seen.has(name) ? undefined : map.get(name);
        if (!type || !shown(type)) continue;
        seen.add(type.name);
        next.push(type);
      }
    column = next;
  }
  const total = columns.flat().reduce((sum, type) => sum + heightOf(type) + BETWEEN, 0);
  const longest = Math.max(COLUMN, Math.sqrt((total * (CARD_WIDTH + ACROSS)) / WINDOW));
  return draw(columns.flatMap((each) => split(each, longest)));
}

/** One type in the middle, what refers to it on its left, what it refers to on its right. */
export function neighbours(map: SchemaMap, name: string): Picture {
  const middle = map.get(name);
  if (!middle) return draw([]);
  const named = (names: Iterable<string | null>): MapType[] =>
    [...new Set(names)].flatMap((each) => (each === null ? [] : (map.get(each) ?? [])));
  const after = named(
    middle.fields.flatMap(({ target, arguments: given }) => [target, ...given.map((each) => each.target)]),
  ).filter((type) => type !== middle);
  const before = named(middle.usedBy.map(({ type }) => type)).filter(
    (type) => type !== middle && !after.includes(type),
  );
  const picture = draw([...split(before), [middle], ...split(after)].filter((column) => column.length > 0));
  return { ...picture, edges: picture.edges.filter(({ from, to }) => from === name || to === name) };
}

function split(column: MapType[], longest = COLUMN): MapType[][] {
  const parts: MapType[][] = [[]];
  let height = 0;
  for (const type of column) {
    if (height > 0 && height + heightOf(type) > longest) {
      parts.push([]);
      height = 0;
    }
    parts.at(-1)!.push(type);
    height += heightOf(type) + BETWEEN;
  }
  return parts;
}

function draw(columns: readonly MapType[][]): Picture {
  const cards = new Map<string, Card>();
  const heights = columns.map((column) =>
    column.reduce((sum, type) => sum + heightOf(type) + BETWEEN, -BETWEEN),
  );
  const height = Math.max(0, ...heights);
  columns.forEach((column, index) => {
    let y = (height - heights[index]!) / 2;
    for (const type of column) {
      const card = { type, x: index * (CARD_WIDTH + ACROSS), y, height: heightOf(type) };
      cards.set(type.name, card);
      y += card.height + BETWEEN;
    }
  });
  const all = [...cards.values()];
  return {
    cards: all,
    edges: all.flatMap((card) => edgesFrom(card, cards)),
    width: Math.max(0, columns.length * (CARD_WIDTH + ACROSS) - ACROSS),
    height,
  };
}

function edgesFrom({ type, x, y }: Card, cards: ReadonlyMap<string, Card>): Edge[] {
  return type.fields.flatMap((field, row) =>
    [...new Set([field.target, ...field.arguments.map((each) => each.target)])].flatMap((to) => {
      const target = to === null ? undefined : cards.get(to);
      if (!target) return [];
      const startY = y + HEAD_HEIGHT + (row + 0.5) * ROW_HEIGHT;
      const path = curve(x, startY, target.x, target.y + HEAD_HEIGHT / 2);
      return [{ from: type.name, field: field.name, to: target.type.name, path }];
    }),
  );
}

/** From the side of a card that faces the other one; within a column, around its right side. */
function curve(fromX: number, fromY: number, toX: number, toY: number): string {
  const [start, end] =
    toX > fromX
      ? [fromX + CARD_WIDTH, toX]
      : toX < fromX
        ? [fromX, toX + CARD_WIDTH]
        : [fromX + CARD_WIDTH, toX + CARD_WIDTH];
  const bend = toX === fromX ? ACROSS * 0.6 : (end - start) / 2;
  const back = toX === fromX ? end + bend : end - bend;
  return `M${start} ${fromY}C${start + bend} ${fromY} ${back} ${toY} ${end} ${toY}`;
}
