// Which option a model chose, from what models really write: "B", "(B)", "The answer is (B) because…", the option's text.
import { optionLetter } from '../../world/protocol-prompts.ts';
import { normaliseAnswer } from './normalise.ts';

/** The choice as an index into the options, or why there is none. A text without a clear choice is never guessed at. */
export type ParsedChoice = { readonly kind: 'chosen'; readonly index: number } | { readonly kind: 'unparsed'; readonly reason: 'empty' | 'none' | 'ambiguous' };

type Candidates = readonly number[];
const ordinals = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth'];

/**
 * @param text what the model wrote
 * @param options texts of the options, at most 26, in the order in which the prompt lettered them A, B, C…
 *
 * "Option 2" and "the second option" count from one, since the prompt letters the options; a bare number is no choice
 * (nobody can tell whether it counts from 0 or 1) unless it is the text of an option.
 */
export function parseOption(text: string, options: readonly string[]): ParsedChoice {
  const said = text
    .replace(/<think>[\s\S]*?<\/think>/gi, '')
    .replace(/[*_`]{1,3}/g, '')
    .trim();
  if (said === '') return { kind: 'unparsed', reason: 'empty' };
  const labels = options.map((_, index) => optionLetter(index));
  const bare = options.map((option) => option.replace(/^\(?[A-Z][.):]\s+/, ''));
  // The first rule that sees any choice decides: more explicit wordings come first.
  for (const rule of [verbatim, listed, stated, leading, numbered, quoted, pointed]) {
    const found = [...new Set(rule(said, labels, bare))].filter((index) => index >= 0 && index < options.length);
    if (found.length === 1) return { kind: 'chosen', index: found[0]! };
    if (found.length > 1) return { kind: 'unparsed', reason: 'ambiguous' };
  }
  return { kind: 'unparsed', reason: 'none' };
}

/** The whole text is one option's text. */
function verbatim(said: string, _labels: readonly string[], options: readonly string[]): Candidates {
  const wanted = normaliseAnswer(said);
  return options.flatMap((option, index) => (wanted !== '' && normaliseAnswer(option) === wanted ? [index] : []));
}

/** "A, B", "A and C", "B or D", or options repeated line by line: several letters are no choice. */
function listed(said: string, labels: readonly string[]): Candidates {
  const set = labels.join('');
  const several = new RegExp(
    `(?:^|[Aa]nswers?(?: is| are)?:?\\s*|[Oo]ptions?\\s+|[Bb]oth\\s+|[Ee]ither\\s+)\\(?([${set}])\\)?\\s*(?:,|/|&|\\band\\b|\\bor\\b|,\\s*(?:and|or))\\s*\\(?([${set}])\\)?(?![\\p{L}\\p{N}'])`,
    'u',
  ).exec(said);
  if (several) return [labels.indexOf(several[1]!), labels.indexOf(several[2]!)];
  const lines = [...said.matchAll(new RegExp(`^\\s*\\(?([${set}])[.):]`, 'gm'))].map((match) => labels.indexOf(match[1]!));
  return new Set(lines).size > 1 ? lines : [];
}

/** "Answer: B", "the correct option is (B)", "I choose B", "option B is correct", "\boxed{B}". */
function stated(said: string, labels: readonly string[]): Candidates {
  const claim = '(?:answer|option|choice|response)(?:\\s+(?:is|would be|should be|must be))?|choose|select|pick|go with|boxed';
  const pattern = new RegExp(
    `\\b(?:${claim})\\s*[:=]?\\s*(?:(?:the\\s+)?(?:option|letter|choice)\\s*)?["'“(\\[{]*([${labels.join('')}])(?![\\p{L}\\p{N}'’])`,
    'giu',
  );
  return [...said.matchAll(pattern)].flatMap((match) => {
    const before = said.slice(0, match.index);
    const rest = said.slice(match.index + match[0].length);
    // "the answer is a dog", "option B is wrong": the sentence goes on, and not with a reason or an assent.
    const goesOn = /^\s+\p{Ll}/u.test(rest) && !/^\s+(?:because|since|as|for|based|due|is (?:the )?(?:correct|right|best))\b/.test(rest);
    const isDenied = /\b(?:not|incorrect|wrong)\s+(?:the\s+)?$/i.test(before);
    return goesOn || isDenied ? [] : [labels.indexOf(match[1]!.toUpperCase())];
  });
}

/** "B", "b)", "(B) the dog", "B. the dog", "B because…". A letter that begins a sentence ("A man…", "C washes…") is none. */
function leading(said: string, labels: readonly string[]): Candidates {
  const set = labels.join('');
  const match = new RegExp(
    `^["'“]?(?:\\(([${set}${set.toLowerCase()}])\\)|\\[([${set}])\\]|([${set}])(?=[.):,;"'”!]|\\s*$|\\s*[-–—]\\s|\\s+(?:because|since|as the)\\b|\\s*\\n)|([${set.toLowerCase()}])(?=[.)]|\\s*$))`,
    'u',
  ).exec(said);
  const letter = match?.slice(1).find((one: string | undefined) => one !== undefined);
  return letter === undefined ? [] : [labels.indexOf(letter.toUpperCase())];
}

/** "Option 2", "the second option". */
function numbered(said: string): Candidates {
  const digits = [...said.matchAll(/\b(?:option|choice|answer)\s*(?:number\s*|no\.\s*|is\s+|#)?#?([1-9])(?!\.?\d)\b/gi)].map((match) => Number(match[1]) - 1);
  const words = [...said.matchAll(/\b(first|second|third|fourth|fifth|sixth)\s+(?:option|choice|answer|one)\b/gi)].map((match) =>
    ordinals.indexOf(match[1]!.toLowerCase()),
  );
  return [...digits, ...words];
}

/** Exactly one option's text stands in what was said, and nothing is denied. */
function quoted(said: string, _labels: readonly string[], options: readonly string[]): Candidates {
  let rest = ` ${normaliseAnswer(said)} `;
  const found: number[] = [];
  // Longest first, each occurrence taken out: "red car" inside "dark red car" does not count twice.
  const order = options.map((option, index) => ({ text: normaliseAnswer(option), index })).sort((a, b) => b.text.length - a.text.length);
  for (const { text, index } of order) {
    if (text === '' || !rest.includes(` ${text} `)) continue;
    found.push(index);
    rest = rest.replaceAll(` ${text} `, ' | ');
  }
  return found.length === 1 && /\b(?:not|no|never|neither|isnt|wasnt|arent|dont|doesnt|cannot|cant|none|nor)\b/.test(rest) ? [] : found;
}

/** One letter in brackets anywhere, or one at the end: "I believe it is B." */
function pointed(said: string, labels: readonly string[]): Candidates {
  const set = labels.join('');
  const bracketed = [...said.matchAll(new RegExp(`\\(([${set}])\\)`, 'g'))].map((match) => labels.indexOf(match[1]!));
  if (bracketed.length > 0) return bracketed;
  const last = new RegExp(`(?:\\b(?:is|be|it's|its|say|says|with)|[:=])\\s+["'“]?([${set}])["'”]?[.!]?$`, 'i').exec(said);
  return last && last[1] === last[1]!.toUpperCase() ? [labels.indexOf(last[1])] : [];
}
