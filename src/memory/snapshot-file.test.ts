// Memories in files: another process goes on with the same bits; damaged files are refused.
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tinySpec } from '../language/decoder.fixture.ts';
import { play } from '../language/stream.fixture.ts';
import type { MemorySnapshot } from './contract.ts';
import { goOn, openRestoreDecoder } from './restore.fixture.ts';
import { readSaved, readSavedHeader, writeSaved } from './snapshot-file.ts';
import { Memory } from './stage.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'thalweg-memory-'));
});
afterAll(() => rm(root, { recursive: true }));

describe.each([
  { kind: 'dmc', methods: [['dmc', {}], ['dmc', { slotFormat: 'int8', mostTokens: 9 }], ['dmc+fifo', { frames: 3 }], ['merge', { slotFormat: 'int8' }], ['rekv', { frames: 2 }], ['hermes', { slots: 24 }]] },
  { kind: 'dms', methods: [['dms', { window: 3 }], ['dms', { window: 3, slotFormat: 'int8' }]] },
] as const)('with a $kind adapter', ({ kind, methods }) => {
  test('another process restores memories from files and goes on with the same bits', async () => {
    await using decoder = await openRestoreDecoder(kind);
    const files: string[] = [];
    const expected: string[] = [];
    for (const [method, options] of methods) {
      using memory = await Memory.open(tinySpec, { method, options });
      await play(decoder, memory, 0, 8);
      const file = path.join(root, `${kind}-${files.length}.memory`);
      await writeSaved(file, memory.save());
      files.push(file);
      expected.push(Buffer.from((await goOn(decoder, memory)).slice().buffer).toString('base64'));
    }
    const { stdout } = await promisify(execFile)(process.execPath, [path.join(import.meta.dirname, 'restore.fixture.ts'), kind, ...files]);
    expect(stdout.trim().split('\n')).toEqual(expected);
    expect((await readdir(root)).filter((name) => name.includes('.part'))).toEqual([]);
  }, 120_000);
});

describe('a file', () => {
  let file: string;
  let bytes: Buffer;
  beforeAll(async () => {
    using memory = await Memory.open(tinySpec, { method: 'fifo' });
    file = path.join(root, 'fifo.memory');
    await writeSaved(file, memory.save());
    bytes = await readFile(file);
  });

  test('reads as what was written', async () => {
    using memory = await Memory.open(tinySpec, { method: 'uniform', options: { frames: 5 } });
    const saved = memory.save();
    await writeSaved(file, saved);
    // Methods without a state save nothing, which a file says as null.
    expect({ ...((await readSaved(file)) as MemorySnapshot), state: saved.state }).toEqual(saved);
  });

  test.each([
    ['that ends early', () => bytes.subarray(0, bytes.length - 8)],
    ['that goes on', () => Buffer.concat([bytes, Buffer.alloc(8)])],
    ['of another kind', () => Buffer.from('{"method": "fifo"}')],
    ['whose header is broken', () => Buffer.from(bytes.toString('latin1').replace('"method"', '"method'), 'latin1')],
  ])('%s is refused', async (_, made) => {
    const damaged = path.join(root, 'damaged.memory');
    await writeFile(damaged, made());
    await expect(readSaved(damaged)).rejects.toMatchObject({ code: 'SAVED_FILE' });
  });

  test('tells its header alone', async () => {
    await writeSaved(file, { name: 'a', times: new Float64Array([1, 2, 3]), cap: Infinity });
    expect(await readSavedHeader(file)).toMatchObject({ name: 'a', times: { $array: 'Float64Array', length: 3 } });
    await expect(readSavedHeader(path.join(root, 'damaged.memory'))).rejects.toMatchObject({ code: 'SAVED_FILE' });
  });

  test('that is not there is refused by name', async () => {
    await expect(readSaved(path.join(root, 'nowhere'))).rejects.toThrow(/nowhere.*ENOENT/);
  });
});
