/**
 * What may not travel with a traveller, as data with reasons, and the reading of a package by it.
 * It reads what the sender wrote: a filter for honest mistakes, not a search of the parcel.
 */

interface ForbiddenGoods {
  readonly rule: string;
  readonly reason: string;
  /** Words and phrases in lower case; a plural `s` or `es` counts too. */
  readonly words: readonly string[];
  /** Harmless phrases that contain one of the words. */
  readonly except?: readonly string[];
}

export const forbiddenGoods: readonly ForbiddenGoods[] = [
  {
    rule: 'WEAPON',
    reason: 'Weapons, their parts and ammunition are never carried',
    words: [
      'gun',
      'firearm',
      'pistol',
      'revolver',
      'rifle',
      'shotgun',
      'ammunition',
      'ammo',
      'bullet',
      'grenade',
      'taser',
      'stun gun',
      'pepper spray',
      'brass knuckles',
      'switchblade',
      'machete',
      'sword',
      'arme à feu',
      'armes à feu',
      'munition',
    ],
    except: ['glue gun', 'massage gun', 'heat gun', 'bullet journal', 'rifle paper'],
  },
  {
    rule: 'EXPLOSIVE',
    reason: 'Explosives and fireworks are dangerous goods of class 1',
    words: [
      'explosive',
      'dynamite',
      'gunpowder',
      'detonator',
      'firework',
      'firecracker',
      'sparkler',
      'signal flare',
      'explosif',
      "feu d'artifice",
      "feux d'artifice",
    ],
  },
  {
    rule: 'FLAMMABLE',
    reason: 'Flammable gases and liquids are not allowed in baggage',
    words: [
      'gasoline',
      'petrol',
      'kerosene',
      'lighter fluid',
      'butane',
      'propane',
      'camping gas',
      'paint thinner',
    ],
  },
  {
    rule: 'POISON',
    reason: 'Poisonous, corrosive, infectious and radioactive substances are dangerous goods',
    words: [
      'poison',
      'cyanide',
      'pesticide',
      'sulfuric acid',
      'hydrochloric acid',
      'bleach',
      'radioactive',
      'uranium',
    ],
  },
  {
    rule: 'DRUG',
    reason: 'Controlled substances are never carried',
    words: [
      'cocaine',
      'heroin',
      'cannabis',
      'marijuana',
      'hashish',
      'fentanyl',
      'ecstasy',
      'amphetamine',
      'lsd',
    ],
  },
  {
    rule: 'CASH',
    reason: 'Cash, bullion and bearer papers cannot be insured on the way',
    words: ['cash', 'banknote', 'gold bar', 'bullion', 'bearer bond', 'bearer cheque'],
    except: ['cash box', 'cash register'],
  },
  {
    rule: 'LIVING',
    reason: 'Living animals and remains need papers and care that a traveller cannot give',
    words: ['live animal', 'living animal', 'puppy', 'kitten', 'reptile', 'human remains', 'cremation ashes'],
  },
  {
    rule: 'PROTECTED_SPECIES',
    reason: 'Trade in protected species needs a CITES permit',
    words: ['ivory', 'rhino horn', 'tortoise shell', 'shahtoosh'],
    except: ['ivory coloured', 'ivory colored', 'ivory white'],
  },
  {
    rule: 'COUNTERFEIT',
    reason: 'Counterfeits are seized at the border',
    words: ['counterfeit', 'fake designer'],
  },
];

/** Watt-hours of one battery, as the airlines' rules set them for passengers. */
export const lithiumFreeWattHours = 100;
export const lithiumApprovedWattHours = 160;

export interface ContentProblem {
  /** `WEAPON`, `EXPLOSIVE` …, `LITHIUM_NEEDS_APPROVAL`, `LITHIUM_TOO_LARGE`. */
  readonly rule: string;
  readonly itemId: string;
  readonly description: string;
  readonly reason: string;
}

interface Goods {
  readonly id: string;
  readonly description: string;
  readonly lithiumWattHours?: number | null;
  readonly airlineApproval?: string | null;
}

/** Everything that speaks against these goods; empty where nothing does. */
export const contentProblems = (items: readonly Goods[]): ContentProblem[] =>
  items.flatMap((item) =>
    [...forbiddenIn(item.description), ...lithiumIn(item)].map(({ rule, reason }) => ({
      rule,
      itemId: item.id,
      description: item.description,
      reason,
    })),
  );

function forbiddenIn(description: string): readonly ForbiddenGoods[] {
  const text = ` ${plain(description)} `;
  return forbiddenGoods.filter(({ words, except = [] }) => {
    const remaining = except.reduce((rest, phrase) => rest.replaceAll(plain(phrase), ''), text);
    return words.some((word) =>
      ['', 's', 'es'].some((plural) => remaining.includes(` ${plain(word)}${plural} `)),
    );
  });
}

function lithiumIn({ lithiumWattHours, airlineApproval }: Goods): { rule: string; reason: string }[] {
  if (lithiumWattHours == null || lithiumWattHours <= lithiumFreeWattHours) return [];
  if (lithiumWattHours > lithiumApprovedWattHours) {
    return [
      {
        rule: 'LITHIUM_TOO_LARGE',
        reason: `Lithium batteries above ${lithiumApprovedWattHours} Wh do not fly with passengers`,
      },
    ];
  }
  if (airlineApproval) return [];
  return [
    {
      rule: 'LITHIUM_NEEDS_APPROVAL',
      reason: `Lithium batteries above ${lithiumFreeWattHours} Wh need the airline's approval`,
    },
  ];
}

/** Lower case, without accents, words apart by single spaces. */
const plain = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
