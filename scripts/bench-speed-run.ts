// Measures one model in a process of its own, and prints a JSON object. Memory is measured on Linux only. Usage: node scripts/bench-speed-run.ts ratios|memory <checkpoint> <precision> <cache> <threads> <rounds>
import { readFileSync, writeFileSync } from 'node:fs';
import { AsyncDisposableStack } from '../src/core/disposal.ts';
import { Decoder } from '../src/language/decoder.ts';
import type { Piece } from '../src/language/decoder.ts';
import { Memory } from '../src/memory/stage.ts';
import { openCheckpoint } from '../src/models/checkpoint.ts';
import type { Precision } from '../src/models/packed/contract.ts';
import { openWeights } from '../src/models/packed/open.ts';
import { onnxTime } from '../src/runtime/onnx.ts';
import { keepYoungGenerationSmall } from '../src/runtime/young-generation.ts';
import { chunkTokensFor } from '../src/session/frame-pieces.ts';
import { openVisionEncoder } from '../src/vision/encoder.ts';
import { createPreprocessor } from '../src/vision/preprocess.ts';
import type { BareKernel, ProductShape } from './bench-speed-bare.ts';
import { bareAttention, barePass, fastestProduct } from './bench-speed-bare.ts';
import { median } from './record.ts';

// As the command line does.
keepYoungGenerationSmall();
const [mode, folder, precision, cache, threadCount, roundCount] = process.argv.slice(2) as [string, string, Precision, string, string, string];
const [threads, rounds] = [Number(threadCount), Number(roundCount)];
const prefillTokens = 512;

/** Memory of the process in a part of the run. */
export interface Phase {
  readonly phase: string;
  readonly peakBytes: number;
  /** Caches that lived at its end: encoder and memory, as they state them. */
  readonly cacheBytes: number;
}

/** The most memory that the process had since the last call. */
function takePeak(phase: string, cacheBytes = 0): Phase {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/mu.exec(readFileSync('/proc/self/status', 'utf8'))!;
  // 5: the peak begins anew at what is in use (proc(5)).
  writeFileSync('/proc/self/clear_refs', '5');
  return { phase, peakBytes: Number(kib) * 1024, cacheBytes };
}

const checkpoint = await openCheckpoint(folder);
const baseBytes = process.resourceUsage().maxRSS * 1024;
const openStart = performance.now();
const vision = checkpoint.vision!;
const { spec } = checkpoint.decoder;
using weights = await openWeights(checkpoint, precision, cache, { threads });
await using encoder = await openVisionEncoder(vision, weights.vision!, { threads });
await using decoder = await Decoder.open(spec, weights.decoder, { threads, chunkTokens: chunkTokensFor(checkpoint) });
const openMs = performance.now() - openStart;

const preprocessor = createPreprocessor(vision.image, vision.spec);
const picture = { widthPx: 640, heightPx: 360, rgb: Uint8Array.from({ length: 640 * 360 * 3 }, (_, i) => (i * 31) & 255) };
const state = encoder.open();
const ids = (count: number) => Int32Array.from({ length: count }, (_, i) => 1 + ((i * 7919) % (spec.vocabulary - 1)));
const text = (count: number): Piece[] => [{ kind: 'ids', ids: ids(count), origin: { kind: 'question', source: 0, timeSec: 0 } }];

interface Timed {
  readonly ms: number;
  readonly runtimeMs: number;
}

interface Remembered {
  /** What the memory had allocated at the end. */
  readonly memoryBytes: number;
}

async function timed(work: () => Promise<unknown>): Promise<Timed> {
  const [start, before] = [performance.now(), onnxTime.ms];
  await work();
  return { ms: performance.now() - start, runtimeMs: onnxTime.ms - before };
}

async function frame(): Promise<Timed & Remembered> {
  using memory = await Memory.open(spec, { method: 'dense' });
  const timing = await timed(async () => {
    const { tokens } = await encoder.encode(state, preprocessor.patches(picture));
    await decoder.prefill(memory, [{ kind: 'embeddings', data: tokens, origin: { kind: 'visual', source: 0, timeSec: 0 } }], { logits: 'none' });
  });
  return { ...timing, memoryBytes: memory.report().allocatedBytes };
}

async function prefill(): Promise<Timed & Remembered> {
  using memory = await Memory.open(spec, { method: 'dense' });
  const timing = await timed(() => decoder.prefill(memory, text(prefillTokens), { logits: 'none' }));
  return { ...timing, memoryBytes: memory.report().allocatedBytes };
}

/** Median over rounds of what `take` sees in each. */
const of = (timings: readonly Timed[], take: (timing: Timed) => number) => median(timings.map(take));

if (mode === 'memory') {
  const phases = [takePeak('opening')];
  const take = (phase: string, memoryBytes: number) => phases.push(takePeak(phase, state.bytes + memoryBytes));
  take('frame', (await frame()).memoryBytes);
  take('prefill', (await prefill()).memoryBytes);
  using memory = await Memory.open(spec, { method: 'dense' });
  await decoder.prefill(memory, text(64));
  for (let i = 0; i < 8; i++) await decoder.step(memory, 1 + i, { kind: 'answer', source: 0, timeSec: 0 });
  take('answer', memory.report().allocatedBytes);
  // The bound holds at all times, so the phase counts that is furthest from it.
  const most = phases.reduce((a, b) => (b.peakBytes - b.cacheBytes > a.peakBytes - a.cacheBytes ? b : a));
  console.log(JSON.stringify({ ...most, phases, baseBytes, packedBytes: weights.bytes }));
} else {
  const { columns, rows, width, mlpWidth, layers, heads, patchPx } = vision.spec;
  const patches = columns * rows;
  const { projector } = vision;
  const shape = (count: number, inWidth: number, outWidth: number, times: number): ProductShape => ({ rows: count, inWidth, outWidth, count: times });
  const encoderShapes = [
    shape(patches, 3 * patchPx ** 2, width, 1),
    shape(patches, width, width, 4 * layers),
    shape(patches, width, mlpWidth, layers),
    shape(patches, mlpWidth, width, layers),
    ...(projector.kind === 'pixel-shuffle' ? [shape(encoder.tokensPerFrame, projector.inputWidth, projector.outputWidth, 1)] : [shape(patches, projector.inputWidth, projector.outputWidth, 1), shape(patches, projector.outputWidth, projector.outputWidth, 1)]),
  ];
  const queryWidth = spec.queryHeads * spec.headWidth;
  const decoderShapes = (count: number) => [
    shape(count, spec.width, queryWidth, spec.layers),
    shape(count, spec.width, spec.kvHeads * spec.headWidth, 2 * spec.layers),
    shape(count, queryWidth, spec.width, spec.layers),
    shape(count, spec.width, spec.mlpWidth, 2 * spec.layers),
    shape(count, spec.mlpWidth, spec.width, spec.layers),
  ];
  const attention = (count: number) => bareAttention({ rows: count, heads: spec.queryHeads, headWidth: spec.headWidth, causal: true, count: spec.layers }, threads);

  await using kernels = new AsyncDisposableStack();
  const bare = async (shapes: readonly ProductShape[], more: BareKernel): Promise<BareKernel[]> => {
    const list = [kernels.use(more)];
    for (const each of shapes) list.push(kernels.use(await fastestProduct(each, threads)));
    return list;
  };
  const bareEncoder = await bare(encoderShapes, await bareAttention({ rows: patches, heads, headWidth: width / heads, causal: false, count: layers }, threads));
  const barePrefill = await bare(decoderShapes(prefillTokens), await attention(prefillTokens));
  const bareFrame = await bare(decoderShapes(encoder.tokensPerFrame), await attention(encoder.tokensPerFrame));
  const pass = kernels.use(await barePass(weights.decoder, threads));
  const bareTimes = new Map<BareKernel, number[]>();
  const runBare = async (list: readonly BareKernel[]) => {
    for (const each of list) bareTimes.set(each, [...(bareTimes.get(each) ?? []), await each.time()]);
  };
  const bareMs = (list: readonly BareKernel[]) => list.reduce((sum, each) => sum + each.count * median(bareTimes.get(each)!), 0);

  const seen: Record<'encode' | 'prefill' | 'frame' | 'decode', Timed[]> = { encode: [], prefill: [], frame: [], decode: [] };
  const pixels = preprocessor.patches(picture).slice();
  using memory = await Memory.open(spec, { method: 'dense' });
  await decoder.prefill(memory, text(64));
  await frame();
  // One after the other in every round, so that what else the machine does falls on all alike.
  for (let round = 0; round < rounds; round++) {
    await runBare(bareEncoder);
    seen.encode.push(await timed(() => encoder.encode(state, pixels)));
    await runBare(barePrefill);
    seen.prefill.push(await prefill());
    await runBare(bareFrame);
    seen.frame.push(await frame());
    for (let i = 0; i < 6; i++) {
      await runBare([pass]);
      seen.decode.push(await timed(() => decoder.step(memory, 1 + i, { kind: 'answer', source: 0, timeSec: 0 })));
    }
  }
  const outside = ({ ms, runtimeMs }: Timed) => 1 - runtimeMs / ms;
  const ms = ({ ms: total }: Timed) => total;
  console.log(
    JSON.stringify({
      openMs,
      encode: { ms: of(seen.encode, ms), bareMs: bareMs(bareEncoder), kernels: bareEncoder.map(({ name, count }) => `${count} × ${name}`) },
      prefill: { tokens: prefillTokens, ms: of(seen.prefill, ms), bareMs: bareMs(barePrefill), kernels: barePrefill.map(({ name, count }) => `${count} × ${name}`) },
      decode: { ms: of(seen.decode, ms), bareMs: bareMs([pass]), outsideRatio: of(seen.decode, outside) },
      frame: { ms: of(seen.frame, ms), bareMs: bareMs(bareEncoder) + bareMs(bareFrame), outsideRatio: of(seen.frame, outside) },
    }),
  );
}
