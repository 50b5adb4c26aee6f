// Speed and memory of the dense engine on random weights at published sizes, as ratios to bare kernels. Writes docs/results/speed.json and speed.md.
// Usage: node scripts/bench-speed.ts [--sizes smolvlm-256m,…] [--precision w8a8] [--threads 2] [--rounds 7] [--cache .cache/speed] [--out docs/results]
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { readEnvironment } from '../src/bench/run/environment.ts';
import { openCheckpoint } from '../src/models/checkpoint.ts';
import type { Precision } from '../src/models/packed/contract.ts';
import { openWeights } from '../src/models/packed/open.ts';
import { cachedRandomCheckpoint } from '../src/models/random-checkpoint.ts';
import { checkpointSizes } from '../src/models/sizes.ts';
import type { CheckpointSizeName } from '../src/models/sizes.ts';
import type { Phase } from './bench-speed-run.ts';

interface Compared {
  readonly ms: number;
  readonly bareMs: number;
}

interface Ratios {
  readonly openMs: number;
  readonly encode: Compared;
  readonly prefill: Compared & { readonly tokens: number };
  readonly decode: Compared & { readonly outsideRatio: number };
  readonly frame: Compared & { readonly outsideRatio: number };
}

/** Peak and caches of the phase that has the most memory without caches. */
interface MemoryUse extends Phase {
  readonly phases: readonly Phase[];
  readonly baseBytes: number;
  readonly packedBytes: number;
}

interface Measured extends Ratios {
  readonly size: CheckpointSizeName;
  readonly precision: Precision;
  readonly threads: number;
  readonly memory: MemoryUse;
  /** Processes that wanted a core when the measurement began, as the system counts them: ratios of a busy machine say little. */
  readonly loadAverage: number;
}

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: 'smolvlm-256m,smolvlm-500m,llava-onevision-0.5b' },
    precision: { type: 'string', default: 'w8a8' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '7' },
    cache: { type: 'string', default: '.cache/speed' },
    out: { type: 'string', default: 'docs/results' },
  },
});
const precision = values.precision as Precision;

const run = promisify(execFile);
const script = fileURLToPath(new URL('./bench-speed-run.ts', import.meta.url));

/** Each measurement has a process of its own, so that peaks of memory are its own. */
async function inChild<T>(mode: 'ratios' | 'memory', folder: string): Promise<T> {
  const { stdout } = await run(process.execPath, [script, mode, folder, precision, values.cache, values.threads, values.rounds], { maxBuffer: 1 << 24 });
  return JSON.parse(stdout) as T;
}

async function measure(size: CheckpointSizeName): Promise<Measured> {
  const folder = await cachedRandomCheckpoint(values.cache, size, { seed: 1 });
  const checkpoint = await openCheckpoint(folder);
  const onProgress = ({ done, total, unit }: { readonly done: number; readonly total: number; readonly unit: string }) => process.stderr.write(`\r${size}: packing ${done} of ${total} (${unit})      `);
  (await openWeights(checkpoint, precision, values.cache, { threads: Number(values.threads), onProgress }))[Symbol.dispose]();
  process.stderr.write(`\r${size}: measuring                                   \n`);
  const loadAverage = loadavg()[0]!;
  const memory = await inChild<MemoryUse>('memory', folder);
  return { loadAverage, size, precision, threads: Number(values.threads), ...(await inChild<Ratios>('ratios', folder)), memory };
}

const percent = (ratio: number) => `${(100 * ratio).toFixed(0)} %`;
const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

function table(all: readonly Measured[], machine: string): string {
  const rows = all.map(({ size, precision: stored, openMs, encode, prefill, decode, frame, memory }) =>
    [
      '',
      `${size}, ${stored}`,
      percent(encode.bareMs / encode.ms),
      percent(prefill.bareMs / prefill.ms),
      percent(decode.bareMs / decode.ms),
      `${frame.ms.toFixed(0)} ms, ${(frame.ms / frame.bareMs).toFixed(2)} ×`,
      percent(frame.outsideRatio),
      percent(decode.outsideRatio),
      `${(openMs / 1000).toFixed(1)} s`,
      `${((memory.peakBytes - memory.cacheBytes) / memory.packedBytes).toFixed(2)} × ${mib(memory.packedBytes)}`,
      '',
    ].join(' | ').trim(),
  );
  return [
    `${machine}; random weights of the published sizes. Load of the machine when each began: ${all.map(({ loadAverage }) => loadAverage.toFixed(1)).join(', ')}.`,
    'Peak memory is of the whole process, less the caches of encoder and memory that lived then; of opening, a frame, the prefill and an answer, the one where most is left.',
    '',
    '| model | encoder, of bare kernels | 512-token prefill, of bare kernels | decode, of one bare pass | dense frame, and times bare kernels | outside ONNX Runtime, frame | outside, decoded token | opens in | peak memory without caches, of packed weights |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

const known = Object.keys(checkpointSizes);
const sizes = values.sizes.split(',').map((name) => {
  if (!known.includes(name)) throw new Error(`unknown size ${name}; known: ${known.join(', ')}`);
  return name as CheckpointSizeName;
});
await mkdir(values.out, { recursive: true });
const record = join(values.out, 'speed.json');
const before = await readFile(record, 'utf8').then(
  (json) => (JSON.parse(json) as { readonly models: readonly Measured[] }).models,
  () => [],
);
const models = new Map(before.map((each) => [`${each.size} ${each.precision}`, each]));
for (const size of sizes) models.set(`${size} ${precision}`, await measure(size));
const environment = await readEnvironment();
const list = known.flatMap((size) => [...models.values()].filter((each) => each.size === size));
await writeFile(record, `${JSON.stringify({ environment, models: list }, undefined, 2)}\n`);
await writeFile(join(values.out, 'speed.md'), table(list, `${environment.machine.cpu}, ${values.threads} threads`));
