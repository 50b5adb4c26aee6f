// The engine: one model and its streams, in the thread that computes. A session talks to it through a worker.
import { AsyncDisposableStack } from '../core/disposal.ts';
import { ModelError, UserError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import type { Decoder, Piece } from '../language/decoder.ts';
import type { GateDecision } from '../gate/method.ts';
import { readRouter, type RouterWeights } from '../gate/router-weights.ts';
import { generate } from '../language/generate.ts';
import { frameStart } from '../memory/frames.ts';
import { slotCoverage, type HeadCoverage } from '../memory/slot-coverage.ts';
import type { MemoryMark } from '../memory/contract.ts';
import { Memory } from '../memory/stage.ts';
import { openCheckpoint } from '../models/checkpoint.ts';
import type { Checkpoint } from '../models/contract.ts';
import type { PackedModel } from '../models/packed/contract.ts';
import { defaultPrecision } from '../models/packed/default-precision.ts';
import { openWeights } from '../models/packed/open.ts';
import { onnxTime } from '../runtime/onnx.ts';
import { openVisionEncoder, type VisionEncoder } from '../vision/encoder.ts';
import { createPreprocessor, type Preprocessor } from '../vision/preprocess.ts';
import type { SeenFrame } from '../vision/stage.ts';
import type { FrameExplanation, GenerationOptions, MemoryReport, ModelInfo } from './contract.ts';
import type { FrameAllowance } from './budget-controller.ts';
import { EngineDecoder } from './engine-decoder.ts';
import { chunkTokensFor, framePieces, frameSpan, visualPieces, type FrameText } from './frame-pieces.ts';
import { SharedFrames, type FrameSeen } from './shared-frames.ts';
import type { EngineAnswer, EngineFrame, LoadArgument, LoadProgress, OpenArgument } from './engine-service.ts';
import { defaultPreset, presets } from './presets.ts';
import { checkpointSampling, questionPieces, tokensOf } from './question-pieces.ts';
import { modelIdentity, readSession, saveSession } from './saved-session.ts';
import { StreamStages } from './stream-stages.ts';

/** Longest answer unless the caller says otherwise. */
const defaultMaxTokens = 128;

/** All that belongs to one stream. */
interface Stream {
  readonly memory: Memory;
  stages: StreamStages;
  readonly openStages: () => Promise<StreamStages>;
  /** Set where other streams see the same frames. */
  readonly shared: SharedFrames | undefined;
  /** Whether reports say which patches and tokens they count. */
  readonly explain: boolean;
  /** Questions answered and kept in the dialogue. */
  turn: number;
  /** Frames shown since the last of them. */
  framesInTurn: number;
  frames: number;
  /** Number of the last frame that was shown; −1 before one was. */
  shownFrame: number;
  timeSec: number;
  /** Positions that frames which were not shown would have taken since something was. */
  unshown: number;
  /** Whether the opening of the prompt has gone in. */
  opened: boolean;
}

/** Whether what vision held back of the newest frame has no positions of its own any more. */
const placesClosed = ({ memory, unshown }: Stream) => unshown === 0 && memory.gapsClosed;

export interface LoadOptions extends LoadArgument {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
}

export interface FrameOptions {
  /** What the budget leaves for the frame; absent: everything. */
  readonly allowance?: FrameAllowance;
  readonly signal?: AbortSignal;
}

/** One loaded model. Calls of one engine must not overlap. */
export class Engine implements AsyncDisposable {
  readonly info: ModelInfo;
  readonly checkpoint: Checkpoint;
  readonly #resources: AsyncDisposableStack;
  readonly #encoder: VisionEncoder;
  readonly #preprocessor: Preprocessor;
  readonly #decoders: EngineDecoder;
  #router: RouterWeights | undefined;
  #identity: Promise<string> | undefined;
  /** int32: the place of every visual token of a frame. */
  readonly #allPlaces: Int32Array;
  readonly #streams = new Map<number, Stream>();
  #nextStream = 0;
  /** Of the streams that were opened last: only those of one name share at a time. */
  #shared: SharedFrames | undefined;

  private constructor(info: ModelInfo, checkpoint: Checkpoint, encoder: VisionEncoder, preprocessor: Preprocessor, decoders: EngineDecoder, resources: AsyncDisposableStack) {
    this.info = info;
    this.checkpoint = checkpoint;
    this.#encoder = encoder;
    this.#preprocessor = preprocessor;
    this.#decoders = decoders;
    this.#allPlaces = Int32Array.from({ length: encoder.layout.count }, (_, place) => place);
    this.#resources = resources;
  }

  /** Opens a checkpoint, packing its weights first where the precision needs it and the cache has no pack. */
  static async load({ folder, adapter, cacheFolder, precision: wanted, threads, signal, onProgress }: LoadOptions): Promise<Engine> {
    const start = performance.now();
    const checkpoint = await openCheckpoint(folder, adapter === undefined ? {} : { adapter });
    const { vision, decoder: text } = checkpoint;
    const precision = wanted ?? defaultPrecision(checkpoint);
    if (!vision) throw new ModelError('NO_VISION', { what: `${folder} cannot watch video`, got: `a ${checkpoint.family} model of text alone`, expected: 'a vision-language model' });
    await using opened = new AsyncDisposableStack();
    const packed: PackedModel = opened.use(
      await openWeights(checkpoint, precision, cacheFolder, {
        threads,
        ...(signal && { signal }),
        ...(onProgress && { onProgress: ({ done, total, unit }: { done: number; total: number; unit: string }) => onProgress({ stage: `converting weights (${unit})`, done: done / total }) }),
      }),
    );
    if (!packed.vision) throw new ModelError('NO_VISION', { what: `the pack of ${folder} has no vision encoder`, todo: 'delete the pack in the cache; it is made again' });
    const encoder = opened.use(await openVisionEncoder({ spec: vision.spec, projector: vision.projector }, packed.vision, { threads }));
    signal?.throwIfAborted();
    const { memory } = presets[defaultPreset].stages(checkpoint);
    using expected = await Memory.open(text.spec, { ...memory, ...(checkpoint.adapter && { adapter: checkpoint.adapter }) });
    const decoders = opened.use(await EngineDecoder.open(text.spec, packed.decoder, { threads, chunkTokens: chunkTokensFor(checkpoint) }, expected));
    const { layers, kvHeads, headWidth, contextLength } = text.spec;
    const info: ModelInfo = {
      folder,
      family: checkpoint.family,
      ...(checkpoint.adapter && { adapter: { name: checkpoint.adapter.name, kind: checkpoint.adapter.kind, ratio: checkpoint.adapter.ratio } }),
      precision,
      parameters: checkpoint.parameters,
      tokensPerFrame: checkpoint.tokensPerFrame,
      imageWidthPx: vision.image.widthPx,
      imageHeightPx: vision.image.heightPx,
      contextLength,
      bytesPerToken: 2 * layers * kvHeads * headWidth * Float32Array.BYTES_PER_ELEMENT,
      openMs: performance.now() - start,
    };
    return new Engine(info, checkpoint, encoder, createPreprocessor(vision.image, vision.spec), decoders, opened.move());
  }

  get #decoder(): Decoder {
    return this.#decoders.decoder;
  }

  /** Opens a stream with an empty memory; the number names it in later calls. */
  async open({ memory: method, memoryOptions: options, memoryMiB, share, explain = false, resume, ...rest }: OpenArgument): Promise<number> {
    const { decoder, vision, adapter, folder } = this.checkpoint;
    const limits = { capBytes: Math.floor(memoryMiB * 2 ** 20), ...(adapter && { adapter }) };
    const empty = await Memory.open(decoder.spec, { method, options, ...limits });
    const saved = resume === undefined ? undefined : await readSession(resume, { identity: await this.#modelIdentity(), folder }, empty);
    const memory = saved ? await Memory.restore(decoder.spec, saved.memory, limits) : empty;
    await this.#decoders.provide(memory);
    const router = (this.#router ??= await readRouter(folder));
    const openStages = () => StreamStages.open(rest, { encoder: this.#encoder, image: vision!.image, memory, router });
    const stages = await openStages();
    stages.vision.resume(saved?.newest);
    const id = this.#nextStream++;
    // A method that leaves patches or tokens out goes by the frames before.
    const shared = share === undefined || !stages.isWhole ? undefined : this.#shared?.name === share ? this.#shared : (this.#shared = new SharedFrames(share));
    this.#streams.set(id, { memory, shared, stages, openStages, explain, ...(saved?.place ?? { turn: 0, framesInTurn: 0, frames: 0, shownFrame: -1, timeSec: -1, unshown: 0, opened: false }) });
    return id;
  }

  /** Takes one frame in: gate, preprocessing, vision, prefill. A frame that fails leaves the memory without it. */
  async frame(id: number, frame: Frame, { allowance, signal }: FrameOptions = {}): Promise<EngineFrame> {
    const stream = this.#stream(id);
    const { gate, vision } = stream.stages;
    const start = performance.now();
    const decision = stream.stages.decide(frame, allowance);
    const gateMs = performance.now() - start;
    if (decision.path === 'skip') return { ...this.#skip(stream, frame, decision), gateMs };
    const abort = signal && { signal };
    const seen = stream.shared?.find(frame.timeSec) ?? (await this.#see(stream, frame, signal).catch((error: unknown) => {
      gate.settle('failed');
      throw error;
    }));
    const { visual } = seen;
    const prefillStart = performance.now();
    const runtimeStart = onnxTime.ms;

    const text = this.checkpoint.prompt.stream.frame({ turn: stream.turn, framesBefore: stream.framesInTurn, timeSec: frame.timeSec });
    const pieces = framePieces(visual, text, this.#encoder.tokensPerFrame, { source: stream.frames, timeSec: frame.timeSec, gap: stream.unshown });
    try {
      if (!stream.opened) {
        await this.#decoder.prefill(stream.memory, this.#opening(stream), { logits: 'none', ...abort });
        stream.opened = true;
      }
      await this.#decoder.prefill(stream.memory, pieces, { logits: 'none', ...abort });
    } catch (error) {
      // What vision holds to be known never reached the memory.
      vision.restart();
      gate.settle('failed');
      throw error;
    }
    gate.settle(decision.path);
    if (visual.standing) vision.showAgain(stream.memory.standOn(visual.standing));
    if (pieces.length > 0) Object.assign(stream, { shownFrame: stream.frames, framesInTurn: stream.framesInTurn + 1, unshown: 0 });
    else this.#leaveGap(stream, text);
    stream.frames++;
    stream.timeSec = frame.timeSec;
    return {
      report: { ...this.#report(stream, frame, decision), patchesRecomputed: visual.recomputed.length, visualTokens: visual.places.length, ...(stream.explain && { explained: this.#explain(visual) }) },
      gateMs,
      preprocessMs: seen.preprocessMs,
      visionMs: seen.visionMs,
      prefillMs: performance.now() - prefillStart,
      runtimeMs: seen.runtimeMs + onnxTime.ms - runtimeStart,
    };
  }

  /** A frame that costs nothing: time moves on, and where the scene stood still, so does what the memory has of it. */
  #skip(stream: Stream, frame: Frame, decision: GateDecision): Omit<EngineFrame, 'gateMs'> {
    const { gate, vision } = stream.stages;
    gate.settle('skip');
    if (gate.stands(decision)) {
      const lost = [...stream.memory.standOn(this.#allPlaces)];
      vision.showAgain(lost);
      if (lost.length > 0) gate.demand();
    }
    this.#leaveGap(stream, this.checkpoint.prompt.stream.frame({ turn: stream.turn, framesBefore: stream.framesInTurn, timeSec: frame.timeSec }));
    stream.frames++;
    stream.timeSec = frame.timeSec;
    return { report: this.#report(stream, frame, decision), preprocessMs: 0, visionMs: 0, prefillMs: 0, runtimeMs: 0 };
  }

  #explain({ recomputed, places }: SeenFrame): FrameExplanation {
    const { grid, layout, patchLength } = this.#encoder;
    const { widthPx, heightPx } = this.checkpoint.vision!.image;
    const patchPx = Math.sqrt(patchLength / 3);
    return {
      patches: [...recomputed],
      tokens: [...places],
      patchColumns: grid.columns,
      patchRows: grid.rows,
      tokenColumns: layout.columns,
      tokenRows: layout.rows,
      covered: { width: (grid.columns * patchPx) / widthPx, height: (grid.rows * patchPx) / heightPx },
    };
  }

  #report({ memory }: Stream, { index, timeSec, pictureType }: Frame, gate: GateDecision): EngineFrame['report'] {
    return { index, timeSec, pictureType, gate, patchesRecomputed: 0, patches: this.#encoder.patches, visualTokens: 0, memory: memory.report() };
  }

  /** A frame that is not shown leaves the positions free that it would have taken. */
  #leaveGap(stream: Stream, text: FrameText): void {
    // The gap moves what is seen into the past; it must not push it out of the context.
    stream.unshown = Math.min(stream.unshown + frameSpan(text, this.#encoder.tokensPerFrame), this.checkpoint.decoder.spec.contextLength >> 2);
  }

  async #see({ stages: { vision }, shared }: Stream, frame: Frame, signal: AbortSignal | undefined): Promise<FrameSeen> {
    const start = performance.now();
    const runtimeStart = onnxTime.ms;
    const picture = this.#preprocessor.resized(frame);
    const preprocessed = performance.now();
    const motion = frame.motion && { vectors: frame.motion, scaleX: picture.widthPx / frame.widthPx, scaleY: picture.heightPx / frame.heightPx };
    const visual = await vision.see(picture, frame.timeSec, { ...(motion && { motion }), ...(signal && { signal }) });
    const seen: FrameSeen = { visual, preprocessMs: preprocessed - start, visionMs: performance.now() - preprocessed, runtimeMs: onnxTime.ms - runtimeStart };
    shared?.keep(frame.timeSec, seen);
    return seen;
  }

  /**
   * Answers a question about what the memory holds. With `remember`, question and answer stay; an aborted or failed question leaves no trace.
   * @param onText receives the answer as it is written
   */
  async ask(id: number, question: string, generation: GenerationOptions, remember: boolean, onText: (text: string) => void, signal?: AbortSignal): Promise<EngineAnswer> {
    const stream = this.#stream(id);
    const { memory } = stream;
    const { prompt } = this.checkpoint;
    const abort = signal && { signal };
    const start = performance.now();
    const runtimeStart = onnxTime.ms;
    const { maxTokens = defaultMaxTokens, stop = [], ...sampling } = generation;
    const origin = { source: stream.turn, timeSec: stream.timeSec } as const;
    const answerOrigin = { kind: 'answer', ...origin } as const;
    const parts = prompt.stream.question(question, { turn: stream.turn, framesBefore: stream.framesInTurn });
    const asked = (gap: number) => [...this.#opening(stream), ...questionPieces(parts, this.#encoder.newline, { kind: 'question', ...origin }, gap)];
    const held = stream.stages.vision.heldBack(stream.unshown > 0 ? 'all' : 'held');
    const room = tokensOf(asked(0), this.#encoder.tokenWidth) + maxTokens + prompt.stream.answerEnd.length;
    let mark: MemoryMark | undefined = memory.mark(room + (held?.places.length ?? 0));
    try {
      const { shown, gap } = this.#beside(stream, held);
      if (shown.length > 0) await this.#decoder.prefill(memory, shown, { logits: 'none', ...abort });
      const shownMs = performance.now() - start;
      const report = memory.report();
      const writing = generate(this.#decoder, memory, {
        prompt: asked(gap),
        origin: answerOrigin,
        decode: (ids) => prompt.decode(ids),
        maxTokens,
        stopTokens: this.checkpoint.generation.stopTokens,
        stop,
        sampling: { ...checkpointSampling(this.checkpoint.generation), ...sampling },
        ...abort,
      });
      let firstTokenMs = 0;
      let step = await writing.next();
      const { slotsRead } = memory;
      for (; !step.done; step = await writing.next()) {
        firstTokenMs ||= performance.now() - start;
        if (step.value.text !== '') onText(step.value.text);
      }
      const { text, ids, finish, prefillMs, decodeMs } = step.value;
      signal?.throwIfAborted();
      if (remember) {
        // The last token was chosen but never read; a stop token is also the first of what ends an answer.
        const unread = [...(finish === 'length' ? [ids.at(-1)!] : []), ...prompt.stream.answerEnd];
        if (shown.length > 0) {
          memory.undo(mark);
          mark = undefined;
          mark = memory.mark(room);
          await this.#decoder.prefill(memory, [...asked(stream.unshown), { kind: 'ids', ids: [...ids.slice(0, -1), ...unread], origin: answerOrigin }], { logits: 'none' });
        } else await this.#decoder.prefill(memory, [{ kind: 'ids', ids: unread, origin: answerOrigin }], { logits: 'none' });
        memory.keep(mark);
        mark = undefined;
        Object.assign(stream, { turn: stream.turn + 1, framesInTurn: 0, unshown: 0, opened: true });
      }
      return {
        question,
        text,
        timeSec: stream.timeSec,
        frames: stream.frames,
        tokens: ids.length,
        finish: finish === 'length' ? 'length' : 'stop',
        memory: report,
        slotsRead,
        shownTokens: shown.length > 0 ? held!.places.length : 0,
        prefillMs: shownMs + prefillMs,
        firstTokenMs,
        decodeTokenMs: ids.length > 1 ? decodeMs / (ids.length - 1) : 0,
        totalMs: performance.now() - start,
        runtimeMs: onnxTime.ms - runtimeStart,
      };
    } finally {
      if (mark) memory.undo(mark);
    }
  }

  /** What vision held back, at the positions that were left free for it, and the gap behind it to where a question stands without it. */
  #beside(stream: Stream, held: Pick<SeenFrame, 'tokens' | 'places'> | undefined): { readonly shown: readonly Piece[]; readonly gap: number } {
    const { memory, unshown, shownFrame, turn, framesInTurn, timeSec } = stream;
    const nothing = { shown: [], gap: unshown };
    if (!held || placesClosed(stream)) return nothing;
    const { after } = this.checkpoint.prompt.stream.frame({ turn, framesBefore: framesInTurn, timeSec });
    // A frame that was not shown would have ended where the gap that it left does.
    const place = unshown > 0 ? memory.position + unshown - after.length - this.#encoder.tokensPerFrame : frameStart(memory.store.head(0, 0), shownFrame);
    if (place === undefined) return nothing;
    const { pieces, end } = visualPieces(held, place - memory.position, { source: shownFrame, timeSec });
    return { shown: pieces, gap: unshown - end };
  }

  memory(id: number): MemoryReport {
    return this.#stream(id).memory.report();
  }

  /** What each slot of a stream covers in time. */
  slots(id: number): readonly HeadCoverage[] {
    return slotCoverage(this.#stream(id).memory.store);
  }

  /**
   * Saves a stream to a file, to be opened from it by this process or another. The next frame is then seen as the first one is, here and there: of what the
   * encoder and the gate keep of the last picture only what a question is shown is saved, and both go on alike.
   */
  async save(id: number, file: string): Promise<void> {
    const stream = this.#stream(id);
    const { turn, framesInTurn, frames, shownFrame, timeSec, unshown, opened, memory } = stream;
    const newest = placesClosed(stream) ? undefined : stream.stages.vision.newest;
    await saveSession(file, await this.#modelIdentity(), { place: { turn, framesInTurn, frames, shownFrame, timeSec, unshown, opened }, newest }, memory);
    stream.stages.relax();
    stream.stages = await stream.openStages();
    stream.stages.vision.resume(newest);
  }

  /** Frees a stream. Closing twice is fine. */
  close(id: number): void {
    this.#streams.get(id)?.memory[Symbol.dispose]();
    this.#streams.delete(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of this.#streams.keys()) this.close(id);
    await this.#resources.disposeAsync();
  }

  /** Of the files as they were when it was first asked for: savings go on when they are gone. */
  #modelIdentity(): Promise<string> {
    return (this.#identity ??= modelIdentity(this.checkpoint));
  }

  #stream(id: number): Stream {
    const stream = this.#streams.get(id);
    if (!stream) throw new UserError('STREAM_CLOSED', { what: 'this stream is closed', todo: 'open a new one' });
    return stream;
  }

  #opening({ opened }: Stream): Piece[] {
    return opened ? [] : [{ kind: 'ids', ids: this.checkpoint.prompt.stream.opening, origin: { kind: 'opening', source: -1, timeSec: 0 } }];
  }
}
