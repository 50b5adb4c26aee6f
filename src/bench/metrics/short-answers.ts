// Yes or no, and counts, from what models really write.

/** Exactly one of yes and no is said; anything else is no answer. "Y" and "N" count, as in the published OVO-Bench harness. */
export function parseYesNo(text: string): boolean | undefined {
  const said = text
    .replace(/<think>[\s\S]*?<\/think>/gi, '')
    .replace(/[*_`]/g, '')
    .trim();
  if (/^y[.!]?$/i.test(said)) return true;
  if (/^n[.!]?$/i.test(said)) return false;
  const first = /^["'“(]*(?:answer:?\s*)?(yes|no)\b/i.exec(said);
  // The word that opens the answer is the answer: "No, yes would be premature".
  if (first) return first[1]!.toLowerCase() === 'yes' ? (/^\W*(?:answer:?\s*)?yes\s*(?:\/|or)\s*no\b/i.test(said) ? undefined : true) : false;
  const yes = /\byes\b/i.test(said);
  const no = /\bno\b/i.test(said);
  return yes === no ? undefined : yes;
}

const words = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve'];

/** The one number that is said, in digits or words up to twelve; undefined where there is none or several. */
export function parseCount(text: string): number | undefined {
  const said = text.replace(/<think>[\s\S]*?<\/think>/gi, '').toLowerCase();
  const digits = [...said.matchAll(/(?<![\d.])\d+(?!\.?\d)/g)].map((match) => Number(match[0]));
  const spelled = [...said.matchAll(/\b[a-z]+\b/g)].map((match) => words.indexOf(match[0])).filter((count) => count >= 0);
  const found = new Set(digits.length > 0 ? digits : spelled);
  return found.size === 1 ? [...found][0] : undefined;
}
