// The decoder of a checkpoint as a retrofit sees it: weights by role, frozen or trained, and the tensors that an adapter puts in their place.
import type { DecoderSpec, DecoderWeights, WeightSource } from '../models/contract.ts';
import type { ParameterSpec, ParameterStore } from './parameters.ts';
import { elementsOf } from './parameters.ts';

/** `dmc` merges tokens into slots, `dms` evicts slots. */
export type RetrofitKind = 'dmc' | 'dms';

/** Matrices that a DMC retrofit may train beside those of queries and keys. */
export const extraMatrices = ['value', 'output', 'gate', 'up', 'down'] as const;
export type ExtraMatrix = (typeof extraMatrices)[number];

/** float32 values with their shape. */
export interface FloatTensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

export interface RetrofitModel {
  readonly spec: DecoderSpec;
  /** By role: `embedding`, `head`, `finalNorm`, `layers.3.query.weight`, … Rotary channels of queries and keys are always `halves` apart here. */
  readonly weights: ReadonlyMap<string, FloatTensor>;
  /** The name in the checkpoint, by role. */
  readonly published: ReadonlyMap<string, string>;
}

const matrices = ['query', 'key', 'value', 'output', 'gate', 'up', 'down'] as const;
const norms = ['attentionNorm', 'mlpNorm'] as const;

/** Names of roles. */
export const roles = {
  embedding: 'embedding',
  head: 'head',
  finalNorm: 'finalNorm',
  layer: (layer: number, part: (typeof matrices)[number] | (typeof norms)[number], kind: 'weight' | 'bias' = 'weight') => `layers.${layer}.${part}.${kind}`,
  /** Rows that become the decision channel: of keys the decision, of queries the importance. One row for each KV head. */
  decision: (layer: number, part: 'query' | 'key', kind: 'weight' | 'bias' = 'weight') => `decision.${layer}.${part}.${kind}`,
  dms: (layer: number, part: 'norm.weight' | 'proj.weight' | 'proj.bias') => `dms.layers.${layer}.${part}`,
};

/** Reads all weights of a decoder as float32. */
export async function readRetrofitModel(spec: DecoderSpec, decoder: DecoderWeights): Promise<RetrofitModel> {
  const weights = new Map<string, FloatTensor>();
  const published = new Map<string, string>();
  const read = async (role: string, source: WeightSource | undefined) => {
    if (!source) return;
    // Tied matrices are read once.
    const shared = [...published].find(([, name]) => name === source.name);
    const tensor = shared ? weights.get(shared[0])! : { data: await source.read(), shape: source.shape };
    const turns = spec.ropeLayout === 'pairs' && /\.(query|key)\./.test(role);
    weights.set(role, turns ? { ...tensor, data: reorderRows(tensor.data, spec.headWidth, source.shape, 'halves') } : tensor);
    published.set(role, source.name);
  };
  await read(roles.embedding, decoder.embedding);
  await read(roles.head, decoder.head.weight);
  await read(roles.finalNorm, decoder.finalNorm.scale);
  for (const [i, layer] of decoder.layers.entries()) {
    for (const part of norms) await read(roles.layer(i, part), layer[part].scale);
    for (const part of matrices) {
      await read(roles.layer(i, part), layer[part].weight);
      await read(roles.layer(i, part, 'bias'), layer[part].bias);
    }
  }
  return { spec, weights, published };
}

/**
 * Rows (or entries of a bias) of each head from `pairs` (channels 2i and 2i + 1 turn together) to `halves` (i and i + D/2), or back.
 * The last channel stays the last.
 */
export function reorderRows(data: Float32Array, headWidth: number, shape: readonly number[], to: 'halves' | 'pairs'): Float32Array {
  const [rows, width] = [shape[0]!, elementsOf(shape.slice(1))];
  const half = headWidth / 2;
  const out = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const channel = row % headWidth;
    const paired = row - channel + (channel < half ? 2 * channel : 2 * (channel - half) + 1);
    const [from, into] = to === 'halves' ? [paired, row] : [row, paired];
    out.set(data.subarray(from * width, (from + 1) * width), into * width);
  }
  return out;
}

/** What a retrofit trains. Groups: `matrix` (weights of the model that go on learning) and `decision` (new ones). */
export function retrofitParameters({ spec, weights }: RetrofitModel, kind: RetrofitKind, extra: readonly ExtraMatrix[] = []): ParameterSpec[] {
  const { layers, kvHeads, width } = spec;
  const zeros = (name: string, shape: readonly number[], value = 0): ParameterSpec => ({ name, shape, initialiser: { kind: 'constant', value }, group: 'decision' });
  return Array.from({ length: layers }, (_, i) => {
    if (kind === 'dms') return [zeros(roles.dms(i, 'norm.weight'), [width], 1), zeros(roles.dms(i, 'proj.weight'), [kvHeads, width]), zeros(roles.dms(i, 'proj.bias'), [kvHeads])];
    const parts = (['query', 'key'] as const).flatMap((part) => [
      zeros(roles.decision(i, part), [kvHeads, width]),
      ...(weights.has(roles.layer(i, part, 'bias')) ? [zeros(roles.decision(i, part, 'bias'), [kvHeads])] : []),
    ]);
    const trained = (['query', 'key', ...extra] as const).map((part): ParameterSpec => {
      const name = roles.layer(i, part);
      return { name, shape: weights.get(name)!.shape, initialiser: { kind: 'constant', value: 0 }, group: 'matrix' };
    });
    return [...trained, ...parts];
  }).flat();
}

/** Sets the trained matrices to the model's own. */
export function startFromModel(store: ParameterStore, model: RetrofitModel): void {
  for (const { name } of store.specs) {
    const own = model.weights.get(name);
    if (own) store.weights.get(name)!.set(own.data);
  }
}

/** Angles tried, over half a turn. */
const anglesTried = 180;

/**
 * Turning a rotary pair of channels by one angle in queries and keys alike leaves every score as it is. In each head the angle is chosen so that the
 * pair's second channel, which decisions will take, carries the least: the product of squared row norms, inputs scaled as the norm before scales them.
 * @param pair 0 to D/2 − 1, the fastest first: channels `pair` and `pair + D/2`
 */
export function turnPair(store: ParameterStore, { spec, weights }: RetrofitModel, pair: number): void {
  // A bias would have to turn too, and biases are not trained.
  if (weights.has(roles.layer(0, 'key', 'bias'))) return;
  for (let i = 0; i < spec.layers; i++) turnLayer(store.weights.get(roles.layer(i, 'query'))!, store.weights.get(roles.layer(i, 'key'))!, weights.get(roles.layer(i, 'attentionNorm'))!.data, spec, pair);
}

function turnLayer(query: Float32Array, key: Float32Array, scale: Float32Array, { headWidth, kvHeads, queryHeads, width }: DecoderSpec, pair: number): void {
  const groups = queryHeads / kvHeads;
  const rowsOf = (matrix: Float32Array, head: number) => {
    const row = (channel: number) => matrix.subarray((head * headWidth + channel) * width, (head * headWidth + channel + 1) * width);
    return [row(pair), row(pair + headWidth / 2)] as const;
  };
  /** Squared norm of the second rows once turned, by cosine and sine. */
  const carried = (pairs: readonly (readonly [Float32Array, Float32Array])[]) => {
    const sums = { aa: 0, ab: 0, bb: 0 };
    for (const [a, b] of pairs) {
      for (let e = 0; e < width; e++) {
        const [x, y] = [a[e]! * scale[e]!, b[e]! * scale[e]!];
        sums.aa += x * x;
        sums.ab += x * y;
        sums.bb += y * y;
      }
    }
    return (c: number, s: number) => s * s * sums.aa - 2 * c * s * sums.ab + c * c * sums.bb;
  };
  for (let head = 0; head < kvHeads; head++) {
    const keys = [rowsOf(key, head)];
    const queries = Array.from({ length: groups }, (_, g) => rowsOf(query, head * groups + g));
    const [ofKeys, ofQueries] = [carried(keys), carried(queries)];
    let best = { cosine: 1, sine: 0, cost: Infinity };
    for (let n = 0; n < anglesTried; n++) {
      const [cosine, sine] = [Math.cos((n * Math.PI) / anglesTried), Math.sin((n * Math.PI) / anglesTried)];
      const cost = ofKeys(cosine, sine) * ofQueries(cosine, sine);
      if (cost < best.cost) best = { cosine, sine, cost };
    }
    const { cosine: c, sine: s } = best;
    for (const [a, b] of [...keys, ...queries]) {
      for (let e = 0; e < width; e++) [a[e], b[e]] = [c * a[e]! + s * b[e]!, c * b[e]! - s * a[e]!];
    }
  }
}

/** A channel of `halves` as the checkpoint counts it. */
export function publishedChannel({ ropeLayout, headWidth }: DecoderSpec, channel: number): number {
  const half = headWidth / 2;
  return ropeLayout === 'halves' ? channel : channel < half ? 2 * channel : 2 * (channel - half) + 1;
}

/**
 * Replacement tensors of a trained retrofit, under published names, as an adapter stores them.
 * @param channel DMC: the channel that decisions take, of `halves`
 */
export function adapterTensors({ spec, weights, published }: RetrofitModel, kind: RetrofitKind, trained: ReadonlyMap<string, Float32Array>, channel: number): ReadonlyMap<string, FloatTensor> {
  const { layers, headWidth, kvHeads, queryHeads, width, ropeLayout } = spec;
  const out = new Map<string, FloatTensor>();
  for (let i = 0; i < layers; i++) {
    if (kind === 'dms') {
      out.set(roles.dms(i, 'norm.weight'), { data: trained.get(roles.dms(i, 'norm.weight'))!, shape: [width] });
      out.set(roles.dms(i, 'proj.weight'), { data: trained.get(roles.dms(i, 'proj.weight'))!, shape: [kvHeads, width] });
      out.set(roles.dms(i, 'proj.bias'), { data: trained.get(roles.dms(i, 'proj.bias'))!, shape: [kvHeads] });
      continue;
    }
    for (const part of extraMatrices) {
      const data = trained.get(roles.layer(i, part));
      if (data) out.set(published.get(roles.layer(i, part))!, { data, shape: weights.get(roles.layer(i, part))!.shape });
    }
    for (const part of ['query', 'key'] as const) {
      for (const kindOf of ['weight', 'bias'] as const) {
        const role = roles.layer(i, part, kindOf);
        const base = weights.get(role);
        if (!base) continue;
        const data = (trained.get(role) ?? base.data).slice();
        const rows = trained.get(roles.decision(i, part, kindOf))!;
        const columns = kindOf === 'weight' ? width : 1;
        const heads = part === 'query' ? queryHeads : kvHeads;
        // One channel of every head is the decision's; query heads that share a KV head have the same row, whose mean is the row itself.
        for (let head = 0; head < heads; head++) {
          const kvHead = part === 'query' ? Math.floor((head * kvHeads) / queryHeads) : head;
          data.set(rows.subarray(kvHead * columns, (kvHead + 1) * columns), (head * headWidth + channel) * columns);
        }
        out.set(published.get(role)!, { data: ropeLayout === 'pairs' ? reorderRows(data, headWidth, base.shape, 'pairs') : data, shape: base.shape });
      }
    }
  }
  return out;
}
