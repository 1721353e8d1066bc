/** Names as people type them: one spelling for what differs only in accents, case or punctuation. */

const folded: Readonly<Record<string, string>> = {
  ß: 'ss',
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ı: 'i',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
  ð: 'd',
};
const MAX_NAME_LENGTH = 80;

/**
 * Lower case, without accents, words apart by one blank; any script. Whatever is neither letter nor digit
 * separates words, so nothing that SQL's LIKE would read as a pattern is left. Empty where no letter is.
 */
export function normaliseName(text: string): string {
  return text
    .slice(0, MAX_NAME_LENGTH * 2)
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[ßøłđıæœþð]/g, (letter) => folded[letter]!)
    .normalize('NFC')
    .replace(/['’ʼ`]/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .slice(0, MAX_NAME_LENGTH)
    .trim();
}

/** Edits (insert, delete, replace, swap of neighbours) from one word to the other. */
export function editDistance(from: string, to: string): number {
  const width = to.length + 1;
  const row = (index: number): number[] => rows[index]!;
  const rows: number[][] = Array.from({ length: from.length + 1 }, (_, index) => {
    const cells = new Array<number>(width).fill(0);
    cells[0] = index;
    return cells;
  });
  for (let column = 0; column < width; column += 1) row(0)[column] = column;
  for (let i = 1; i <= from.length; i += 1) {
    for (let j = 1; j < width; j += 1) {
      const replace = row(i - 1)[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      let best = Math.min(row(i - 1)[j]! + 1, row(i)[j - 1]! + 1, replace);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1])
        best = Math.min(best, row(i - 2)[j - 2]! + 1);
      row(i)[j] = best;
    }
  }
  return row(from.length)[to.length]!;
}
