// Runs the projector, for all visual tokens of a frame or for those that changed.
import { AsyncDisposableStack } from '../core/disposal.ts';
import type { ProjectorSpec, VisionSpec } from '../models/contract.ts';
import type { PackedVision } from '../models/packed/contract.ts';
import { openOnnx, Tensor } from '../runtime/onnx.ts';
import type { VisionState } from './encoder-state.ts';
import { scatter } from './encoder-state.ts';
import type { TokenLayout } from './projector.ts';
import { perceptronGraph, poolGraph, shuffleGraph } from './projector.ts';

export interface Projector extends AsyncDisposable {
  /** Brings `state.tokens` up to date after `rows` of `state.encoded` were recomputed, which touches the tokens `changed`. */
  run(state: VisionState, rows: Int32Array, changed: Int32Array): Promise<void>;
}

export async function openProjector(vision: VisionSpec, spec: ProjectorSpec, layout: TokenLayout, packed: PackedVision, threads: number): Promise<Projector> {
  switch (spec.kind) {
    case 'pixel-shuffle':
      return openShuffle(vision, spec, layout, packed, threads);
    case 'mlp-pooled':
      return openPooled(vision, spec, layout, packed, threads);
  }
}

type Shuffle = Extract<ProjectorSpec, { kind: 'pixel-shuffle' }>;
type Pooled = Extract<ProjectorSpec, { kind: 'mlp-pooled' }>;

async function openShuffle(vision: VisionSpec, spec: Shuffle, layout: TokenLayout, packed: PackedVision, threads: number): Promise<Projector> {
  const model = await openOnnx(shuffleGraph(spec, packed).encode(), { threads, arena: false });
  const { count, sources, patches } = layout;
  const out = spec.outputWidth;
  const order = new Int32Array(patches.length);
  const scratch = new Float32Array(count * out);
  return {
    async run(state, _rows, changed) {
      const dense = changed.length === count;
      if (!dense) changed.forEach((token, i) => order.set(patches.subarray(token * sources, (token + 1) * sources), i * sources));
      const chosen = dense ? patches : order.subarray(0, changed.length * sources);
      const features = new Tensor('float32', state.encoded, [vision.columns * vision.rows, vision.width]);
      const into = (dense ? state.tokens : scratch).subarray(0, changed.length * out);
      await model.run({ features, order: new Tensor('int32', chosen, [changed.length, sources]) }, { tokens: new Tensor('float32', into, [changed.length, out]) });
      if (!dense) scatter(scratch, changed, state.tokens, out);
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}

async function openPooled(vision: VisionSpec, spec: Pooled, layout: TokenLayout, packed: PackedVision, threads: number): Promise<Projector> {
  await using opened = new AsyncDisposableStack();
  const perceptron = opened.use(await openOnnx(perceptronGraph(spec, packed).encode(), { threads, arena: false }));
  const pool = opened.use(await openOnnx(poolGraph(spec, layout).encode(), { threads, arena: false }));
  const resources = opened.move();
  const out = spec.outputWidth;
  const all = vision.columns * vision.rows;
  const encoded = new Float32Array(all * vision.width);
  const scratch = new Float32Array(all * out);
  return {
    async run(state, rows) {
      const count = rows.length;
      const dense = count === all;
      if (!dense) rows.forEach((row, i) => encoded.set(state.encoded.subarray(row * vision.width, (row + 1) * vision.width), i * vision.width));
      const features = dense ? state.encoded : encoded.subarray(0, count * vision.width);
      const projected = (dense ? state.projected : scratch).subarray(0, count * out);
      await perceptron.run({ encoded: new Tensor('float32', features, [count, vision.width]) }, { projected: new Tensor('float32', projected, [count, out]) });
      if (!dense) scatter(scratch, rows, state.projected, out);
      await pool.run({ projected: new Tensor('float32', state.projected, [all, out]) }, { tokens: new Tensor('float32', state.tokens, [layout.count, out]) });
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
