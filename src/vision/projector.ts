// The projector: encoded patches to visual tokens, and which patches each token stands for.
import { Graph } from '../graph/graph.ts';
import { linear } from '../graph/linear.ts';
import { gather, gelu, mul, reduceSum, reshape } from '../graph/ops.ts';
import type { ProjectorSpec, VisionSpec } from '../models/contract.ts';
import type { PackedVision } from '../models/packed/contract.ts';

/** The patches that the tokens of a frame are made of. */
export interface TokenLayout {
  /** Visual tokens of one frame, the newline token of a video not counted. */
  readonly count: number;
  readonly columns: number;
  readonly rows: number;
  /** Patches that go into each token. */
  readonly sources: number;
  /** int32 [count, sources]: patch numbers, row by row from the top. */
  readonly patches: Int32Array;
  /** float32 [count, sources]: shares of a weighted mean; absent where patches stand side by side in the token. */
  readonly shares?: Float32Array;
}

export function tokenLayout(vision: VisionSpec, projector: ProjectorSpec): TokenLayout {
  return projector.kind === 'pixel-shuffle' ? shuffled(vision, projector.scale) : pooled(vision);
}

/** Idefics3's order: within a token, down the square first row by row, each row's patches side by side. */
function shuffled({ columns: across, rows: down }: VisionSpec, scale: number): TokenLayout {
  const [columns, rows] = [across / scale, down / scale];
  const patches = new Int32Array(across * down);
  let at = 0;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      for (let dy = 0; dy < scale; dy++) for (let dx = 0; dx < scale; dx++) patches[at++] = (y * scale + dy) * across + x * scale + dx;
    }
  }
  return { count: columns * rows, columns, rows, sources: scale * scale, patches };
}

/** Bilinear resize to half, rounded up, with half-pixel centres (PyTorch's `interpolate(mode="bilinear")`, no corner alignment, no antialiasing). */
function pooled({ columns: across, rows: down }: VisionSpec): TokenLayout {
  const [columns, rows] = [Math.ceil(across / 2), Math.ceil(down / 2)];
  const patches = new Int32Array(columns * rows * 4);
  const shares = new Float32Array(columns * rows * 4);
  let at = 0;
  for (let y = 0; y < rows; y++) {
    const [top, bottom, shareBottom] = neighbours(y, down, rows);
    for (let x = 0; x < columns; x++) {
      const [left, right, shareRight] = neighbours(x, across, columns);
      for (const [row, shareRow] of [[top, 1 - shareBottom], [bottom, shareBottom]] as const) {
        for (const [column, shareColumn] of [[left, 1 - shareRight], [right, shareRight]] as const) {
          patches[at] = row * across + column;
          shares[at++] = shareRow * shareColumn;
        }
      }
    }
  }
  return { count: columns * rows, columns, rows, sources: 4, patches, shares };
}

/** The two inputs that one output lies between, and the share of the second. */
function neighbours(output: number, inputs: number, outputs: number): readonly [number, number, number] {
  const place = Math.max(0, ((output + 0.5) * inputs) / outputs - 0.5);
  const first = Math.min(inputs - 1, Math.floor(place));
  return [first, Math.min(inputs - 1, first + 1), place - first];
}

/** Pixel shuffle: `features` [P, E] (encoded patches), `order` int32 [N, sources] → `tokens` [N, out]: the tokens of those patches. */
export function shuffleGraph(spec: Extract<ProjectorSpec, { kind: 'pixel-shuffle' }>, packed: PackedVision): Graph {
  const graph = new Graph('projector');
  const width = spec.inputWidth / spec.scale ** 2;
  const order = graph.input('order', 'int32', ['N', spec.scale ** 2]);
  const squares = gather(graph.input('features', 'float32', ['P', width]), order);
  graph.output('tokens', linear(reshape(squares, [-1, spec.inputWidth], ['N', spec.inputWidth]), packed.projector.linears[0]!));
  return graph;
}

/** LLaVA's perceptron: `encoded` [R, E] → `projected` [R, out]. */
export function perceptronGraph(spec: Extract<ProjectorSpec, { kind: 'mlp-pooled' }>, packed: PackedVision): Graph {
  const graph = new Graph('projector');
  const [first, second] = packed.projector.linears;
  const hidden = gelu(linear(graph.input('encoded', 'float32', ['R', spec.inputWidth]), first!), spec.activation === 'gelu' ? 'none' : 'tanh');
  graph.output('projected', linear(hidden, second!));
  return graph;
}

/** `projected` [P, out] → `tokens` [tokens of a frame, out]. */
export function poolGraph(spec: Extract<ProjectorSpec, { kind: 'mlp-pooled' }>, layout: TokenLayout): Graph {
  const graph = new Graph('pool');
  const order = graph.constant(layout.patches, 'int32', [layout.count, layout.sources], 'order');
  const shares = graph.constant(layout.shares!, 'float32', [layout.count, layout.sources, 1], 'shares');
  const picked = gather(graph.input('projected', 'float32', ['P', spec.outputWidth]), order);
  graph.output('tokens', reduceSum(mul(picked, shares), [1], false));
  return graph;
}
