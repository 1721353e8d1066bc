import { shortName } from '../journey.ts';
import type { Words } from '../words.ts';

const count = (number: number, one: string, many: string): string => `${number} ${number === 1 ? one : many}`;

export const de: Words = {
  title: 'Wo Ihr Paket ist',
  loading: 'Ihr Paket wird gesucht …',
  needsScript: 'Diese Seite braucht JavaScript, um zu zeigen, wo Ihr Paket ist.',
  headline: ({ phase, holder, next }) => {
    if (next?.progress === 'happening') return 'Wird gerade übergeben';
    if (next?.progress === 'refused') return 'Eine Übergabe wurde nicht angenommen';
    switch (phase) {
      case 'searching':
        return 'Wir suchen Reisende';
      case 'asking':
        return 'Reisende sind angefragt';
      case 'booked':
        return 'Gebucht und bald unterwegs';
      case 'under_way':
        return `${holder.name} hat Ihr Paket`;
      case 'last_leg':
        return `Auf der letzten Etappe, bei ${holder.name}`;
      case 'delivered':
        return 'Zugestellt';
      case 'cancelled':
        return 'Abgesagt';
    }
  },
  explanation: ({ phase, holder, next, destination, seen }) => {
    if (next?.progress === 'refused') return `${holder.name} hat das Paket noch und haftet dafür.`;
    switch (phase) {
      case 'searching':
        return 'Sobald sich jemand findet, der diesen Weg reist, sehen Sie es hier.';
      case 'asking':
        return 'Die Reise beginnt, wenn alle zugesagt haben.';
      case 'booked':
        return next
          ? `${next.receiver.name} übernimmt es in ${shortName(next.place)}.`
          : 'Der Plan entsteht gerade.';
      case 'under_way':
        return next ? `Nächster Halt: ${shortName(next.place)}, dort übernimmt ${next.receiver.name}.` : '';
      case 'last_leg':
        return `Nächster Halt: ${shortName(next?.place ?? destination)}, dort wird es zugestellt.`;
      case 'delivered':
        return `${holder.name} hat es in ${shortName(seen.place)} angenommen.`;
      case 'cancelled':
        return 'Diese Sendung wurde abgesagt. Es ist nichts unterwegs.';
    }
  },
  fromTo: (from, to) => `${from} nach ${to}`,
  arrival: 'Ankunft',
  arrivalUnknown: 'Noch nicht bekannt',
  arrivalOverdue: 'Später als geplant. Eine neue Zeit kennt noch niemand.',
  arrived: 'Zugestellt',
  holder: 'Bei',
  since: (when) => `seit ${when}`,
  lastSeen: 'Zuletzt gesehen',
  role: { sender: 'sendet', traveller: 'reist', courier: 'stellt zu', recipient: 'empfängt' },
  map: ({ stops, seen }) =>
    `Karte des Weges von ${stops.map(shortName).join(' über ')}. Zuletzt gesehen in ${shortName(seen.place)}.`,
  mapLegend: { done: 'gereist', underWay: 'unterwegs', ahead: 'kommt noch' },
  next: 'Was als Nächstes kommt',
  nextHandover: ({ giver, receiver }) =>
    receiver.role === 'recipient'
      ? `${giver.name} stellt ${receiver.name} zu`
      : `${giver.name} übergibt an ${receiver.name}`,
  nextNothing: ({ phase }) =>
    phase === 'delivered'
      ? 'Nichts mehr: es ist angekommen.'
      : phase === 'cancelled'
        ? 'Nichts.'
        : 'Die erste Übergabe, sobald die Reise gebucht ist.',
  window: (planned, closes) => `Geplant für ${planned}, möglich bis ${closes}`,
  custody: 'Wer es hatte',
  handedOver: (giver, receiver) => `${giver} an ${receiver}`,
  proof: (photos) =>
    `Durch zwei Scans bewiesen${photos > 0 ? `, ${count(photos, 'Foto', 'Fotos')} hinterlegt` : ''}`,
  progress: {
    open: 'Kann jetzt stattfinden',
    happening: 'Eine Seite hat gescannt',
    refused: 'Nicht angenommen',
  },
  planned: (when) => `geplant für ${when}`,
  chain: {
    none: 'Der Nachweis beginnt mit der ersten Übergabe.',
    checking: 'Der Nachweis wird geprüft …',
    platform: 'Nachweis vollständig: keine Übergabe wurde geändert, ergänzt oder entfernt.',
    checkedHere: (links) =>
      `Nachweis vollständig: Ihr Browser hat soeben ${links === 1 ? 'das eine Glied' : `alle ${links} Glieder`} der Kette nachgerechnet, keines wurde verändert.`,
    broken:
      'Der Nachweis ist nicht stimmig. Verlassen Sie sich nicht darauf und sagen Sie es der Person, die sendet.',
  },
  discrepancy: 'Bei einer Übergabe wurde etwas an der Ware beanstandet.',
  log: 'Was geschehen ist',
  logEmpty: 'Noch ist nichts geschehen.',
  event: ({ type, carrier, message }, place) => {
    const where = place ? ` in ${place}` : '';
    const who = carrier?.displayName ?? 'Wer es trägt,';
    switch (type) {
      case 'ITINERARY_CONFIRMED':
        return 'Die Reise ist gebucht und bezahlt';
      case 'HANDOFF_READY':
        return `Die Übergabe${where} ist offen`;
      case 'SCANNED':
        return `Eine Seite hat${where} gescannt`;
      case 'PICKED_UP':
        return `${who} hat das Paket${where} übernommen`;
      case 'TRANSFERRED':
        return `${who} hat das Paket${where} übernommen`;
      case 'DEPARTED':
        return `${who} ist${where} aufgebrochen: „${message}“`;
      case 'ARRIVED':
        return `${who} ist${where} angekommen: „${message}“`;
      case 'LOCATION_NOTED':
        return `${who} meldet${where}: „${message}“`;
      case 'OUT_FOR_DELIVERY':
        return `${who} bringt es auf der letzten Etappe`;
      case 'DELIVERED':
        return `Zugestellt${where}`;
      case 'REFUSED':
        return `Die Übergabe${where} wurde nicht angenommen`;
      case 'FUNDS_RELEASED':
        return `${who} wird für die eigene Etappe bezahlt`;
      case 'COMPLETED':
        return 'Alles ist abgerechnet';
    }
  },
  news: (text) => `Neuigkeit: ${text}`,
  connection: {
    connecting: 'Verbindet …',
    live: 'Live',
    reconnecting: 'Verbindet neu …',
    offline: (known) => (known ? `Offline – Stand von ${known}` : 'Offline'),
  },
  lastNews: (when) => `Letzte Neuigkeit ${when}`,
  timesIn: (zone) => `Alle Zeiten sind Ihre (${zone}).`,
  keepLink:
    'Ihr Link ist der Schlüssel zu diesem Paket: Wer ihn hat, sieht, was Sie sehen, und kann es an Ihrer Stelle annehmen. Geben Sie ihn nicht weiter. In der Adresse oben steht er nicht.',
  gone: {
    headline: 'Dieser Link öffnet nichts mehr',
    explanation: 'Vielleicht ist er abgelaufen, oder er ist nicht vollständig.',
    advice: [
      'Öffnen Sie unsere neueste Mail zu diesem Paket und folgen Sie dem Link darin.',
      'Empfangen Sie das Paket? Bitten Sie die Person, die es sendet, um einen neuen Link; das geht jederzeit.',
    ],
  },
  outdated: 'Von dieser Seite gibt es eine neuere Fassung. Bitte laden Sie sie neu.',
};
