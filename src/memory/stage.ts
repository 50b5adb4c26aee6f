// The memory stage: one stream's KV store under a method. Chunks enter whole or not at all; questions can be undone; positions stay in context.
import { CapacityError, UserError } from '../core/errors.ts';
import type { DecoderSpec } from '../models/contract.ts';
import { countOf, describeTokens } from './arriving.ts';
import { carryOut, checkPlan } from './compact.ts';
import type { LayerChunk, Look, MemoryMark, MemoryOptions, MemoryReport, MemorySnapshot, Stretch } from './contract.ts';
import { newFrame } from './frames.ts';
import { lastQueries, markDecisions, slotsInSight, type Eviction } from './inline-eviction.ts';
import { closedSlots, InlinePooling } from './inline-pooling.ts';
import { KvStore } from './kv-store.ts';
import type { Incoming, MemoryMethod, MemoryNeed, MemoryStream, OpenContext, Projected, HeadPlace } from './method.ts';
import { isAsked, MethodPart } from './part.ts';
import { closeUp, renumber } from './rebase.ts';
import { memoryMethodNamed, optionsOf, parseMemoryOptions, type ParsedMemoryOptions } from './registry.ts';
import { makeRoom } from './room.ts';
import { Rotary } from './rotary.ts';
import { SlotReader } from './slot-reader.ts';
import { createColumns, hasMerged, kindCode, tailOf, type SlotColumns, type SlotStorage } from './slots.ts';

interface OpenMark extends MemoryMark {
  position: number;
  readonly lengths: Int32Array;
  /** The last slot of each head, which what comes may go on with or decide on. */
  readonly tails: readonly SlotStorage[];
}

/** One stream's memory. The decoder calls `begin`, `write` and `end`; a session marks, undoes and reads reports. */
export class Memory implements Disposable {
  readonly store: KvStore;
  readonly rotary: Rotary;
  readonly method: MemoryMethod;
  readonly methodName: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Place in the stream of the next token. */
  position = 0;
  tokensSeen = 0;
  /** Whether slots moved together since the newest frame came in: what it left out has no positions of its own any more. */
  gapsClosed = false;
  /** Methods in the order in which they act; only the first acts while a chunk comes in. */
  readonly #parts: readonly MethodPart[];
  readonly #stream: MemoryStream;
  readonly #reader: SlotReader | undefined;
  /** Whether the method is asked while a layer's keys and values come in. */
  readonly #decidesInline: boolean;
  readonly #contextLength: number;
  #mark: OpenMark | undefined;
  #chunk: { readonly count: number; readonly span: number; readonly lengths: Int32Array; readonly looks: Look[]; readonly evictions: Eviction[] } | undefined;
  readonly #pooling: InlinePooling;
  /** Whether slots count more than one token though the method merges none. */
  #countsCame = false;
  #slotsRead = 0;
  /** What `select` picked last. */
  #picked: Int32Array | undefined;
  #tokens: SlotColumns = createColumns(0);

  private constructor(spec: DecoderSpec, name: string, method: MemoryMethod, { options, slotFormat }: ParsedMemoryOptions, { capBytes = Infinity, adapter }: Pick<MemoryOptions, 'capBytes' | 'adapter'>, saved: MemorySnapshot['state'] | undefined) {
    this.method = method;
    this.methodName = name;
    this.options = options;
    this.#contextLength = spec.contextLength;
    this.rotary = new Rotary({ headWidth: spec.headWidth, theta: spec.ropeTheta, layout: spec.ropeLayout });
    this.#reader = slotFormat === 'int8' ? new SlotReader(this.rotary, spec.kvHeads, spec.contextLength) : undefined;
    this.store = new KvStore(spec, capBytes, this.#reader);
    this.#pooling = new InlinePooling(spec.headWidth, this.rotary);
    const context: OpenContext = { layers: spec.layers, kvHeads: spec.kvHeads, headWidth: spec.headWidth, queryHeads: spec.queryHeads, contextLength: spec.contextLength, ropeTheta: spec.ropeTheta, ropeLayout: spec.ropeLayout, ...(adapter && { adapter }) };
    this.#parts = (method.parts ?? [method]).map((part, i) => new MethodPart(name, part, method.scope, method.parts ? optionsOf(part, options) : options, context, saved?.[i]));
    this.#stream = this.#parts[0]!.stream;
    this.#decidesInline = this.#parts.some(({ stream: of }) => of.watch !== undefined || of.pool !== undefined || of.evict !== undefined || of.select !== undefined);
  }

  /**
   * Opens an empty memory for a decoder of that shape.
   * @throws UserError for an unknown method or wrong options
   */
  static async open(spec: DecoderSpec, { method, ...rest }: MemoryOptions, saved?: MemorySnapshot['state']): Promise<Memory> {
    return Memory.with(spec, method, await memoryMethodNamed(method), rest, saved);
  }

  /** Opens a memory under a method that is not in the folder (a reader's own). */
  static with(spec: DecoderSpec, name: string, method: MemoryMethod, { options = {}, ...rest }: Omit<MemoryOptions, 'method'> = {}, saved?: MemorySnapshot['state']): Memory {
    const { capBytes = Infinity } = rest;
    if (!(capBytes > 0)) throw new UserError('MEMORY_CAP', { what: 'the memory cap is no size', got: `${capBytes} bytes`, expected: 'a number above 0' });
    return new Memory(spec, name, method, parseMemoryOptions(method, name, options), rest, saved);
  }

  /** Opens a memory as `save` left it. */
  static async restore(spec: DecoderSpec, snapshot: MemorySnapshot, rest: Pick<MemoryOptions, 'capBytes' | 'adapter'> = {}): Promise<Memory> {
    const options = { ...snapshot.options, slotFormat: snapshot.store.format };
    const memory = await Memory.open(spec, { method: snapshot.method, options, ...rest }, snapshot.state);
    memory.store.restore(snapshot.store);
    memory.position = snapshot.position;
    memory.tokensSeen = snapshot.tokensSeen;
    memory.#countsCame = snapshot.countsCame;
    return memory;
  }

  /** Everything as plain data; not within a chunk or behind a mark. */
  save(): MemorySnapshot {
    if (this.#chunk || this.#mark) throw new UserError('MEMORY_BUSY', { what: 'the memory cannot be saved now', got: 'a chunk or a question under way', expected: 'a memory at rest', todo: 'finish or undo the question first' });
    return { method: this.methodName, options: this.options, position: this.position, tokensSeen: this.tokensSeen, countsCame: this.#countsCame, store: this.store.snapshot(), state: this.#parts.map((part) => part.save()) };
  }

  /** What a decoder must give to this memory. */
  get needs(): readonly MemoryNeed[] {
    return this.#reader && !this.method.needs.includes('raw-keys') ? [...this.method.needs, 'raw-keys'] : this.method.needs;
  }

  /** The kind of adapter that the decoder must have. */
  get adapter(): MemoryMethod['adapter'] {
    return this.method.adapter;
  }

  /** Moves the knob of the method's budget; methods that cannot stay as they are. */
  tune(value: number): void {
    // The knob is that of the last that has one.
    this.#parts.findLast(({ method }) => method.budget)?.tune(value);
  }

  report(): MemoryReport {
    const { liveBytes, allocatedBytes, capBytes, slots, longestHead, bytesPerSlot, format } = this.store;
    return { liveBytes, allocatedBytes, capBytes, slots, tokensSeen: this.tokensSeen, longestHead, bytesPerSlot, slotFormat: format };
  }

  /** Slots that the last chunk's queries looked at, over all layers and heads: what a question reads, where a method stores more. */
  get slotsRead(): number {
    return this.#slotsRead;
  }

  /** Whether a chunk may hold tokens of several frames: methods that act at the start of a frame must see it. */
  get joinsFrames(): boolean {
    return this.#parts.every(({ stream }) => stream.before === undefined);
  }

  /**
   * Makes ready for a chunk: asks the method what goes, makes room under the cap and in the context.
   * @param stretches of one frame at most, and from its start, unless `joinsFrames`
   * @returns position of the first token
   * @throws CapacityError when what is protected leaves no room; the memory is as before but for what the method dropped
   */
  begin(stretches: readonly Stretch[]): number {
    if (this.#chunk) throw new UserError('MEMORY_BUSY', { what: 'a chunk is under way', expected: 'end() or abort() before the next begin()' });
    const incoming = this.#describe(stretches);
    const { count } = incoming;
    const base = this.position;
    const span = count === 0 ? 0 : this.#tokens.position[count - 1]! + 1 - base;
    if (!this.#mark) this.#ask(this.#parts, (stream, head, place) => stream.before?.(head, incoming, place));
    this.#makeRoom(incoming, count, span);
    if (newFrame(this.store.heads[0]!, incoming)) this.gapsClosed = false;
    this.store.reserve(count);
    this.#reader?.reserve(this.store.longestHead + count);
    const shift = this.position - base;
    for (let t = 0; t < count; t++) this.#tokens.position[t]! += shift;
    // From the first such token on, or results would depend on where a chunk begins.
    for (let t = 0; t < count; t++) if (this.#tokens.tokens[t]! > 1) this.#countsCame = true;
    this.#chunk = { count, span, lengths: this.#lengths(), looks: [], evictions: [] };
    this.#slotsRead = 0;
    return this.#tokens.position[0] ?? this.position;
  }

  /**
   * Rotations of the tokens of the chunk under way.
   * @param cos float32 [at least count, D/2]
   * @param sin float32 [at least count, D/2]
   */
  rotations(cos: Float32Array, sin: Float32Array): void {
    const { position } = this.#tokens;
    const { count } = this.#chunk!;
    const half = this.rotary.headWidth / 2;
    for (let t = 0; t < count; t++) this.rotary.table(position[t]!, 1, cos.subarray(t * half), sin.subarray(t * half));
  }

  /** Whether something happens to a layer's slots between `write` and `look`. If not, `look` may be asked for old slots before `write`, of all layers at once. */
  get actsBetweenLayers(): boolean {
    return this.#decidesInline || this.#reader !== undefined;
  }

  /** float32 [T], added to the scores of the tokens of the chunk under way where some stand for several: what `look` adds once they are slots. */
  chunkBias(): Float32Array | undefined {
    return this.#logCounts(this.#tokens.tokens.subarray(0, this.#chunk!.count));
  }

  /** Stores what the chunk became in one layer; from then on its tokens are the last slots of that layer's heads. */
  write(layer: number, made: LayerChunk): void {
    const { kvHeads, headWidth } = this.store.shape;
    const { count, looks } = this.#chunk!;
    const stride = kvHeads * headWidth;
    const heads = this.store.heads.slice(layer * kvHeads, (layer + 1) * kvHeads);
    for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
      const head = heads[kvHead]!;
      const offset = kvHead * headWidth;
      const append = () => head.append(count, head.rotated ? made.keys : made.rawKeys!, made.values, offset, stride, this.#tokens);
      if (this.#decidesInline) {
        const { keys, values, queries, rawKeys = noKeys, decisions = noKeys, importances = noKeys } = made;
        this.#decide(head, { count, keys, rawKeys, values, offset, stride, decisions, importances, queries, tokens: this.#tokens, heads }, { layer, kvHead }, append);
      } else append();
      this.#slotsRead += (looks[layer * kvHeads + kvHead]?.slots ?? head).length;
    }
  }

  /** Asks the method about the chunk in one head and takes the chunk in as it says. */
  #decide(head: SlotStorage, projected: Projected, place: HeadPlace, append: () => void): void {
    const { count, looks, evictions } = this.#chunk!;
    const stream = this.#stream;
    const at = place.layer * this.store.shape.kvHeads + place.kvHead;
    for (const part of this.#parts) part.stream.watch?.(projected, place);
    if (stream.evict) {
      const eviction = { ...stream.evict(head, projected, place), count };
      append();
      const until = lastQueries(head, eviction);
      looks[at] = { slots: head, ...(until && { until }) };
      evictions[at] = eviction;
    } else if (stream.pool) {
      looks[at] = { slots: head, merge: this.#pooling.append(head, stream.pool(head, projected, place), projected, this.#tokens, this.methodName) };
    } else if (stream.select) {
      if (isAsked(this.method.scope, place)) this.#picked = stream.select(head, projected, place);
      append();
      const slots = this.#gatherPicked(head, place, count);
      if (slots) looks[at] = { slots };
    } else append();
  }

  /**
   * The picked slots of a head and the chunk at its end, together; nothing where all were picked.
   * @throws CapacityError when they are more than a query may look at
   */
  #gatherPicked(head: SlotStorage, { layer, kvHead }: HeadPlace, count: number): SlotStorage | undefined {
    const picked = this.#picked;
    const past = head.length - count;
    const seen = (picked?.length ?? past) + count;
    const isCloseUp = this.method.positions === 'look';
    if (isCloseUp && seen > this.#contextLength) {
      throw new CapacityError('CONTEXT_FULL', { what: `${count} tokens look at more than the model's context holds`, got: `${seen} slots under method ${this.methodName}`, expected: `at most ${this.#contextLength}` });
    }
    if (picked === undefined) return undefined;
    const all = new Int32Array(seen);
    all.set(picked);
    for (let t = 0; t < count; t++) all[picked.length + t] = past + t;
    const slots = this.store.gather(layer, kvHead, all);
    if (isCloseUp) closeUp(slots, picked.length, this.rotary);
    return slots;
  }

  /** What the chunk's queries see in a head, between `write` of that layer and `write` of the next. */
  look(layer: number, kvHead: number): Look {
    const look = this.#chunk!.looks[layer * this.store.shape.kvHeads + kvHead];
    const slots = look?.slots ?? this.store.head(layer, kvHead);
    const slotBias = this.#logCounts(slots.tokens.subarray(0, slots.length));
    return slotBias ? { ...look, slots, slotBias } : (look ?? { slots });
  }

  /** What counts add to scores; nothing where they add nothing. */
  #logCounts(tokens: Float32Array): Float32Array | undefined {
    // A model that was trained to merge takes a merged slot for one, however many tokens it stands for.
    if (this.#stream.pool || (this.method.scoreBias === 'none' && !this.#countsCame) || !hasMerged(tokens)) return undefined;
    return tokens.map(Math.log);
  }

  /**
   * The chunk has been attended in all layers: the method decides what stays.
   * @param attention float32 [slots seen], per layer and head; where the method needs it
   */
  end(attention?: (place: HeadPlace) => Float32Array): void {
    const { count, span, looks, evictions } = this.#chunk!;
    this.#chunk = undefined;
    this.position += span;
    this.tokensSeen += count;
    const keep = (head: SlotStorage, slots: Int32Array) => carryOut(checkPlan({ kind: 'keep', slots }, head, () => false, this.methodName), head, this.rotary);
    looks.forEach(({ merge }, i) => {
      const head = this.store.heads[i]!;
      if (merge) keep(head, closedSlots(head.length, merge));
    });
    evictions.forEach((eviction, i) => {
      const head = this.store.heads[i]!;
      markDecisions(head, eviction);
      const left = this.#mark ? undefined : slotsInSight(head, eviction.delay, this.position);
      if (left) keep(head, left);
    });
    for (const head of this.store.gathered) head.truncate(0);
    if (!this.#mark) this.#ask(this.#parts, (stream, head, place) => stream.after?.(head, { count, ...(attention && { attention: attention(place) }) }, place));
  }

  /**
   * Tokens of the newest frame that were not passed on because the last ones from their places still show the same: those stand for one token more.
   * @param places int32, numbers of tokens within a frame
   * @returns places whose last token has gone from every head: whoever asks about them must be shown them again
   */
  standOn(places: Int32Array): ReadonlySet<number> {
    const gone = new Set(places);
    if (this.#chunk || this.#mark) throw new UserError('MEMORY_BUSY', { what: 'run lengths cannot grow now', got: 'a chunk or a question under way', expected: 'a memory at rest' });
    if (places.length === 0) return gone;
    for (const head of this.store.heads) {
      const open = new Set(places);
      for (let slot = head.length - 1; slot >= 0 && open.size > 0; slot--) {
        if (head.kind[slot] !== kindCode.visual || !open.delete(head.place[slot]!)) continue;
        head.tokens[slot]!++;
        gone.delete(head.place[slot]!);
      }
    }
    this.#countsCame = true;
    return gone;
  }

  /** Takes a chunk back that was begun and not ended. */
  abort(): void {
    if (!this.#chunk) return;
    const { lengths } = this.#chunk;
    this.#chunk = undefined;
    this.store.heads.forEach((head, i) => head.truncate(lengths[i]!));
    for (const head of this.store.gathered) head.truncate(0);
  }

  /**
   * Marks this point. What follows can be undone exactly; until then nothing is dropped or merged.
   * @param reserve tokens that will follow at most: room for them is made now, by dropping what the method would drop
   * @throws CapacityError when so many do not fit
   */
  mark(reserve: number): MemoryMark {
    if (this.#mark || this.#chunk) throw new UserError('MEMORY_MARKED', { what: 'a question is already under way', expected: 'undo() or keep() before the next mark()' });
    this.#makeRoom(this.#describe([]), reserve, reserve);
    this.store.reserve(reserve);
    const tails = this.#stream.pool || this.#stream.evict ? this.store.heads.map(tailOf) : [];
    this.#mark = { tokensSeen: this.tokensSeen, position: this.position, lengths: this.#lengths(), tails };
    return this.#mark;
  }

  /** Forgets all that came after the mark. */
  undo(mark: MemoryMark): void {
    const open = this.#closeMark(mark);
    this.store.heads.forEach((head, i) => {
      const tail = open.tails[i];
      head.truncate(Math.max(0, open.lengths[i]! - (tail?.length ?? 0)));
      if (tail) head.copy(tail, 0, tail.length);
    });
    this.position = open.position;
    this.tokensSeen = open.tokensSeen;
  }

  /** Lets what came after the mark stay. */
  keep(mark: MemoryMark): void {
    this.#closeMark(mark);
  }

  [Symbol.dispose](): void {
    this.#chunk = undefined;
    this.#mark = undefined;
    this.store[Symbol.dispose]();
  }

  #closeMark(mark: MemoryMark): OpenMark {
    const open = this.#mark;
    if (open === undefined || mark !== open) throw new UserError('MEMORY_MARK', { what: 'this mark is not the open one', expected: 'the mark that mark() gave last, once' });
    this.abort();
    this.#mark = undefined;
    return open;
  }

  #lengths(): Int32Array {
    return Int32Array.from(this.store.heads, ({ length }) => length);
  }

  #describe(stretches: readonly Stretch[]): Incoming {
    this.#tokens = describeTokens(stretches, this.position, this.#tokens);
    return { count: countOf(stretches), ...this.#tokens };
  }

  /** Asks methods in turn. Returns whether any slot went. */
  #ask(parts: readonly MethodPart[], question: Parameters<MethodPart['ask']>[2]): boolean {
    let changed = false;
    for (const part of parts) if (part.ask(this.store, this.rotary, question)) changed = true;
    if (changed && this.method.positions === 'contiguous') this.#rebase(0);
    return changed;
  }

  /** Sees to it that `count` more tokens over `span` positions fit under the cap and into the context. */
  #makeRoom(incoming: Incoming, count: number, span: number): void {
    const context = this.method.positions === 'look' ? Infinity : this.#contextLength;
    const droppers = this.#parts.filter(({ stream }) => stream.room !== undefined).reverse();
    const wanted = { count, context, shared: this.method.scope === 'stream', methodName: this.methodName, evicting: this.#mark ? [] : droppers, drops: droppers.length > 0 };
    makeRoom(this.store, wanted, (part, mostOf) => {
      this.#ask([part], (stream, head, place) => {
        const most = mostOf(head);
        return head.length > most ? stream.room!(head, incoming, most, place) : undefined;
      });
    });
    if (this.position + span > context) this.#rebase(span);
  }

  /** Moves all slots to new positions, order kept, so that `count` more fit into the context. */
  #rebase(count: number): void {
    this.gapsClosed = true;
    // Where heads differ, they may together hold more positions than there are. Then a quarter is left free, so that this does not come with every chunk.
    const alike = this.method.scope === 'stream';
    const free = this.#contextLength - count;
    const next = renumber(this.store.heads, alike, this.rotary, alike ? free : Math.min(free, Math.ceil(this.#contextLength * 0.75)));
    if (this.#mark) this.#mark.position = next(this.#mark.position);
    this.position = next(this.position);
  }
}

const noKeys = new Float32Array(0);
