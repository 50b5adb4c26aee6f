// Slots in 8 bits: keys before the rotary embedding and values, each with a scale of its own. Merging and re-basing add no rounding of their own turns.
import type { SlotReader } from './slot-reader.ts';
import { SlotStorage, type SlotData } from './slots.ts';

/** Largest magnitude that is stored; the same on both sides of zero. */
const most = 127;

/** Rounds a row to 8 bits; returns its scale. */
function quantise(from: Float32Array, offset: number, width: number, into: Int8Array, at: number): number {
  let largest = 0;
  for (let d = 0; d < width; d++) largest = Math.max(largest, Math.abs(from[offset + d]!));
  const scale = Math.fround(largest / most);
  if (scale === 0) into.fill(0, at, at + width);
  else for (let d = 0; d < width; d++) into[at + d] = Math.round(from[offset + d]! / scale);
  return scale;
}

/** float32 is made where it is read. The last slot is known exactly as well: pooling goes on with it, and would else round at every chunk. */
export class Int8Slots extends SlotStorage {
  keyBytes = new Int8Array(0);
  valueBytes = new Int8Array(0);
  /** [capacity, 2]: of key and value. */
  scales = new Float32Array(0);
  readonly rotated = false;
  /** Where the reader puts this head. */
  readonly region: number;
  /** Rises with every change of keys, values or positions. */
  version = 0;
  readonly #reader: SlotReader;
  /** Slot that `#tail` holds exactly; −1 for none. */
  #tailOf = -1;
  /** float32 [2, D]: key before the rotary embedding, value. */
  readonly #tail: Float32Array;

  constructor(reader: SlotReader, region: number) {
    super(reader.rotary.headWidth);
    this.#reader = reader;
    this.region = region;
    this.#tail = new Float32Array(2 * this.headWidth);
  }

  another(): Int8Slots {
    return new Int8Slots(this.#reader, this.region);
  }

  get keys(): Float32Array {
    return this.#reader.read(this).keys;
  }

  get values(): Float32Array {
    return this.#reader.read(this).values;
  }

  read(slot: number, key: Float32Array, value: Float32Array): void {
    const { headWidth } = this;
    if (slot === this.#tailOf) {
      key.set(this.#tail.subarray(0, headWidth));
      value.set(this.#tail.subarray(headWidth));
      return;
    }
    for (let d = 0, at = slot * headWidth; d < headWidth; d++, at++) {
      key[d] = this.keyBytes[at]! * this.scales[2 * slot]!;
      value[d] = this.valueBytes[at]! * this.scales[2 * slot + 1]!;
    }
  }

  write(slot: number, key: Float32Array, value: Float32Array): void {
    this.#put(slot, key, value, 0);
    if (slot === this.length - 1) this.#keepTail(slot, key, value, 0);
    else if (slot === this.#tailOf) this.#tailOf = -1;
    this.version++;
  }

  reposition(slot: number, position: number): void {
    this.position[slot] = position;
    this.version++;
  }

  override truncate(length: number): void {
    super.truncate(length);
    if (this.#tailOf >= length) this.#tailOf = -1;
    this.version++;
  }

  save(): SlotData {
    const end = this.length * this.headWidth;
    const tail = this.#tailOf >= 0 && this.#tailOf === this.length - 1 ? { tail: this.#tail.slice() } : {};
    return { keys: this.keyBytes.slice(0, end), values: this.valueBytes.slice(0, end), scales: this.scales.slice(0, 2 * this.length), ...tail };
  }

  protected resizeData(capacity: number): void {
    this.keyBytes = new Int8Array(this.keyBytes.buffer.transfer(capacity * this.headWidth));
    this.valueBytes = new Int8Array(this.valueBytes.buffer.transfer(capacity * this.headWidth));
    this.scales = new Float32Array(this.scales.buffer.transfer(capacity * 8));
    this.version++;
  }

  protected appendData(count: number, keys: Float32Array, values: Float32Array, offset: number, stride: number): void {
    for (let t = 0; t < count; t++) this.#put(this.length + t, keys, values, offset + t * stride);
    if (count > 0) this.#keepTail(this.length + count - 1, keys, values, offset + (count - 1) * stride);
    this.version++;
  }

  protected moveData(to: number, from: number, count: number): void {
    const { headWidth } = this;
    this.keyBytes.copyWithin(to * headWidth, from * headWidth, (from + count) * headWidth);
    this.valueBytes.copyWithin(to * headWidth, from * headWidth, (from + count) * headWidth);
    this.scales.copyWithin(2 * to, 2 * from, 2 * (from + count));
    if (this.#tailOf >= from && this.#tailOf < from + count) this.#tailOf += to - from;
    else if (this.#tailOf >= to && this.#tailOf < to + count) this.#tailOf = -1;
    this.version++;
  }

  protected copyData(from: SlotStorage, first: number, count: number): void {
    if (!(from instanceof Int8Slots)) throw new RangeError('cannot copy slots of another format');
    const { headWidth, length } = this;
    this.keyBytes.set(from.keyBytes.subarray(first * headWidth, (first + count) * headWidth), length * headWidth);
    this.valueBytes.set(from.valueBytes.subarray(first * headWidth, (first + count) * headWidth), length * headWidth);
    this.scales.set(from.scales.subarray(2 * first, 2 * (first + count)), 2 * length);
    if (count > 0 && from.#tailOf === first + count - 1) {
      this.#tail.set(from.#tail);
      this.#tailOf = length + count - 1;
    }
    this.version++;
  }

  protected restoreData(saved: SlotData, count: number): void {
    const { headWidth, length } = this;
    this.keyBytes.set(saved['keys']!, length * headWidth);
    this.valueBytes.set(saved['values']!, length * headWidth);
    this.scales.set(saved['scales']!, 2 * length);
    if (saved['tail']) {
      this.#tail.set(saved['tail']);
      this.#tailOf = length + count - 1;
    }
    this.version++;
  }

  #put(slot: number, keys: Float32Array, values: Float32Array, offset: number): void {
    const at = slot * this.headWidth;
    this.scales[2 * slot] = quantise(keys, offset, this.headWidth, this.keyBytes, at);
    this.scales[2 * slot + 1] = quantise(values, offset, this.headWidth, this.valueBytes, at);
  }

  #keepTail(slot: number, keys: Float32Array, values: Float32Array, offset: number): void {
    for (let d = 0; d < this.headWidth; d++) {
      this.#tail[d] = keys[offset + d]!;
      this.#tail[this.headWidth + d] = values[offset + d]!;
    }
    this.#tailOf = slot;
  }
}
