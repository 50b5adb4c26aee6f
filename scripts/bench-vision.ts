// What the vision methods save: patch-layers, time and tokens against the dense encoder, frame by frame in one run, and how far their visual tokens are from it.
// Usage: node scripts/bench-vision.ts [--folder ../shared/data/video] [--clips vtest.avi@20x40,…] [--fps 5] [--settings difference,difference:threshold=0.12,…]
//        [--size smolvlm-256m] [--precision w8a8] [--threads 1] [--dense-every 20] [--no-whole-clip] [--cache .cache/speed] [--out docs/results]
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnvironment } from '../src/bench/run/environment.ts';
import { methodNamed } from '../src/core/methods.ts';
import { optionValue } from '../src/core/options.ts';
import { openCheckpoint } from '../src/models/checkpoint.ts';
import type { Precision } from '../src/models/packed/contract.ts';
import { openWeights } from '../src/models/packed/open.ts';
import { cachedRandomCheckpoint } from '../src/models/random-checkpoint.ts';
import type { CheckpointSizeName } from '../src/models/sizes.ts';
import { openSource } from '../src/source/open-source.ts';
import { openVisionEncoder, type VisionEncoder } from '../src/vision/encoder.ts';
import { createPreprocessor } from '../src/vision/preprocess.ts';
import type { Picture } from '../src/vision/resample.ts';
import type { CodecMotion } from '../src/vision/steady.ts';
import { VisionStream, visionMethods } from '../src/vision/stage.ts';

const { values } = parseArgs({
  allowNegative: true,
  options: {
    folder: { type: 'string', default: '../shared/data/video' },
    clips: { type: 'string', default: 'vtest.avi@0x400,intel_one-by-one-person.mp4@0x700,ego_dashcam_solidWhiteRight.mp4@0x44,mmaction2_demo.mp4@0x50' },
    fps: { type: 'string', default: '5' },
    settings: { type: 'string', default: 'difference:threshold=0.03,difference,difference:threshold=0.12,motion-compensated,budget,eventful' },
    size: { type: 'string', default: 'smolvlm-256m' },
    precision: { type: 'string', default: 'w8a8' },
    // One thread does not wait for another to be given a core: ratios then hold on a busy machine.
    threads: { type: 'string', default: '1' },
    'dense-every': { type: 'string', default: '20' },
    'whole-clip': { type: 'boolean', default: true },
    cache: { type: 'string', default: '.cache/speed' },
    out: { type: 'string', default: 'docs/results' },
  },
});
const [fps, threads, denseEvery] = [Number(values.fps), Number(values.threads), Number(values['dense-every'])];
const size = values.size as CheckpointSizeName;
const precision = values.precision as Precision;

/** A stretch of a clip: `name@startSec x frames`. */
interface Clip {
  readonly file: string;
  readonly startSec: number;
  readonly frames: number;
}

interface Setting {
  readonly name: string;
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** A resized frame. */
interface Shot extends Picture {
  readonly timeSec: number;
  readonly motion?: CodecMotion;
}

/** One setting on one clip. Means over the frames after the first, which is always whole; ratios against dense frames of the same run. */
interface Measured {
  readonly setting: string;
  readonly patchesPerFrame: number;
  /** Patches that dense computes, summed over layers, for one that this setting computes; null where it computed none. */
  readonly workRatio: number | null;
  readonly timeRatio: number;
  /** The same by the processor's time. */
  readonly cpuRatio: number;
  readonly ms: number;
  /** Finding out what to compute, of the time of a dense frame. */
  readonly selectShare: number;
  readonly tokensPerFrame: number;
  /** Cosine of each visual token that the encoder holds to the dense one of the same frame. */
  readonly cosine: { readonly mean: number; readonly worst: number };
  /** Share of patches that the whole clip asks for, pixels alone deciding; absent where features decide. */
  readonly wholeClipPatchesPerFrame?: number;
}

interface ClipRecord extends Clip {
  readonly patches: number;
  readonly tokens: number;
  readonly denseMs: number;
  readonly denseFrames: number;
  readonly loadAverage: number;
  readonly settings: readonly Measured[];
}

const clips = values.clips.split(',').map((text): Clip => {
  const match = /^(.+)@([\d.]+)x(\d+)$/.exec(text);
  if (!match) throw new Error(`--clips: ${text} is not name@startSec x frames`);
  return { file: match[1]!, startSec: Number(match[2]), frames: Number(match[3]) };
});
const settings = values.settings.split(',').map((name): Setting => {
  const [method, ...pairs] = name.split(':');
  return { name, method: method!, options: Object.fromEntries(pairs.map((pair) => pair.split('=')).map(([key, value = '']) => [key!, optionValue(value)])) };
});

const folder = await cachedRandomCheckpoint(values.cache, size, { seed: 1 });
const checkpoint = await openCheckpoint(folder);
const { image, spec, projector } = checkpoint.vision!;
using weights = await openWeights(checkpoint, precision, values.cache, { threads });
await using encoder = await openVisionEncoder({ spec, projector }, weights.vision!, { threads });
const preprocessor = createPreprocessor(image, spec);
const methods = await visionMethods();

async function* shots({ file, startSec, frames }: Clip): AsyncGenerator<Shot> {
  await using source = await openSource(join(values.folder, file), { fps, startSec });
  let count = 0;
  for await (const frame of source) {
    const { rgb, widthPx, heightPx } = preprocessor.resized(frame);
    const motion = frame.motion && { vectors: frame.motion, scaleX: widthPx / frame.widthPx, scaleY: heightPx / frame.heightPx };
    yield { rgb: rgb.slice(), widthPx, heightPx, timeSec: frame.timeSec, ...(motion && { motion }) };
    if (++count === frames) return;
  }
}

const see = (stream: VisionStream, { timeSec, motion, ...picture }: Shot) => stream.see(picture, timeSec, motion && { motion });
const open = ({ method, options }: Setting, by: VisionEncoder) => new VisionStream(by, image, methodNamed(methods, 'vision', method), options);
const dense: Setting = { name: 'all', method: 'all', options: {} };

/** An encoder that shows the visual tokens it holds, also those that do not go on. */
function watched(): { readonly encoder: VisionEncoder; readonly tokens: () => Float32Array } {
  let tokens: Float32Array = new Float32Array();
  return {
    tokens: () => tokens,
    encoder: {
      ...encoder,
      async encode(...given) {
        const encoded = await encoder.encode(...given);
        tokens = encoded.tokens;
        return encoded;
      },
    },
  };
}

/** One that computes nothing: to count what is asked for. */
function idle(): VisionEncoder {
  const tokens = new Float32Array(encoder.tokensPerFrame * encoder.tokenWidth);
  const none = new Float32Array();
  return {
    ...encoder,
    encode(state, _patches, { rows = state.allRows } = {}) {
      state.valid = true;
      return Promise.resolve({ tokens, encoded: none, changed: state.tokensOf(rows), rows, patchLayers: rows.length * spec.layers });
    },
  };
}

function cosines(a: Float32Array, b: Float32Array): number[] {
  const width = encoder.tokenWidth;
  return Array.from({ length: encoder.tokensPerFrame }, (_, token) => {
    let [product, squareA, squareB] = [0, 0, 0];
    for (let i = token * width; i < (token + 1) * width; i++) {
      product += a[i]! * b[i]!;
      squareA += a[i]! ** 2;
      squareB += b[i]! ** 2;
    }
    return product / Math.sqrt(squareA * squareB);
  });
}

/** Clocks of the wall and of the processor. */
function spent(): { readonly ms: number; readonly cpuMs: number } {
  const { user, system } = process.cpuUsage();
  return { ms: performance.now(), cpuMs: (user + system) / 1000 };
}

const mean = (list: readonly number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;

async function measure(clip: Clip): Promise<ClipRecord> {
  const loadAverage = loadavg()[0]!;
  const running = settings.map((setting) => {
    const watch = watched();
    return { setting, watch, stream: open(setting, watch.encoder), ms: [] as number[], cpuMs: [] as number[], selectMs: [] as number[], patches: [] as number[], patchLayers: [] as number[], tokens: [] as number[], cosine: [] as number[] };
  });
  const reference = open(dense, encoder);
  const denseMs: number[] = [];
  const denseCpuMs: number[] = [];
  let index = 0;
  // Settings take turns on each frame, and dense now and then, so that what else the machine does falls on all alike.
  for await (const shot of shots(clip)) {
    const isCompared = index % denseEvery === 0;
    const start = spent();
    const whole = isCompared ? (await see(reference, shot)).tokens : undefined;
    // The very first run of all finds weights on the disk.
    if (isCompared && index > 0) {
      denseMs.push(spent().ms - start.ms);
      denseCpuMs.push(spent().cpuMs - start.cpuMs);
    }
    for (const each of running) {
      const began = spent();
      const { selectMs, recomputed, patchLayers, places } = await see(each.stream, shot);
      if (index > 0) {
        each.ms.push(spent().ms - began.ms);
        each.cpuMs.push(spent().cpuMs - began.cpuMs);
        each.selectMs.push(selectMs);
        each.patches.push(recomputed.length);
        each.patchLayers.push(patchLayers);
        each.tokens.push(places.length);
        if (whole) each.cosine.push(...cosines(each.watch.tokens(), whole));
      }
    }
    index++;
    process.stderr.write(`\r${clip.file}: frame ${index} of ${clip.frames}   `);
  }
  process.stderr.write('\n');
  const all = mean(denseMs);
  const asked = values['whole-clip'] ? await wholeClip(clip) : undefined;
  const list = running.map(({ setting, ms, cpuMs, selectMs, patches, patchLayers, tokens, cosine }): Measured => {
    const whole = asked?.get(setting);
    return {
      setting: setting.name,
      patchesPerFrame: mean(patches),
      workRatio: mean(patchLayers) === 0 ? null : (encoder.patches * spec.layers) / mean(patchLayers),
      timeRatio: all / mean(ms),
      cpuRatio: mean(denseCpuMs) / mean(cpuMs),
      ms: mean(ms),
      selectShare: mean(selectMs) / all,
      tokensPerFrame: mean(tokens),
      cosine: { mean: mean(cosine), worst: Math.min(...cosine) },
      ...(whole !== undefined && { wholeClipPatchesPerFrame: whole }),
    };
  });
  return { ...clip, frames: index, patches: encoder.patches, tokens: encoder.tokensPerFrame, denseMs: all, denseFrames: denseMs.length, loadAverage, settings: list };
}

/** Patches a frame over the clip from its start to its end, for the settings that look at pixels alone. */
async function wholeClip({ file }: Clip): Promise<ReadonlyMap<Setting, number>> {
  const looking = settings.filter(({ method }) => methodNamed(methods, 'vision', method).needs.includes('difference'));
  const streams = looking.map((setting) => ({ setting, stream: open(setting, idle()), counts: [] as number[] }));
  for await (const shot of shots({ file, startSec: 0, frames: Infinity })) for (const { stream, counts } of streams) counts.push((await see(stream, shot)).recomputed.length);
  return new Map(streams.map(({ setting, counts }) => [setting, mean(counts.slice(1))]));
}

function table(records: readonly ClipRecord[], machine: string): string {
  const rows = records.flatMap((record) =>
    record.settings.map(({ setting, patchesPerFrame, workRatio, timeRatio, cpuRatio, selectShare, tokensPerFrame, cosine, wholeClipPatchesPerFrame }) =>
      [
        '',
        `${record.file}, ${record.frames} frames from ${record.startSec} s`,
        setting.replaceAll(':', ', ').replaceAll('=', ' '),
        `${patchesPerFrame.toFixed(0)} of ${record.patches}`,
        wholeClipPatchesPerFrame === undefined ? '–' : wholeClipPatchesPerFrame.toFixed(0),
        workRatio === null ? 'no work' : `${workRatio.toFixed(1)} ×`,
        `${timeRatio.toFixed(1)} ×`,
        `${cpuRatio.toFixed(1)} ×`,
        `${(100 * selectShare).toFixed(2)} %`,
        `${tokensPerFrame.toFixed(1)} of ${record.tokens}`,
        `${cosine.mean.toFixed(4)}, ${cosine.worst.toFixed(3)}`,
        '',
      ].join(' | ').trim(),
    ),
  );
  return [
    `${machine}; ${size} with random weights, ${precision}, ${values.threads} thread${threads === 1 ? '' : 's'}, ${values.fps} frames a second. Ratios are to dense frames of the same run, selection, gathering and projector included; the first frame of a stream, always whole, is left out. Load of the machine when each clip began: ${records.map(({ loadAverage }) => loadAverage.toFixed(1)).join(', ')}.`,
    '',
    '| clip | method | patches a frame | over the whole clip | less work | less time | less processor time | selection, of a dense frame | tokens that go on | cosine of tokens to dense: mean, worst |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

await mkdir(values.out, { recursive: true });
const path = join(values.out, 'vision.json');
const before = await readFile(path, 'utf8').then(
  (json) => (JSON.parse(json) as { readonly clips: readonly ClipRecord[] }).clips,
  () => [],
);
const environment = await readEnvironment();
const records = new Map(before.map((record) => [record.file, record]));
for (const clip of clips) {
  records.set(clip.file, await measure(clip));
  // Clip by clip: a run of an hour that is interrupted has not been for nothing.
  await writeFile(path, `${JSON.stringify({ environment, size, precision, threads, fps, clips: [...records.values()] }, undefined, 2)}\n`);
  await writeFile(join(values.out, 'vision.md'), table([...records.values()], environment.machine.cpu));
}
