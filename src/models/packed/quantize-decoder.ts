// Units of a quantised pack: the decoder. A calibration text behind visual tokens passes through in float32, layer by layer.
import { Graph } from '../../graph/graph.ts';
import type { Value } from '../../graph/graph.ts';
import { linear } from '../../graph/linear.ts';
import { add, mul, rmsNorm, silu } from '../../graph/ops.ts';
import { Tensor } from '../../runtime/onnx.ts';
import type { Checkpoint, DecoderSpec } from '../contract.ts';
import { causalAttention } from './calibration-attention.ts';
import type { CalibrationStore } from './calibration-store.ts';
import { calibrationText } from './calibration-text.ts';
import { openEmbedding } from './embedding.ts';
import { chooseFactors, divideColumns, divideOutputs, multiplyColumns } from './equalize.ts';
import type { FloatLinear, QuantizedPrecision } from './fit-linear.ts';
import { fitLinear, readLinear } from './fit-linear.ts';
import type { FloatNorm } from './float-layers.ts';
import { floatLinear, readNorm, runOnce, writeNorm } from './float-layers.ts';
import { sampleRows } from './samples.ts';
import type { PackUnit } from './units.ts';

const visualTokens = 96;
const textTokens = 256;

export function decoderUnits({ vision, decoder, prompt }: Checkpoint, precision: QuantizedPrecision, store: CalibrationStore, threads: number): readonly PackUnit[] {
  const { spec, weights } = decoder;
  const { width } = spec;

  /** float32 [T, E]: visual tokens, then text. */
  async function opening(): Promise<Float32Array> {
    const seen = vision ? (await store.read('visual-tokens')).subarray(0, visualTokens * width) : new Float32Array(0);
    const ids = prompt.encode(calibrationText).subarray(0, Math.min(textTokens, spec.contextLength - seen.length / width));
    using table = openEmbedding(weights.embedding);
    const sequence = new Float32Array(seen.length + ids.length * width);
    sequence.set(seen);
    table.rows(ids, sequence.subarray(seen.length));
    return sequence;
  }

  const layers = weights.layers.map(
    (layer, index): PackUnit => ({
      name: `decoder-${index}`,
      async pack(writer) {
        const residual = index === 0 ? await opening() : await store.read(`decoder-${index}`);
        const tokens = residual.length / width;
        const [attentionNorm, mlpNorm] = [await readNorm(layer.attentionNorm), await readNorm(layer.mlpNorm)];
        const [query, key, value, output] = [await readLinear(layer.query), await readLinear(layer.key), await readLinear(layer.value), await readLinear(layer.output)];
        const [gate, up, down] = [await readLinear(layer.gate), await readLinear(layer.up), await readLinear(layer.down)];
        const before = await runOnce(projectGraph(spec, { attentionNorm, query, key, value }), { residual: new Tensor('float32', residual, [tokens, width]) }, threads);
        const mixed = causalAttention(spec, before['query']!, before['key']!, before['value']!);
        const after = await runOnce(
          feedGraph(spec, { output, mlpNorm, gate, up, down }),
          { residual: new Tensor('float32', residual, [tokens, width]), mixed: new Tensor('float32', mixed, [tokens, output.inWidth]) },
          threads,
        );
        await store.write(`decoder-${index + 1}`, after['after']!);
        await store.remove(`decoder-${index - 1}`);

        const attentionInputs = sampleRows(before['attentionInput']!, width);
        const attentionFactors = await chooseFactors([query, key, value], attentionInputs, precision);
        for (const each of [query, key, value]) multiplyColumns(each.weight, attentionFactors);
        const equalAttention = divideColumns(attentionInputs, attentionFactors);

        // Query heads of a group read the same value channels, so they share factors.
        const groups = valueChannels(spec);
        const mixedInputs = sampleRows(mixed, output.inWidth);
        const mixedFactors = await chooseFactors([output], mixedInputs, precision, groups);
        multiplyColumns(output.weight, mixedFactors);
        const valueFactors = new Float32Array(value.outWidth);
        groups.forEach((channel, i) => (valueFactors[channel] = mixedFactors[i]!));
        divideOutputs(value, valueFactors);

        const mlpInputs = sampleRows(after['mlpInput']!, width);
        const mlpFactors = await chooseFactors([gate, up], mlpInputs, precision);
        for (const each of [gate, up]) multiplyColumns(each.weight, mlpFactors);
        const equalMlp = divideColumns(mlpInputs, mlpFactors);

        const hiddenInputs = sampleRows(after['hidden']!, spec.mlpWidth);
        const hiddenFactors = await chooseFactors([down], hiddenInputs, precision);
        divideOutputs(up, hiddenFactors);
        multiplyColumns(down.weight, hiddenFactors);
        return {
          attentionNorm: await writeNorm(attentionNorm, attentionFactors, writer),
          query: await fitLinear(query, equalAttention, precision, writer),
          key: await fitLinear(key, equalAttention, precision, writer),
          value: await fitLinear(value, equalAttention, precision, writer),
          output: await fitLinear(output, divideColumns(mixedInputs, mixedFactors), precision, writer),
          mlpNorm: await writeNorm(mlpNorm, mlpFactors, writer),
          gate: await fitLinear(gate, equalMlp, precision, writer),
          up: await fitLinear(up, equalMlp, precision, writer),
          down: await fitLinear(down, divideColumns(hiddenInputs, hiddenFactors), precision, writer),
        };
      },
    }),
  );
  const end: PackUnit = {
    name: 'decoder-end',
    async pack(writer) {
      const residual = spec.layers === 0 ? await opening() : await store.read(`decoder-${spec.layers}`);
      const finalNorm = await readNorm(weights.finalNorm);
      const graph = new Graph('end');
      graph.output('normed', norm(graph.input('x', 'float32', ['T', width]), finalNorm, spec.normEpsilon));
      const { normed } = await runOnce(graph, { x: new Tensor('float32', residual, [residual.length / width, width]) }, threads);
      const head = await readLinear(weights.head);
      const inputs = sampleRows(normed!, width);
      const sampled = { ...head, outWidth: Math.min(4096, head.outWidth), weight: head.weight.subarray(0, Math.min(4096, head.outWidth) * width) };
      const factors = await chooseFactors([sampled], inputs, precision);
      multiplyColumns(head.weight, factors);
      // The output layer's error is the logits' error: it keeps 8 bits where the rest has 4.
      const fitted = await fitLinear(head, divideColumns(inputs, factors), precision === 'w4' ? 'w8' : precision, writer);
      return { finalNorm: await writeNorm(finalNorm, factors, writer), head: fitted };
    },
  };
  return [...layers, end];
}

/** int32 [Q · D]: the value channel that each channel of the mixed heads comes from. */
function valueChannels({ queryHeads, kvHeads, headWidth }: DecoderSpec): Int32Array {
  const group = queryHeads / kvHeads;
  return Int32Array.from({ length: queryHeads * headWidth }, (_, i) => Math.floor(i / headWidth / group) * headWidth + (i % headWidth));
}

function norm(x: Value, { name, scale }: FloatNorm, epsilon: number): Value {
  return rmsNorm(x, x.graph.constant(scale, 'float32', [scale.length], name), epsilon);
}

/** Norm, queries, keys and values in float32. */
function projectGraph(spec: DecoderSpec, layer: { readonly attentionNorm: FloatNorm; readonly query: FloatLinear; readonly key: FloatLinear; readonly value: FloatLinear }): Graph {
  const graph = new Graph('project');
  const attentionInput = norm(graph.input('residual', 'float32', ['T', spec.width]), layer.attentionNorm, spec.normEpsilon);
  graph.output('attentionInput', attentionInput);
  for (const name of ['query', 'key', 'value'] as const) graph.output(name, linear(attentionInput, floatLinear(layer[name])));
  return graph;
}

/** What follows attention, in float32. */
function feedGraph(spec: DecoderSpec, layer: { readonly output: FloatLinear; readonly mlpNorm: FloatNorm; readonly gate: FloatLinear; readonly up: FloatLinear; readonly down: FloatLinear }): Graph {
  const graph = new Graph('feed');
  const mixed = graph.input('mixed', 'float32', ['T', layer.output.inWidth]);
  const attended = add(graph.input('residual', 'float32', ['T', spec.width]), linear(mixed, floatLinear(layer.output)));
  const mlpInput = norm(attended, layer.mlpNorm, spec.normEpsilon);
  const hidden = mul(silu(linear(mlpInput, floatLinear(layer.gate))), linear(mlpInput, floatLinear(layer.up)));
  graph.output('mlpInput', mlpInput);
  graph.output('hidden', hidden);
  graph.output('after', add(attended, linear(hidden, floatLinear(layer.down))));
  return graph;
}
