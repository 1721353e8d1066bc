/**
 * Runs inside a page under test and names what would keep somebody from using it: structure, contrast, size of
 * targets, width. Its source is sent to the browser as it stands, so it imports nothing.
 */
interface Colour {
  readonly r: number;
  readonly g: number;
  readonly b: number;
  readonly a: number;
}

export function accessibilityProblems(): string[] {
  const problems: string[] = [];
  const shown = [...document.body.querySelectorAll<HTMLElement>('*')].filter((element) =>
    element.checkVisibility({ opacityProperty: true, visibilityProperty: true }),
  );
  structure(problems, shown);
  for (const element of shown) {
    if (element.matches('a, button, input, select, textarea, summary')) target(problems, element);
    if (!element.closest('svg') && ownText(element)) contrast(problems, element);
  }
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) problems.push(`the page is ${scrollWidth} px wide in ${clientWidth} px`);
  return [...new Set(problems)];
}

function structure(problems: string[], shown: readonly HTMLElement[]): void {
  if (!document.documentElement.lang) problems.push('the document has no language');
  if (!document.title.trim()) problems.push('the document has no title');
  const mains = shown.filter((element) => element.matches('main, [role=main]')).length;
  if (mains !== 1) problems.push(`${mains} main landmarks`);
  const levels = shown
    .filter((element) => /^H[1-6]$/.test(element.tagName))
    .map(({ tagName }) => Number(tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) problems.push('not exactly one h1');
  for (const [index, level] of levels.entries())
    if (level > (levels[index - 1] ?? 0) + 1) problems.push(`heading ${index + 1} skips to level ${level}`);
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) problems.push(`id ${id} occurs twice`);
}

function target(problems: string[], element: HTMLElement): void {
  const { width, height } = element.getBoundingClientRect();
  const inSentence =
    element.matches('a') && element.parentElement?.textContent?.trim() !== element.textContent?.trim();
  if (!inSentence && (width < 24 || height < 24))
    problems.push(`${describe(element)} is ${Math.round(width)} by ${Math.round(height)} px`);
}

function contrast(problems: string[], element: HTMLElement): void {
  const style = getComputedStyle(element);
  const background = backgroundOf(element);
  const colour = over(pixel(style.color), background);
  const [lighter, darker] = [luminance(colour), luminance(background)].sort((a, b) => b - a);
  const ratio = (lighter! + 0.05) / (darker! + 0.05);
  const size = Number.parseFloat(style.fontSize);
  const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
  if (ratio < needed) problems.push(`${describe(element)} has a contrast of ${ratio.toFixed(2)}`);
}

const ownText = (element: Element): string =>
  [...element.childNodes]
    .filter(({ nodeType }) => nodeType === Node.TEXT_NODE)
    .map(({ textContent }) => textContent)
    .join('')
    .trim();

const describe = (element: Element): string =>
  `${element.tagName.toLowerCase()}${element.id ? `#${element.id}` : ''} "${(element.textContent ?? '').trim().slice(0, 40)}"`;

/** Computed colours come in many notations; what a canvas paints with them is always the same four numbers. */
function pixel(colour: string): Colour {
  const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
  return { r: r!, g: g!, b: b!, a: a! / 255 };
}

function backgroundOf(element: Element | null): Colour {
  if (!element) return { r: 255, g: 255, b: 255, a: 1 };
  const own = pixel(getComputedStyle(element).backgroundColor);
  return own.a === 1 ? own : over(own, backgroundOf(element.parentElement));
}

const over = (top: Colour, under: Colour): Colour => {
  const mix = (one: number, other: number) => one * top.a + other * (1 - top.a);
  return { r: mix(top.r, under.r), g: mix(top.g, under.g), b: mix(top.b, under.b), a: 1 };
};

function luminance({ r, g, b }: Colour): number {
  const [red, green, blue] = [r, g, b].map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}
