import { shortName } from '../journey.ts';
import type { Words } from '../words.ts';

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;

export const en: Words = {
  title: 'Where your parcel is',
  loading: 'Looking up your parcel…',
  needsScript: 'This page needs JavaScript to show where your parcel is.',
  headline: ({ phase, holder, next }) => {
    if (next?.progress === 'happening') return 'Being handed over right now';
    if (next?.progress === 'refused') return 'A hand-over was not accepted';
    switch (phase) {
      case 'searching':
        return 'Looking for travellers';
      case 'asking':
        return 'Travellers have been asked';
      case 'booked':
        return 'Booked, and soon on its way';
      case 'under_way':
        return `${holder.name} has your parcel`;
      case 'last_leg':
        return `On its last leg, with ${holder.name}`;
      case 'delivered':
        return 'Delivered';
      case 'cancelled':
        return 'Called off';
    }
  },
  explanation: ({ phase, holder, next, destination, seen }) => {
    if (next?.progress === 'refused') return `${holder.name} still has the parcel and answers for it.`;
    switch (phase) {
      case 'searching':
        return 'As soon as somebody is found who travels its way, you see it here.';
      case 'asking':
        return 'The journey begins when all of them have said yes.';
      case 'booked':
        return next
          ? `${next.receiver.name} takes it over in ${shortName(next.place)}.`
          : 'The plan is being made.';
      case 'under_way':
        return next ? `Next stop: ${shortName(next.place)}, where ${next.receiver.name} takes over.` : '';
      case 'last_leg':
        return `Next stop: ${shortName(next?.place ?? destination)}, where it is delivered.`;
      case 'delivered':
        return `${holder.name} received it in ${shortName(seen.place)}.`;
      case 'cancelled':
        return 'The sender has called this shipment off. Nothing is on its way.';
    }
  },
  fromTo: (from, to) => `${from} to ${to}`,
  arrival: 'Arrival',
  arrivalUnknown: 'Not known yet',
  arrivalOverdue: 'Later than planned. Nobody knows a new time yet.',
  arrived: 'Delivered',
  holder: 'With',
  since: (when) => `since ${when}`,
  lastSeen: 'Last seen',
  role: { sender: 'sender', traveller: 'traveller', courier: 'courier', recipient: 'recipient' },
  map: ({ stops, seen }) =>
    `Map of the way from ${stops.map(shortName).join(' by ')}. Last seen in ${shortName(seen.place)}.`,
  mapLegend: { done: 'travelled', underWay: 'under way', ahead: 'ahead' },
  next: 'What comes next',
  nextHandover: ({ giver, receiver }) =>
    receiver.role === 'recipient'
      ? `${giver.name} delivers to ${receiver.name}`
      : `${giver.name} hands over to ${receiver.name}`,
  nextNothing: ({ phase }) =>
    phase === 'delivered'
      ? 'Nothing: it has arrived.'
      : phase === 'cancelled'
        ? 'Nothing.'
        : 'The first hand-over, once the journey is booked.',
  window: (planned, closes) => `Planned for ${planned}, possible until ${closes}`,
  custody: 'Who had it',
  handedOver: (giver, receiver) => `${giver} to ${receiver}`,
  proof: (photos) =>
    `Proved by two scans${photos > 0 ? `, ${count(photos, 'photo', 'photos')} on file` : ''}`,
  progress: {
    open: 'Can happen now',
    happening: 'One of the two has scanned',
    refused: 'Not accepted',
  },
  planned: (when) => `planned for ${when}`,
  chain: {
    none: 'Evidence begins with the first hand-over.',
    checking: 'Checking the evidence…',
    platform: 'Evidence complete: no hand-over was changed, added or removed.',
    checkedHere: (links) =>
      `Evidence complete: your browser has just recomputed all ${count(links, 'link', 'links')} of its chain, and none was changed.`,
    broken: 'The evidence does not add up. Do not rely on it, and tell the sender.',
  },
  discrepancy: 'Something was noted as wrong with the goods at a hand-over.',
  log: 'What happened',
  logEmpty: 'Nothing has happened yet.',
  event: ({ type, carrier, message }, place) => {
    const where = place ? ` in ${place}` : '';
    const who = carrier?.displayName ?? 'The carrier';
    switch (type) {
      case 'ITINERARY_CONFIRMED':
        return 'The journey is booked and paid';
      case 'HANDOFF_READY':
        return `The hand-over${where} is open`;
      case 'SCANNED':
        return `One side has scanned${where}`;
      case 'PICKED_UP':
        return `${who} took the parcel over${where}`;
      case 'TRANSFERRED':
        return `${who} took the parcel over${where}`;
      case 'DEPARTED':
        return `${who} has set off${where}: “${message}”`;
      case 'ARRIVED':
        return `${who} has arrived${where}: “${message}”`;
      case 'LOCATION_NOTED':
        return `${who} noted${where}: “${message}”`;
      case 'OUT_FOR_DELIVERY':
        return `${who} is bringing it on the last leg`;
      case 'DELIVERED':
        return `Delivered${where}`;
      case 'REFUSED':
        return `The hand-over${where} was not accepted`;
      case 'FUNDS_RELEASED':
        return `${who} gets paid for their part`;
      case 'COMPLETED':
        return 'Everything is settled';
    }
  },
  news: (text) => `News: ${text}`,
  connection: {
    connecting: 'Connecting…',
    live: 'Live',
    reconnecting: 'Reconnecting…',
    offline: (known) => (known ? `Offline – showing what was known at ${known}` : 'Offline'),
  },
  lastNews: (when) => `Last news ${when}`,
  timesIn: (zone) => `All times are yours (${zone}).`,
  keepLink:
    'Your link is the key to this parcel: whoever has it sees what you see, and can act as its recipient. Do not pass it on. The address above does not contain it.',
  gone: {
    headline: 'This link does not open anything any more',
    explanation: 'It may have expired, or it is not complete.',
    advice: [
      'Open the newest mail that we sent you about this parcel and follow its link.',
      'Are you the recipient? Ask the sender for a new link; they can make one at any time.',
    ],
  },
  outdated: 'There is a newer version of this page. Please load it again.',
};
