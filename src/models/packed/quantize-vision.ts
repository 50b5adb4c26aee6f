// Units of a quantised pack: the vision transformer and projector. Calibration pictures pass through in float32, layer by layer.
import { Graph } from '../../graph/graph.ts';
import type { Value } from '../../graph/graph.ts';
import type { PackedLinear } from '../../graph/linear.ts';
import { linear } from '../../graph/linear.ts';
import { add, gelu, int, layerNorm, reshape, single } from '../../graph/ops.ts';
import { Tensor } from '../../runtime/onnx.ts';
import type { Checkpoint, VisionSpec } from '../contract.ts';
import { calibrationPatches, pictureCount } from './calibration-pictures.ts';
import type { CalibrationStore } from './calibration-store.ts';
import { convertTensor } from './convert.ts';
import { chooseFactors, divideColumns, divideOutputs, multiplyColumns } from './equalize.ts';
import type { FloatLinear, QuantizedPrecision } from './fit-linear.ts';
import { fitLinear, readLinear } from './fit-linear.ts';
import type { FloatNorm } from './float-layers.ts';
import { floatLinear, readNorm, runOnce, writeNorm } from './float-layers.ts';
import { sampleRows } from './samples.ts';
import type { PackUnit } from './units.ts';

type Vision = NonNullable<Checkpoint['vision']>;

export function visionUnits({ spec, weights, projector, projectorWeights }: Vision, precision: QuantizedPrecision, store: CalibrationStore, threads: number): readonly PackUnit[] {
  const count = spec.columns * spec.rows;
  const pictures = pictureCount(spec);
  const start: PackUnit = {
    name: 'vision-start',
    async pack(writer) {
      const patches = calibrationPatches(spec);
      const patch = await readLinear(weights.patch);
      const positions = await weights.positions.read();
      const graph = new Graph('start');
      graph.output('embedded', linear(graph.input('patches', 'float32', ['T', patch.inWidth]), floatLinear(patch)));
      const { embedded } = await runOnce(graph, { patches: new Tensor('float32', patches, [pictures * count, patch.inWidth]) }, threads);
      await store.write('vision-0', embedded!.map((value, i) => value + positions[i % positions.length]!));
      return { patch: await fitLinear(patch, sampleRows(patches, patch.inWidth), precision, writer), positions: await convertTensor(weights.positions, writer) };
    },
  };
  const layers = weights.layers.map(
    (layer, index): PackUnit => ({
      name: `vision-${index}`,
      async pack(writer) {
        const residual = await store.read(`vision-${index}`);
        const [attentionNorm, mlpNorm] = [await readNorm(layer.attentionNorm), await readNorm(layer.mlpNorm)];
        const [query, key, value, output] = [await readLinear(layer.query), await readLinear(layer.key), await readLinear(layer.value), await readLinear(layer.output)];
        const [up, down] = [await readLinear(layer.up), await readLinear(layer.down)];
        const graph = layerGraph(spec, { attentionNorm, query, key, value, output, mlpNorm, up, down });
        const seen = await runOnce(graph, { residual: new Tensor('float32', residual, [pictures, count, spec.width]) }, threads);
        await store.write(`vision-${index + 1}`, seen['after']!);
        await store.remove(`vision-${index - 1}`);

        const attentionInputs = sampleRows(seen['attentionInput']!, spec.width);
        const attentionFactors = await chooseFactors([query, key, value], attentionInputs, precision);
        for (const each of [query, key, value]) multiplyColumns(each.weight, attentionFactors);
        const equalAttention = divideColumns(attentionInputs, attentionFactors);

        const mixedInputs = sampleRows(seen['mixed']!, spec.width);
        const mixedFactors = await chooseFactors([output], mixedInputs, precision);
        divideOutputs(value, mixedFactors);
        multiplyColumns(output.weight, mixedFactors);

        const mlpInputs = sampleRows(seen['mlpInput']!, spec.width);
        const mlpFactors = await chooseFactors([up], mlpInputs, precision);
        multiplyColumns(up.weight, mlpFactors);
        return {
          attentionNorm: await writeNorm(attentionNorm, attentionFactors, writer),
          query: await fitLinear(query, equalAttention, precision, writer),
          key: await fitLinear(key, equalAttention, precision, writer),
          value: await fitLinear(value, equalAttention, precision, writer),
          output: await fitLinear(output, divideColumns(mixedInputs, mixedFactors), precision, writer),
          mlpNorm: await writeNorm(mlpNorm, mlpFactors, writer),
          up: await fitLinear(up, divideColumns(mlpInputs, mlpFactors), precision, writer),
          down: await fitLinear(down, sampleRows(seen['hidden']!, spec.mlpWidth), precision, writer),
        };
      },
    }),
  );
  const end: PackUnit = {
    name: 'vision-end',
    async pack(writer) {
      let features = await store.read(`vision-${spec.layers}`);
      const finalNorm = weights.finalNorm && (await readNorm(weights.finalNorm));
      if (finalNorm && spec.finalNorm) {
        const graph = new Graph('end');
        graph.output('normed', norm(graph.input('x', 'float32', ['T', spec.width]), finalNorm, spec.normEpsilon));
        features = (await runOnce(graph, { x: new Tensor('float32', features, [pictures * count, spec.width]) }, threads))['normed']!;
      }
      const linears: PackedLinear[] = [];
      let inputs = projector.kind === 'pixel-shuffle' ? shuffled(features, spec, projector.scale, pictures) : features;
      for (const [index, source] of projectorWeights.linears.entries()) {
        const layer = await readLinear(source);
        linears.push(await fitLinear(layer, sampleRows(inputs, layer.inWidth), precision, writer));
        const graph = new Graph('projector');
        const y = linear(graph.input('x', 'float32', ['T', layer.inWidth]), floatLinear(layer));
        const isLast = index === projectorWeights.linears.length - 1;
        graph.output('y', isLast || projector.kind === 'pixel-shuffle' ? y : gelu(y, projector.activation === 'gelu' ? 'none' : 'tanh'));
        inputs = (await runOnce(graph, { x: new Tensor('float32', inputs, [inputs.length / layer.inWidth, layer.inWidth]) }, threads))['y']!;
      }
      await store.write('visual-tokens', inputs);
      const ones = new Float32Array(spec.width).fill(1);
      const { newline } = projectorWeights;
      return {
        ...(finalNorm && { finalNorm: await writeNorm(finalNorm, ones, writer) }),
        projector: { linears, ...(newline && { newline: await convertTensor(newline, writer) }) },
      };
    },
  };
  return [start, ...layers, end];
}

interface FloatLayer {
  readonly attentionNorm: FloatNorm;
  readonly query: FloatLinear;
  readonly key: FloatLinear;
  readonly value: FloatLinear;
  readonly output: FloatLinear;
  readonly mlpNorm: FloatNorm;
  readonly up: FloatLinear;
  readonly down: FloatLinear;
}

/** One layer in float32, with the input of each linear layer as an output. */
function layerGraph(spec: VisionSpec, layer: FloatLayer): Graph {
  const { width, normEpsilon } = spec;
  const graph = new Graph('layer');
  const pictures = graph.input('residual', 'float32', ['N', 'P', width]);
  const residual = reshape(pictures, [-1, width], ['T', width]);
  const attentionInput = norm(residual, layer.attentionNorm, normEpsilon);
  const [q, k, v] = [layer.query, layer.key, layer.value].map((each) => reshape(linear(attentionInput, floatLinear(each)), [-1, spec.columns * spec.rows, width], pictures.shape));
  const mixed = reshape(single('MultiHeadAttention', [q, k, v], pictures.shape, { num_heads: int(spec.heads) }, 'float32', 'com.microsoft'), [-1, width], ['T', width]);
  const attended = add(residual, linear(mixed, floatLinear(layer.output)));
  const mlpInput = norm(attended, layer.mlpNorm, normEpsilon);
  const hidden = gelu(linear(mlpInput, floatLinear(layer.up)), spec.activation === 'gelu' ? 'none' : 'tanh');
  graph.output('attentionInput', attentionInput);
  graph.output('mixed', mixed);
  graph.output('mlpInput', mlpInput);
  graph.output('hidden', hidden);
  graph.output('after', add(attended, linear(hidden, floatLinear(layer.down))));
  return graph;
}

function norm(x: Value, { name, scale, bias }: FloatNorm, epsilon: number): Value {
  const { graph } = x;
  const shape = [scale.length];
  return layerNorm(x, graph.constant(scale, 'float32', shape, name), graph.constant(bias ?? new Float32Array(scale.length), 'float32', shape, `${name}.bias`), epsilon);
}

/** Squares of patches side by side, as the projector gets them; the order within a square does not matter for its statistics. */
function shuffled(features: Float32Array, { columns, rows, width }: VisionSpec, scale: number, pictures: number): Float32Array {
  const result = new Float32Array(features.length);
  let at = 0;
  for (let picture = 0; picture < pictures; picture++) {
    for (let y = 0; y < rows; y += scale) {
      for (let x = 0; x < columns; x += scale) {
        for (let place = 0; place < scale * scale; place++) {
          const patch = (picture * rows + y + Math.floor(place / scale)) * columns + x + (place % scale);
          result.set(features.subarray(patch * width, (patch + 1) * width), at);
          at += width;
        }
      }
    }
  }
  return result;
}
