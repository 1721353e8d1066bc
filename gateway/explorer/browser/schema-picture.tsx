/** The picture of the schema, to be walked: choose a card or a field and the picture moves there. */
import { type PointerEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import {
  CARD_WIDTH,
  type Card,
  type MapType,
  neighbours,
  type SchemaMap,
  wholePicture,
} from '../schema-map.ts';
import { TypeDetails, TypeFinder } from './type-details.tsx';

/** Larger schemas open on the neighbours of one type. */
const SURVEYABLE = 40;
const MIN_SCALE = 0.08;
const MAX_SCALE = 1.6;
const LEGIBLE = 0.8;
const MARGIN = 28;
const TOOLS = 56;

interface Place {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export function SchemaPicture({
  map,
  selected,
  select,
}: {
  map: SchemaMap;
  selected: string | null;
  select: (name: string) => void;
}) {
  const first = useMemo(() => [...map.values()].find(({ isRoot }) => isRoot)?.name ?? null, [map]);
  const current = selected !== null && map.has(selected) ? selected : first;
  const outputs = useMemo(() => [...map.values()].filter(isOutput).length, [map]);
  const [whole, setWhole] = useState(outputs <= SURVEYABLE);
  const [withInputs, setWithInputs] = useState(false);
  const currentIsOutput = current === null || isOutput(map.get(current)!);
  const picture = useMemo(() => {
    if (!whole && current !== null) return neighbours(map, current);
    return wholePicture(map, (type) => withInputs || !currentIsOutput || isOutput(type));
  }, [map, whole, withInputs, current, currentIsOutput]);

  const frame = useRef<HTMLElement>(null);
  const [place, setPlace] = useState<Place>({ x: 0, y: 0, scale: MIN_SCALE });
  const [walking, setWalking] = useState(false);

  const centre = useCallback(
    (least: number) => {
      const card = picture.cards.find(({ type }) => type.name === current);
      const box = frame.current?.getBoundingClientRect();
      if (!card || !box) return;
      setWalking(true);
      setPlace(({ scale: before }) => {
        const scale = Math.max(before, least);
        const middle = card.y + Math.min(card.height / 2, box.height / scale / 2 - MARGIN);
        return {
          scale,
          x: along(box.width, picture.width * scale, (card.x + CARD_WIDTH / 2) * scale),
          y: along(box.height - TOOLS, picture.height * scale, middle * scale),
        };
      });
    },
    [picture, current],
  );
  const showAll = useCallback(
    (least = 0) => {
      const box = frame.current?.getBoundingClientRect();
      if (!box) return;
      const across = (box.width - 2 * MARGIN) / picture.width;
      const down = (box.height - 2 * MARGIN - TOOLS) / picture.height;
      const scale = Math.min(1, across, down);
      if (scale < least) return centre(least);
      setWalking(true);
      setPlace({
        scale,
        x: along(box.width, picture.width * scale, 0),
        y: along(box.height - TOOLS, picture.height * scale, 0),
      });
    },
    [picture, centre],
  );
  // A step within the whole keeps the reader's scale.
  useEffect(() => {
    if (selected === null || !whole) showAll(LEGIBLE);
    else centre(LEGIBLE);
  }, [selected, whole, showAll, centre]);

  const zoom = (factor: number): void => {
    const box = frame.current!.getBoundingClientRect();
    setWalking(true);
    setPlace((before) => scaled(before, factor, box.width / 2, box.height / 2));
  };

  return (
    <div className="picture">
      <TypeFinder map={map} current={current} select={select} />
      <section className="canvas" aria-label="Picture of the schema" ref={frame}>
        <Canvas {...{ picture, place, setPlace, walking, setWalking, current, select }} />
        <div className="tools">
          <div className="choice">
            <label>
              <input type="radio" name="extent" checked={!whole} onChange={() => setWhole(false)} />
              <span>Neighbours</span>
            </label>
            <label>
              <input type="radio" name="extent" checked={whole} onChange={() => setWhole(true)} />
              <span>Whole schema</span>
            </label>
          </div>
          {whole && (
            <label className="check">
              <input
                type="checkbox"
                checked={withInputs}
                onChange={(event) => setWithInputs(event.target.checked)}
              />
              Inputs and enums
            </label>
          )}
          <button type="button" className="icon" onClick={() => zoom(1.25)} aria-label="Larger">
            +
          </button>
          <button type="button" className="icon" onClick={() => zoom(0.8)} aria-label="Smaller">
            −
          </button>
          <button type="button" onClick={() => showAll()}>
            Fit
          </button>
        </div>
      </section>
      {current !== null && (
        <TypeDetails type={map.get(current)!} knows={(name) => map.has(name)} select={select} />
      )}
    </div>
  );
}

const isOutput = ({ kind }: MapType): boolean => kind !== 'input' && kind !== 'enum';

/** Where a length begins so that its point lies in the middle of the frame, without needless room at an end. */
function along(frame: number, length: number, point: number): number {
  if (length <= frame - 2 * MARGIN) return (frame - length) / 2;
  return Math.min(MARGIN, Math.max(frame - length - MARGIN, frame / 2 - point));
}

/** The point at x, y of the window stays where it is. */
function scaled(before: Place, factor: number, x: number, y: number): Place {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, before.scale * factor));
  const ratio = scale / before.scale;
  return { scale, x: x - (x - before.x) * ratio, y: y - (y - before.y) * ratio };
}

function Canvas({
  picture,
  place,
  setPlace,
  walking,
  setWalking,
  current,
  select,
}: {
  picture: ReturnType<typeof wholePicture>;
  place: Place;
  setPlace: (change: (before: Place) => Place) => void;
  walking: boolean;
  setWalking: (walking: boolean) => void;
  current: string | null;
  select: (name: string) => void;
}) {
  const ground = useRef<HTMLDivElement>(null);
  // React listens passively, and the page would scroll or zoom as well.
  useEffect(() => {
    const element = ground.current!;
    const turn = (event: WheelEvent): void => {
      event.preventDefault();
      setWalking(false);
      const { left, top } = element.getBoundingClientRect();
      const { deltaX, deltaY } = event;
      if (event.ctrlKey || event.metaKey)
        setPlace((before) =>
          scaled(before, Math.exp(-deltaY / 300), event.clientX - left, event.clientY - top),
        );
      else setPlace((before) => ({ ...before, x: before.x - deltaX, y: before.y - deltaY }));
    };
    element.addEventListener('wheel', turn, { passive: false });
    return () => element.removeEventListener('wheel', turn);
  }, [setPlace, setWalking]);

  const drag = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.button !== 0 || (event.target as Element).closest('button')) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setWalking(false);
  };
  const move = (event: PointerEvent<HTMLDivElement>): void => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const { movementX, movementY } = event;
    setPlace((before) => ({ ...before, x: before.x + movementX, y: before.y + movementY }));
  };
  const near = useMemo(() => nearTo(picture, current), [picture, current]);

  return (
    <div
      className="ground"
      ref={ground}
      onPointerDown={drag}
      onPointerMove={move}
      // Focus by keyboard must not scroll what is moved by its place alone.
      onScroll={(event) => event.currentTarget.scrollTo(0, 0)}
    >
      <div
        className={walking ? 'world walking' : 'world'}
        style={{ transform: `translate(${place.x}px, ${place.y}px) scale(${place.scale})` }}
      >
        <svg width={picture.width} height={picture.height} aria-hidden="true">
          {picture.edges.map(({ from, field, to, path }) => (
            <path
              key={`${from}.${field} ${to}`}
              d={path}
              className={from === current ? 'out' : to === current ? 'in' : undefined}
            />
          ))}
        </svg>
        {picture.cards.map((card) => (
          <TypeCard
            key={card.type.name}
            {...{ card, select }}
            state={card.type.name === current ? 'current' : near.has(card.type.name) ? 'near' : 'far'}
          />
        ))}
      </div>
    </div>
  );
}

function nearTo({ edges }: ReturnType<typeof wholePicture>, current: string | null): ReadonlySet<string> {
  return new Set(edges.flatMap(({ from, to }) => (from === current ? [to] : to === current ? [from] : [])));
}

function TypeCard({
  card: { type, x, y, height },
  state,
  select,
}: {
  card: Card;
  state: 'current' | 'near' | 'far';
  select: (name: string) => void;
}) {
  return (
    <article
      className={`type ${type.kind} ${state}`}
      data-type={type.name}
      aria-label={`${type.kind} ${type.name}`}
      style={{ left: x, top: y, width: CARD_WIDTH, height }}
    >
      <button
        type="button"
        className="head"
        aria-pressed={state === 'current'}
        onClick={() => select(type.name)}
      >
        <b>{type.name}</b>
        <span>{type.isRoot ? 'root' : type.kind}</span>
      </button>
      <ul>
        {type.fields.map((field) => (
          <li key={field.name} className={field.deprecated === null ? undefined : 'deprecated'}>
            <span className="name">{field.name}</span>
            {field.target === null || field.target === type.name ? (
              <span className="of">{field.type}</span>
            ) : (
              <button
                type="button"
                className="of"
                data-field={field.name}
                onClick={() => select(field.target!)}
                aria-label={`${type.name}.${field.name}: go to ${field.target}`}
              >
                {field.type}
              </button>
            )}
          </li>
        ))}
      </ul>
    </article>
  );
}
