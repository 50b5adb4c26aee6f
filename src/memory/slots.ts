// Slots of one KV head: keys, values and what is known of each slot, in typed arrays that grow. Capacity ≥ length; positions are neither.
import type { Rotary } from './rotary.ts';

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
  /** Media time of the first of its tokens, in seconds. */
  readonly sinceSec: Float32Array;
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
  sinceSec: Float32Array,
  tokens: Float32Array,
  weight: Float32Array,
  score: Float32Array,
} as const satisfies { readonly [C in keyof SlotColumns]: unknown };

export type ColumnName = keyof SlotColumns;
export const columnNames = Object.keys(columnTypes) as readonly ColumnName[];

/** How keys and values are stored. `int8`: 8 bits with a scale for each slot, keys before the rotary embedding. */
export const slotFormats = ['float32', 'int8'] as const;
export type SlotFormat = (typeof slotFormats)[number];

/** Bytes that one slot takes: key, value, their scales and columns. */
export function bytesPerSlot(headWidth: number, format: SlotFormat = 'float32'): number {
  return columnNames.reduce((sum, name) => sum + columnTypes[name].BYTES_PER_ELEMENT, format === 'float32' ? 2 * headWidth * 4 : 2 * (headWidth + 4));
}

/** Empty columns for `capacity` tokens. */
export function createColumns(capacity: number): SlotColumns {
  return {
    position: new Int32Array(capacity),
    source: new Int32Array(capacity),
    place: new Int32Array(capacity),
    kind: new Uint8Array(capacity),
    timeSec: new Float64Array(capacity),
    sinceSec: new Float32Array(capacity),
    tokens: new Float32Array(capacity),
    weight: new Float32Array(capacity),
    score: new Float32Array(capacity),
  };
}

/** Arrays of a storage besides the columns, as plain data for a file. */
export type SlotData = Readonly<Record<string, Float32Array | Int8Array>>;

/** One head's slots, in the order in which they came. Subclasses hold keys and values. */
export abstract class SlotStorage implements SlotView {
  readonly headWidth: number;
  abstract readonly keys: Float32Array;
  abstract readonly values: Float32Array;
  /** Whether `append` takes keys rotated to their positions, or as they were before. */
  abstract readonly rotated: boolean;
  position = new Int32Array(0);
  source = new Int32Array(0);
  place = new Int32Array(0);
  kind = new Uint8Array(0);
  timeSec = new Float64Array(0);
  sinceSec = new Float32Array(0);
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

  /** An empty storage of the same kind. */
  abstract another(): SlotStorage;
  /** Reads one slot: `key` float32 [D] before the rotary embedding, `value` float32 [D]. */
  abstract read(slot: number, key: Float32Array, value: Float32Array, rotary: Rotary): void;
  /** Replaces one slot by what `read` would give; its position stays. */
  abstract write(slot: number, key: Float32Array, value: Float32Array, rotary: Rotary): void;
  /** Moves one slot to another position of the stream. */
  abstract reposition(slot: number, position: number, rotary: Rotary): void;
  /** A copy of keys and values of the valid slots. */
  abstract save(): SlotData;
  protected abstract resizeData(capacity: number): void;
  protected abstract appendData(count: number, keys: Float32Array, values: Float32Array, offset: number, stride: number): void;
  protected abstract moveData(to: number, from: number, count: number): void;
  protected abstract copyData(from: SlotStorage, first: number, count: number): void;
  /** Appends what `save` gave, without columns. */
  protected abstract restoreData(saved: SlotData, count: number): void;

  /** Makes room for exactly `capacity` slots, at least `length`. The old arrays are gone at once, not at the next garbage collection. */
  resize(capacity: number): void {
    if (capacity < this.length) throw new RangeError(`cannot shrink ${this.length} slots to ${capacity}`);
    this.resizeData(capacity);
    this.position = new Int32Array(this.position.buffer.transfer(capacity * 4));
    this.source = new Int32Array(this.source.buffer.transfer(capacity * 4));
    this.place = new Int32Array(this.place.buffer.transfer(capacity * 4));
    this.kind = new Uint8Array(this.kind.buffer.transfer(capacity));
    this.timeSec = new Float64Array(this.timeSec.buffer.transfer(capacity * 8));
    this.sinceSec = new Float32Array(this.sinceSec.buffer.transfer(capacity * 4));
    this.tokens = new Float32Array(this.tokens.buffer.transfer(capacity * 4));
    this.weight = new Float32Array(this.weight.buffer.transfer(capacity * 4));
    this.score = new Float32Array(this.score.buffer.transfer(capacity * 4));
    this.capacity = capacity;
  }

  /**
   * Adds `count` tokens at the end; there must be room.
   * @param keys float32, token t at [offset + t · stride, … + D): rotated to their positions where `rotated` says so
   * @param values float32, laid out alike
   * @param tokens what is known of the tokens
   */
  append(count: number, keys: Float32Array, values: Float32Array, offset: number, stride: number, tokens: SlotColumns): void {
    this.#checkRoom(count);
    this.appendData(count, keys, values, offset, stride);
    this.#appendColumns(count, tokens);
  }

  /** Adds slots that `save` gave; there must be room. */
  restore(saved: SlotData, count: number, columns: SlotColumns): void {
    this.#checkRoom(count);
    this.restoreData(saved, count);
    this.#appendColumns(count, columns);
  }

  /** Moves `count` slots from index `from` down to index `to`. */
  move(to: number, from: number, count: number): void {
    if (to === from || count === 0) return;
    this.moveData(to, from, count);
    for (const name of columnNames) this[name].copyWithin(to, from, from + count);
  }

  /** Adds `count` slots of another head of the same kind, from its index `first` on; there must be room. */
  copy(from: SlotStorage, first: number, count: number): void {
    this.#checkRoom(count);
    this.copyData(from, first, count);
    for (const name of columnNames) this[name].set(from[name].subarray(first, first + count), this.length);
    this.length += count;
  }

  /** Forgets all slots from `length` on. */
  truncate(length: number): void {
    if (length > this.length) throw new RangeError(`cannot truncate ${this.length} slots to ${length}`);
    this.length = length;
  }

  #checkRoom(count: number): void {
    if (this.length + count > this.capacity) throw new RangeError(`no room for ${count} slots after ${this.length} of ${this.capacity}`);
  }

  #appendColumns(count: number, tokens: SlotColumns): void {
    for (let t = 0, slot = this.length; t < count; t++, slot++) {
      this.position[slot] = tokens.position[t]!;
      this.source[slot] = tokens.source[t]!;
      this.place[slot] = tokens.place[t]!;
      this.kind[slot] = tokens.kind[t]!;
      this.timeSec[slot] = tokens.timeSec[t]!;
      this.sinceSec[slot] = tokens.sinceSec[t]!;
      this.tokens[slot] = tokens.tokens[t]!;
      this.weight[slot] = tokens.weight[t]!;
      this.score[slot] = tokens.score[t]!;
    }
    this.length += count;
  }
}

/** Slots in float32, keys rotated: attention reads them where they are. */
export class HeadSlots extends SlotStorage {
  keys = new Float32Array(0);
  values = new Float32Array(0);
  readonly rotated = true;

  another(): HeadSlots {
    return new HeadSlots(this.headWidth);
  }

  read(slot: number, key: Float32Array, value: Float32Array, rotary: Rotary): void {
    const { headWidth } = this;
    for (let d = 0, at = slot * headWidth; d < headWidth; d++, at++) {
      key[d] = this.keys[at]!;
      value[d] = this.values[at]!;
    }
    rotary.turn(key, 0, -this.position[slot]!);
  }

  write(slot: number, key: Float32Array, value: Float32Array, rotary: Rotary): void {
    const { headWidth } = this;
    for (let d = 0, at = slot * headWidth; d < headWidth; d++, at++) {
      this.keys[at] = key[d]!;
      this.values[at] = value[d]!;
    }
    rotary.turn(this.keys, slot * headWidth, this.position[slot]!);
  }

  reposition(slot: number, position: number, rotary: Rotary): void {
    rotary.turn(this.keys, slot * this.headWidth, position - this.position[slot]!);
    this.position[slot] = position;
  }

  save(): SlotData {
    const end = this.length * this.headWidth;
    return { keys: this.keys.slice(0, end), values: this.values.slice(0, end) };
  }

  protected resizeData(capacity: number): void {
    this.keys = new Float32Array(this.keys.buffer.transfer(capacity * this.headWidth * 4));
    this.values = new Float32Array(this.values.buffer.transfer(capacity * this.headWidth * 4));
  }

  protected appendData(count: number, keys: Float32Array, values: Float32Array, offset: number, stride: number): void {
    const { headWidth } = this;
    const toKeys = this.keys;
    const toValues = this.values;
    let at = this.length * headWidth;
    for (let t = 0; t < count; t++) {
      const from = offset + t * stride;
      // A loop beats set(subarray()) at these widths: no view is made.
      for (let d = 0; d < headWidth; d++, at++) {
        toKeys[at] = keys[from + d]!;
        toValues[at] = values[from + d]!;
      }
    }
  }

  protected moveData(to: number, from: number, count: number): void {
    const { headWidth } = this;
    this.keys.copyWithin(to * headWidth, from * headWidth, (from + count) * headWidth);
    this.values.copyWithin(to * headWidth, from * headWidth, (from + count) * headWidth);
  }

  protected copyData(from: SlotStorage, first: number, count: number): void {
    const { headWidth, length } = this;
    this.keys.set(from.keys.subarray(first * headWidth, (first + count) * headWidth), length * headWidth);
    this.values.set(from.values.subarray(first * headWidth, (first + count) * headWidth), length * headWidth);
  }

  protected restoreData(saved: SlotData): void {
    this.keys.set(saved['keys']!, this.length * this.headWidth);
    this.values.set(saved['values']!, this.length * this.headWidth);
  }
}

/** Whether a slot stands for more than one token. Asked of every head for every token, where `some` would take many times as long. */
export function hasMerged(tokens: Float32Array): boolean {
  for (let slot = 0; slot < tokens.length; slot++) if (tokens[slot]! > 1) return true;
  return false;
}

/** A copy of a head's last slot. */
export function tailOf(head: SlotStorage): SlotStorage {
  const tail = head.another();
  const count = Math.min(1, head.length);
  tail.resize(count);
  tail.copy(head, head.length - count, count);
  return tail;
}
