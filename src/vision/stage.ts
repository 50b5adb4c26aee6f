// The vision stage: runs one stream's frames through the encoder as its method decides.
import { UserError } from '../core/errors.ts';
import { loadMethods } from '../core/methods.ts';
import { parseOptions } from '../core/options.ts';
import type { VisionState } from './encoder-state.ts';
import type { VisionEncoder } from './encoder.ts';
import type { VisionMethod, VisionMethodStream } from './method.ts';

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
  /** Patches that were recomputed. */
  readonly recomputed: number;
}

/** One stream's way through the encoder. */
export class VisionStream {
  readonly #encoder: VisionEncoder;
  readonly #state: VisionState;
  readonly #method: VisionMethodStream;
  readonly #needsDifference: boolean;
  readonly #runLengths: boolean;
  /** float32 [P, 3·patch²]: the pixels that each patch was last computed from. */
  readonly #computedFrom: Float32Array;
  readonly #difference: Float32Array;
  readonly #age: Int32Array;
  readonly #columns: number;
  readonly #rows: number;

  /** @param options the method's own, checked here */
  constructor(encoder: VisionEncoder, method: VisionMethod, options: Readonly<Record<string, unknown>> = {}) {
    this.#encoder = encoder;
    this.#state = encoder.open();
    ({ columns: this.#columns, rows: this.#rows } = encoder.grid);
    this.#method = method.open(parseOptions(method.options, options, 'vision method'), { ...encoder.grid, layout: encoder.layout });
    this.#runLengths = method.runLengths === true;
    this.#needsDifference = method.needs.includes('difference');
    this.#computedFrom = new Float32Array(this.#needsDifference ? encoder.patches * encoder.patchLength : 0);
    this.#difference = new Float32Array(this.#needsDifference ? encoder.patches : 0);
    this.#age = new Int32Array(encoder.patches);
  }

  /** Bytes of the stream's caches. */
  get bytes(): number {
    return this.#state.bytes + this.#computedFrom.byteLength + this.#difference.byteLength + this.#age.byteLength;
  }

  /**
   * Encodes one frame. After a failure or an abort, the next frame is computed whole.
   * @param patches float32 [P, 3·patch²]
   * @throws UserError when the method's plan is not one
   */
  async see(patches: Float32Array, timeSec: number, signal?: AbortSignal): Promise<SeenFrame> {
    const first = !this.#state.valid;
    const rows = this.#plan(patches, timeSec);
    const { tokens, changed } = await this.#encoder.encode(this.#state, patches, { rows, ...(signal && { signal }) });
    this.#remember(patches, rows);
    const { layout, tokenWidth } = this.#encoder;
    const to = this.#method.tokens?.({ columns: layout.columns, rows: layout.rows, changed, tokens, first, ...(this.#needsDifference && !first && { difference: this.#difference }) });
    if (!to) return { tokens, places: this.#state.allRows.subarray(0, layout.count), recomputed: rows.length };
    const standing = this.#runLengths && { standing: this.#state.allRows.filter((token) => to[token] === -1) };
    return { ...gathered(tokens, to, layout.count, tokenWidth), ...standing, recomputed: rows.length };
  }

  /** Forgets the last frame, for one that went no further: the next is computed whole. */
  restart(): void {
    this.#state.valid = false;
  }

  #plan(patches: Float32Array, timeSec: number): Int32Array {
    const all = this.#state.allRows;
    if (!this.#state.valid) return all;
    for (let row = 0; row < this.#age.length; row++) this.#age[row]!++;
    if (this.#needsDifference) meanDifference(patches, this.#computedFrom, this.#difference);
    return this.#method.patches?.({ columns: this.#columns, rows: this.#rows, timeSec, age: this.#age, ...(this.#needsDifference && { difference: this.#difference }) }) ?? all;
  }

  #remember(patches: Float32Array, rows: Int32Array): void {
    const length = this.#encoder.patchLength;
    for (const row of rows) {
      this.#age[row] = 0;
      if (this.#needsDifference) this.#computedFrom.set(patches.subarray(row * length, (row + 1) * length), row * length);
    }
  }
}

/** Writes the mean of |a − b| over each of `into.length` equal stretches. */
function meanDifference(a: Float32Array, b: Float32Array, into: Float32Array): void {
  const length = a.length / into.length;
  for (let row = 0; row < into.length; row++) {
    let sum = 0;
    for (let i = row * length; i < (row + 1) * length; i++) sum += Math.abs(a[i]! - b[i]!);
    into[row] = sum / length;
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
