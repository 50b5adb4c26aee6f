// Normalised comparison of short answers: case, punctuation, articles and number words do not count (the rules of the VQA evaluation).

const ones = 'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(' ');
const tens = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const articles: ReadonlySet<string> = new Set(['a', 'an', 'the']);

/** "The two-wheeled cart." → "2 wheeled cart"; "1,000" → "1000"; "twenty-one" → "21"; "isn't" → "isnt". */
export function normaliseAnswer(text: string): string {
  const words = text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[’'`]/g, '')
    .replace(/(?<=\d),(?=\d{3}(?!\d))/g, '')
    .replace(/(?<!\d)\.|\.(?!\d)/g, ' ')
    .replace(/[^\p{L}\p{N}\p{M}.%$€£°+]+/gu, ' ')
    .trim()
    .split(/\s+/)
    .filter((word) => word !== '' && !articles.has(word));
  return joinNumbers(words).join(' ');
}

/** Number words up to ninety-nine become digits. */
function joinNumbers(words: readonly string[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const ten = tens.indexOf(words[i]!);
    if (ten >= 0) {
      const one = ones.indexOf(words[i + 1] ?? '');
      const hasOne = one >= 1 && one <= 9;
      out.push(String((ten + 2) * 10 + (hasOne ? one : 0)));
      if (hasOne) i++;
      continue;
    }
    const one = ones.indexOf(words[i]!);
    out.push(one >= 0 ? String(one) : words[i]!);
  }
  return out;
}

/** Equal but for case and surrounding blanks: the published MSRVTT-QA rule. */
export function matchesExactly(prediction: string, answers: readonly string[]): boolean {
  const wanted = prediction.trim().toLowerCase();
  return wanted !== '' && answers.some((answer) => answer.trim().toLowerCase() === wanted);
}

/** Equal after `normaliseAnswer`. */
export function matchesNormalised(prediction: string, answers: readonly string[]): boolean {
  const wanted = normaliseAnswer(prediction);
  return wanted !== '' && answers.some((answer) => normaliseAnswer(answer) === wanted);
}
