// llama2.c model files (`stories260K.bin` with `tok512.bin`): a Llama decoder alone, in float32, rotary pairs side by side.
import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ModelError, UserError } from '../../core/errors.ts';
import type { DecoderSpec, DecoderWeights, LinearSource, PromptFormat, Turn, WeightSource } from '../contract.ts';
import type { CheckpointFamily } from '../family.ts';
import { bosToken, eosToken, openLlama2cTokenizer } from '../llama2c-tokenizer.ts';
import { readFloats } from '../safetensors.ts';

const headerInts = 7;
/** "ak42": versions of the format with another layout. */
const newerMagic = 0x616b3432;

const family: CheckpointFamily = {
  summary: 'llama2.c model files, text alone',
  source: 'github.com/karpathy/llama2.c, run.c (format version 0)',
  modelTypes: [],
  recognises: async (location) => (await modelFile(location)) !== undefined,
  async open(location) {
    const file = (await modelFile(location))!;
    const { spec, shared } = await readHeader(file);
    const weights = layOut(file, spec, shared);
    const fileBytes = (await stat(file)).size;
    if (fileBytes !== weights.endBytes) {
      throw new ModelError('LLAMA2C_INVALID', { what: `${file} does not have the length that its header calls for`, got: `${fileBytes} bytes`, expected: `${weights.endBytes} bytes`, todo: 'download the file again, or check that it is a llama2.c model of format version 0' });
    }
    return {
      folder: path.dirname(file),
      decoder: { spec, weights: weights.decoder },
      prompt: textPrompt(await openLlama2cTokenizer(path.dirname(file), spec.vocabulary)),
      generation: { stopTokens: [bosToken, eosToken], sample: false },
      tokensPerFrame: 0,
      parameters: weights.parameters,
    };
  },
};

export default family;

/** The model file that the location is or, as the only one beside a tokenizer, holds. */
async function modelFile(location: string): Promise<string | undefined> {
  try {
    if ((await stat(location)).isFile()) return location.endsWith('.bin') ? location : undefined;
    const names = (await readdir(location)).filter((name) => name.endsWith('.bin'));
    const models = names.filter((name) => !/^tok.*\.bin$/.test(name));
    return models.length === 1 && names.length > 1 ? path.join(location, models[0]!) : undefined;
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && (thrown.code === 'ENOENT' || thrown.code === 'ENOTDIR')) return undefined;
    throw new ModelError('FILE_UNREADABLE', { what: `cannot open ${location}`, got: messageOf(thrown), expected: 'a model file or a checkpoint folder', cause: thrown });
  }
}

async function readHeader(file: string): Promise<{ spec: DecoderSpec; shared: boolean }> {
  const header = Buffer.alloc(headerInts * 4);
  const handle = await open(file, 'r');
  try {
    const { bytesRead } = await handle.read(header, 0, header.length, 0);
    if (bytesRead < header.length) throw new ModelError('LLAMA2C_INVALID', { what: `${file} is too short to be a llama2.c model`, got: `${bytesRead} bytes`, expected: `at least ${header.length} bytes` });
  } finally {
    await handle.close();
  }
  if (header.readUInt32LE(0) === newerMagic) throw new ModelError('LLAMA2C_UNSUPPORTED', { what: `${file} is of a newer llama2.c format`, got: `version ${header.readInt32LE(4)}`, expected: 'format version 0, without the "ak42" mark' });
  const [width, mlpWidth, layers, queryHeads, kvHeads, signedVocabulary, contextLength] = Array.from({ length: headerInts }, (_, i) => header.readInt32LE(i * 4)) as [number, number, number, number, number, number, number];
  const vocabulary = Math.abs(signedVocabulary);
  const sizes = { dim: width, hidden_dim: mlpWidth, n_layers: layers, n_heads: queryHeads, n_kv_heads: kvHeads, vocab_size: vocabulary, seq_len: contextLength };
  for (const [name, value] of Object.entries(sizes)) {
    const most = name === 'n_layers' ? 1 << 12 : 1 << 24;
    if (value < 1 || value > most) throw new ModelError('LLAMA2C_INVALID', { what: `${file}: header field ${name} is not what it should be`, got: `${value}`, expected: `1 to ${most}` });
  }
  if (queryHeads % kvHeads !== 0 || width % queryHeads !== 0 || (width / queryHeads) % 2 !== 0) {
    throw new ModelError('LLAMA2C_INVALID', { what: `${file}: header fields do not fit each other`, got: `dim ${width}, n_heads ${queryHeads}, n_kv_heads ${kvHeads}`, expected: 'n_heads a multiple of n_kv_heads, dim of 2 · n_heads' });
  }
  return {
    // A negative vocabulary marks an output matrix of its own.
    shared: signedVocabulary > 0,
    spec: {
      layers, width, queryHeads, kvHeads, headWidth: width / queryHeads, mlpWidth, vocabulary, normEpsilon: 1e-5, attentionBias: false,
      ropeTheta: 10000, ropeLayout: 'pairs', contextLength, tiedEmbeddings: signedVocabulary > 0,
    }, // prettier-ignore
  };
}

/** Where each weight lies: the file has all layers of one role together. */
function layOut(file: string, spec: DecoderSpec, shared: boolean): { decoder: DecoderWeights; parameters: number; endBytes: number } {
  const { layers, width, mlpWidth, vocabulary, headWidth, kvHeads, contextLength } = spec;
  const kvWidth = kvHeads * headWidth;
  let at = headerInts * 4;
  let parameters = 0;
  const next = (name: string, shape: readonly number[]): WeightSource => {
    const count = shape.reduce((a, b) => a * b, 1);
    const offsetBytes = at;
    const lengthBytes = count * 4;
    at += lengthBytes;
    parameters += count;
    return { name, shape, dtype: 'float32', file, offsetBytes, lengthBytes, read: () => readFloats(file, 'float32', offsetBytes, lengthBytes) };
  };
  const each = (name: string, shape: readonly number[]) => Array.from({ length: layers }, (_, layer) => next(`${name}.${layer}`, shape));
  const embedding = next('token_embedding_table', [vocabulary, width]);
  const attentionNorm = each('rms_att_weight', [width]);
  const query = each('wq', [width, width]);
  const key = each('wk', [kvWidth, width]);
  const value = each('wv', [kvWidth, width]);
  const output = each('wo', [width, width]);
  const mlpNorm = each('rms_ffn_weight', [width]);
  const gate = each('w1', [mlpWidth, width]);
  const down = each('w2', [width, mlpWidth]);
  const up = each('w3', [mlpWidth, width]);
  const finalNorm = next('rms_final_weight', [width]);
  // Two rotary tables that nothing reads any more.
  at += contextLength * headWidth * 4;
  const head = shared ? embedding : next('wcls', [vocabulary, width]);
  const linear = (weights: readonly WeightSource[], layer: number): LinearSource => ({ weight: weights[layer]! });
  return {
    parameters,
    endBytes: at,
    decoder: {
      embedding,
      layers: Array.from({ length: layers }, (_, layer) => ({
        attentionNorm: { scale: attentionNorm[layer]! },
        query: linear(query, layer),
        key: linear(key, layer),
        value: linear(value, layer),
        output: linear(output, layer),
        mlpNorm: { scale: mlpNorm[layer]! },
        gate: linear(gate, layer),
        up: linear(up, layer),
        down: linear(down, layer),
      })),
      finalNorm: { scale: finalNorm },
      head: { weight: head },
    },
  };
}

/** A model without dialogues: every turn is a stretch of the text to go on with. */
function textPrompt(tokenizer: Pick<PromptFormat, 'encode' | 'decode'>): PromptFormat {
  const noPictures = () => new UserError('NO_VISION', { what: 'this model reads text alone', got: 'a picture', expected: 'a checkpoint with a vision encoder' });
  const textOf = ({ parts }: Turn) => parts.map((part) => {
    if (part.kind !== 'text') throw noPictures();
    return part.text;
  }).join(''); // prettier-ignore
  return {
    ...tokenizer,
    render: (turns) => [{ kind: 'text', ids: Int32Array.from([bosToken, ...turns.flatMap((turn) => [...tokenizer.encode(textOf(turn))])]) }],
    renderText: (turns) => turns.map((turn) => ` ${textOf(turn)}`).join(''),
    stream: {
      opening: Int32Array.of(bosToken),
      frame: () => {
        throw noPictures();
      },
      question: (text) => [{ kind: 'text', ids: tokenizer.encode(text) }],
      answer: (text) => tokenizer.encode(text),
      answerEnd: new Int32Array(),
    },
  };
}
