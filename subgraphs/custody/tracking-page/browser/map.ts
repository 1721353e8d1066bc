/** Draws the way as a map: coastlines and borders of the bundled atlas, legs as great circles, places as dots. */
import {
  type GeoPermissibleObjects,
  geoAzimuthalEqualArea,
  geoCentroid,
  geoGraticule10,
  geoInterpolate,
  geoMercator,
  geoPath,
} from 'd3-geo';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import atlas from 'world-atlas/countries-110m.json';
import { type Journey, type Leg, type Place, shortName } from '../journey.ts';
import { svg } from './element.ts';

const world = atlas as unknown as Topology<{ countries: GeometryCollection; land: GeometryCollection }>;
const land = feature(world, world.objects.land);
const borders = mesh(world, world.objects.countries, (one, other) => one !== other);
const graticule = geoGraticule10();

const EARTH_RADIUS_KM = 6_371;
/** The atlas has no detail for less. */
const NARROWEST_VIEW_KM = 1_100;

type Point = [x: number, y: number];
const position = ({ longitude, latitude }: Place): Point => [longitude, latitude];

/** A picture of this size in CSS pixels. */
export function drawMap(journey: Journey, label: string, width: number, height: number): SVGSVGElement {
  const projection = fitted(journey, width, height);
  const path = geoPath(projection).digits(1);
  const line = (shape: GeoPermissibleObjects, kind: string) =>
    svg('path', { class: kind, d: path(shape) ?? '' });
  const at = (place: Place): Point => (projection(position(place)) ?? [0, 0]) as Point;
  const ways =
    journey.legs.length > 0
      ? journey.legs
      : [{ from: journey.origin, to: journey.destination, progress: 'ahead' as const }];
  const [x, y] = at(journey.seen.place);
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': label },
    svg('rect', { class: 'sea', width, height }),
    line(graticule, 'graticule'),
    line(land, 'land'),
    line(borders, 'border'),
    ...ways.map((leg) => line(arc(leg), `leg leg-${leg.progress}`)),
    ...apart(journey.stops, at).map((place) => dot(at(place), reached(journey, place))),
    journey.phase !== 'delivered' && svg('circle', { class: 'pulse', cx: x, cy: y, r: 9 }),
    svg('circle', { class: 'parcel', cx: x, cy: y, r: 7 }),
    ...labels(journey, at, width, height),
  );
}

const arc = ({ from, to }: Pick<Leg, 'from' | 'to'>): GeoPermissibleObjects => ({
  type: 'LineString',
  coordinates: [position(from), position(to)],
});

/** North is up as people know it, except where the way leads over a pole. */
function fitted({ stops, seen }: Journey, width: number, height: number) {
  const places = [...stops, seen.place].map(position);
  const samples = stops.slice(1).flatMap((to, index) => {
    const along = geoInterpolate(position(stops[index]!), position(to));
    return Array.from({ length: 33 }, (_, step) => along(step / 32));
  });
  const shape: GeoPermissibleObjects = { type: 'MultiPoint', coordinates: [...places, ...samples] };
  const [longitude, latitude] = geoCentroid(shape);
  const polar = samples.some(([, north]) => Math.abs(north!) > 72);
  const projection = polar
    ? geoAzimuthalEqualArea().rotate([-longitude, -latitude])
    : geoMercator().rotate([-longitude, 0]);
  const margin = Math.min(width, height) * 0.16;
  projection.fitExtent(
    [
      [margin, margin],
      [width - margin, height - margin],
    ],
    shape,
  );
  const stretch = polar ? 1 : Math.cos((latitude * Math.PI) / 180);
  const closest = (width * EARTH_RADIUS_KM * stretch) / NARROWEST_VIEW_KM;
  if (!(projection.scale() <= closest)) {
    projection.scale(closest).translate([width / 2, height / 2]);
    const [[left, top], [right, bottom]] = geoPath(projection).bounds(shape);
    projection.translate([width - (left + right) / 2, height - (top + bottom) / 2]);
  }
  // Finer than usual, so that legs are curves and not chains of chords.
  return projection.precision(0.1).clipExtent([
    [-2, -2],
    [width + 2, height + 2],
  ]);
}

/** Of places that would lie on each other only the last. */
const apart = (stops: readonly Place[], at: (place: Place) => Point): Place[] =>
  stops.filter((place, index) =>
    stops.slice(index + 1).every((later) => distance(at(place), at(later)) > DOT),
  );

const dot = ([cx, cy]: Point, isReached: boolean) =>
  svg('circle', { class: isReached ? 'stop stop-reached' : 'stop', cx, cy, r: 4.5 });

const reached = ({ legs, stops }: Journey, place: Place): boolean => {
  const index = stops.indexOf(place);
  return (
    legs[Math.max(0, index - 1)]?.progress === 'done' || (index === 0 && legs[0]?.progress === 'under_way')
  );
};

interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Height of a name, and how much room the marks take around their places, in pixels. */
const LINE = 18;
const DOT = 7;
const PARCEL = 13;

const distance = ([x, y]: Point, [otherX, otherY]: Point): number => Math.hypot(x - otherX, y - otherY);

const overlap = (one: Box, other: Box): boolean =>
  one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;

/** Names beside their dots where there is room: where the parcel is first, then the ends of the way, then the rest. */
function labels(journey: Journey, at: (place: Place) => Point, width: number, height: number): Element[] {
  const { stops, seen } = journey;
  const taken: Box[] = [...stops.map((place) => around(at(place), DOT)), around(at(seen.place), PARCEL)];
  const written = new Set<string>();
  return [seen.place, stops[0]!, stops.at(-1)!, ...stops].flatMap((place) => {
    const text = shortName(place);
    const city = place.city?.name ?? place.name;
    if (written.has(city)) return [];
    const [x, y] = at(place);
    const gap = distance([x, y], at(seen.place)) < PARCEL ? PARCEL + 1 : DOT + 3;
    const length = widthOf(text) + 6;
    const candidates: [left: number, top: number][] = [
      [x + gap, y - LINE / 2],
      [x - gap - length, y - LINE / 2],
      [x - length / 2, y - gap - LINE],
      [x - length / 2, y + gap],
    ];
    for (const [left, top] of candidates) {
      const box = { left, top, right: left + length, bottom: top + LINE };
      const inside = left > 4 && top > 4 && box.right < width - 4 && box.bottom < height - 4;
      if (!inside || taken.some((each) => overlap(each, box))) continue;
      taken.push(box);
      written.add(city);
      return [svg('text', { class: 'name', x: left + 3, y: top + 13 }, text)];
    }
    return [];
  });
}

/** Of a name as page.css writes it. */
function widthOf(text: string): number {
  const context = document.createElement('canvas').getContext('2d')!;
  context.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
  return context.measureText(text).width;
}

const around = ([x, y]: Point, radius: number): Box => ({
  left: x - radius,
  top: y - radius,
  right: x + radius,
  bottom: y + radius,
});
