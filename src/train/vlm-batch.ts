// Packs clips and their questions into the inputs of the training graph, and reads the answers' figures from its outputs.
import { CapacityError } from '../core/errors.ts';
import type { PromptPart, StreamFormat } from '../models/contract.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { Tensor } from '../runtime/onnx.ts';
import type { BatchShape } from './decoder-graph.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmSizes } from './vlm-config.ts';

/** A question and its answer, as token ids. */
export interface ClipTurn {
  /** How many frames of the clip have been seen when it is asked. */
  readonly frames: number;
  /** From the last frame (or the answer before) to where the answer begins. */
  readonly prompt: Int32Array;
  /** With its stop token. */
  readonly answer: Int32Array;
  /** Kind of question, for figures of its own. */
  readonly label: string;
  /** Share in the loss; default 1. */
  readonly weight?: number;
  /** Numbers among the clip's visual tokens, of frames seen and not left out, where the answer is to be seen: any of them will do. */
  readonly evidence?: readonly number[];
}

/** Questions one after another: each sees those before. Threads do not see one another. */
export type Thread = readonly ClipTurn[];

/** One clip with everything that is asked about it. */
export interface ClipSample {
  /** uint8 [frames, patches, 3, patch, patch] (see `unfoldPatches`) */
  readonly patches: Uint8Array;
  readonly prefix: Prefix;
  readonly threads: readonly Thread[];
  /** float32 [frames · tokensPerFrame, labels + numbers] both; weight 0 where there is no truth. */
  readonly auxiliary?: { readonly targets: Float32Array; readonly weights: Float32Array };
}

/** The video's part of a prompt. */
export interface Prefix {
  /** int32 [P]: token ids; −1 for each visual token. */
  readonly ids: Int32Array;
  /** int32 [P]: where they stand; what was left out leaves gaps. */
  readonly positions: Int32Array;
  /** int32: numbers of the visual tokens among those of all frames, in order. */
  readonly visual: Int32Array;
  /** For each count of frames, from none: */
  readonly after: readonly PrefixEnd[];
}

/** The end of a prefix after so many frames. */
export interface PrefixEnd {
  /** Tokens up to there. */
  readonly length: number;
  /** The position that comes next. */
  readonly position: number;
  /** Frames that are shown, which those without a token are not. */
  readonly shown: number;
}

/** A turn of the dialogue that stands in the prefix, so that later frames and questions follow it as they do in a live stream. */
export interface SpokenTurn {
  /** Frames seen when it was asked. */
  readonly frames: number;
  readonly question: string;
  readonly answer: string;
}

/**
 * The prefix of a live stream that has shown these frames, with a dialogue between them.
 * @param spoken in the order of their frames
 * @param kept 1 for each visual token that is not left out; default all. A frame without one is not shown, as in a session
 */
export function streamPrefix(stream: StreamFormat, timesSec: readonly number[], tokensPerFrame: number, spoken: readonly SpokenTurn[] = [], kept?: Uint8Array): Prefix {
  const [ids, positions, visual, after]: [number[], number[], number[], PrefixEnd[]] = [[], [], [], []];
  let [next, shown] = [0, 0];
  const add = (some: Iterable<number>) => {
    for (const id of some) {
      ids.push(id);
      positions.push(next++);
    }
  };
  add(stream.opening);
  let place = { turn: 0, framesBefore: 0 };
  for (let frame = 0; frame <= timesSec.length; frame++) {
    if (frame > 0) {
      const around = stream.frame({ ...place, timeSec: timesSec[frame - 1]! });
      const first = (frame - 1) * tokensPerFrame;
      const tokens = Array.from({ length: tokensPerFrame }, (_, i) => first + i).filter((token) => !kept || kept[token] === 1);
      if (tokens.length === 0) next += around.before.length + tokensPerFrame + around.after.length;
      else {
        add(around.before);
        for (const token of tokens) {
          ids.push(-1);
          positions.push(next + token - first);
          visual.push(token);
        }
        next += tokensPerFrame;
        add(around.after);
        shown++;
        place = { ...place, framesBefore: place.framesBefore + 1 };
      }
    }
    for (const turn of spoken) {
      if (turn.frames !== frame) continue;
      add([...partIds(stream.question(turn.question, place)), ...stream.answer(turn.answer), ...stream.answerEnd]);
      place = { turn: place.turn + 1, framesBefore: 0 };
    }
    after.push({ length: ids.length, position: next, shown });
  }
  return { ids: Int32Array.from(ids), positions: Int32Array.from(positions), visual: Int32Array.from(visual), after };
}

/** Token ids of a prompt's pieces that hold no picture. */
export function partIds(parts: readonly PromptPart[]): number[] {
  return parts.flatMap((part) => (part.kind === 'text' ? [...part.ids] : []));
}

/**
 * Pixels in the order of a patch convolution's weights.
 * @param rgb uint8 [height, width, 3]; columns and rows beyond the last whole patch are left out
 * @returns uint8 [patches, 3, patch, patch], patches row by row
 */
export function unfoldPatches(rgb: Uint8Array, widthPx: number, heightPx: number, patchPx: number): Uint8Array {
  const [columns, rows] = [Math.floor(widthPx / patchPx), Math.floor(heightPx / patchPx)];
  const patches = new Uint8Array(columns * rows * 3 * patchPx * patchPx);
  let at = 0;
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++)
      for (let channel = 0; channel < 3; channel++)
        for (let y = 0; y < patchPx; y++) {
          let from = ((row * patchPx + y) * widthPx + column * patchPx) * 3 + channel;
          for (let x = 0; x < patchPx; x++, from += 3) patches[at++] = rgb[from]!;
        }
  return patches;
}

export interface PackedBatch {
  readonly feeds: Tensors;
  /** Questions in the batch. */
  readonly questions: number;
  /** Threads that did not fit. */
  readonly dropped: number;
  /** `exactMatch`: share of questions whose answer tokens are all likeliest, given those before; also for each label. */
  readonly measure: (outputs: Tensors) => Record<string, number>;
  /** For each question: its label, and whether it was answered exactly. */
  readonly judge: (outputs: Tensors) => { readonly label: string; readonly exact: boolean; readonly logLoss: number }[];
}

/**
 * Threads fill rows of `threadLength` tokens in the order given, each in the first row with room; several short ones share a row.
 * @param samples exactly `clips` of them, each with at most `frames` frames: fewer are padded behind
 * Without any thread the answers' loss is 0.
 * @throws CapacityError when a clip's frames or prefix do not fit, or no thread does
 */
export function packBatch(config: VlmConfig, shape: BatchShape, samples: readonly ClipSample[]): PackedBatch {
  const sizes = vlmSizes(config);
  const { clips: B, frames: F, prefix: P, threads: N, threadLength: T, answers: A, pointers: Q = 0 } = shape;
  if (samples.length !== B) throw new CapacityError('BATCH_CLIPS', { what: 'a batch needs a fixed number of clips', got: `${samples.length}`, expected: `${B}` });
  const frameBytes = sizes.patches * sizes.patchValues;
  const M = B * F * sizes.tokensPerFrame;
  const patches = new Uint8Array(B * F * frameBytes);
  const prefixIds = new BigInt64Array(B * P);
  const prefixPositions = new BigInt64Array(B * P);
  const threadIds = new BigInt64Array(B * N * T);
  const threadPositions = new BigInt64Array(B * N * T);
  const visible = new BigInt64Array(B * N * T).fill(1n);
  const segments = new BigInt64Array(B * N * T).fill(-1n);
  const answerRows = new BigInt64Array(A);
  const answerTargets = new BigInt64Array(A);
  const answerWeights = new Float32Array(A);
  const pointerRows = new BigInt64Array(B * Q);
  const [pointerVisible, pointerEvidence] = [new Float32Array(B * Q * P), new Float32Array(B * Q * P)];
  const pointerWeights = new Float32Array(B * Q);
  const questions: { label: string; start: number; length: number; weight: number }[] = [];
  let answers = 0;
  let dropped = 0;

  samples.forEach((sample, clip) => {
    const frames = sample.patches.length / frameBytes;
    if (frames > F || sample.prefix.ids.length > P || sample.prefix.after.length !== frames + 1) {
      throw new CapacityError('BATCH_CLIP', { what: 'a clip does not fit its batch', got: `${frames} frames, ${sample.prefix.ids.length} tokens, ${sample.prefix.after.length - 1} ends`, expected: `at most ${F} frames and ${P} tokens, an end for each frame` });
    }
    patches.set(sample.patches, clip * F * frameBytes);
    const firstVisual = config.text.vocabulary + clip * F * sizes.tokensPerFrame;
    /** Places of the visual tokens in the prefix, by number. */
    const visualPlaces = new Map<number, number>();
    let visual = 0;
    sample.prefix.ids.forEach((id, i) => {
      if (id < 0) visualPlaces.set(sample.prefix.visual[visual]!, i);
      prefixIds[clip * P + i] = BigInt(id < 0 ? firstVisual + sample.prefix.visual[visual++]! : id);
      prefixPositions[clip * P + i] = BigInt(sample.prefix.positions[i]!);
    });
    let pointers = 0;
    const used = Array<number>(N).fill(0);
    const counts = Array<number>(N).fill(0);
    for (const thread of N === 0 ? [] : sample.threads) {
      const length = threadTokens(thread);
      const row = used.findIndex((taken) => taken + length <= T);
      const learned = thread.reduce((sum, { answer }) => sum + answer.length, 0);
      if (row < 0 || answers + learned > A) {
        dropped++;
        continue;
      }
      let at = (clip * N + row) * T + used[row]!;
      let before = 0;
      for (const { frames: seen, prompt, answer, label, weight = 1, evidence = [] } of thread) {
        const { length: end, position } = sample.prefix.after[seen]!;
        // The answer's last token is predicted, never read.
        const said = [...prompt, ...answer];
        questions.push({ label, start: answers, length: answer.length, weight });
        if (evidence.length > 0 && pointers < Q) {
          const pointer = clip * Q + pointers++;
          pointerRows[pointer] = BigInt(at + prompt.length - 1);
          pointerWeights[pointer] = 1;
          for (const place of visualPlaces.values()) if (place < end) pointerVisible[pointer * P + place] = 1;
          for (const token of evidence) pointerEvidence[pointer * P + visualPlaces.get(token)!] = 1;
        }
        said.forEach((id, i) => {
          threadIds[at] = BigInt(id);
          // As when the dialogue stands in the stream: behind the frames seen and what was said before.
          threadPositions[at] = BigInt(position + before + i);
          visible[at] = BigInt(end);
          segments[at] = BigInt(counts[row]!);
          if (i >= prompt.length) {
            answerRows[answers] = BigInt(at - 1);
            answerTargets[answers++] = BigInt(id);
          }
          at++;
        });
        before += said.length;
      }
      used[row]! += length;
      counts[row]!++;
    }
  });
  if (dropped > 0 && questions.length === 0) throw new CapacityError('BATCH_EMPTY', { what: 'no question fits the batch', expected: `threads of at most ${T} tokens, ${A} answer tokens` });
  // Every question counts the same, however long its answer.
  const total = questions.reduce((sum, { weight }) => sum + weight, 0);
  for (const { start, length, weight } of questions) answerWeights.fill(weight / (length * total), start, start + length);

  const pointing = pointerWeights.reduce((sum, weight) => sum + weight, 0);
  if (pointing > 0) pointerWeights.forEach((weight, i) => (pointerWeights[i] = weight / pointing));

  const int64 = (data: BigInt64Array, dims: readonly number[]) => new Tensor('int64', data, dims);
  const feeds: Record<string, Tensor> = {
    patches: new Tensor('uint8', patches, [B * F * sizes.patches, sizes.patchValues]),
    ...(N > 0 && {
      prefixIds: int64(prefixIds, [B, P]),
      prefixPositions: int64(prefixPositions, [B, P]),
      threadIds: int64(threadIds, [B, N, T]),
      threadPositions: int64(threadPositions, [B, N * T]),
      visible: int64(visible, [B, N, T]),
      segments: int64(segments, [B, N, T]),
      answerRows: int64(answerRows, [A]),
      answerTargets: int64(answerTargets, [A]),
      answerWeights: new Tensor('float32', answerWeights, [A]),
    }),
    ...(N > 0 && Q > 0 && {
      pointerRows: int64(pointerRows, [B, Q]),
      pointerVisible: new Tensor('float32', pointerVisible, [B, Q, P]),
      pointerEvidence: new Tensor('float32', pointerEvidence, [B, Q, P]),
      pointerWeights: new Tensor('float32', pointerWeights, [B * Q]),
    }),
    ...(config.auxiliary && auxiliaryFeeds(samples, M / B, M, config.auxiliary.labels + config.auxiliary.numbers)),
  };
  const judge = (outputs: Tensors) => {
    const [correct, logLoss] = [outputs['correct']!.data as Float32Array, outputs['logLoss']!.data as Float32Array];
    return questions.map(({ label, start, length }) => ({
      label,
      exact: correct.subarray(start, start + length).every((value) => value === 1),
      logLoss: logLoss.subarray(start, start + length).reduce((a, b) => a + b, 0),
    }));
  };
  return {
    feeds,
    questions: questions.length,
    dropped,
    judge,
    measure: (outputs) => {
      const judged = N > 0 ? judge(outputs) : [];
      const share = (some: typeof judged) => some.filter(({ exact }) => exact).length / some.length;
      const scalar = (name: string) => (outputs[name] ? { [name]: Number(outputs[name].data[0]) } : {});
      return {
        ...scalar('answerLoss'),
        ...scalar('auxiliaryLoss'),
        ...scalar('evidenceLoss'),
        exactMatch: share(judged),
        ...Object.fromEntries([...Map.groupBy(judged, ({ label }) => label)].map(([label, some]) => [`exactMatch ${label}`, share(some)])),
      };
    },
  };
}

/** Tokens that a thread takes in a row. */
export function threadTokens(thread: Thread): number {
  return thread.reduce((sum, { prompt, answer }) => sum + prompt.length + answer.length, 0);
}

/** Labels and numbers of all clips; weights normalised to a mean over all that has truth. */
function auxiliaryFeeds(samples: readonly ClipSample[], tokens: number, total: number, width: number): Record<string, Tensor> {
  const targets = new Float32Array(total * width);
  const weights = new Float32Array(total * width);
  samples.forEach(({ auxiliary }, clip) => {
    if (!auxiliary) return;
    targets.set(auxiliary.targets, clip * tokens * width);
    weights.set(auxiliary.weights, clip * tokens * width);
  });
  const known = weights.reduce((sum, weight) => sum + weight, 0);
  if (known > 0) for (let i = 0; i < weights.length; i++) weights[i]! /= known;
  return { auxiliaryTargets: new Tensor('float32', targets, [total, width]), auxiliaryWeights: new Tensor('float32', weights, [total, width]) };
}
