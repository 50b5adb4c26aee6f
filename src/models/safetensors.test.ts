// Safetensors: strict reading, and seeded damage that never crashes.
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ModelError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { readSafetensorsHeader, sameValues, weightSource } from './safetensors.ts';
import { openTensors } from './tensors.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thalweg-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

function fileBytes(header: string, data: Uint8Array | number, headerLength = BigInt(Buffer.byteLength(header))): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(headerLength);
  return Buffer.concat([prefix, Buffer.from(header), typeof data === 'number' ? Buffer.alloc(data) : data]);
}

async function write(name: string, bytes: Uint8Array): Promise<string> {
  const file = path.join(folder, name);
  await writeFile(file, bytes);
  return file;
}

const entry = (dtype: string, shape: readonly number[], begin: number, end: number) => ({ dtype, shape, data_offsets: [begin, end] });
const two = { a: entry('F32', [2], 0, 8), b: entry('F16', [2, 2], 8, 16) };

describe('a safetensors header', () => {
  it('describes tensors, metadata and where the bytes lie', async () => {
    const header = JSON.stringify({ __metadata__: { format: 'pt' }, ...two, scalar: entry('I64', [], 16, 24), empty: entry('F32', [0, 3], 16, 16) }).padEnd(300);
    const file = await write('good.safetensors', fileBytes(header, 24));
    const { tensors, metadata } = await readSafetensorsHeader(file);
    expect(metadata.get('format')).toBe('pt');
    expect(tensors.get('b')).toEqual({ name: 'b', dtype: 'F16', shape: [2, 2], file, offsetBytes: 316, lengthBytes: 8 });
    expect(tensors.get('scalar')?.lengthBytes).toBe(8);
    expect(tensors.get('empty')?.lengthBytes).toBe(0);
  });

  const json = (value: unknown, data = 16) => fileBytes(JSON.stringify(value), data);
  const malformed: Record<string, [Buffer, RegExp]> = {
    'an empty file': [Buffer.alloc(0), /too short.*0 bytes/],
    'seven bytes': [Buffer.alloc(7), /too short.*7 bytes/],
    'an absurd header length': [fileBytes('{}', 0, 2n ** 63n), /absurd header length.*9223372036854775808/],
    'a header length just above the limit': [fileBytes('{}', 0, 100_000_001n), /absurd header length.*100000001/],
    'a header longer than the file': [fileBytes('{}', 0, 5000n), /ends inside its header.*2 bytes/],
    'an empty header': [fileBytes('', 0), /no safetensors header.*empty/],
    'a header that is not JSON': [fileBytes('{"a":', 0), /broken header/],
    'a header that is a list': [fileBytes('[]', 0), /no safetensors header.*0x5b/],
    'a header with a space first': [fileBytes(' {}', 0), /no safetensors header.*0x20/],
    'a header that is not UTF-8': [fileBytes('{"a', 0).fill(0xff, 10), /broken header/],
    'a key twice': [fileBytes(`{"a":${JSON.stringify(two.a)},"a":${JSON.stringify(two.a)}}`, 8), /names a key twice.*"a"/],
    'a field twice': [fileBytes('{"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}', 8), /names a key twice.*"shape"/],
    'metadata that are not strings': [json({ __metadata__: { format: 1 }, ...two }), /__metadata__ at "format".*got 1.*a string/],
    'an entry that is a number': [json({ ...two, b: 7 }), /tensor "b".*not described.*got 7/],
    'an unknown type': [json({ ...two, b: entry('F17', [2, 2], 8, 16) }), /tensor "b".*unknown type.*"F17"/],
    'a type from a prototype': [json({ ...two, b: entry('toString', [2, 2], 8, 16) }), /tensor "b".*unknown type/],
    'a negative size': [json({ ...two, b: entry('F16', [-2, -2], 8, 16) }), /tensor "b".*broken shape.*\[-2,-2\]/],
    'a fractional size': [json({ ...two, b: entry('F16', [1.5], 8, 16) }), /tensor "b".*broken shape/],
    'a shape beyond all numbers': [json({ ...two, b: entry('F16', [2 ** 53 - 1, 2 ** 53 - 1], 8, 16) }), /tensor "b".*do not fit its shape.*8 bytes/],
    'three offsets': [json({ ...two, b: { dtype: 'F16', shape: [4], data_offsets: [8, 12, 16] } }), /tensor "b".*broken data_offsets/],
    'an end before the begin': [json({ ...two, b: entry('F16', [4], 16, 8) }), /tensor "b".*ends before it begins/],
    'an end beyond the file': [json({ ...two, b: entry('F16', [4], 8, 17) }), /tensor "b".*outside the file.*end 17.*at most 16/],
    'offsets that do not fit the shape': [json({ ...two, b: entry('F16', [3], 8, 16) }), /tensor "b".*do not fit its shape.*8 bytes.*6 bytes for F16 \[3\]/],
    'an unknown field': [json({ ...two, b: { ...two.b, stride: 1 } }), /tensor "b".*unknown field.*"stride"/],
    'overlapping tensors': [json({ ...two, c: entry('F16', [4], 4, 12) }), /overlapping tensors "a" and "c".*begin 4.*begin 8/],
    'a hole': [json({ a: two.a, b: entry('F16', [2], 12, 16) }), /hole before tensor "b".*begin 12.*begin 8/],
    'bytes behind the last tensor': [json(two, 20), /belong to no tensor.*20 bytes.*16 bytes/],
  };
  for (const [name, [bytes, message]] of Object.entries(malformed)) {
    it(`refuses ${name}, naming the file`, async () => {
      const file = await write('bad.safetensors', bytes);
      const thrown: unknown = await readSafetensorsHeader(file).catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(ModelError);
      expect((thrown as ModelError).message).toMatch(message);
      expect((thrown as ModelError).message).toContain(file);
    });
  }

  it('is read or refused, never worse, whatever bytes are changed', async () => {
    const good = fileBytes(JSON.stringify({ __metadata__: { format: 'pt' }, ...two, long: entry('BF16', [3, 5], 16, 46) }), 46);
    const random = createRandom('mutations');
    let refused = 0;
    for (let round = 0; round < 600; round++) {
      let bytes = Buffer.from(good);
      for (let change = random.int(1, 4); change > 0; change--) {
        const at = random.int(0, bytes.length);
        const kind = random.int(0, 4);
        if (kind === 0) bytes[at] = random.int(0, 256);
        else if (kind === 1) bytes = bytes.subarray(0, at);
        else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random.int(0, bytes.length))]);
        else bytes[at] = random.pick([...Buffer.from('0123456789{}[]",:-e')]);
        if (bytes.length === 0) break;
      }
      const file = await write('fuzz.safetensors', bytes);
      try {
        const { tensors } = await readSafetensorsHeader(file);
        for (const tensor of tensors.values()) expect(tensor.offsetBytes + tensor.lengthBytes).toBeLessThanOrEqual(bytes.length);
      } catch (error) {
        expect(error).toBeInstanceOf(ModelError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(300);
  });
});

describe('weights', () => {
  it('are read as float32 from any of the three types, from odd places too', async () => {
    const data = Buffer.concat([Buffer.from([7]), Buffer.from(new Float32Array([1.5, -2]).buffer), Buffer.from(new Float16Array([0.5, -65504]).buffer), Buffer.from(new Uint16Array([0x3fc0, 0xff80]).buffer)]);
    const header = JSON.stringify({ odd: entry('U8', [1], 0, 1), f32: entry('F32', [2], 1, 9), f16: entry('F16', [2], 9, 13), bf16: entry('BF16', [2], 13, 17) });
    const { tensors } = await readSafetensorsHeader(await write('types.safetensors', fileBytes(header, data)));
    const read = (name: string) => weightSource(tensors.get(name)!).read();
    expect(await read('f32')).toEqual(Float32Array.of(1.5, -2));
    expect(await read('f16')).toEqual(Float32Array.of(0.5, -65504));
    expect(await read('bf16')).toEqual(Float32Array.of(1.5, -Infinity));
    expect(() => weightSource(tensors.get('odd')!)).toThrow(/"odd".*cannot be a weight.*U8.*F32, F16 or BF16/);
  });

  it('longer than one read come whole', async () => {
    const count = (8 << 20) + 3;
    const bits = Uint16Array.from({ length: count }, (_, i) => 0x3f00 + (i % 251));
    const file = await write('long.safetensors', fileBytes(JSON.stringify({ w: entry('BF16', [count], 0, count * 2) }), new Uint8Array(bits.buffer)));
    const { tensors } = await readSafetensorsHeader(file);
    const values = await weightSource(tensors.get('w')!).read();
    const back = new Uint32Array(values.buffer);
    expect(back.every((word, i) => word === bits[i]! << 16)).toBe(true);
    expect(await sameValues(tensors.get('w')!, tensors.get('w')!)).toBe(true);
  });

  it('that were cut off after opening are an error, not zeros', async () => {
    const file = await write('cut.safetensors', fileBytes(JSON.stringify({ w: entry('F32', [4], 0, 16) }), 16));
    const { tensors } = await readSafetensorsHeader(file);
    await truncate(file, 70);
    await expect(weightSource(tensors.get('w')!).read()).rejects.toThrow(/ended early/);
  });
});

describe('a folder of weights', () => {
  const shard = (name: string) => fileBytes(JSON.stringify({ [name]: entry('F32', [1], 0, 4) }), 4);
  const index = (weightMap: unknown) => Buffer.from(JSON.stringify({ metadata: { total_size: 8 }, weight_map: weightMap }));
  async function fill(name: string, files: Record<string, Uint8Array>): Promise<string> {
    const target = path.join(folder, name);
    await mkdir(target);
    for (const [file, bytes] of Object.entries(files)) await writeFile(path.join(target, file), bytes);
    return target;
  }

  it('may be sharded, and a hub snapshot of symbolic links', async () => {
    const blobs = await fill('blobs', { one: shard('a'), two: shard('b'), three: index({ a: 'x.safetensors', b: 'y.safetensors' }) });
    const snapshot = await fill('snapshot', {});
    for (const [link, blob] of [['x.safetensors', 'one'], ['y.safetensors', 'two'], ['model.safetensors.index.json', 'three']] as const) await symlink(path.join(blobs, blob), path.join(snapshot, link)); // prettier-ignore
    expect([...(await openTensors(snapshot)).keys()].sort()).toEqual(['a', 'b']);
  });

  const broken: Record<string, [Record<string, Uint8Array>, RegExp]> = {
    'no weights': [{ 'config.json': Buffer.from('{}') }, /no weights that can be read.*no weight file/],
    'weights of another format': [{ 'pytorch_model.bin': Buffer.alloc(4) }, /no weights.*pytorch_model\.bin/],
    'a shard that is missing': [{ 'model.safetensors.index.json': index({ a: 'x.safetensors' }) }, /cannot open .*x\.safetensors/],
    'a shard elsewhere': [{ 'model.safetensors.index.json': index({ a: '../x.safetensors' }) }, /outside its folder.*"\.\.\/x\.safetensors"/],
    'a tensor that the index does not list': [{ 'x.safetensors': shard('b'), 'model.safetensors.index.json': index({ a: 'x.safetensors' }) }, /disagree on tensor "b"/],
    'a tensor that no shard has': [{ 'x.safetensors': shard('a'), 'model.safetensors.index.json': index({ a: 'x.safetensors', b: 'x.safetensors' }) }, /lacks tensor "b"/],
    'an index without a map': [{ 'model.safetensors.index.json': Buffer.from('{"weight_map":[]}') }, /field weight_map/],
    'an index that is not JSON': [{ 'model.safetensors.index.json': Buffer.from('{') }, /index\.json is broken/],
  };
  for (const [name, [files, message]] of Object.entries(broken)) {
    it(`is refused with ${name}`, async () => {
      await expect(openTensors(await fill(`broken-${name.replaceAll(' ', '-')}`, files))).rejects.toThrow(message);
    });
  }
});
