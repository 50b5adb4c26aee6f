// The vision encoder: patches to visual tokens, recomputing any rows against the cached keys and values of the rest.
import { AsyncDisposableStack } from '../core/disposal.ts';
import { UserError } from '../core/errors.ts';
import type { ProjectorSpec, VisionSpec } from '../models/contract.ts';
import type { PackedVision } from '../models/packed/contract.ts';
import { readFloat32 } from '../models/packed/read-tensor.ts';
import type { OnnxModel } from '../runtime/onnx.ts';
import { openOnnx, Tensor } from '../runtime/onnx.ts';
import { attentionGraph, encoderGraph } from './encoder-graphs.ts';
import { matrixOf, type RowBlock, VisionState } from './encoder-state.ts';
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
  /**
   * Rows that a layer computes at once, at most. Between its operators stand several matrices as wide as its perceptron: of all 1,024 rows
   * of SmolVLM 12 MB each. Fewer rows at once take less memory, but threads wait for each other at every operator. Default 192.
   */
  readonly blockRows?: number;
}

/**
 * The pixels of a frame, float32 [P, 3·patch²], normalised: channel, then row, then column of the patch; or what writes those of some patches when asked.
 * `rows` int32 [R], rising; `target` float32 [R, 3·patch²].
 */
export type PatchSource = Float32Array | ((rows: Int32Array, target: Float32Array) => void);

/**
 * Which rows go on into a layer, by how far each is from what it was when the layer last took it.
 * @param distance float32 [R]: ‖x − reference‖ / ‖reference‖
 * @returns int32, rising: numbers of those that go on, among the R; nothing: all
 */
export type RowGate = (layer: number, rows: Int32Array, distance: Float32Array) => Int32Array | undefined;

export interface EncodeOptions {
  /** int32 [R], rising: the patches to recompute; all when absent. The first frame of a stream needs all. */
  readonly rows?: Int32Array;
  /** Narrows the rows before each layer. What stops keeps its old outputs, and the keys and values of the layers above. */
  readonly gate?: RowGate;
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
  /** int32, rising: the patches that were computed to the end. */
  readonly rows: Int32Array;
  /** Rows computed, summed over the layers: L · P for a whole frame. */
  readonly patchLayers: number;
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
   * @throws UserError for arrays of the wrong length, rows out of order or range, or rows without a whole frame before
   */
  encode(state: VisionState, patches: PatchSource, options?: EncodeOptions): Promise<EncodedFrame>;
}

/** Blocks of nearly the same size, none larger than `most`. */
function blocksOf(count: number, most: number): RowBlock[] {
  const blocks = Math.ceil(count / most);
  const end = (block: number) => Math.round((block * count) / blocks);
  return Array.from({ length: blocks }, (_, block) => ({ from: end(block), to: end(block + 1) }));
}

/** Opens the encoder; weights are read or mapped now, and nothing is computed. */
export async function openVisionEncoder({ spec, projector }: VisionModel, packed: PackedVision, { threads, blockRows = 192 }: VisionEncoderOptions): Promise<VisionEncoder> {
  const layout = tokenLayout(spec, projector);
  const all = spec.columns * spec.rows;
  const patchLength = 3 * spec.patchPx ** 2;
  await using opened = new AsyncDisposableStack();
  const steps: OnnxModel[] = [];
  for (let step = 0; step <= spec.layers; step++) steps.push(opened.use(await openOnnx(encoderGraph(spec, packed, step).encode(), { threads, arena: false })));
  const project = opened.use(await openProjector(spec, projector, layout, packed, threads));
  const newline = packed.projector.newline && (await readFloat32(packed.projector.newline));
  const attention = { rows: opened.use(await openOnnx(attentionGraph(spec, 'rows').encode(), { threads, arena: false })), heads: opened.use(await openOnnx(attentionGraph(spec, 'heads').encode(), { threads, arena: false })) };
  const resources = opened.move();

  function pixelsOf(state: VisionState, source: PatchSource, rows: Int32Array): Float32Array {
    if (typeof source !== 'function' && rows.length === all) return source;
    const chosen = state.chosenPatches(rows.length);
    if (typeof source === 'function') source(rows, chosen);
    else rows.forEach((row, i) => chosen.set(source.subarray(row * patchLength, (row + 1) * patchLength), i * patchLength));
    return chosen;
  }

  /** Returns the rows that came to the end, and how many were computed over all layers. */
  async function run(state: VisionState, source: PatchSource, first: Int32Array, { gate, signal }: EncodeOptions, hasFrame: boolean): Promise<Pick<EncodedFrame, 'rows' | 'patchLayers'>> {
    let rows = first;
    let patchLayers = 0;
    const whole = rows.length === all && (!gate || !hasFrame);
    state.arrange(whole);
    const pixels = pixelsOf(state, source, rows);
    for (let step = 0; step < spec.layers; step++) {
      signal?.throwIfAborted();
      for (const block of blocksOf(rows.length, blockRows)) {
        const feeds = step === 0 ? { patches: matrixOf(pixels, block, patchLength), rows: new Tensor('int32', rows.subarray(block.from, block.to), [block.to - block.from]) } : state.from(step - 1, block);
        await steps[step]!.run(feeds, { ...state.into(step, block, whole) });
      }
      if (!whole) state.scatterLayer(step, rows);
      if (gate) {
        const kept = whole ? undefined : gate(step, rows, state.distances(step, rows));
        if (kept && kept.length < rows.length) {
          state.narrow(step, kept);
          rows = kept.map((r) => rows[r]!);
          if (rows.length === 0) return { rows, patchLayers };
        }
        state.refer(step, rows);
      }
      patchLayers += rows.length;
      await attention[whole ? 'rows' : 'heads'].run({ queries: state.queries(step, rows.length), ...state.cache(step) }, { mixed: state.mixedInto(rows.length) });
    }
    signal?.throwIfAborted();
    for (const block of blocksOf(rows.length, blockRows)) await steps[spec.layers]!.run(state.from(spec.layers - 1, block), { encoded: state.encodedInto(block, whole) });
    if (!whole) state.scatterEncoded(rows);
    return { rows, patchLayers };
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
    async encode(state, patches, { rows = state.allRows, ...options } = {}) {
      if (typeof patches !== 'function' && patches.length !== all * patchLength) throw new UserError('PATCHES', { what: 'wrong number of pixels for the vision encoder', got: `${patches.length} numbers`, expected: `${all} patches of ${patchLength}` });
      checkRows(rows, all, state.valid);
      const hasFrame = state.valid;
      state.valid = false;
      const computed = rows.length > 0 ? await run(state, patches, rows, options, hasFrame) : { rows, patchLayers: 0 };
      options.signal?.throwIfAborted();
      const changed = state.tokensOf(computed.rows);
      if (changed.length > 0) await project.run(state, computed.rows, changed);
      state.valid = true;
      return { tokens: state.tokens, encoded: state.encoded, changed, ...computed };
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
