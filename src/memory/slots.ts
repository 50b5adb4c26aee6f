// Slots of one KV head: keys, values and what is known of each slot, in typed arrays that grow. Capacity ≥ length; positions are neither.

/** Where a token comes from. `wrap` is the text that a prompt puts around a frame: it comes and goes with the frame. */
export const slotKinds = ['opening', 'visual', 'wrap', 'question', 'answer'] as const;
export type SlotKind = (typeof slotKinds)[number];

/** Number of a kind in the `kind` column. */
export const kindCode = Object.fromEntries(slotKinds.map((kind, code) => [kind, code])) as Readonly<Record<SlotKind, number>>;

/** What is known of each slot or token, one entry each. */
export interface SlotColumns {
  /** Place in the stream that the key is rotated to; that of the latest token where several were merged. */
  readonly position: Int32Array;
  /** Number of the frame (`visual`, `wrap`) or of the dialogue turn (`question`, `answer`); −1 for the opening. */
  readonly source: Int32Array;
  /** Number of a visual token among those of its frame, row by row; −1 for text. */
  readonly place: Int32Array;
  /** Index into `slotKinds`. */
  readonly kind: Uint8Array;
  /** Media time of the latest token, in seconds. */
  readonly timeSec: Float64Array;
  /** Tokens that the slot stands for. */
  readonly tokens: Float32Array;
  /** Sum of their importances: what a merge averages by. */
  readonly weight: Float32Array;
  /** A number that the method keeps with the slot: attention received, a decision logit. */
  readonly score: Float32Array;
}

/** What a method may look at. Only the first `length` entries are valid. */
export interface SlotView extends SlotColumns {
  readonly length: number;
  /** float32 [length, D], rotated to `position`. */
  readonly keys: Float32Array;
  /** float32 [length, D]. */
  readonly values: Float32Array;
}

const columnTypes = {
  position: Int32Array,
  source: Int32Array,
  place: Int32Array,
  kind: Uint8Array,
  timeSec: Float64Array,
  tokens: Float32Array,
  weight: Float32Array,
  score: Float32Array,
} as const satisfies { readonly [C in keyof SlotColumns]: unknown };

export type ColumnName = keyof SlotColumns;
export const columnNames = Object.keys(columnTypes) as readonly ColumnName[];

/** Bytes that one slot takes: key, value and columns. */
export function bytesPerSlot(headWidth: number): number {
  return columnNames.reduce((sum, name) => sum + columnTypes[name].BYTES_PER_ELEMENT, 2 * headWidth * 4);
}

/** Empty columns for `capacity` tokens. */
export function createColumns(capacity: number): SlotColumns {
  return {
    position: new Int32Array(capacity),
    source: new Int32Array(capacity),
    place: new Int32Array(capacity),
    kind: new Uint8Array(capacity),
    timeSec: new Float64Array(capacity),
    tokens: new Float32Array(capacity),
    weight: new Float32Array(capacity),
    score: new Float32Array(capacity),
  };
}

/** One head's slots, in the order in which they came. */
export class HeadSlots implements SlotView {
  readonly headWidth: number;
  keys = new Float32Array(0);
  values = new Float32Array(0);
  position = new Int32Array(0);
  source = new Int32Array(0);
  place = new Int32Array(0);
  kind = new Uint8Array(0);
  timeSec = new Float64Array(0);
  tokens = new Float32Array(0);
  weight = new Float32Array(0);
  score = new Float32Array(0);
  /** Slots that are valid. */
  length = 0;
  /** Slots that the arrays have room for. */
  capacity = 0;

  constructor(headWidth: number) {
    this.headWidth = headWidth;
  }

  /** Makes room for exactly `capacity` slots, at least `length`. The old arrays are gone at once, not at the next garbage collection. */
  resize(capacity: number): void {
    if (capacity < this.length) throw new RangeError(`cannot shrink ${this.length} slots to ${capacity}`);
    const { headWidth } = this;
    this.keys = new Float32Array(this.keys.buffer.transfer(capacity * headWidth * 4));
    this.values = new Float32Array(this.values.buffer.transfer(capacity * headWidth * 4));
    this.position = new Int32Array(this.position.buffer.transfer(capacity * 4));
    this.source = new Int32Array(this.source.buffer.transfer(capacity * 4));
    this.place = new Int32Array(this.place.buffer.transfer(capacity * 4));
    this.kind = new Uint8Array(this.kind.buffer.transfer(capacity));
    this.timeSec = new Float64Array(this.timeSec.buffer.transfer(capacity * 8));
    this.tokens = new Float32Array(this.tokens.buffer.transfer(capacity * 4));
    this.weight = new Float32Array(this.weight.buffer.transfer(capacity * 4));
    this.score = new Float32Array(this.score.buffer.transfer(capacity * 4));
    this.capacity = capacity;
  }

  /**
   * Adds `count` tokens at the end; there must be room.
   * @param keys float32, token t at [keyOffset + t · stride, … + D): rotated to their positions
   * @param values float32, laid out alike
   * @param tokens what is known of the tokens
   */
  append(count: number, keys: Float32Array, values: Float32Array, offset: number, stride: number, tokens: SlotColumns): void {
    const { headWidth, length } = this;
    if (length + count > this.capacity) throw new RangeError(`no room for ${count} slots after ${length} of ${this.capacity}`);
    const toKeys = this.keys;
    const toValues = this.values;
    let at = length * headWidth;
    for (let t = 0; t < count; t++) {
      const from = offset + t * stride;
      // A loop beats set(subarray()) at these widths: no view is made.
      for (let d = 0; d < headWidth; d++, at++) {
        toKeys[at] = keys[from + d]!;
        toValues[at] = values[from + d]!;
      }
      const slot = length + t;
      this.position[slot] = tokens.position[t]!;
      this.source[slot] = tokens.source[t]!;
      this.place[slot] = tokens.place[t]!;
      this.kind[slot] = tokens.kind[t]!;
      this.timeSec[slot] = tokens.timeSec[t]!;
      this.tokens[slot] = tokens.tokens[t]!;
      this.weight[slot] = tokens.weight[t]!;
      this.score[slot] = tokens.score[t]!;
    }
    this.length = length + count;
  }

  /** Moves `count` slots from index `from` down to index `to`. */
  move(to: number, from: number, count: number): void {
    if (to === from || count === 0) return;
    const { headWidth } = this;
    this.keys.copyWithin(to * headWidth, from * headWidth, (from + count) * headWidth);
    this.values.copyWithin(to * headWidth, from * headWidth, (from + count) * headWidth);
    for (const name of columnNames) this[name].copyWithin(to, from, from + count);
  }

  /** Adds `count` slots of another head, from its index `first` on; there must be room. */
  copy(from: SlotView, first: number, count: number): void {
    const { headWidth, length } = this;
    if (length + count > this.capacity) throw new RangeError(`no room for ${count} slots after ${length} of ${this.capacity}`);
    this.keys.set(from.keys.subarray(first * headWidth, (first + count) * headWidth), length * headWidth);
    this.values.set(from.values.subarray(first * headWidth, (first + count) * headWidth), length * headWidth);
    for (const name of columnNames) this[name].set(from[name].subarray(first, first + count), length);
    this.length = length + count;
  }

  /** Forgets all slots from `length` on. */
  truncate(length: number): void {
    if (length > this.length) throw new RangeError(`cannot truncate ${this.length} slots to ${length}`);
    this.length = length;
  }
}
