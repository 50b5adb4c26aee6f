// Packs clips, as visual tokens and dialogues of token ids, into the inputs of a retrofit's graph.
import { CapacityError } from '../core/errors.ts';
import type { Tensors } from '../runtime/onnx.ts';
import { Tensor } from '../runtime/onnx.ts';
import type { RetrofitShape } from './retrofit-decoder.ts';
import type { Prefix, Thread } from './vlm-batch.ts';
import { threadTokens } from './vlm-batch.ts';

/** One clip: what the memory holds, and what is asked about it. */
export interface RetrofitClip {
  /** float32 [frames · tokensPerFrame, E]: visual tokens. */
  readonly visual: Float32Array;
  /** Token ids; −1 for each visual token, in order; `newlineId` for the newline embedding. */
  readonly prefix: Prefix;
  readonly threads: readonly Thread[];
}

/** Stands for the learned newline embedding (`ProjectorWeights.newline`) among token ids. */
export const newlineId = -2;

/**
 * Threads fill rows of `threadLength` tokens in the order given, each in the first row with room. Every question counts the same, however long its answer.
 * Rows of `visual` are those of the clips in order; the last is the newline's.
 * @param newline float32 [E]
 * @throws CapacityError when a clip does not fit, or no thread does
 */
export function packClips(shape: RetrofitShape, vocabulary: number, clips: readonly RetrofitClip[], newline: Float32Array): Tensors {
  const { sequences: B, prefix: P, threads: N, threadLength: T, rows: A, visual: M } = shape;
  const width = newline.length;
  const perClip = (M - 1) / B;
  const int64 = (count: number, fill = 0n) => new BigInt64Array(count).fill(fill);
  const visual = new Float32Array(M * width);
  visual.set(newline, (M - 1) * width);
  const [prefixIds, threadIds, positions, before, runStart] = [int64(B * P), int64(B * N * T), int64(B * N * T), int64(B * N * T), int64(B * N * T)];
  const [visible, segments] = [int64(B * N * T, 1n), int64(B * N * T, -1n)];
  const [prefixWeights, starts] = [new Float32Array(B * P), new Float32Array(B * N * T)];
  const [lossRows, lossTargets, lossWeights] = [int64(A), int64(A), new Float32Array(A)];
  const answers: { readonly start: number; readonly length: number }[] = [];
  let learned = 0;

  clips.forEach((clip, b) => {
    const { ids, after } = clip.prefix;
    if (ids.length > P || clip.visual.length > perClip * width) {
      throw new CapacityError('RETROFIT_CLIP', { what: 'a clip does not fit its batch', got: `${ids.length} tokens, ${clip.visual.length / width} of them visual`, expected: `at most ${P}, and ${perClip}` });
    }
    visual.set(clip.visual, b * perClip * width);
    let seen = b * perClip;
    const row = (id: number) => BigInt(id === newlineId ? vocabulary + M - 1 : id < 0 ? vocabulary + seen++ : id);
    ids.forEach((id, i) => (prefixIds[b * P + i] = row(id)));
    // The first token has nothing to merge into.
    prefixWeights.fill(1, b * P + 1, b * P + ids.length);
    const used = Array<number>(N).fill(0);
    const counts = Array<number>(N).fill(0);
    for (const thread of clip.threads) {
      const length = threadTokens(thread);
      const at = used.findIndex((taken) => taken + length <= T);
      const wanted = thread.reduce((sum, { answer }) => sum + answer.length, 0);
      if (at < 0 || learned + wanted > A) continue;
      const base = (b * N + at) * T;
      let [place, said, run] = [used[at]!, 0, -1];
      for (const [turn, { frames, prompt, answer }] of thread.entries()) {
        const end = after[frames]!.length;
        answers.push({ start: learned, length: answer.length });
        for (const [i, id] of [...prompt, ...answer].entries()) {
          const begins = i === 0 && (turn === 0 || after[thread[turn - 1]!.frames]!.length !== end);
          if (begins) run = place;
          threadIds[base + place] = row(id);
          // As when the dialogue stands in the stream: behind the frames seen and what was said before.
          positions[base + place] = BigInt(end + said);
          visible[base + place] = BigInt(end);
          segments[base + place] = BigInt(counts[at]!);
          runStart[base + place] = BigInt(run);
          starts[base + place] = Number(begins);
          before[base + place] = BigInt(begins ? b * P + end - 1 : 0);
          if (i >= prompt.length) {
            lossRows[learned] = BigInt(base + place - 1);
            lossTargets[learned++] = BigInt(id);
          }
          place++;
          said++;
        }
      }
      used[at] = place;
      counts[at]!++;
    }
  });
  if (answers.length === 0) throw new CapacityError('RETROFIT_EMPTY', { what: 'no question fits the batch', expected: `threads of at most ${T} tokens, ${A} answer tokens` });
  for (const { start, length } of answers) lossWeights.fill(1 / (length * answers.length), start, start + length);
  const whole = (data: BigInt64Array, dims: readonly number[]) => new Tensor('int64', data, dims);
  return {
    visual: new Tensor('float32', visual, [M, width]),
    prefixIds: whole(prefixIds, [B, P]),
    prefixWeights: new Tensor('float32', prefixWeights, [B, P]),
    threadIds: whole(threadIds, [B, N, T]),
    threadPositions: whole(positions, [B, N, T]),
    visible: whole(visible, [B, N, T]),
    segments: whole(segments, [B, N, T]),
    runStart: whole(runStart, [B, N, T]),
    before: whole(before, [B, N, T]),
    starts: new Tensor('float32', starts, [B, N, T]),
    lossRows: whole(lossRows, [A]),
    lossTargets: whole(lossTargets, [A]),
    lossWeights: new Tensor('float32', lossWeights, [A]),
  };
}
