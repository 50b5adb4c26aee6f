// The KV store: the slots of all layers and heads, their bytes always counted, and a cap on them that is never passed.
import { CapacityError } from '../core/errors.ts';
import { Int8Slots } from './int8-slots.ts';
import type { SlotReader } from './slot-reader.ts';
import { bytesPerSlot, columnNames, HeadSlots, type SlotColumns, type SlotData, type SlotFormat, type SlotStorage } from './slots.ts';

export interface KvShape {
  /** L. */
  readonly layers: number;
  /** H, KV heads of a layer. */
  readonly kvHeads: number;
  /** D. */
  readonly headWidth: number;
}

/** Everything that a store holds, as plain data for a file: one entry per layer and head, layer by layer. */
export interface KvSnapshot extends KvShape {
  readonly heads: readonly { readonly length: number; readonly columns: SlotColumns; readonly data: SlotData }[];
  readonly format: SlotFormat;
}

/** Growth steps are at least this many slots. */
const leastGrowth = 64;

/**
 * Keys, values and slot records of one stream. Heads may have different lengths. `liveBytes` counts slots in use, `allocatedBytes` the arrays;
 * neither passes `capBytes`, not even while an array is being moved to a larger one.
 */
export class KvStore implements Disposable {
  readonly shape: KvShape;
  readonly capBytes: number;
  /** [L · H], layer by layer. */
  readonly heads: readonly SlotStorage[];
  /** [H]: where slots that were picked for one look are gathered; empty between chunks. */
  readonly gathered: readonly SlotStorage[];
  readonly format: SlotFormat;
  readonly bytesPerSlot: number;
  /** Bytes that are there however few slots are: the last slot of each head, exactly, where slots are rounded. */
  readonly fixedBytes: number;
  /**
   * Slots that every head can have at once under the cap. A little less than the cap divided by the bytes of a slot: growing one head keeps its old
   * keys beside the new ones for a moment.
   */
  readonly slotsPerHead: number;
  #allocatedSlots = 0;
  /** Changes whenever an array was replaced, so that views of the old ones are known to be stale. */
  generation = 0;

  /** @param reader of slots in 8 bits; absent: slots are float32 */
  constructor(shape: KvShape, capBytes = Infinity, reader?: SlotReader) {
    this.shape = shape;
    this.capBytes = capBytes;
    const create = (kvHead: number): SlotStorage => (reader ? new Int8Slots(reader, kvHead) : new HeadSlots(shape.headWidth));
    this.format = reader ? 'int8' : 'float32';
    this.bytesPerSlot = bytesPerSlot(shape.headWidth, this.format);
    this.heads = Array.from({ length: shape.layers * shape.kvHeads }, (_, i) => create(i % shape.kvHeads));
    this.gathered = Array.from({ length: shape.kvHeads }, (_, kvHead) => create(kvHead));
    this.fixedBytes = reader ? this.heads.length * 2 * shape.headWidth * 4 : 0;
    this.slotsPerHead = Math.max(0, Math.floor((capBytes - this.fixedBytes) / (this.heads.length * this.bytesPerSlot + this.#movedBytes)));
  }

  /** Slots over all heads that there may be for `count` more to fit into each, wherever they lie. */
  slotsBefore(count: number): number {
    return Math.floor((this.capBytes - this.fixedBytes - (this.longestHead + count) * this.#movedBytes) / this.bytesPerSlot) - count * this.heads.length;
  }

  head(layer: number, kvHead: number): SlotStorage {
    return this.heads[layer * this.shape.kvHeads + kvHead]!;
  }

  /** Slots in use over all layers and heads. */
  get slots(): number {
    let sum = 0;
    for (const head of this.heads) sum += head.length;
    return sum;
  }

  /** Slots of the longest head. */
  get longestHead(): number {
    let longest = 0;
    for (const head of this.heads) longest = Math.max(longest, head.length);
    return longest;
  }

  get liveBytes(): number {
    return this.fixedBytes + this.slots * this.bytesPerSlot;
  }

  get allocatedBytes(): number {
    return this.fixedBytes + this.#allocatedSlots * this.bytesPerSlot;
  }

  /**
   * Makes room for `count` more slots in every head.
   * @throws CapacityError when the cap cannot hold them; nothing has changed then but where slack lies
   */
  reserve(count: number): void {
    let needed = 0;
    for (const head of this.heads) needed += Math.max(0, head.length + count - head.capacity);
    if (needed === 0) return;
    if (this.fixedBytes + (this.slots + count * this.heads.length) * this.bytesPerSlot > this.capBytes) this.#full(count);
    for (const head of this.heads) {
      const wanted = head.length + count;
      if (wanted > head.capacity) this.#grow(head, wanted, count);
    }
  }

  /**
   * Copies slots of a head to where they lie side by side. The copy counts as allocated, and lives until the next one.
   * @param slots ascending
   * @throws CapacityError when the cap cannot hold the copy
   */
  gather(layer: number, kvHead: number, slots: Int32Array): SlotStorage {
    const from = this.head(layer, kvHead);
    const to = this.gathered[kvHead]!;
    to.truncate(0);
    if (slots.length > to.capacity) this.#grow(to, slots.length);
    for (let run = 0; run < slots.length; ) {
      const first = slots[run]!;
      let count = 1;
      while (run + count < slots.length && slots[run + count] === first + count) count++;
      to.copy(from, first, count);
      run += count;
    }
    return to;
  }

  /** Gives back all room that is not in use, but for `spare` slots a head. */
  trim(spare = 0): void {
    for (const head of this.gathered) if (head.capacity > head.length) this.#resize(head, head.length);
    for (const head of this.heads) if (head.capacity > head.length + spare) this.#resize(head, head.length + spare);
  }

  /** A copy of everything. */
  snapshot(): KvSnapshot {
    return {
      ...this.shape,
      format: this.format,
      heads: this.heads.map((head) => ({
        length: head.length,
        columns: Object.fromEntries(columnNames.map((name) => [name, head[name].slice(0, head.length)])) as unknown as SlotColumns,
        data: head.save(),
      })),
    };
  }

  /**
   * Replaces everything by what `snapshot` gave.
   * @throws CapacityError when the cap cannot hold it, or when it is of another shape
   */
  restore(snapshot: KvSnapshot): void {
    const { layers, kvHeads, headWidth } = this.shape;
    const shape = (of: KvShape) => `${of.layers} layers × ${of.kvHeads} heads × ${of.headWidth} wide`;
    if (snapshot.format !== this.format) throw new CapacityError('MEMORY_SHAPE', { what: 'the saved memory has slots of another format', got: snapshot.format, expected: this.format });
    if (snapshot.layers !== layers || snapshot.kvHeads !== kvHeads || snapshot.headWidth !== headWidth) {
      throw new CapacityError('MEMORY_SHAPE', { what: 'the saved memory is of another model', got: shape(snapshot), expected: shape(this.shape) });
    }
    const slots = snapshot.heads.reduce((sum, { length }) => sum + length, 0);
    if (this.fixedBytes + slots * this.bytesPerSlot > this.capBytes) {
      throw new CapacityError('MEMORY_FULL', { what: 'the saved memory is larger than the cap', got: `${this.fixedBytes + slots * this.bytesPerSlot} bytes`, expected: `at most ${this.capBytes} bytes`, todo: 'raise memoryMiB' });
    }
    for (const head of this.heads) head.truncate(0);
    this.trim();
    snapshot.heads.forEach((saved, i) => {
      const head = this.heads[i]!;
      this.#resize(head, saved.length);
      head.restore(saved.data, saved.length, saved.columns);
    });
  }

  [Symbol.dispose](): void {
    for (const head of [...this.heads, ...this.gathered]) head.truncate(0);
    this.trim();
  }

  /** @param spare room that other heads must keep when slack is taken from them; absent: none is taken */
  #grow(head: SlotStorage, wanted: number, spare?: number): void {
    // Half as much again, so that appending is cheap on average; near the cap no more than a fair share, so that no head starves the others.
    const generous = Math.min(Math.max(wanted, Math.ceil(head.capacity * 1.5), head.capacity + leastGrowth), Math.max(wanted, this.slotsPerHead));
    const capacity = this.#fits(head, generous) ? generous : wanted;
    if (!this.#fits(head, capacity)) {
      if (spare !== undefined) this.trim(spare);
      if (!this.#fits(head, capacity)) this.#full(wanted - head.length);
    }
    this.#resize(head, capacity);
  }

  /** Whether the cap allows it, the old keys beside the new ones included. */
  #fits(head: SlotStorage, capacity: number): boolean {
    return this.fixedBytes + (this.#allocatedSlots - head.capacity + capacity) * this.bytesPerSlot + head.capacity * this.#movedBytes <= this.capBytes;
  }

  /** Bytes of a slot that are there twice for a moment while a head grows. */
  get #movedBytes(): number {
    return this.shape.headWidth * (this.format === 'int8' ? 1 : 4);
  }

  #resize(head: SlotStorage, capacity: number): void {
    this.#allocatedSlots += capacity - head.capacity;
    head.resize(capacity);
    this.generation++;
  }

  #full(count: number): never {
    throw new CapacityError('MEMORY_FULL', {
      what: `the memory cannot take ${count} more tokens`,
      got: `${this.longestHead} slots in the longest head, ${this.liveBytes} bytes in use`,
      expected: `at most ${this.capBytes} bytes, which is ${this.slotsPerHead} slots a head`,
      todo: 'raise memoryMiB, or choose a memory method that keeps less',
    });
  }
}
