// A check-up of the installation: versions, devices, and a self-test of everything native.
import { rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../core/errors.ts';
import { cacheFault, makeFolder } from '../core/make-folder.ts';
import { version } from '../core/version.ts';
import { Graph } from '../graph/graph.ts';
import { add, gemm } from '../graph/ops.ts';
import { createMemorySink } from '../runtime/media-sink.ts';
import { openVideoWriter } from '../runtime/media-writer.ts';
import { openOnnx, Tensor } from '../runtime/onnx.ts';
import { captureDevices, nativeVersions } from '../runtime/versions.ts';
import { openSource } from '../source/open-source.ts';
import { cacheFolder } from './model-folder.ts';

/** One thing that was tried. */
export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  /** What was seen, or what went wrong. */
  readonly detail: string;
  readonly ms: number;
}

/** The installation as `runDoctor` found it. */
export interface DoctorReport {
  readonly versions: Readonly<Record<'thalweg' | 'node' | 'onnxRuntime' | 'ffmpeg', string>>;
  readonly machine: { readonly platform: string; readonly processor: string; readonly cores: number; readonly memoryBytes: number; readonly freeBytes: number };
  /** Those that this build of ONNX Runtime ships; Thalweg computes on the CPU. */
  readonly executionProviders: readonly string[];
  readonly captureDevices: readonly string[];
  readonly cacheFolder: string;
  readonly checks: readonly DoctorCheck[];
  readonly ok: boolean;
}

/** Checks the installation. It never throws for what it finds: a fault is a check that is not `ok`. */
export async function runDoctor(): Promise<DoctorReport> {
  const { onnxRuntime, ffmpeg, providers } = nativeVersions();
  const checks: DoctorCheck[] = [];
  const check = async (name: string, work: () => Promise<string>) => {
    const start = performance.now();
    const outcome = await work().then(
      (detail) => ({ ok: true, detail }),
      (error: unknown) => ({ ok: false, detail: messageOf(error) }),
    );
    checks.push({ name, ...outcome, ms: performance.now() - start });
  };
  await check('node.js', () => (isNewEnough(process.versions.node) ? Promise.resolve(process.version) : Promise.reject(new Error(`${process.version}; version 22.18 or newer is needed`))));
  await check('matrix products', checkRuntime);
  await check('8-bit matrix products', checkInt8);
  await check('video: encode, decode, motion vectors', checkVideo);
  await check('cache folder', checkCache);
  return {
    versions: { thalweg: version, node: process.version, onnxRuntime, ffmpeg },
    machine: { platform: `${process.platform}-${process.arch}`, processor: cpus()[0]?.model.trim() ?? 'unknown', cores: availableParallelism(), memoryBytes: totalmem(), freeBytes: freemem() },
    executionProviders: providers,
    captureDevices: await captureDevices().catch(() => []),
    cacheFolder: cacheFolder(),
    checks,
    ok: checks.every(({ ok }) => ok),
  };
}

function isNewEnough(nodeVersion: string): boolean {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

const size = 64;

/** A matrix product against plain loops; `tolerance` is absolute. */
async function compareProduct(graph: Graph, x: Float32Array, expected: Float32Array, tolerance: number): Promise<string> {
  await using model = await openOnnx(graph.encode(), { threads: availableParallelism() });
  const { y } = await model.run({ x: new Tensor('float32', x, [size, size]) });
  const worst = (y!.data as Float32Array).reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i]!)), 0);
  if (!(worst <= tolerance)) throw new Error(`wrong by ${worst}, at most ${tolerance} expected`);
  return `largest error ${worst.toExponential(1)}`;
}

function testMatrix(step: number): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => ((i * step) % 17) / 8 - 1);
}

function product(a: Float32Array, b: Float32Array): Float32Array {
  return Float32Array.from({ length: size * size }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < size; k++) sum += a[Math.floor(i / size) * size + k]! * b[k * size + (i % size)]!;
    return sum;
  });
}

function checkRuntime(): Promise<string> {
  const [a, b] = [testMatrix(5), testMatrix(7)];
  const graph = new Graph('doctor');
  const x = graph.input('x', 'float32', [size, size]);
  graph.output('y', add(gemm(x, graph.constant(b, 'float32', [size, size])), graph.scalar(0)));
  return compareProduct(graph, a, product(a, b), 1e-4);
}

function checkInt8(): Promise<string> {
  const [a, b] = [testMatrix(5), testMatrix(7)];
  const graph = new Graph('doctor8');
  const x = graph.input('x', 'float32', [size, size]);
  const quantised = Int8Array.from(b, (value) => Math.round(value * 64));
  const weight = graph.constant(quantised, 'int8', [size, size]);
  const scale = graph.constant(new Float32Array(size).fill(1 / 64), 'float32', [size]);
  const [y] = graph.node('DynamicQuantizeMatMul', [x, weight, scale], [{ dtype: 'float32', shape: [size, size] }], { domain: 'com.microsoft' });
  graph.output('y', y!);
  return compareProduct(graph, a, product(a, b), 0.5);
}

async function checkVideo(): Promise<string> {
  const sink = createMemorySink();
  const [widthPx, heightPx, frames] = [128, 96, 8];
  await using writer = await openVideoWriter({ sink, format: 'mp4', widthPx, heightPx, fps: 8 });
  for (let i = 0; i < frames; i++) {
    const rgb = new Uint8Array(widthPx * heightPx * 3).fill(40);
    for (let y = 32; y < 64; y++) rgb.fill(220, (y * widthPx + i * 8) * 3, (y * widthPx + i * 8 + 32) * 3);
    await writer.write(rgb);
  }
  await writer.close();
  await using source = await openSource(sink.bytes());
  let decoded = 0;
  let vectors = 0;
  for await (const frame of source) {
    decoded++;
    vectors += frame.motion?.count ?? 0;
  }
  if (decoded !== frames) throw new Error(`${decoded} of ${frames} frames came back`);
  if (vectors === 0) throw new Error('the decoder exported no motion vectors');
  return `${decoded} frames of H.264, ${vectors} motion vectors`;
}

async function checkCache(): Promise<string> {
  const folder = cacheFolder();
  await makeFolder(folder, cacheFault);
  const probe = join(folder, `.doctor-${process.pid}`);
  await writeFile(probe, 'x');
  await rm(probe);
  return `${folder} can be written`;
}
