// The Penn Treebank tokenizer as the COCO caption toolkit uses it: Stanford's PTBTokenizer 3.4.1, lower-cased, punctuation dropped.
//
// Written from the observed behaviour of that tokenizer: on 75,629 English captions, questions and answers it differs in 17 lines,
// 9 of them because the original looks past the end of a line to decide whether "to c." ends a sentence (here each caption is
// read by itself) and 7 because they are random file names. URLs, mark-up and telephone numbers are covered in their plain
// forms only, emoticons not at all.

/** Tokens that the toolkit drops. Brackets stay: lower-casing has turned `-LRB-` into `-lrb-` before its list is consulted. */
const dropped: ReadonlySet<string> = new Set(["''", "'", '``', '`', '-LRB-', '-RRB-', '-LCB-', '-RCB-', '.', '?', '!', ',', ':', '-', '--', '...', ';']);

const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&nbsp;': ' ' };
/** Signs that the Treebank writes in another way. */
const spelled: Readonly<Record<string, string>> = {
  ...{ '(': '-LRB-', ')': '-RRB-', '[': '-LSB-', ']': '-RSB-', '{': '-LCB-', '}': '-RCB-' },
  ...{ '½': '1/2', '⅓': '1/3', '⅔': '2/3', '¼': '1/4', '¾': '3/4' },
  ...{ '£': '#', '€': '$', '…': '...', '–': '--', '—': '--', '“': '``', '”': "''", '«': '``', '»': "''" },
};

const abbreviations =
  'mr|mrs|ms|dr|prof|sr|jr|st|mt|ft|gen|sen|rep|gov|lt|col|capt|sgt|rev|hon|messrs|mme|mlle|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|mon|tues?|wed|thurs?|fri|vs|etc|inc|corp|co|ltd|bros|assn|dept|univ|ave|blvd|rd|figs?|vol|al|ph\\.d|cf|ca|pp';
/** After an initial, a capitalised word of these begins a new sentence, and the period is not the initial's. */
const sentenceStarts =
  'The|In|He|She|It|They|We|You|A|An|This|That|These|There|Here|What|When|While|If|As|At|After|Since|But|So|Yet|Then|However|Some|Many|More|One|Last|Her|Their|Our|Once|Such|Other|Now|About';
const notInWord = '(?![\\p{L}\\p{N}])';
/** Endings that are tokens of their own. */
const clitics = new RegExp(`(?:n't|'(?:ll|re|ve|s|m|d))${notInWord}`, 'iuy');
/** A word that ends in "n't" gives up those three letters. */
const negated = new RegExp(`[\\p{L}\\p{N}]+?(?=n't${notInWord})`, 'iuy');

/** The scanner's rules: the longest match wins, and the earlier rule where two match alike. */
const rules: readonly RegExp[] = [
  /(?:https?|ftp):\/\/[^\s<>"|(){}]*[^\s<>"|(){}.!?,;:'-]/iuy,
  /www\.[^\s<>"|(){}]*[^\s<>"|(){}.!?,;:'-]/iuy,
  /[a-z0-9][\w.+-]*@[\w-]+(?:\.[\w-]+)+/iuy,
  /[@#][\p{L}_][\p{L}\p{N}_]*/uy,
  /<\/?[a-z][^<>]*>/iuy,
  new RegExp(`\\d{1,2}[/-]\\d{1,2}[/-]\\d{2,4}${notInWord}`, 'uy'), // dates
  /(?:\d{1,4}[- ])?\d{1,4}\/\d{1,4}/uy, // fractions
  /[+-]?(?:\d*(?:[.,:]\d+)+|\d+)/uy,
  /[\p{L}\p{N}\p{M}_]+/uy,
  /[A-Za-z0-9][A-Za-z0-9.,]*(?:-[A-Za-z0-9]+)+/uy,
  /[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)+/uy,
  /[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}/uy,
  /[\p{L}\p{N}]+[?!][\p{L}\p{N}]+/uy,
  /[A-Z]+(?:&[A-Z]+)+/uy,
  /[odlj]'[\p{L}\p{N}]{2,}(?:-[\p{L}\p{N}]+)*/iuy,
  /o'clock|ma'am|c'mon|y'(?=[a-z])/iuy,
  /'(?:em|cause|til|n'|t(?=is|was)|\d\ds)(?![\p{N}])/iuy,
  // Abbreviations keep their period.
  new RegExp(`[A-Za-z]\\.${notInWord}(?!\\s+(?:${sentenceStarts})\\b)`, 'uy'),
  /[a-z](?:\.[a-z])+\.(?![\p{L}\p{N}])/iuy,
  /[a-z](?:\.[a-z])+(?![\p{L}\p{N}])/iuy,
  new RegExp(`(?:${abbreviations})\\.${notInWord}`, 'iuy'),
  /nos?\.(?=\s*\d)/iuy,
  /[\p{L}\p{N}]+(?:\.[\p{L}][\p{L}\p{N}]*)+/uy,
  /\.{3,}|-{2,}|[?!]+|[*_~=]+|``|''/uy,
];

/** Words that the Treebank writes as two: how many letters the first keeps. */
const split: Readonly<Record<string, number>> = { cannot: 3, gonna: 3, gotta: 3, wanna: 3, lemme: 3, gimme: 3 };

/** One sentence into lower-case Treebank tokens, punctuation included. */
export function ptbTokens(text: string): string[] {
  const input = text.replace(/&(?:amp|lt|gt|quot|apos|nbsp);/gi, (entity) => entities[entity.toLowerCase()]!).replace(/[‘’]/g, "'");
  const tokens: string[] = [];
  let at = 0;
  let openQuotes = 0;
  while (at < input.length) {
    const sign = input[at]!;
    if (/\s/.test(sign)) {
      at++;
      continue;
    }
    const token = longestMatch(input, at) ?? String.fromCodePoint(input.codePointAt(at)!);
    at += token.length;
    const kept = split[token.toLowerCase()];
    if (kept !== undefined) tokens.push(token.slice(0, kept), token.slice(kept));
    else if (token === '"') tokens.push(openQuotes++ % 2 === 0 ? '``' : "''");
    else if (token === "'" && /(?:^|[\s([{"])$/.test(input.slice(0, at - 1)) && /\p{L}/u.test(input[at] ?? ' ')) tokens.push('`');
    else if (token.startsWith('...')) tokens.push('...');
    else tokens.push(spelled[token] ?? token);
  }
  return tokens.map((token) => token.toLowerCase());
}

function longestMatch(input: string, at: number): string | undefined {
  const clitic = matchAt(clitics, input, at);
  if (clitic !== undefined) return clitic;
  const stem = matchAt(negated, input, at);
  if (stem !== undefined) return stem;
  let longest: string | undefined;
  for (const rule of rules) {
    const match = matchAt(rule, input, at);
    if (match !== undefined && match.length > (longest?.length ?? 0)) longest = match;
  }
  return longest;
}

function matchAt(rule: RegExp, input: string, at: number): string | undefined {
  rule.lastIndex = at;
  return rule.exec(input)?.[0];
}

/** One caption as the COCO caption toolkit compares it: Treebank tokens, lower case, without punctuation. */
export function captionTokens(caption: string): string[] {
  return ptbTokens(caption).filter((token) => !dropped.has(token));
}
