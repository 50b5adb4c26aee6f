// Reads 8-bit slots as attention wants them: float32, keys rotated to their positions. Working memory of one layer, not storage.
import { createSlotKernel } from '../runtime/slot-kernel.ts';
import type { Int8Slots } from './int8-slots.ts';
import type { Rotary } from './rotary.ts';

/** float32 views that stay until the same place is read for other slots. */
interface Region {
  readonly keys: Float32Array;
  readonly values: Float32Array;
  /** What was read, and its version then. */
  of: Int8Slots | undefined;
  version: number;
}

/**
 * Room for the heads of one layer at a time: head h is read into region h. Angles of positions are kept in a table of the context's length,
 * so that a head costs a copy of its bytes and one pass.
 */
export class SlotReader {
  readonly rotary: Rotary;
  readonly #kernel = createSlotKernel();
  readonly #regionCount: number;
  readonly #tableRows: number;
  /** Position whose angles each row holds; −1 for none. */
  readonly #positions: Int32Array;
  #capacity = 0;
  #regions: readonly Region[] = [];
  #keys = new Int8Array(0);
  #values = new Int8Array(0);
  #scales = new Float32Array(0);
  #rows = new Uint32Array(0);

  /** @param regions heads that are looked at together */
  constructor(rotary: Rotary, regions: number, contextLength: number) {
    this.rotary = rotary;
    this.#regionCount = regions;
    this.#tableRows = contextLength;
    this.#positions = new Int32Array(contextLength).fill(-1);
  }

  /** Makes room for heads of that length. Views given before are void after it, so it is called between chunks, for the longest head. */
  reserve(slots: number): void {
    if (slots <= this.#capacity) return;
    const { headWidth } = this.rotary;
    const capacity = Math.ceil(slots * 1.25);
    // Table, then staged bytes, then the regions; all float32 at multiples of four.
    let at = this.#tableRows * headWidth * 4;
    const take = (bytes: number) => {
      const from = at;
      at += Math.ceil(bytes / 16) * 16;
      return from;
    };
    const places = { keys: take(capacity * headWidth), values: take(capacity * headWidth), scales: take(capacity * 8), rows: take(capacity * 4) };
    const regions = Array.from({ length: this.#regionCount }, () => ({ keys: take(capacity * headWidth * 4), values: take(capacity * headWidth * 4) }));
    this.#kernel.reserve(at);
    const { buffer } = this.#kernel;
    this.#keys = new Int8Array(buffer, places.keys, capacity * headWidth);
    this.#values = new Int8Array(buffer, places.values, capacity * headWidth);
    this.#scales = new Float32Array(buffer, places.scales, capacity * 2);
    this.#rows = new Uint32Array(buffer, places.rows, capacity);
    const floats = (offset: number) => new Float32Array(buffer, offset, capacity * headWidth);
    this.#regions = regions.map(({ keys, values }) => ({ keys: floats(keys), values: floats(values), of: undefined, version: -1 }));
    this.#capacity = capacity;
  }

  /** float32 [length, D] each, of a head as it is now. */
  read(head: Int8Slots): { readonly keys: Float32Array; readonly values: Float32Array } {
    this.reserve(head.length);
    const region = this.#regions[head.region]!;
    if (region.of === head && region.version === head.version) return region;
    const { headWidth, layout } = this.rotary;
    const { length, position } = head;
    this.#keys.set(head.keyBytes.subarray(0, length * headWidth));
    this.#values.set(head.valueBytes.subarray(0, length * headWidth));
    this.#scales.set(head.scales.subarray(0, 2 * length));
    const rowBytes = headWidth * 4;
    for (let slot = 0; slot < length; slot++) this.#rows[slot] = this.#row(position[slot]!) * rowBytes;
    this.#kernel.expand(this.#keys.byteOffset, this.#scales.byteOffset, this.#rows.byteOffset, this.#values.byteOffset, length, headWidth, Number(layout === 'pairs'), region.keys.byteOffset, region.values.byteOffset);
    region.of = head;
    region.version = head.version;
    return region;
  }

  /** The row of the table that holds a position's angles. Slots that are seen together lie within one context, so that their rows differ. */
  #row(position: number): number {
    const row = position % this.#tableRows;
    if (this.#positions[row] !== position) {
      const { headWidth } = this.rotary;
      const at = row * headWidth * 4;
      const { buffer } = this.#kernel;
      this.rotary.table(position, 1, new Float32Array(buffer, at, headWidth / 2), new Float32Array(buffer, at + headWidth * 2, headWidth / 2));
      this.#positions[row] = position;
    }
    return row;
  }
}
