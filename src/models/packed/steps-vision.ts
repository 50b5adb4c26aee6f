// Steps of the vision side: embedding, layers, norm and projector, run on calibration pictures.
import { add, gelu, int, reshape, single } from '../../graph/ops.ts';
import { Tensor } from '../../runtime/onnx.ts';
import type { Checkpoint, VisionSpec } from '../contract.ts';
import { calibrationPatches, pictureCount } from './calibration-pictures.ts';
import { readFloat32 } from './read-tensor.ts';
import { StepGraph } from './step-graph.ts';
import type { Step, StepParts } from './steps.ts';
import type { VisionEnd, VisionStart } from './units.ts';

type Vision = NonNullable<Checkpoint['vision']>;

const approximation = (activation: 'gelu' | 'gelu-tanh') => (activation === 'gelu' ? 'none' : 'tanh');

export function visionSteps(vision: Vision): readonly Step[] {
  return [startStep(vision), ...vision.weights.layers.map((_, index) => layerStep(vision, index)), endStep(vision)];
}

function startStep({ spec, weights }: Vision): Step {
  return {
    name: 'vision-start',
    linears: { patch: weights.patch },
    norms: {},
    tensors: { positions: weights.positions },
    folds: [],
    afterWidth: spec.width,
    manifest: ({ linears, tensors }) => ({ patch: linears['patch']!, positions: tensors['positions']! }) satisfies VisionStart,
    start: () => calibrationPatches(spec),
    async open(parts, threads) {
      const width = 3 * spec.patchPx ** 2;
      const step = new StepGraph('vision-start', parts);
      step.graph.output('embedded', step.linear('patch', step.input('patches', ['T', width])));
      const model = await step.open(threads);
      const positions = await readFloat32(parts.tensors['positions']!);
      return {
        async run(patches, noise) {
          const { results, ...seen } = await model.run({ patches: new Tensor('float32', patches, [patches.length / width, width]) }, noise);
          return { ...seen, after: results['embedded']!.map((value, i) => value + positions[i % positions.length]!) };
        },
        [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
      };
    },
  };
}

function layerStep({ spec, weights }: Vision, index: number): Step {
  const { attentionNorm, mlpNorm, query, key, value, output, up, down } = weights.layers[index]!;
  const name = `vision-${index}`;
  return {
    name,
    linears: { query, key, value, output, up, down },
    norms: { attentionNorm, mlpNorm },
    tensors: {},
    folds: [
      { linears: ['query', 'key', 'value'], source: { kind: 'norm', name: 'attentionNorm' } },
      { linears: ['output'], source: { kind: 'linear', name: 'value' } },
      { linears: ['up'], source: { kind: 'norm', name: 'mlpNorm' } },
    ],
    afterWidth: spec.width,
    manifest: ({ linears, norms }) => ({ ...norms, ...linears }),
    async open(parts, threads) {
      const model = await layerGraph(name, spec, parts).open(threads);
      const count = spec.columns * spec.rows;
      return {
        async run(residual, noise) {
          const { results, ...seen } = await model.run({ residual: new Tensor('float32', residual, [pictureCount(spec), count, spec.width]) }, noise);
          return { ...seen, after: results['after']! };
        },
        [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
      };
    },
  };
}

function layerGraph(name: string, spec: VisionSpec, parts: StepParts): StepGraph {
  const { width, normEpsilon } = spec;
  const step = new StepGraph(name, parts);
  const pictures = step.input('residual', ['N', 'P', width]);
  const residual = reshape(pictures, [-1, width], ['T', width]);
  const normed = step.layerNorm('attentionNorm', residual, normEpsilon);
  const heads = ['query', 'key', 'value'].map((role) => reshape(step.linear(role, normed), [-1, spec.columns * spec.rows, width], pictures.shape));
  const mixed = reshape(single('MultiHeadAttention', heads, pictures.shape, { num_heads: int(spec.heads) }, 'float32', 'com.microsoft'), [-1, width], ['T', width]);
  const attended = add(residual, step.linear('output', mixed));
  const hidden = gelu(step.linear('up', step.layerNorm('mlpNorm', attended, normEpsilon)), approximation(spec.activation));
  step.graph.output('after', add(attended, step.linear('down', hidden)));
  return step;
}

function endStep({ spec, weights, projector, projectorWeights }: Vision): Step {
  const { finalNorm } = weights;
  const { linears: matrices, newline } = projectorWeights;
  return {
    name: 'vision-end',
    linears: Object.fromEntries(matrices.map((matrix, index) => [`projector${index}`, matrix])),
    norms: finalNorm ? { finalNorm } : {},
    tensors: newline ? { newline } : {},
    folds: [],
    afterWidth: projector.outputWidth,
    manifest: ({ linears, norms, tensors }) =>
      ({
        ...(norms['finalNorm'] && { finalNorm: norms['finalNorm'] }),
        projector: { linears: matrices.map((_, index) => linears[`projector${index}`]!), ...(tensors['newline'] && { newline: tensors['newline'] }) },
      }) satisfies VisionEnd,
    async open(parts, threads) {
      const step = new StepGraph('vision-end', parts);
      const x = step.input('x', ['T', spec.width]);
      const normed = finalNorm && spec.finalNorm ? step.layerNorm('finalNorm', x, spec.normEpsilon) : x;
      if (projector.kind === 'pixel-shuffle') {
        // Rows come in the order of their squares, so that a square is one longer row.
        step.graph.output('after', step.linear('projector0', reshape(normed, [-1, projector.inputWidth], ['N', projector.inputWidth])));
      } else {
        step.graph.output('after', step.linear('projector1', gelu(step.linear('projector0', normed), approximation(projector.activation))));
      }
      const model = await step.open(threads);
      return {
        async run(features, noise) {
          const rows = projector.kind === 'pixel-shuffle' ? bySquares(features, spec, projector.scale) : features;
          const { results, ...seen } = await model.run({ x: new Tensor('float32', rows, [rows.length / spec.width, spec.width]) }, noise);
          return { ...seen, after: results['after']! };
        },
        [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
      };
    },
  };
}

/** Rows of patches, square after square. */
function bySquares(features: Float32Array, spec: VisionSpec, scale: number): Float32Array {
  const { columns, rows, width } = spec;
  const result = new Float32Array(features.length);
  let at = 0;
  for (let picture = 0; picture < pictureCount(spec); picture++) {
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
