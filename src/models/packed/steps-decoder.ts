// Steps of the decoder: layers, norm and output matrix, run on a calibration text behind visual tokens.
import { AsyncDisposableStack } from '../../core/disposal.ts';
import { add, mul, silu } from '../../graph/ops.ts';
import { Tensor } from '../../runtime/onnx.ts';
import type { Checkpoint, DecoderSpec } from '../contract.ts';
import { causalAttention } from './calibration-attention.ts';
import { calibrationText } from './calibration-text.ts';
import { openEmbedding } from './embedding.ts';
import { StepGraph } from './step-graph.ts';
import type { Step } from './steps.ts';
import type { DecoderEnd } from './units.ts';

const visualTokens = 64;
const textTokens = 160;
/** Rows and columns of logits that are compared: a sample, since an output matrix has a hundred thousand columns. */
const logitRows = 48;
const logitColumns = 4096;

export function decoderSteps(checkpoint: Checkpoint): readonly Step[] {
  const { decoder } = checkpoint;
  const decisions = checkpoint.adapter?.decisions;
  const layers = decoder.weights.layers.map((_, index) => layerStep(decoder, index, decisions?.kind === 'dmc' ? decisions.channel : undefined));
  const steps = [...layers, endStep(decoder)];
  return [{ ...steps[0]!, start: (visual) => opening(checkpoint, visual ?? new Float32Array(0)) }, ...steps.slice(1)];
}

/** float32 [T, E]: visual tokens, then text. */
function opening({ decoder: { spec, weights }, prompt }: Checkpoint, visual: Float32Array): Float32Array {
  const seen = visual.subarray(0, visualTokens * spec.width);
  const ids = prompt.encode(calibrationText).subarray(0, Math.min(textTokens, spec.contextLength - seen.length / spec.width));
  using table = openEmbedding(weights.embedding);
  const sequence = new Float32Array(seen.length + ids.length * spec.width);
  sequence.set(seen);
  table.rows(ids, sequence.subarray(seen.length));
  return sequence;
}

/** @param channel of queries and keys that attention does not see */
function layerStep({ spec, weights }: Checkpoint['decoder'], index: number, channel: number | undefined): Step {
  const { attentionNorm, mlpNorm, query, key, value, output, gate, up, down } = weights.layers[index]!;
  const name = `decoder-${index}`;
  return {
    name,
    linears: { query, key, value, output, gate, up, down },
    norms: { attentionNorm, mlpNorm },
    tensors: {},
    folds: [
      { linears: ['query', 'key', 'value'], source: { kind: 'norm', name: 'attentionNorm' } },
      { linears: ['output'], source: { kind: 'linear', name: 'value' }, channels: valueChannels(spec) },
      { linears: ['gate', 'up'], source: { kind: 'norm', name: 'mlpNorm' } },
      { linears: ['down'], source: { kind: 'linear', name: 'up' } },
    ],
    afterWidth: spec.width,
    manifest: ({ linears, norms }) => ({ ...norms, ...linears }),
    async open(parts, threads) {
      await using opened = new AsyncDisposableStack();
      const project = new StepGraph(`${name} project`, parts);
      const normed = project.rmsNorm('attentionNorm', project.input('residual', ['T', spec.width]), spec.normEpsilon);
      for (const role of ['query', 'key', 'value']) project.linear(role, normed);
      const first = opened.use(await project.open(threads));

      const feed = new StepGraph(`${name} feed`, parts);
      const attended = add(feed.input('residual', ['T', spec.width]), feed.linear('output', feed.input('mixed', ['T', spec.queryHeads * spec.headWidth])));
      const wide = feed.rmsNorm('mlpNorm', attended, spec.normEpsilon);
      const hidden = mul(silu(feed.linear('gate', wide)), feed.linear('up', wide));
      feed.graph.output('after', add(attended, feed.linear('down', hidden)));
      const second = opened.use(await feed.open(threads));
      const resources = opened.move();
      return {
        async run(input, noise) {
          const residual = new Tensor('float32', input, [input.length / spec.width, spec.width]);
          const projected = await first.run({ residual }, noise);
          const { query: q, key: k, value: v } = projected.outputs;
          const mixed = causalAttention(spec, without(q!, channel, spec), without(k!, channel, spec), v!);
          const fed = await second.run({ residual, mixed: new Tensor('float32', mixed, [residual.dims[0]!, spec.queryHeads * spec.headWidth]) }, noise);
          return { inputs: { ...projected.inputs, ...fed.inputs }, outputs: { ...projected.outputs, ...fed.outputs }, after: fed.results['after']! };
        },
        [Symbol.asyncDispose]: () => resources.disposeAsync(),
      };
    },
  };
}

/** float32 [T, heads, D] with one channel zero. */
function without(heads: Float32Array, channel: number | undefined, { headWidth }: DecoderSpec): Float32Array {
  return channel === undefined ? heads : heads.map((value, i) => (i % headWidth === channel ? 0 : value));
}

/** Query heads of a group read the same value channels. */
function valueChannels({ queryHeads, kvHeads, headWidth }: DecoderSpec): Int32Array {
  const group = queryHeads / kvHeads;
  return Int32Array.from({ length: queryHeads * headWidth }, (_, i) => Math.floor(i / headWidth / group) * headWidth + (i % headWidth));
}

function endStep({ spec, weights }: Checkpoint['decoder']): Step {
  return {
    name: 'decoder-end',
    linears: { head: weights.head },
    norms: { finalNorm: weights.finalNorm },
    tensors: {},
    folds: [{ linears: ['head'], source: { kind: 'norm', name: 'finalNorm' } }],
    afterWidth: Math.min(spec.vocabulary, logitColumns),
    manifest: ({ linears, norms }) => ({ finalNorm: norms['finalNorm']!, head: linears['head']! }) satisfies DecoderEnd,
    async open(parts, threads) {
      const step = new StepGraph('decoder-end', parts);
      step.graph.output('logits', step.linear('head', step.rmsNorm('finalNorm', step.input('x', ['T', spec.width]), spec.normEpsilon)));
      const model = await step.open(threads);
      return {
        async run(residual, noise) {
          const x = sampled(residual, spec.width);
          const { results, ...seen } = await model.run({ x: new Tensor('float32', x, [x.length / spec.width, spec.width]) }, noise);
          return { ...seen, after: firstColumns(results['logits']!, x.length / spec.width) };
        },
        [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
      };
    },
  };
}

/** Rows spread evenly, the last among them. */
function sampled(matrix: Float32Array, width: number): Float32Array {
  const total = matrix.length / width;
  const count = Math.min(logitRows, total);
  const rows = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const row = Math.floor(((i + 1) * total) / count) - 1;
    rows.set(matrix.subarray(row * width, (row + 1) * width), i * width);
  }
  return rows;
}

function firstColumns(matrix: Float32Array, rows: number): Float32Array {
  const width = matrix.length / rows;
  if (width <= logitColumns) return matrix;
  const kept = new Float32Array(rows * logitColumns);
  for (let row = 0; row < rows; row++) kept.set(matrix.subarray(row * width, row * width + logitColumns), row * logitColumns);
  return kept;
}
