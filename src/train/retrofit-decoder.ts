// The decoder of a retrofit's training graph: sequences, and threads behind them, of any Llama-shaped model, with its memory compressed or not.
import { blockAttention } from '../graph/attention.ts';
import type { Graph, Value } from '../graph/graph.ts';
import { add, concat, div, equal, expand, gather, gemm, greater, less, mul, reshape, rmsNorm, sigmoid, silu, slice, sub, transpose, cast } from '../graph/ops.ts';
import { rotaryEmbedding } from '../graph/ops-fused.ts';
import { gatherElements } from '../graph/ops-index.ts';
import type { DecoderSpec } from '../models/contract.ts';
import type { Decisions, DecisionMode } from './retrofit-decisions.ts';
import { decide, dmsFactor, hiddenScore, importanceEpsilon, ofNext } from './retrofit-decisions.ts';
import type { RetrofitKind } from './retrofit-model.ts';
import { roles } from './retrofit-model.ts';
import { linearRecurrence } from './retrofit-scan.ts';

/** Sizes of one batch. Without threads the sequences themselves are learned; with them only what the threads say. */
export interface RetrofitShape {
  /** B */
  readonly sequences: number;
  /** P: tokens of a sequence. */
  readonly prefix: number;
  /** N: threads of a sequence; may be 0. */
  readonly threads: number;
  /** T: tokens of a thread. */
  readonly threadLength: number;
  /** A: rows that are learned. */
  readonly rows: number;
  /** M: embeddings that are no token's, numbered behind the vocabulary. */
  readonly visual: number;
}

/** Threads of a batch; see `packBatch` for the first three. */
export interface ThreadInputs {
  /** int64 [B, N, T] */
  readonly positions: Value;
  /** int64 [B, N, T] */
  readonly visible: Value;
  /** int64 [B, N, T] */
  readonly segments: Value;
  /** float32 [B, N, T]: 1 where a run begins, whose token before stands in the sequence: a segment's first token, or one that sees more of the sequence. */
  readonly starts: Value;
  /** int64 [B, N, T]: place in the thread where the token's run began. */
  readonly runStart: Value;
  /** int64 [B, N, T]: row among the B · P of the token before the run; used at starts. */
  readonly before: Value;
}

export interface DecoderEntry {
  /** float32 [B · P, E] */
  readonly prefix: Value;
  /** float32 [B · N · T, E] */
  readonly threads?: Value;
  readonly inputs?: ThreadInputs;
}

/** How the memory is compressed. */
export interface Compression {
  readonly kind: RetrofitKind;
  readonly mode: DecisionMode;
  /** Tokens for which an evicted slot stays visible; 0 for DMC. */
  readonly window: number;
  /** float32 [D], for DMC, whose decisions take a channel: the share of each channel of queries and keys that attention sees. */
  readonly channels?: Value;
  /** float32 [L, B, H, P] and [L, B · N, H, T] */
  readonly noise: { readonly prefix: Value; readonly threads?: Value };
}

export interface Decoded {
  /** float32 [rows, E], before the last norm: of the threads where there are any, else of the sequences. */
  readonly hidden: Value;
  /** For each layer, float32 [B, H, P]. */
  readonly alphas: readonly Value[];
}

/** Rows whose causal attention is computed together: short blocks skip more of what lies in the future. */
const causalRows = 128;

type Weight = (role: string) => Value | undefined;

/** @param weight by role; absent where the model has none (biases) */
export function decodeCompressed(graph: Graph, weight: Weight, spec: DecoderSpec, shape: RetrofitShape, entry: DecoderEntry, compression?: Compression): Decoded {
  const { layers, kvHeads: H, queryHeads: Q, headWidth: D, normEpsilon } = spec;
  const { sequences: B, prefix: P, threads: N, threadLength: T } = shape;
  const groups = Q / H;
  const scale = 1 / Math.sqrt(D);
  const rotate = rotation(graph, spec);
  const { inputs } = entry;
  const masks = sequenceMasks(graph, P, compression?.window ?? 0);
  const threadMask = inputs && threadMasks(graph, shape, inputs, compression?.window ?? 0);
  const prefixPositions = graph.constant(BigInt64Array.from({ length: B * P }, (_, i) => BigInt(i % P)), 'int64', [B, P]);
  const alphas: Value[] = [];
  let prefix = entry.prefix;
  let threads = entry.threads;

  for (let i = 0; i < layers; i++) {
    const norm = (x: Value, part: 'attentionNorm' | 'mlpNorm') => rmsNorm(x, weight(roles.layer(i, part))!, normEpsilon);
    const project = (x: Value, part: 'query' | 'key' | 'value' | 'output' | 'gate' | 'up' | 'down') => gemm(x, weight(roles.layer(i, part))!, weight(roles.layer(i, part, 'bias')), { transB: true });
    const layerNoise = (noise: Value) => reshape(slice(noise, 0, i, i + 1), (noise.shape as number[]).slice(1));

    /** Queries, keys and values of `count` groups of `length` tokens; keys and values as the memory holds them, before the rotary embedding. */
    const projected = (x: Value, count: number, length: number, noise: Value | undefined, joined?: { readonly states: Value; readonly inputs: ThreadInputs }) => {
      const normed = norm(x, 'attentionNorm');
      const heads = (y: Value, number: number) => reshape(y, [count, length, number, D]);
      const byHead = (y: Value) => transpose(y, [0, 2, 1, 3]);
      const masked = (y: Value) => (compression?.channels ? mul(y, compression.channels) : y);
      const queries = masked(heads(project(normed, 'query'), Q));
      const keys = byHead(masked(heads(project(normed, 'key'), H)));
      const values = byHead(heads(project(normed, 'value'), H));
      if (!compression) return { queries, keys, values };
      const perHead = (y: Value) => transpose(reshape(y, [count, length, H]), [0, 2, 1]);
      if (compression.kind === 'dms') {
        const adapted = gemm(rmsNorm(x, weight(roles.dms(i, 'norm.weight'))!, normEpsilon), weight(roles.dms(i, 'proj.weight'))!, weight(roles.dms(i, 'proj.bias')), { transB: true });
        return { queries, keys, values, decisions: decide(mul(perHead(adapted), graph.scalar(dmsFactor)), noise!, compression.mode) };
      }
      const decisionRows = (part: 'query' | 'key') => perHead(gemm(normed, weight(roles.decision(i, part))!, weight(roles.decision(i, part, 'bias')), { transB: true }));
      const decisions = decide(decisionRows('key'), noise!, compression.mode);
      const importance = reshape(add(sigmoid(add(decisionRows('query'), graph.scalar(5))), graph.scalar(importanceEpsilon)), [count, H, length, 1]);
      let terms = concat([mul(keys, importance), mul(values, importance), importance], 3);
      const alpha = reshape(decisions.alpha, [count, H, length, 1]);
      let factors = mul(alpha, firstAppends(graph, length));
      if (joined) {
        const starts = reshape(joined.inputs.starts, [count, 1, length, 1]);
        // A run's first token may go on with the state that the sequence had before it.
        terms = add(terms, mul(joined.states, mul(alpha, starts)));
        factors = mul(alpha, sub(graph.scalar(1), starts));
      }
      const states = linearRecurrence(factors, terms);
      const total = slice(states, 3, 2 * D, 2 * D + 1);
      return { queries, keys: div(slice(states, 3, 0, D), total), values: div(slice(states, 3, D, 2 * D), total), decisions, states };
    };

    const own = projected(prefix, B, P, compression && layerNoise(compression.noise.prefix));
    const prefixKeys = reshape(rotate(reshape(own.keys, [B * H, P, D]), repeated(prefixPositions, B, H, [P])), [B, H, P, D]);
    if (own.decisions) alphas.push(own.decisions.alpha);
    const output = (x: Value, attended: Value) => {
      const y = add(x, project(attended, 'output'));
      const normed = norm(y, 'mlpNorm');
      return add(y, project(mul(silu(project(normed, 'gate')), project(normed, 'up')), 'down'));
    };

    let attendedThreads: Value | undefined;
    if (threads && inputs && threadMask) {
      const joined = own.states && { states: statesBefore(own.states, inputs.before, shape), inputs };
      const made = projected(threads, B * N, T, compression?.noise.threads && layerNoise(compression.noise.threads), joined);
      const positions = reshape(inputs.positions, [B * N, T]);
      const queries = rotate(reshape(made.queries, [B * N, T, Q * D]), positions);
      const byThread = (x: Value) => transpose(reshape(x, [B, N, H, T, D]), [0, 2, 1, 3, 4]);
      const keys = byThread(reshape(rotate(reshape(made.keys, [B * N * H, T, D]), repeated(inputs.positions, B * N, H, [T])), [B * N, H, T, D]));
      const bias = threadMask(own.decisions, made.decisions);
      const seen = blockAttention(
        reshape(transpose(reshape(queries, [B, N, T, H, groups, D]), [0, 3, 1, 4, 2, 5]), [B, H, N * groups * T, D]),
        [
          { key: prefixKeys, value: own.values, bias: bias.prefix, biasShape: [B, H, N, groups, T, P] },
          { queryShape: [B, H, N, groups * T, D], key: keys, value: byThread(made.values), bias: bias.own, biasShape: [B, H, N, groups, T, T] },
        ],
        scale,
      );
      attendedThreads = reshape(transpose(reshape(seen, [B, H, N, groups, T, D]), [0, 2, 4, 1, 3, 5]), [B * N * T, Q * D]);
    }
    // With threads, nobody reads the sequences after the last layer's keys and values.
    if (i < layers - 1 || !threads) {
      const queries = transpose(reshape(rotate(reshape(own.queries, [B, P, Q * D]), prefixPositions), [B, P, H, groups, D]), [0, 2, 3, 1, 4]);
      const closed = own.decisions && reshape(ofNext(own.decisions.logKept), [B, H, 1, 1, P]);
      const parts = masks.map(({ start, end, causal, far }) => {
        const bias = closed ? add(mul(cut(closed, 4, 0, end), far), causal) : causal;
        const rows = reshape(cut(queries, 3, start, end), [B, H, groups * (end - start), D]);
        const part = blockAttention(rows, [{ key: cut(prefixKeys, 2, 0, end), value: cut(own.values, 2, 0, end), bias, biasShape: [B, H, groups, end - start, end] }], scale);
        return reshape(part, [B, H, groups, end - start, D]);
      });
      const seen = parts.length === 1 ? parts[0]! : concat(parts, 3);
      prefix = output(prefix, reshape(transpose(seen, [0, 3, 1, 2, 4]), [B * P, Q * D]));
    }
    if (threads) threads = output(threads, attendedThreads!);
  }
  return { hidden: threads ?? prefix, alphas };
}

const cut = (x: Value, axis: number, start: number, end: number) => (start === 0 && end === x.shape[axis] ? x : slice(x, axis, start, end));

/** float32 [1, 1, length, 1]: 0 for the first token, which has nothing to merge into. */
function firstAppends(graph: Graph, length: number): Value {
  return graph.constant(Float32Array.from({ length }, (_, t) => Number(t > 0)), 'float32', [1, 1, length, 1]);
}

/** int64 [count · heads, ...rest]: positions for each head. */
function repeated(positions: Value, count: number, heads: number, rest: readonly number[]): Value {
  return reshape(expand(reshape(positions, [count, 1, ...rest]), [count, heads, ...rest]), [count * heads, ...rest]);
}

/** float32 [B · N, H, T, C]: for each token of a thread the sums that the sequence had before its run. */
function statesBefore(states: Value, before: Value, { sequences: B, prefix: P, threads: N, threadLength: T }: RetrofitShape): Value {
  const [, H, , C] = states.shape as [number, number, number, number];
  const rows = reshape(transpose(states, [0, 2, 1, 3]), [B * P, H * C]);
  return transpose(reshape(gather(rows, reshape(before, [B * N * T])), [B * N, T, H, C]), [0, 2, 1, 3]);
}

/** Rotary embedding with its tables as constants, channels i and i + D/2 turning together. */
function rotation(graph: Graph, { contextLength, ropeTheta, headWidth }: DecoderSpec) {
  const half = headWidth / 2;
  const angles = Array.from({ length: contextLength * half }, (_, i) => Math.floor(i / half) * ropeTheta ** (-(i % half) / half));
  const cos = graph.constant(Float32Array.from(angles, Math.cos), 'float32', [contextLength, half], 'rotary cos');
  const sin = graph.constant(Float32Array.from(angles, Math.sin), 'float32', [contextLength, half], 'rotary sin');
  return (x: Value, positions: Value) => rotaryEmbedding(x, positions, cos, sin);
}

/** Blocks of rows of the sequences: the causal mask over the keys up to a block's end, and where decisions about a key have taken effect. */
function sequenceMasks(graph: Graph, length: number, window: number) {
  const blocks = Math.max(1, Math.round(length / causalRows));
  return Array.from({ length: blocks }, (_, block) => {
    const [start, end] = [Math.round((block * length) / blocks), Math.round(((block + 1) * length) / blocks)];
    const matrix = (at: (row: number, key: number) => number, name: string) =>
      graph.constant(Float32Array.from({ length: (end - start) * end }, (_, n) => at(start + Math.floor(n / end), n % end)), 'float32', [end - start, end], `${name} ${block}`);
    return { start, end, causal: matrix((row, key) => (key > row ? hiddenScore : 0), 'causal'), far: matrix((row, key) => Number(row - key > window), 'far') };
  });
}

const truth = (condition: Value) => cast(condition, 'float32');

/** What the scores of threads get added, from the decisions of one layer. */
function threadMasks(graph: Graph, { sequences: B, prefix: P, threads: N, threadLength: T }: RetrofitShape, inputs: ThreadInputs, window: number) {
  const one = graph.scalar(1);
  const counting = (length: number) => graph.constant(BigInt64Array.from({ length }, (_, i) => BigInt(i)), 'int64', [length]);
  const rows = (x: Value) => reshape(x, [B, 1, N, 1, T, 1]);
  const columns = (x: Value) => reshape(x, [B, 1, N, 1, 1, T]);
  const [places, last] = [counting(P), rows(sub(inputs.visible, graph.scalar(1, 'int64')))];
  const beyond = truth(greater(places, last));
  const boundary = truth(equal(places, last));
  const inner = truth(less(places, last));
  const reach = sub(rows(inputs.positions), graph.scalar(window, 'int64'));
  const farPrefix = truth(less(places, reach));
  const same = truth(equal(rows(inputs.segments), columns(inputs.segments)));
  const past = truth(less(counting(T), reshape(add(counting(T), graph.scalar(1, 'int64')), [T, 1])));
  const ownHidden = mul(sub(one, mul(same, past)), graph.scalar(hiddenScore));
  const prefixHidden = mul(beyond, graph.scalar(hiddenScore));
  const farOwn = mul(mul(same, past), truth(less(columns(inputs.positions), reach)));
  const [innerFar, boundaryFar] = [mul(inner, farPrefix), mul(boundary, farPrefix)];
  const byHead = (x: Value) => transpose(x, [0, 2, 1, 3]);

  return (sequence: Decisions | undefined, thread: Decisions | undefined) => {
    if (!sequence || !thread) return { prefix: prefixHidden, own: ownHidden };
    const H = sequence.logKept.shape[1] as number;
    const closed = reshape(ofNext(sequence.logKept), [B, H, 1, 1, 1, P]);
    // The sequence's last visible token is followed by the run's first.
    const runStart = expand(reshape(inputs.runStart, [B * N, 1, T]), [B * N, H, T]);
    const closedLast = reshape(byHead(reshape(gatherElements(thread.logKept, runStart, 2), [B, N, H, T])), [B, H, N, 1, T, 1]);
    // A token before a run is followed by the sequence, not by the run.
    const notStart = sub(one, reshape(inputs.starts, [B * N, 1, T]));
    const closedOwn = reshape(byHead(reshape(ofNext(mul(thread.logKept, notStart)), [B, N, H, T])), [B, H, N, 1, 1, T]);
    return { prefix: add(add(mul(closed, innerFar), mul(closedLast, boundaryFar)), prefixHidden), own: add(mul(closedOwn, farOwn), ownHidden) };
  };
}
