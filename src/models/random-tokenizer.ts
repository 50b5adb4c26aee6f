// A byte-level BPE tokenizer made up for random checkpoints: any text goes in, any id comes out as text, no vocabulary is downloaded.
import { createRandom } from '../core/random.ts';
import type { CheckpointSize } from './sizes.ts';

// Frequent enough that questions in English have about as many tokens as with a real vocabulary.
const words =
  'the of and to in is was that it he for on are with as his they at be this from have or by one had not but what all were when we there can an your which their said if do will each about how up out them then she many some so these would other into has more her two like him see time could no make than first been its who now people my made over did down only way find use may water long little very after words called just where most know get through back much before go good new write our used me man too any day same right look think also around another came come work three must because does part even place well such here take why things help put years different away again off went old number great tell men say small every found still between name should home big give air line set own under read last never us left end along while might next below saw something thought both few those always looked show large often together asked house world going want school important until form food keep children feet land side without boy once animals life enough took four head above kind began almost live page got earth need far hand high year mother light country father let night picture being study second soon story since white ever paper hard near sentence better best across during today however sure knew try told young sun thing whole hear example heard several change answer room sea against top turned learn point city play toward five using himself usually money seen car morning body upon family later turn move face door cut done group true half red fish plants frame video describe happened person camera street walking window user assistant system'.split(' ');
const onsets = 'b c d f g h j k l m n p r s t v w z br ch cl cr dr fl fr gl gr pl pr sh sl sn st th tr wh'.split(' ');
const vowels = 'a e i o u ai ea ee oo ou'.split(' ');
const codas = ['', '', '', 'n', 'r', 's', 't', 'l', 'm', 'nd', 'st', 'ck'];

const smolvlmMarks = ['<fake_token_around_image>', '<image>'];
const smolvlmEarly = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
const llavaLate = ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<image>', '<video>'];

/** The tokens behind SmolVLM's learned vocabulary: three for the 2.2B models, for the smaller ones also those of the tiles and reserved ones. */
function smolvlmLate(room: number): readonly string[] {
  const tiles = ['<global-img>', ...Array.from({ length: 36 }, (_, i) => `<row_${Math.floor(i / 6) + 1}_col_${(i % 6) + 1}>`)];
  const needed = smolvlmMarks.length + 1;
  if (room < tiles.length + needed) return [...smolvlmMarks, '<end_of_utterance>'];
  const reserved = Array.from({ length: room - tiles.length - needed }, (_, i) => `<|reserved_special_token_${i}|>`);
  return [...tiles, ...smolvlmMarks, ...reserved, '<end_of_utterance>'];
}

/** tokenizer.json and the ids of its special tokens. */
export interface RandomTokenizer {
  readonly document: unknown;
  readonly idOf: (token: string) => number;
}

/** Special tokens stand where the published tokenizers have them: SmolVLM's first three at 0, all others behind the learned vocabulary. */
export function randomTokenizer(size: CheckpointSize, seed: number): RandomTokenizer {
  const smolvlm = size.modelType !== 'llava_onevision';
  const early = smolvlm ? smolvlmEarly : [];
  const late = smolvlm ? smolvlmLate(size.vocabulary - size.learnedTokens) : llavaLate;
  const vocabulary = new Map<string, number>();
  const add = (token: string) => {
    if (vocabulary.size < size.learnedTokens && !vocabulary.has(token)) vocabulary.set(token, vocabulary.size);
  };
  for (const token of early) add(token);
  for (const letter of byteLetters()) add(letter);
  const merges: [string, string][] = [];
  for (const word of words) {
    for (const start of ['Ġ', '']) {
      const letters = Array.from(start + word);
      for (let end = 2; end <= letters.length; end++) {
        const [left, right] = [letters.slice(0, end - 1).join(''), letters[end - 1]!];
        if (vocabulary.size >= size.learnedTokens || vocabulary.has(left + right) || !vocabulary.has(left)) continue;
        merges.push([left, right]);
        add(left + right);
      }
    }
  }
  // The rest are made-up words that no text is split into; the model's answers show them.
  const random = createRandom(seed);
  while (vocabulary.size < size.learnedTokens) {
    const syllables = Array.from({ length: random.int(1, 4) }, () => random.pick(onsets) + random.pick(vowels) + random.pick(codas));
    add(`Ġ${syllables.join('')}`);
  }
  const ids = new Map([...early, ...late].map((token, index) => [token, index < early.length ? index : size.learnedTokens + index - early.length]));
  return {
    idOf: (token) => ids.get(token)!,
    document: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [...ids].map(([content, id]) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: null,
      decoder: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      model: { type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: false, byte_fallback: false, vocab: Object.fromEntries(vocabulary), merges },
    },
  };
}

/** The printable letter that byte-level tokenizers write for each byte (GPT-2's table). */
function byteLetters(): string[] {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    return String.fromCodePoint(printable ? byte : next++);
  });
}
