// Checkpoints: published configurations open, damaged ones are refused by name.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { loadFamilies, openCheckpoint } from './checkpoint.ts';
import { describeCheckpoint } from './describe.ts';
import { goldenCheckpoint, goldenCheckpoints } from './goldens.fixture.ts';
import { duplicateKey } from './json.ts';
import { readSafetensorsHeader } from './safetensors.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thalweg-checkpoint-'));
});
afterAll(() => rm(root, { recursive: true }));

type Json = Record<string, unknown>;
let copies = 0;

/** A copy of a golden checkpoint whose JSON files are changed; `undefined` deletes the file. */
async function changed(base: string, changes: Readonly<Record<string, ((document: Json) => unknown) | string | undefined>>): Promise<string> {
  const folder = path.join(root, `copy-${copies++}`);
  await cp(goldenCheckpoint(base), folder, { recursive: true });
  for (const [name, change] of Object.entries(changes)) {
    const file = path.join(folder, name);
    if (change === undefined) await rm(file);
    else await writeFile(file, typeof change === 'string' ? change : JSON.stringify(change(JSON.parse(await readFile(file, 'utf8')) as Json)));
  }
  return folder;
}

/** Rewrites the tensors' names and shapes in place: entries only, the data stay. */
async function withTensors(base: string, change: (entries: Record<string, { dtype: string; shape: number[] }>) => void): Promise<string> {
  const folder = await changed(base, {});
  const file = path.join(folder, 'model.safetensors');
  const bytes = await readFile(file);
  const length = Number(bytes.readBigUInt64LE());
  const entries = JSON.parse(bytes.toString('utf8', 8, 8 + length)) as Record<string, { dtype: string; shape: number[] }>;
  change(entries);
  const header = Buffer.from(JSON.stringify(entries));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(header.length));
  await writeFile(file, Buffer.concat([prefix, header, bytes.subarray(8 + length)]));
  return folder;
}

describe('a checkpoint', () => {
  it.each(goldenCheckpoints)('%s opens, and its weights have the shapes that the configuration says', async (name) => {
    const { vision, decoder, generation, parameters } = await openCheckpoint(goldenCheckpoint(name));
    expect(vision!.weights.layers.length).toBe(vision!.spec.layers);
    expect(decoder.weights.layers.length).toBe(decoder.spec.layers);
    expect(decoder.weights.head.weight === decoder.weights.embedding).toBe(decoder.spec.tiedEmbeddings);
    expect(generation.stopTokens.length).toBeGreaterThan(0);
    const weight = decoder.weights.layers.at(-1)!.down.weight;
    const values = await weight.read();
    expect(values.length).toBe(weight.shape[0]! * weight.shape[1]!);
    expect(values.some((value) => value !== 0) && values.every(Number.isFinite)).toBe(true);
    // Everything stored is used, but for the norm that LLaVA-OneVision's features leave out.
    const stored = (await Promise.all((await readdir(goldenCheckpoint(name))).filter((file) => file.endsWith('.safetensors')).map((file) => readSafetensorsHeader(path.join(goldenCheckpoint(name), file))))).flatMap(({ tensors }) => [...tensors.values()]);
    const used = stored.filter(({ name: tensor }) => vision!.spec.finalNorm || !tensor.includes('post_layernorm'));
    expect(parameters).toBe(used.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0));
  });

  it('reads sizes that published files leave to their defaults', async () => {
    const folder = await changed('smolvlm-tiny', {
      'config.json': (config) => ({ ...config, vision_config: { hidden_size: 48, image_size: 64, patch_size: 8 } }),
    });
    // Twelve layers by `Idefics3VisionConfig`: the first weight that the small file lacks says so, in that class's MLP width.
    await expect(openCheckpoint(folder)).rejects.toThrow(/mlp\.fc1\.weight.*got \[96, 48\]; expected \[3072, 48\]/);
  });

  it('in a hub snapshot is a folder of symbolic links', async () => {
    const snapshot = path.join(root, 'snapshot');
    await mkdir(snapshot);
    for (const name of await readdir(goldenCheckpoint('smolvlm-tiny'))) await symlink(path.join(goldenCheckpoint('smolvlm-tiny'), name), path.join(snapshot, name));
    expect((await openCheckpoint(snapshot)).family).toBe('smolvlm');
  });

  it('says what a frame costs and what memory holds', async () => {
    const description = await describeCheckpoint(await openCheckpoint(goldenCheckpoint('smolvlm2-tiny')), { framesPerSec: 2 });
    expect(description.parameters).toEqual({ vision: 66096, projector: 27648, decoder: 182720, total: 276464 });
    expect(description.dtypes).toEqual({ bfloat16: 276464 });
    // 3 layers × keys and values × 2 heads × 16 channels × 4 bytes.
    expect(description.memory.bytesPerToken).toBe(768);
    // Nine visual tokens; "\nFrame from 10:00:" and three marks are fourteen more.
    expect(description.memory.tokensPerFrameWithMarks).toBe(23);
    expect(description.memory.bytesPerMinute).toBe(23 * 768 * 120);
    const { encoder, encoderAttention, projector, prefill, total } = description.frameGflop;
    expect(encoder).toBeCloseTo((2 * 81 * (108 * 48 + 3 * (4 * 48 * 48 + 2 * 48 * 96))) / 1e9, 12);
    expect(total).toBeCloseTo(encoder + encoderAttention + projector + prefill, 12);
  });

  it('whose embeddings are said to be tied keeps an output matrix of its own, and ignores a copy', async () => {
    const tied = (config: Json) => ({ ...config, tie_word_embeddings: true });
    const own = await openCheckpoint(await changed('smolvlm-tiny', { 'config.json': tied }));
    expect(own.decoder.spec.tiedEmbeddings).toBe(false);
    const folder = await changed('smolvlm-tiny', { 'config.json': tied });
    const { tensors } = await readSafetensorsHeader(path.join(folder, 'model.safetensors'));
    const [embedding, head] = [tensors.get('model.text_model.embed_tokens.weight')!, tensors.get('lm_head.weight')!];
    const bytes = await readFile(embedding.file);
    bytes.copy(bytes, head.offsetBytes, embedding.offsetBytes, embedding.offsetBytes + embedding.lengthBytes);
    await writeFile(embedding.file, bytes);
    expect((await openCheckpoint(folder)).decoder.spec.tiedEmbeddings).toBe(true);
  });
});

describe('a checkpoint that cannot be used says why', () => {
  const config = (change: Json) => ({ 'config.json': (document: Json) => ({ ...document, ...change }) });
  const text = (change: Json) => ({ 'config.json': (document: Json) => ({ ...document, text_config: { ...(document.text_config as Json), ...change } }) });
  const vision = (change: Json) => ({ 'config.json': (document: Json) => ({ ...document, vision_config: { ...(document.vision_config as Json), ...change } }) });
  const processor = (change: Json) => ({ 'preprocessor_config.json': (document: Json) => ({ ...document, ...change }) });

  const smolvlm: Record<string, [Parameters<typeof changed>[1], RegExp]> = {
    'another family': [config({ model_type: 'qwen2_vl' }), /model_type.*got "qwen2_vl"; expected one of llava_onevision, idefics3, smolvlm/],
    'no family': [config({ model_type: undefined }), /field model_type.*got nothing; expected string/],
    'a size that is text': [text({ hidden_size: '64' }), /field text_config\.hidden_size.*got "64"; expected number/],
    'a size of zero': [text({ num_hidden_layers: 0 }), /field text_config\.num_hidden_layers.*got 0; expected a whole number ≥ 1/],
    'heads that do not divide': [text({ num_key_value_heads: 3 }), /num_attention_heads.*got 4; expected a multiple of num_key_value_heads, 3/],
    'another decoder': [text({ model_type: 'mistral' }), /field text_config\.model_type.*got "mistral"; expected a supported decoder: "llama"/],
    'another activation': [text({ hidden_act: 'gelu' }), /field text_config\.hidden_act.*got "gelu"; expected a supported decoder activation: silu/],
    'another activation of the encoder': [vision({ hidden_act: 'quick_gelu' }), /field vision_config\.hidden_act.*"quick_gelu".*gelu_pytorch_tanh/],
    'scaled positions': [text({ rope_scaling: { rope_type: 'yarn', factor: 4 } }), /rope_scaling.*got "yarn"; expected absent, null or type "default"/],
    'a bias in the MLP': [text({ mlp_bias: true }), /mlp_bias.*got true; expected absent or false/],
    'quantised weights': [config({ quantization_config: { bits: 4 } }), /quantization_config/],
    'a picture that is not square': [vision({ image_size: [64, 32] }), /vision_config\.image_size.*got \[64, 32\]/],
    'a shuffle that does not divide': [config({ scale_factor: 3 }), /scale_factor.*got 3; expected a divisor of the 8 patches/],
    'another id of pictures': [config({ image_token_id: 12 }), /disagree on <image>.*image_token_id 12; expected 551/],
    'no configuration': [{ 'config.json': undefined }, /is not a checkpoint.*a folder with/],
    'a broken configuration': [{ 'config.json': '{"model_type": "idefics3", ' }, /config\.json is broken/],
    'a configuration that is a list': [{ 'config.json': '[]' }, /the document is not what it should be.*got \[\]/],
    'no tokenizer': [{ 'tokenizer.json': undefined }, /has no tokenizer\.json/],
    'a broken tokenizer': [{ 'tokenizer.json': '{"model":' }, /tokenizer\.json is broken/],
    'a tokenizer without a model': [{ 'tokenizer.json': '{}' }, /tokenizer\.json: field model/],
    'a tokenizer of another kind': [{ 'tokenizer.json': (document) => ({ ...document, model: { type: 'Unigram', vocab: [] } }) }, /tokenizer\.json: field model\.type.*got "Unigram"; expected a supported model: "BPE"/],
    'a tokenizer with a step that nobody knows': [{ 'tokenizer.json': (document) => ({ ...document, pre_tokenizer: { type: 'Nonsense' } }) }, /cannot use .*tokenizer\.json.*Nonsense/],
    'a tokenizer of another checkpoint': [{ 'tokenizer.json': (document) => ({ ...document, added_tokens: [...(document.added_tokens as unknown[]), { id: 2 ** 31, content: '<x>', special: true, normalized: false, lstrip: false, rstrip: false, single_word: false }] }) }, /does not belong to the weights.*id 2147483648 for "<x>".*ids below 560/],
    'no chat template': [{ 'chat_template.json': '{}' }, /has no chat template/],
    'a chat template that is not Jinja': [{ 'chat_template.json': '{"chat_template":"{% for %}"}' }, /chat template of .* is broken/],
    'a chat template that drops answers': [{ 'chat_template.json': '{"chat_template":"<|im_start|>{% for m in messages %}{% for c in m.content %}{% if c.type == \'image\' %}<image>{% endif %}{% endfor %}{% endfor %}"}' }, /chat template drops or changes earlier answers.*every turn/],
    'no processor': [{ 'preprocessor_config.json': undefined }, /does not say how pictures are prepared/],
    'pictures that are not resized': [processor({ do_resize: false }), /field do_resize.*got false; expected true/],
    'an unknown filter': [processor({ resample: 5 }), /field resample.*got 5/],
    'another size of pictures': [processor({ max_image_size: { longest_edge: 96 } }), /max_image_size\.longest_edge.*got 96; expected 64/],
    'no spread of colours': [processor({ image_std: [0.5, 0, 0.5] }), /image_std.*no zero/],
    'a temperature below zero': [{ 'generation_config.json': (document) => ({ ...document, temperature: -1 }) }, /field temperature.*got -1/],
  };
  it.each(Object.entries(smolvlm))('%s', async (_, [changes, message]) => {
    const thrown: unknown = await openCheckpoint(await changed('smolvlm-tiny', changes)).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ModelError);
    expect((thrown as ModelError).message).toMatch(message);
  });

  const llava: Record<string, [Parameters<typeof changed>[1], RegExp]> = {
    'class tokens dropped from the features': [config({ vision_feature_select_strategy: 'default' }), /vision_feature_select_strategy.*"default".*"full"/],
    'features of several layers': [config({ vision_feature_layer: [-2, -1] }), /vision_feature_layer.*one layer/],
    'a layer that is not there': [config({ vision_feature_layer: -4 }), /vision_feature_layer.*got -4/],
    'another encoder': [vision({ model_type: 'clip_vision_model' }), /vision_config\.model_type.*"siglip_vision_model"/],
    'a sliding window': [text({ use_sliding_window: true }), /use_sliding_window/],
    'another id of videos': [config({ video_token_index: 7 }), /disagree on <video>.*7.*520/],
  };
  it.each(Object.entries(llava))('%s', async (_, [changes, message]) => {
    await expect(openCheckpoint(await changed('llava-onevision-tiny', changes))).rejects.toThrow(message);
  });

  it('a tensor that is missing, misshapen, of a wrong type, or not known', async () => {
    const name = 'model.text_model.layers.1.mlp.up_proj.weight';
    const renamed = await withTensors('smolvlm-tiny', (entries) => {
      entries['model.text_model.layers.9.mlp.up_proj.weight'] = entries[name]!;
      Reflect.deleteProperty(entries, name);
    });
    await expect(openCheckpoint(renamed)).rejects.toThrow(`"${name}" [128, 64]`);
    const turned = await withTensors('smolvlm-tiny', (entries) => entries[name]!.shape.reverse());
    await expect(openCheckpoint(turned)).rejects.toThrow(/up_proj\.weight".*got \[64, 128\]; expected \[128, 64\]/);
    const retyped = await withTensors('smolvlm-tiny', (entries) => (entries[name]!.dtype = 'I16'));
    await expect(openCheckpoint(retyped)).rejects.toThrow(/up_proj\.weight".*type I16; expected F32, F16 or BF16/);
    const more = await withTensors('smolvlm-tiny', (entries) => Object.assign(entries, { 'model.perceiver.latents': { dtype: 'F32', shape: [0], data_offsets: [0, 0] } }));
    await expect(openCheckpoint(more)).rejects.toThrow(/does not know.*"model\.perceiver\.latents".*inv_freq/);
    const buffers = await withTensors('smolvlm-tiny', (entries) => Object.assign(entries, { 'model.text_model.layers.0.self_attn.rotary_emb.inv_freq': { dtype: 'F32', shape: [0], data_offsets: [0, 0] } }));
    expect((await openCheckpoint(buffers)).family).toBe('smolvlm');
  });

  it('a folder that is not there, or empty', async () => {
    await expect(openCheckpoint(path.join(root, 'nowhere'))).rejects.toThrow(/nowhere is not a checkpoint.*ENOENT/);
    await mkdir(path.join(root, 'empty'));
    await expect(openCheckpoint(path.join(root, 'empty'))).rejects.toThrow(/got an empty folder/);
  });

  it('whatever bytes of its small files are damaged, with an error of its own or a whole checkpoint', async () => {
    const random = createRandom('damage');
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'preprocessor_config.json', 'processor_config.json', 'generation_config.json', 'chat_template.json'];
    const originals = new Map(await Promise.all(names.map(async (name) => [name, await readFile(path.join(goldenCheckpoint('smolvlm-tiny'), name))] as const)));
    const folder = await changed('smolvlm-tiny', {});
    let refused = 0;
    for (let round = 0; round < 150; round++) {
      const name = random.pick(names);
      const bytes = Buffer.from(originals.get(name)!);
      for (let change = random.int(1, 4); change > 0; change--) bytes[random.int(0, bytes.length)] = random.pick([...Buffer.from('0123456789{}[]",:-entx')]);
      await writeFile(path.join(folder, name), random.int(0, 5) === 0 ? bytes.subarray(0, random.int(0, bytes.length)) : bytes);
      try {
        await openCheckpoint(folder);
      } catch (error) {
        expect(error).toBeInstanceOf(ModelError);
        refused++;
      }
      await writeFile(path.join(folder, name), originals.get(name)!);
    }
    expect(refused).toBeGreaterThan(50);
  });
});

it('families are the files of their folder', async () => {
  expect([...(await loadFamilies()).keys()]).toEqual(['llama2c', 'llava-onevision', 'smolvlm']);
});

it('a key that stands twice is found at any depth, and only within one object', () => {
  expect(duplicateKey('{"a":{"x":1},"b":{"x":[{"x":2},{"x":3}]}}')).toBeUndefined();
  expect(duplicateKey('{"a":"a","b":["a",{"\\u0061":1,"a":2}]}')).toBe('a');
  expect(duplicateKey('{"a\\"":1,"b":"}{","a\\"":2}')).toBe('a"');
});
