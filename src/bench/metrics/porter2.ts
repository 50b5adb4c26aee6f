// The English (Porter2) stemmer of the Snowball project, which METEOR 1.5 stems with: snowballstem.org/algorithms/english.

const irregular: Readonly<Record<string, string>> = {
  ...{
    skis: 'ski',
    skies: 'sky',
    dying: 'die',
    lying: 'lie',
    tying: 'tie',
    idly: 'idl',
    gently: 'gentl',
    ugly: 'ugli',
    early: 'earli',
    only: 'onli',
    singly: 'singl',
  },
  ...{ sky: 'sky', news: 'news', howe: 'howe', atlas: 'atlas', cosmos: 'cosmos', bias: 'bias', andes: 'andes' },
};
const keptAfter1a: ReadonlySet<string> = new Set(['inning', 'outing', 'canning', 'herring', 'earring', 'proceed', 'exceed', 'succeed']);
const vowel = '[aeiouy]';
const doubled = /(?:bb|dd|ff|gg|mm|nn|pp|rr|tt)$/;
/** Step 2, longest first: suffix in R1 to its replacement. */
const step2: readonly (readonly [string, string])[] = [
  ...([
    ['ization', 'ize'],
    ['ational', 'ate'],
    ['fulness', 'ful'],
    ['ousness', 'ous'],
    ['iveness', 'ive'],
    ['tional', 'tion'],
    ['biliti', 'ble'],
  ] as const),
  ...([
    ['lessli', 'less'],
    ['entli', 'ent'],
    ['ation', 'ate'],
    ['alism', 'al'],
    ['aliti', 'al'],
    ['ousli', 'ous'],
    ['iviti', 'ive'],
  ] as const),
  ...([
    ['fulli', 'ful'],
    ['enci', 'ence'],
    ['anci', 'ance'],
    ['abli', 'able'],
    ['izer', 'ize'],
    ['ator', 'ate'],
    ['alli', 'al'],
    ['bli', 'ble'],
  ] as const),
];
const step3: readonly (readonly [string, string])[] = [
  ['ational', 'ate'],
  ['tional', 'tion'],
  ['alize', 'al'],
  ['icate', 'ic'],
  ['iciti', 'ic'],
  ['ical', 'ic'],
  ['ness', ''],
  ['ful', ''],
];
const step4: readonly string[] = ['ement', 'ance', 'ence', 'able', 'ible', 'ment', 'ant', 'ent', 'ism', 'ate', 'iti', 'ous', 'ive', 'ize', 'al', 'er', 'ic'];

/** The stem of one lower-case English word. */
export function stem(input: string): string {
  if (input.length <= 2) return input;
  if (Object.hasOwn(irregular, input)) return irregular[input]!;
  let word = markConsonantY(input.replace(/^'/, ''));
  const r1 = regionOne(word);
  const r2 = after(word, r1);
  word = step1a(word.replace(/'s'$|'s$|'$/, ''));
  if (keptAfter1a.has(word)) return word;
  word = step1b(word, r1);
  // 1c: a final y after a consonant that is not the first letter becomes i.
  word = word.replace(/(?<=.[^aeiouy])[yY]$/, 'i');
  word = replaceSuffix(word, step2, r1, (before) => ({ ogi: before.endsWith('l') ? 'og' : undefined, li: /[cdeghkmnrt]$/.test(before) ? '' : undefined }));
  word = replaceSuffix(word, step3, r1, (before) => ({ ative: before.length >= r2 ? '' : undefined }));
  word = removeStep4(word, r2);
  return step5(word, r1, r2).replaceAll('Y', 'y');
}

/** A y at the start or after a vowel counts as a consonant: it is written Y. */
function markConsonantY(word: string): string {
  let out = '';
  for (const letter of word) out += letter === 'y' && (out === '' || /[aeiouy]$/.test(out)) ? 'Y' : letter;
  return out;
}

function regionOne(word: string): number {
  const prefix = /^(?:gener|commun|arsen)/.exec(word);
  return prefix ? prefix[0].length : after(word, 0);
}

/** Where the region after the first consonant that follows a vowel begins, from `from` on. */
function after(word: string, from: number): number {
  const match = new RegExp(`${vowel}[^aeiouy]`).exec(word.slice(from));
  return match ? from + match.index + 2 : word.length;
}

function step1a(word: string): string {
  if (word.endsWith('sses')) return word.slice(0, -2);
  if (/ie[ds]$/.test(word)) return word.length > 4 ? word.slice(0, -2) : word.slice(0, -1);
  if (/(?:us|ss)$/.test(word)) return word;
  return new RegExp(`${vowel}.+s$`).test(word) ? word.slice(0, -1) : word;
}

function step1b(word: string, r1: number): string {
  const eed = /eed(?:ly)?$/.exec(word);
  if (eed) return eed.index >= r1 ? word.slice(0, eed.index) + 'ee' : word;
  const ending = /(?:ed|ing)(?:ly)?$/.exec(word);
  if (!ending || !new RegExp(vowel).test(word.slice(0, ending.index))) return word;
  const base = word.slice(0, ending.index);
  if (/(?:at|bl|iz)$/.test(base)) return base + 'e';
  if (doubled.test(base)) return base.slice(0, -1);
  return base.length <= r1 && endsInShortSyllable(base) ? base + 'e' : base;
}

function endsInShortSyllable(word: string): boolean {
  return /[^aeiouy][aeiouy][^aeiouywxY]$/.test(word) || /^[aeiouy][^aeiouy]$/.test(word);
}

/** The longest suffix decides, whether or not it lies in R1; `conditional` gives those with a condition of their own. */
function replaceSuffix(
  word: string,
  table: readonly (readonly [string, string])[],
  r1: number,
  conditional: (before: string) => Readonly<Record<string, string | undefined>>,
): string {
  const candidates = [...table.map(([suffix]) => suffix), ...Object.keys(conditional(''))].filter((suffix) => word.endsWith(suffix));
  const suffix = candidates.sort((a, b) => b.length - a.length)[0];
  if (suffix === undefined || word.length - suffix.length < r1) return word;
  const before = word.slice(0, word.length - suffix.length);
  const replacement = table.find(([one]) => one === suffix)?.[1] ?? conditional(before)[suffix];
  return replacement === undefined ? word : before + replacement;
}

function removeStep4(word: string, r2: number): string {
  const suffix = [...step4, 'ion'].filter((one) => word.endsWith(one)).sort((a, b) => b.length - a.length)[0];
  if (suffix === undefined || word.length - suffix.length < r2) return word;
  const before = word.slice(0, word.length - suffix.length);
  return suffix === 'ion' && !/[st]$/.test(before) ? word : before;
}

function step5(word: string, r1: number, r2: number): string {
  const last = word.length - 1;
  if (word.endsWith('e') && (last >= r2 || (last >= r1 && !endsInShortSyllable(word.slice(0, -1))))) return word.slice(0, -1);
  return word.endsWith('ll') && last >= r2 ? word.slice(0, -1) : word;
}
