// The sampler: the next token from logits. Processors and their order are those of Hugging Face Transformers (generation/logits_process.py).
import { z } from 'zod';
import { ModelError } from '../core/errors.ts';
import { parseOptions } from '../core/options.ts';
import { createRandom } from '../core/random.ts';

export const samplingSchema = z.strictObject({
  /** Divides the logits; 0 takes the likeliest token (greedy), and the filters below do nothing. */
  temperature: z.number().min(0).max(100).default(0),
  /** Only the k likeliest tokens; ties of the k-th stay. 0: all. */
  topK: z.int().min(0).default(0),
  /** Only the likeliest tokens that together have this probability (nucleus sampling, arXiv 1904.09751). */
  topP: z.number().gt(0).max(1).default(1),
  /** Only tokens with at least this share of the likeliest one's probability (arXiv 2407.01082). */
  minP: z.number().min(0).max(1).default(0),
  /** Divides positive logits of tokens seen before, multiplies negative ones (CTRL, arXiv 1909.05858). */
  repetitionPenalty: z.number().gt(0).max(100).default(1),
  seed: z.union([z.int(), z.string()]).default(0),
});

/** How tokens are chosen. */
export type SamplingOptions = z.input<typeof samplingSchema>;

/** Chooses the tokens of one answer. */
export interface Sampler {
  /** Tokens that the repetition penalty is for: prompt and answer so far. `sample` adds what it chose. */
  observe(ids: ArrayLike<number>): void;
  /**
   * The next token.
   * @param logits float32 [V]; overwritten
   * @throws ModelError when no token has a finite score
   */
  sample(logits: Float32Array): number;
  /**
   * Probabilities after all processors, without drawing.
   * @param logits float32 [V]; overwritten
   * @returns float64 [V]
   */
  probabilities(logits: Float32Array): Float64Array;
}

interface Candidates {
  /** Tokens left, likeliest first unless `sorted` is not asked for. */
  readonly ids: Int32Array;
  /** float64, exponentials of their scores relative to the largest. */
  readonly weights: Float64Array;
}

/** Makes a sampler. The same seed and logits give the same tokens. */
export function createSampler(given: SamplingOptions = {}): Sampler {
  const { temperature, topK, topP, minP, repetitionPenalty, seed } = parseOptions(samplingSchema, given, 'sampling');
  const random = createRandom(seed);
  const seen = new Set<number>();

  const penalise = (logits: Float32Array) => {
    if (repetitionPenalty === 1) return;
    for (const id of seen) {
      const score = logits[id]!;
      logits[id] = score < 0 ? score * repetitionPenalty : score / repetitionPenalty;
    }
  };

  const candidates = (logits: Float32Array): Candidates => {
    penalise(logits);
    const best = logits[argmax(logits)]!;
    let least = -Infinity;
    if (topK > 0 && topK < logits.length) least = kthLargest(logits, topK);
    let ids = new Int32Array(logits.length);
    let count = 0;
    for (let id = 0; id < logits.length; id++) if (logits[id]! >= least && logits[id]! > -Infinity) ids[count++] = id;
    ids = ids.subarray(0, count);
    let weights = Float64Array.from(ids, (id) => Math.exp((logits[id]! - best) / temperature));
    const keep = (stays: (index: number) => boolean) => {
      const kept = Int32Array.from(ids.keys()).filter(stays);
      weights = Float64Array.from(kept, (index) => weights[index]!);
      ids = Int32Array.from(kept, (index) => ids[index]!);
    };
    if (topP < 1) {
      const total = sum(weights);
      // Tokens that even all together are within the part to drop need no sorting: of a large vocabulary few are left.
      const negligible = ((1 - topP) * total) / weights.length;
      let tail = 0;
      keep((index) => {
        if (weights[index]! >= negligible) return true;
        tail += weights[index]!;
        return false;
      });
      const ascending = Int32Array.from(ids.keys()).sort((a, b) => weights[a]! - weights[b]!);
      let first = 0;
      // As Transformers: a token goes when it and all less likely ones have at most 1 − topP; the likeliest stays.
      for (let mass = tail; first < ascending.length - 1; first++) {
        mass += weights[ascending[first]!]!;
        if (mass > (1 - topP) * total) break;
      }
      const stays = new Set(ascending.subarray(first));
      keep((index) => stays.has(index));
    }
    // The likeliest token has weight 1.
    if (minP > 0) keep((index) => weights[index]! >= minP);
    return { ids, weights };
  };

  const choose = (logits: Float32Array): number => {
    if (temperature === 0) {
      penalise(logits);
      return argmax(logits);
    }
    const { ids, weights } = candidates(logits);
    let left = random.next() * sum(weights);
    for (let i = 0; i < ids.length; i++) {
      left -= weights[i]!;
      if (left < 0) return ids[i]!;
    }
    return ids.at(-1)!;
  };

  return {
    observe(ids) {
      for (let i = 0; i < ids.length; i++) seen.add(ids[i]!);
    },
    sample(logits) {
      const id = choose(logits);
      seen.add(id);
      return id;
    },
    probabilities(logits) {
      const result = new Float64Array(logits.length);
      if (temperature === 0) {
        penalise(logits);
        result[argmax(logits)] = 1;
        return result;
      }
      const { ids, weights } = candidates(logits);
      const total = sum(weights);
      ids.forEach((id, i) => (result[id] = weights[i]! / total));
      return result;
    },
  };
}

/** The first of the largest. */
function argmax(logits: Float32Array): number {
  let best = -1;
  let score = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    if (logits[id]! > score) {
      score = logits[id]!;
      best = id;
    }
  }
  if (best === -1 || score === Infinity) throw new ModelError('LOGITS', { what: 'the model gives no usable scores', got: best === -1 ? 'no finite logit' : 'an infinite logit', expected: 'finite logits', todo: 'try precision float32; if that helps, the quantised weights are damaged' });
  return best;
}

function sum(values: Float64Array): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** The k-th largest value, by a heap of the k largest so far. */
function kthLargest(values: Float32Array, k: number): number {
  const heap = new Float32Array(k).fill(-Infinity);
  for (const value of values) {
    if (!(value > heap[0]!)) continue;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= value) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = value;
  }
  return heap[0]!;
}
