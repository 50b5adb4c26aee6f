// A decoder with DMC or DMS as plain loops, one token and one head at a time, written from the papers: what the engine is compared with.
import type { PackedLinear, TensorRef } from '../graph/linear.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { PackedDecisions, PackedDecoder } from '../models/packed/contract.ts';

const dataOf = (tensor: TensorRef): Float32Array => (tensor as unknown as { readonly data: Float32Array }).data;

function product({ weight, bias }: PackedLinear, x: Float64Array): Float64Array {
  const matrix = dataOf(weight);
  const rows = matrix.length / x.length;
  return Float64Array.from({ length: rows }, (_, row) => x.reduce((sum, value, i) => sum + value * matrix[row * x.length + i]!, bias ? dataOf(bias)[row]! : 0));
}

function rms(x: Float64Array, scale: TensorRef, epsilon: number): Float64Array {
  const size = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + epsilon);
  return x.map((value, i) => (value / size) * dataOf(scale)[i]!);
}

function rotated(x: Float64Array, position: number, { ropeTheta }: DecoderSpec): Float64Array {
  const half = x.length / 2;
  return x.map((value, i) => {
    const angle = position * ropeTheta ** ((-2 * (i % half)) / x.length);
    return i < half ? value * Math.cos(angle) - x[i + half]! * Math.sin(angle) : value * Math.cos(angle) + x[i - half]! * Math.sin(angle);
  });
}

interface Slot {
  key: Float64Array;
  value: Float64Array;
  weight: number;
  tokens: number;
  position: number;
  goes: boolean;
}

/** Logits after each token. The opening is nobody's: all tokens are a question's. */
export function referenceLogits(spec: DecoderSpec, packed: PackedDecoder, decisions: PackedDecisions, ids: readonly number[], options: { readonly mostTokens?: number; readonly window?: number }): readonly Float32Array[] {
  const { layers, kvHeads, queryHeads, headWidth, normEpsilon } = spec;
  const group = queryHeads / kvHeads;
  const memory = Array.from({ length: layers * kvHeads }, (): Slot[] => []);
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  return ids.map((id, position) => {
    let x = Float64Array.from(packed.embedding.rows([id]));
    for (const [index, layer] of packed.layers.entries()) {
      const normed = rms(x, layer.attentionNorm.scale, normEpsilon);
      const [queries, keys, values] = [product(layer.query, normed), product(layer.key, normed), product(layer.value, normed)];
      const heads: Float64Array[] = [];
      for (let h = 0; h < kvHeads; h++) {
        const slots = memory[index * kvHeads + h]!;
        const key = keys.slice(h * headWidth, (h + 1) * headWidth);
        const value = values.slice(h * headWidth, (h + 1) * headWidth);
        const own = Array.from({ length: group }, (_, g) => queries.slice((h * group + g) * headWidth, (h * group + g + 1) * headWidth));
        const last = slots.at(-1);
        let weight = 1;
        let merges = false;
        if (decisions.kind === 'dmc') {
          const { channel, offset } = decisions;
          merges = key[channel]! - offset > 0 && last !== undefined && last.tokens < (options.mostTokens ?? Infinity);
          weight = sigmoid(own.reduce((sum, query) => sum + query[channel]!, 0) / group + offset) + 1e-6;
          for (const row of [key, ...own]) row[channel] = 0;
        } else {
          const { norm, project } = decisions.layers[index]!;
          if (last) last.goes = product(project, rms(x, norm.scale, normEpsilon))[h]! * 100 - decisions.offset > 0;
        }
        if (merges) {
          const sum = last!.weight + weight;
          last!.key = last!.key.map((old, d) => (old * last!.weight + key[d]! * weight) / sum);
          last!.value = last!.value.map((old, d) => (old * last!.weight + value[d]! * weight) / sum);
          Object.assign(last!, { weight: sum, tokens: last!.tokens + 1, position });
        } else slots.push({ key, value, weight, tokens: 1, position, goes: false });
        const seen = slots.filter(({ goes, position: at }) => !goes || position - at <= (options.window ?? 256));
        for (const query of own) {
          const turned = rotated(query, position, spec);
          const scores = seen.map((slot) => rotated(slot.key, slot.position, spec).reduce((sum, k, d) => sum + k * turned[d]!, 0) / Math.sqrt(headWidth));
          const most = Math.max(...scores);
          const exps = scores.map((score) => Math.exp(score - most));
          const total = exps.reduce((a, b) => a + b, 0);
          heads.push(Float64Array.from({ length: headWidth }, (_, d) => seen.reduce((sum, slot, i) => sum + (exps[i]! / total) * slot.value[d]!, 0)));
        }
      }
      const attended = product(layer.output, Float64Array.from(heads.flatMap((head) => [...head])));
      x = x.map((old, i) => old + attended[i]!);
      const wide = rms(x, layer.mlpNorm.scale, normEpsilon);
      const [gate, up] = [product(layer.gate, wide), product(layer.up, wide)];
      const down = product(layer.down, gate.map((g, i) => g * sigmoid(g) * up[i]!));
      x = x.map((old, i) => old + down[i]!);
    }
    return Float32Array.from(product(packed.head, rms(x, packed.finalNorm.scale, normEpsilon)));
  });
}
