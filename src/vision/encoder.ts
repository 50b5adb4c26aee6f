// The vision encoder: patches to visual tokens, recomputing any rows against the cached keys and values of the rest.
import { UserError } from '../core/errors.ts';
import type { ProjectorSpec, VisionSpec } from '../models/contract.ts';
import type { PackedVision } from '../models/packed/contract.ts';
import { readFloat32 } from '../models/packed/read-tensor.ts';
import type { OnnxModel } from '../runtime/onnx.ts';
import { openOnnx, Tensor } from '../runtime/onnx.ts';
import { encoderGraph } from './encoder-graphs.ts';
import { VisionState } from './encoder-state.ts';
import { openProjector } from './project.ts';
import type { TokenLayout } from './projector.ts';
import { tokenLayout } from './projector.ts';

/** The part of a checkpoint that sees. */
export interface VisionModel {
  readonly spec: VisionSpec;
  readonly projector: ProjectorSpec;
}

export interface VisionEncoderOptions {
  /** Threads inside one operator. */
  readonly threads: number;
}

export interface EncodeOptions {
  /** int32 [R], rising: the patches to recompute; all when absent. The first frame of a stream needs all. */
  readonly rows?: Int32Array;
  readonly signal?: AbortSignal;
}

/** What one frame became. The arrays belong to the stream's state and are written over by its next frame. */
export interface EncodedFrame {
  /** float32 [tokensPerFrame, tokenWidth] */
  readonly tokens: Float32Array;
  /** float32 [P, E]: the encoder's output before the projector. */
  readonly encoded: Float32Array;
  /** int32 [N], rising: the tokens that depend on a recomputed patch. */
  readonly changed: Int32Array;
}

/** A vision transformer and projector, ready to run. One encoder serves many streams, one call at a time. */
export interface VisionEncoder extends AsyncDisposable {
  /** P. */
  readonly patches: number;
  /** Patches across and down. */
  readonly grid: { readonly columns: number; readonly rows: number };
  /** 3 · patch²: numbers in one patch. */
  readonly patchLength: number;
  readonly tokensPerFrame: number;
  readonly tokenWidth: number;
  readonly layout: TokenLayout;
  /** float32 [tokenWidth]: stands behind the last frame of a video, in families that have it. */
  readonly newline?: Float32Array;
  /** The caches of one stream: two float32 [P, E] a layer, and what the last frame gave. */
  open(): VisionState;
  /**
   * Encodes one frame. A frame that fails or is aborted leaves the state invalid: the next one has to compute all rows.
   * @param patches float32 [P, 3·patch²], normalised pixels: channel, then row, then column of the patch
   * @throws UserError for arrays of the wrong length, rows out of order or range, or rows without a whole frame before
   */
  encode(state: VisionState, patches: Float32Array, options?: EncodeOptions): Promise<EncodedFrame>;
}

/** Opens the encoder; weights are read or mapped now, and nothing is computed. */
export async function openVisionEncoder({ spec, projector }: VisionModel, packed: PackedVision, { threads }: VisionEncoderOptions): Promise<VisionEncoder> {
  const layout = tokenLayout(spec, projector);
  const all = spec.columns * spec.rows;
  const patchLength = 3 * spec.patchPx ** 2;
  await using opened = new AsyncDisposableStack();
  const steps: OnnxModel[] = [];
  for (let step = 0; step <= spec.layers; step++) steps.push(opened.use(await openOnnx(encoderGraph(spec, packed, step).encode(), { threads, arena: false })));
  const project = opened.use(await openProjector(spec, projector, layout, packed, threads));
  const newline = packed.projector.newline && (await readFloat32(packed.projector.newline));
  const resources = opened.move();

  async function run(state: VisionState, patches: Float32Array, rows: Int32Array, signal: AbortSignal | undefined): Promise<void> {
    const count = rows.length;
    const dense = count === all;
    const chosen = dense ? patches : state.gatherPatches(patches, rows);
    let feeds: Record<string, Tensor> = { patches: new Tensor('float32', chosen, [count, patchLength]), rows: new Tensor('int32', rows, [count]) };
    for (const [step, model] of steps.entries()) {
      signal?.throwIfAborted();
      if (step === spec.layers) {
        await model.run(feeds, { encoded: state.encodedInto(count) });
        break;
      }
      // Residual and query alternate between two buffers: a step reads one and writes the other.
      const { residual, query, key, value } = state.into(step, count);
      await model.run(feeds, { residual, query, key, value });
      if (!dense) state.scatterLayer(step, rows);
      feeds = { incoming: residual, queries: new Tensor('float32', query.data as Float32Array, [1, count, spec.width]), keys: state.keys[step]!, values: state.values[step]! };
    }
    if (!dense) state.scatterEncoded(rows);
  }

  return {
    patches: all,
    grid: { columns: spec.columns, rows: spec.rows },
    patchLength,
    tokensPerFrame: layout.count,
    tokenWidth: projector.outputWidth,
    layout,
    ...(newline && { newline }),
    open: () => new VisionState(spec, layout, layout.count * projector.outputWidth, projector),
    async encode(state, patches, { rows = state.allRows, signal } = {}) {
      if (patches.length !== all * patchLength) throw new UserError('PATCHES', { what: 'wrong number of pixels for the vision encoder', got: `${patches.length} numbers`, expected: `${all} patches of ${patchLength}` });
      checkRows(rows, all, state.valid);
      state.valid = false;
      if (rows.length > 0) await run(state, patches, rows, signal);
      signal?.throwIfAborted();
      const changed = state.tokensOf(rows);
      if (rows.length > 0) await project.run(state, rows, changed);
      state.valid = true;
      return { tokens: state.tokens, encoded: state.encoded, changed };
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

function checkRows(rows: Int32Array, all: number, valid: boolean): void {
  if (!valid && rows.length !== all) throw new UserError('ROWS', { what: 'some patches of a frame need a whole frame before them', got: `${rows.length} rows`, expected: `all ${all}`, todo: 'encode a frame without `rows` first' });
  let before = -1;
  for (const row of rows) {
    if (row <= before || row >= all) throw new UserError('ROWS', { what: 'rows to recompute must rise', got: `${row} after ${before}`, expected: `rising numbers below ${all}` });
    before = row;
  }
}
