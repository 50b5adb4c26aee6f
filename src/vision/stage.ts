// The vision stage: runs one stream's frames through the encoder as its method decides.
import { UserError } from '../core/errors.ts';
import { loadMethods } from '../core/methods.ts';
import { parseOptions } from '../core/options.ts';
import type { ImageSpec } from '../models/contract.ts';
import type { VisionState } from './encoder-state.ts';
import type { VisionEncoder } from './encoder.ts';
import type { PatchView, VisionContext, VisionMethod, VisionMethodStream } from './method.ts';
import { createPatchComparer, type PatchComparer } from './patch-difference.ts';
import { createPreprocessor, type Preprocessor } from './preprocess.ts';
import { createSteadier, type CodecMotion, type Steadier } from './steady.ts';
import type { Picture } from './resample.ts';

/** All vision methods, by name. */
export function visionMethods(): Promise<ReadonlyMap<string, VisionMethod>> {
  return loadMethods<VisionMethod>(new URL('./methods/', import.meta.url));
}

/** What one frame became. The arrays are written over by the stream's next frame. */
export interface SeenFrame {
  /** float32 [N, tokenWidth]: the tokens that go on. */
  readonly tokens: Float32Array;
  /** int32 [N]: the place of each in the frame, row by row from the top; of merged ones the first. */
  readonly places: Int32Array;
  /** float32 [N]: tokens that each was merged from. Absent where none was. */
  readonly counts?: Float32Array;
  /** int32: places of dropped tokens whose last one still stands, for methods that know run lengths. */
  readonly standing?: Int32Array;
  /** int32 [R], rising: patches that were recomputed. */
  readonly recomputed: Int32Array;
  /** Patches computed, summed over the layers of the encoder. */
  readonly patchLayers: number;
  /** Milliseconds that it took to find out what to compute. */
  readonly selectMs: number;
}

export interface SeeOptions {
  /** What the codec knew of the picture's motion, in pixels of the frame that was resized. */
  readonly motion?: CodecMotion;
  readonly signal?: AbortSignal;
}

/** The frame seen last, for methods that show questions what it held back. */
export interface NewestFrame {
  /** float32 [tokens, tokenWidth] */
  readonly tokens: Float32Array;
  /** int32: places of the tokens that did not go on. */
  readonly held: Int32Array;
}

/** One stream's way through the encoder. */
export class VisionStream {
  readonly #encoder: VisionEncoder;
  readonly #preprocessor: Preprocessor;
  readonly #state: VisionState;
  readonly #method: VisionMethodStream;
  readonly #runLengths: boolean;
  readonly #comparer: PatchComparer | undefined;
  readonly #steadier: Steadier | undefined;
  /** uint8 [height, width, 3]: the pixels that each patch was last computed from. */
  #computedFrom = new Uint8Array();
  readonly #age: Int32Array;
  readonly #rowBytes: number;
  readonly #patchPx: number;
  #newest: NewestFrame | undefined;
  /** Places that the memory no longer holds. */
  readonly #lost = new Set<number>();

  /**
   * @param image how the checkpoint wants its pictures
   * @param options the method's own, checked here
   * @param model what methods get to know of the model besides its encoder
   */
  constructor(encoder: VisionEncoder, image: ImageSpec, method: VisionMethod, options: Readonly<Record<string, unknown>> = {}, model: Pick<VisionContext, 'router'> = {}) {
    const { columns, rows } = encoder.grid;
    this.#encoder = encoder;
    this.#patchPx = Math.sqrt(encoder.patchLength / 3);
    this.#rowBytes = image.widthPx * 3;
    const grid = { columns, rows, patchPx: this.#patchPx };
    this.#preprocessor = createPreprocessor(image, grid);
    this.#state = encoder.open();
    this.#method = method.open(parseOptions(method.options, options, 'vision method'), { ...encoder.grid, layout: encoder.layout, ...model });
    this.#runLengths = method.runLengths === true;
    this.#comparer = method.needs.includes('difference') ? createPatchComparer(image, grid) : undefined;
    this.#steadier = this.#method.steadyPx ? createSteadier(image, this.#method.steadyPx) : undefined;
    this.#age = new Int32Array(encoder.patches);
  }

  /** Bytes of the stream's caches. */
  get bytes(): number {
    return this.#state.bytes + this.#computedFrom.byteLength + this.#age.byteLength;
  }

  /**
   * Encodes one frame. After a failure or an abort, the next frame is computed whole.
   * @param resized the frame as the preprocessor resized it
   * @throws UserError when the method's plan is not one
   */
  async see(resized: Picture, timeSec: number, { motion, signal }: SeeOptions = {}): Promise<SeenFrame> {
    const start = performance.now();
    const first = !this.#state.valid;
    const steadied = first ? undefined : this.#steadier?.steady(resized, this.#computedFrom, motion);
    if (first) this.#steadier?.reset();
    const picture = steadied?.picture ?? resized;
    const { view, rows } = this.#plan(picture, timeSec);
    const selectMs = performance.now() - start;
    const { gate } = this.#method;
    const pixels = (chosen: Int32Array, target: Float32Array) => this.#preprocessor.patchesAt(picture, chosen, target);
    const encoded = await this.#encoder.encode(this.#state, pixels, { rows, ...(gate && { gate }), ...(signal && { signal }) });
    this.#remember(picture, encoded.rows);
    const { layout, tokenWidth } = this.#encoder;
    const { tokens, changed, rows: recomputed, patchLayers } = encoded;
    const seen = { recomputed, patchLayers, selectMs };
    const plan = this.#method.tokens?.({ columns: layout.columns, rows: layout.rows, changed, tokens, first, lost: this.#lost, ...(view.difference && { difference: view.difference }) });
    const to = plan && this.#withLost(plan);
    this.#lost.clear();
    const all = this.#state.allRows.subarray(0, layout.count);
    if (this.#method.showsHeldBack) this.#newest = { tokens, held: all.filter((token) => to?.[token] === -1) };
    if (!to) return { tokens, places: all, ...seen };
    const standing = this.#runLengths && { standing: this.#state.allRows.filter((token) => to[token] === -1) };
    return { ...gathered(tokens, to, layout.count, tokenWidth), ...standing, ...seen };
  }

  /** Valid until the next frame. */
  get newest(): NewestFrame | undefined {
    return this.#newest;
  }

  /** Goes on from a stream that was saved: what that one held back last. */
  resume(newest: NewestFrame | undefined): void {
    this.#newest = newest;
  }

  /** Forgets the last frame, for one that went no further: the next is computed whole. */
  restart(): void {
    this.#state.valid = false;
    this.#newest = undefined;
    this.#lost.clear();
  }

  /**
   * What a question is shown beside the memory, for methods that want it so: of the frame seen last the tokens that did not go on, or all of them.
   * Nothing where there are none. Valid until the next frame.
   */
  heldBack(which: 'held' | 'all'): Pick<SeenFrame, 'tokens' | 'places'> | undefined {
    if (!this.#newest) return undefined;
    const { tokens, held } = this.#newest;
    const { layout: { count }, tokenWidth } = this.#encoder;
    if (which === 'all') return { tokens, places: this.#state.allRows.subarray(0, count) };
    if (held.length === 0) return undefined;
    const shown = new Float32Array(held.length * tokenWidth);
    held.forEach((token, i) => shown.set(tokens.subarray(token * tokenWidth, (token + 1) * tokenWidth), i * tokenWidth));
    return { tokens: shown, places: held };
  }

  /** Places whose tokens the memory let go although they stand: the next frame shows them again. */
  showAgain(places: Iterable<number>): void {
    for (const place of places) this.#lost.add(place);
  }

  #plan(picture: Picture, timeSec: number): { readonly view: PatchView; readonly rows: Int32Array } {
    const { columns, rows } = this.#encoder.grid;
    const all = this.#state.allRows;
    const view: PatchView = { columns, rows, timeSec, age: this.#age };
    if (!this.#state.valid) return { view, rows: all };
    for (let row = 0; row < this.#age.length; row++) this.#age[row]!++;
    const compared = this.#comparer?.compare(picture.rgb, this.#computedFrom);
    const full = { ...view, ...(compared && { difference: compared.absolute, change: compared.change, grain: compared.grain }) };
    return { view: full, rows: this.#method.patches?.(full) ?? all };
  }

  #remember({ rgb }: Picture, rows: Int32Array): void {
    for (const row of rows) this.#age[row] = 0;
    if (!this.#comparer) return;
    const length = this.#encoder.grid.rows * this.#patchPx * this.#rowBytes;
    if (this.#computedFrom.length === 0) this.#computedFrom = new Uint8Array(length);
    if (rows.length === this.#age.length) {
      this.#computedFrom.set(rgb.subarray(0, length));
      return;
    }
    const width = this.#patchPx * 3;
    for (const row of rows) {
      let at = Math.floor(row / this.#encoder.grid.columns) * this.#patchPx * this.#rowBytes + (row % this.#encoder.grid.columns) * width;
      for (let y = 0; y < this.#patchPx; y++, at += this.#rowBytes) this.#computedFrom.set(rgb.subarray(at, at + width), at);
    }
  }

  /** The plan with lost tokens let through. Only methods that count run lengths lose any, and those merge none. */
  #withLost(plan: Int32Array): Int32Array {
    if (this.#lost.size === 0) return plan;
    let kept = 0;
    return plan.map((target, token) => (target >= 0 || this.#lost.has(token) ? kept++ : -1));
  }
}

/** The tokens of a plan: dropped ones gone, merged ones averaged. */
function gathered(tokens: Float32Array, to: Int32Array, count: number, width: number): Pick<SeenFrame, 'tokens' | 'places' | 'counts'> {
  if (to.length !== count) throw new UserError('VISION_PLAN', { what: 'a vision method planned for another number of tokens', got: String(to.length), expected: String(count) });
  const places: number[] = [];
  const members: number[] = [];
  const sums = new Float32Array(count * width);
  for (let token = 0; token < count; token++) {
    const target = to[token]!;
    if (target < -1 || target > places.length) throw new UserError('VISION_PLAN', { what: `a vision method sends token ${token} to a number out of order`, got: String(target), expected: `−1 to ${places.length}` });
    if (target === -1) continue;
    if (target === places.length) places.push(token);
    members[target] = (members[target] ?? 0) + 1;
    for (let i = 0; i < width; i++) sums[target * width + i]! += tokens[token * width + i]!;
  }
  for (const [target, shared] of members.entries()) {
    if (shared > 1) for (let i = 0; i < width; i++) sums[target * width + i]! /= shared;
  }
  const merged = members.some((shared) => shared > 1);
  return { tokens: sums.subarray(0, places.length * width), places: Int32Array.from(places), ...(merged && { counts: Float32Array.from(members) }) };
}
