/** Shows a journey in the shell that the server sent. A part is built anew only when what it says has changed. */
import {
  type Handover,
  type Journey,
  type Person,
  type Place,
  shortName,
  type TrackedEvent,
} from '../journey.ts';
import type { Words } from '../words.ts';
import { byId, el } from './element.ts';
import { drawMap } from './map.ts';

/** How far the evidence was checked, and where each hand-over stands in its chain. */
export interface Evidence {
  readonly verdict: 'none' | 'checking' | 'platform' | 'here' | 'broken';
  readonly links: number;
  readonly linkOf: ReadonlyMap<string, { readonly number: number; readonly hash: string }>;
}

/** What only matters to who wants to know everything. */
const minor: ReadonlySet<TrackedEvent['type']> = new Set(['HANDOFF_READY', 'SCANNED', 'FUNDS_RELEASED']);

export class View {
  readonly #words: Words;
  readonly #moment: Intl.DateTimeFormat;
  readonly #clock: Intl.DateTimeFormat;
  readonly #resized = new ResizeObserver(() => this.#map());
  #journey: Journey | undefined;

  constructor(words: Words, language: string) {
    this.#words = words;
    const locale = navigator.languages.find((each) => each.toLowerCase().startsWith(language)) ?? language;
    const time = { hour: '2-digit', minute: '2-digit' } as const;
    this.#moment = new Intl.DateTimeFormat(locale, {
      weekday: 'short',
      day: 'numeric',
      month: 'short',
      ...time,
    });
    this.#clock = new Intl.DateTimeFormat(locale, time);
    this.#resized.observe(byId('map'));
  }

  /** In short: today's by the clock alone. */
  clock(at: Date): string {
    const today = at.toDateString() === new Date().toDateString();
    return (today ? this.#clock : this.#moment).format(at);
  }

  connection(state: string, text: string): void {
    const shown = byId('connection');
    shown.dataset.state = state;
    if (shown.textContent !== text) shown.textContent = text;
  }

  journey(journey: Journey, evidence: Evidence): void {
    this.#journey = journey;
    const words = this.#words;
    const { origin, destination, phase, next } = journey;
    const headline = words.headline(journey);
    document.title = `${headline} · Baton`;
    part('route', [origin, destination], () => [words.fromTo(shortName(origin), shortName(destination))]);
    part('headline', headline, () => [headline]);
    part('explanation', words.explanation(journey), (text) => [text]);
    part('facts', [journey.arrival, journey.deliveredAt, journey.holder, journey.seen, phase], () =>
      this.#facts(journey),
    );
    part('next', [next, phase], () => this.#next(journey));
    part('custody', [journey.handovers, evidence, [...evidence.linkOf], journey.discrepancy], () =>
      this.#custody(journey, evidence),
    );
    this.#map();
  }

  log(events: readonly TrackedEvent[]): void {
    const list = byId('log');
    if (events.length === 0) return void part('log', 'empty', () => [el('li', {}, this.#words.logEmpty)]);
    if (list.dataset.key === JSON.stringify('empty')) list.replaceChildren();
    list.dataset.key = 'events';
    for (const event of events.slice(list.childElementCount))
      list.prepend(
        el(
          'li',
          { 'data-id': event.id, class: minor.has(event.type) ? 'minor' : 'major' },
          this.#time(event.at),
          el('span', {}, this.eventText(event)),
        ),
      );
    const last = events.at(-1)!;
    byId('last').textContent = this.#words.lastNews(this.#moment.format(new Date(last.at)));
  }

  eventText(event: TrackedEvent): string {
    return this.#words.event(event, event.place ? shortName(event.place) : null);
  }

  /** Told to screen readers, which do not look at what moved. */
  announce(text: string): void {
    byId('news').textContent = this.#words.news(text);
  }

  about(): void {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    byId('about').replaceChildren(
      el('p', {}, this.#words.timesIn(timeZone)),
      el('p', {}, this.#words.keepLink),
    );
  }

  gone(): void {
    this.#resized.disconnect();
    const { headline, explanation, advice } = this.#words.gone;
    document.title = `${headline} · Baton`;
    byId('connection').remove();
    byId('about').replaceChildren();
    document
      .querySelector('main')!
      .replaceChildren(
        el(
          'section',
          { class: 'status gone' },
          el('h1', { id: 'headline', tabindex: '-1' }, headline),
          el('p', { class: 'lead' }, explanation),
          el('ul', {}, ...advice.map((each) => el('li', {}, each))),
        ),
      );
    document.body.classList.remove('loading');
    byId('headline').focus();
  }

  #facts({ arrival, deliveredAt, holder, seen, phase }: Journey): Node[] {
    const words = this.#words;
    const fact = (name: string, kind: string, ...value: (Node | string)[]) =>
      el('div', { class: kind }, el('dt', {}, name), el('dd', {}, ...value));
    const when = deliveredAt
      ? fact(words.arrived, 'when', this.#time(deliveredAt))
      : phase !== 'cancelled' && fact(words.arrival, 'when', this.#arrival(arrival));
    return [
      ...(when ? [when] : []),
      fact(words.holder, 'who', this.#person(holder)),
      fact(
        words.lastSeen,
        'where',
        shortName(seen.place),
        ...(seen.at ? [el('small', {}, this.#moment.format(seen.at))] : []),
      ),
    ];
  }

  #arrival(arrival: Journey['arrival']): Node | string {
    if (!arrival) return this.#words.arrivalUnknown;
    if (arrival.overdue) return this.#words.arrivalOverdue;
    // The dash stays at the end of the line that it follows.
    return this.#moment.formatRange(arrival.earliest, arrival.latest).replace(/\s–\s/, '\u00a0– ');
  }

  #next(journey: Journey): Node[] {
    const { next } = journey;
    const words = this.#words;
    if (!next) return [el('p', {}, words.nextNothing(journey))];
    return [
      el('p', { class: 'what' }, words.nextHandover(next)),
      el('p', { class: 'where' }, this.#place(next.place)),
      el('p', {}, words.window(this.#moment.format(next.plannedAt), this.#moment.format(next.closesAt))),
      ...(next.progress === 'ahead' || next.progress === 'done'
        ? []
        : [el('p', { class: `badge badge-${next.progress}` }, words.progress[next.progress])]),
    ];
  }

  #custody({ handovers, discrepancy }: Journey, evidence: Evidence): Node[] {
    const words = this.#words;
    const { verdict, links } = evidence;
    const text = verdict === 'here' ? words.chain.checkedHere(links) : words.chain[verdict];
    return [
      ...(handovers.length > 0
        ? [el('ol', { class: 'handovers' }, ...handovers.map((each) => this.#handover(each, evidence)))]
        : []),
      ...(discrepancy ? [el('p', { class: 'evidence evidence-broken' }, words.discrepancy)] : []),
      el('p', { class: `evidence evidence-${verdict}` }, text),
    ];
  }

  #handover(handover: Handover, { linkOf }: Evidence): Node {
    const words = this.#words;
    const { progress, giver, receiver, place, doneAt, plannedAt, photos, id } = handover;
    const link = linkOf.get(id);
    return el(
      'li',
      { class: `handover handover-${progress}` },
      el('p', { class: 'what' }, words.handedOver(giver.name, receiver.name)),
      el('p', { class: 'where' }, this.#place(place)),
      doneAt ? el('p', {}, this.#time(doneAt)) : el('p', {}, words.planned(this.#moment.format(plannedAt))),
      progress !== 'done' && progress !== 'ahead' && el('p', { class: 'due' }, words.progress[progress]),
      doneAt && el('p', { class: 'proof' }, words.proof(photos)),
      link && el('p', { class: 'link' }, `#${link.number} `, el('code', {}, link.hash.slice(0, 12))),
    );
  }

  #person({ name, role }: Person): Node {
    return el('span', {}, name, ' ', el('small', {}, this.#words.role[role]));
  }

  #place(place: Place): Node {
    const short = shortName(place);
    return place.iata ? el('span', { title: place.name }, short) : el('span', {}, short);
  }

  #time(at: string | Date): Node {
    const date = new Date(at);
    return el('time', { datetime: date.toISOString() }, this.#moment.format(date));
  }

  #map(): void {
    const journey = this.#journey;
    if (!journey) return;
    const { clientWidth: width, clientHeight: height } = byId('map');
    // Before its style has come the page has no room for it.
    if (width < 60 || height < 60) return;
    const { stops, legs, seen, phase } = journey;
    const progress = legs.map((leg) => leg.progress);
    const drawn = [stops.map(({ id }) => id), progress, seen.place.id, phase, width, height];
    part('map', drawn, () => [
      drawMap(journey, this.#words.map(journey), width, height),
      this.#legend(journey),
    ]);
  }

  #legend({ legs }: Journey): Node {
    const { done, underWay, ahead } = this.#words.mapLegend;
    const names = { done, under_way: underWay, ahead };
    const shown = new Set(legs.map(({ progress }) => progress));
    return el(
      'figcaption',
      {},
      ...(['done', 'under_way', 'ahead'] as const)
        .filter((progress) => shown.has(progress))
        .map((progress) => el('span', { class: `key key-${progress}` }, names[progress])),
    );
  }
}

function part<Says>(id: string, says: Says, build: (says: Says) => (Node | string)[]): void {
  const shown = byId(id);
  const key = JSON.stringify(says);
  if (shown.dataset.key === key) return;
  shown.dataset.key = key;
  shown.replaceChildren(...build(says));
}
