// Whole numbers in English words, as SmolVLM2's prompts count frames.

const small = 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ');
const tens = '- - twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const groups = ['', ' thousand', ' million', ' billion'];

/** `1234` → `one thousand, two hundred and thirty-four`. @param value a whole number from 0 to 999,999,999,999 */
export function numberWords(value: number): string {
  if (value < 1000) return belowThousand(value);
  const parts: string[] = [];
  let rest = value;
  for (const group of groups) {
    const part = rest % 1000;
    if (part > 0) parts.unshift(belowThousand(part) + group);
    rest = Math.floor(rest / 1000);
  }
  // A last part without hundreds is joined as the tens of a hundred are: "one thousand and one".
  const last = value % 1000;
  return last > 0 && last < 100 ? `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)!}` : parts.join(', ');
}

function belowThousand(value: number): string {
  if (value < 20) return small[value]!;
  if (value < 100) return tens[Math.floor(value / 10)]! + (value % 10 === 0 ? '' : `-${small[value % 10]!}`);
  return `${small[Math.floor(value / 100)]!} hundred${value % 100 === 0 ? '' : ` and ${belowThousand(value % 100)}`}`;
}
