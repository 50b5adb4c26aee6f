// Bare kernels of ONNX Runtime, for comparison: the fastest way there is to multiply matrices of given shapes, and attention beside it.
import { Graph } from '../src/graph/graph.ts';
import type { Value } from '../src/graph/graph.ts';
import type { PackedLinear } from '../src/graph/linear.ts';
import { linear, linearWidths, weight } from '../src/graph/linear.ts';
import { add, float, gemm, int, single } from '../src/graph/ops.ts';
import type { PackedDecoder } from '../src/models/packed/contract.ts';
import type { OnnxModel, Tensors } from '../src/runtime/onnx.ts';
import { openOnnx, Tensor } from '../src/runtime/onnx.ts';

/** Matrix products `[rows, inWidth] @ [inWidth, outWidth]`, `count` of them. */
export interface ProductShape {
  readonly rows: number;
  readonly inWidth: number;
  readonly outWidth: number;
  readonly count: number;
}

/** Attention of all heads, `count` times. */
export interface AttentionShape {
  readonly rows: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly causal: boolean;
  readonly count: number;
}

/** One kernel, open, with its inputs. */
export interface BareKernel extends AsyncDisposable {
  readonly name: string;
  readonly count: number;
  /** Milliseconds of one run. */
  time(): Promise<number>;
}

const filled = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898));

async function kernel(name: string, count: number, graph: Graph, feeds: Tensors, threads: number): Promise<BareKernel> {
  const model: OnnxModel = await openOnnx(graph.encode(), { threads });
  const into = Object.fromEntries(graph.outputs.map(({ name: output, value }) => [output, new Tensor('float32', new Float32Array(value.shape.reduce<number>((a, b) => a * Number(b), 1)), value.shape.map(Number))]));
  return {
    name,
    count,
    async time() {
      const start = performance.now();
      await model.run(feeds, into);
      return performance.now() - start;
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}

const products: Readonly<Record<string, (x: Value, inWidth: number, outWidth: number) => Value>> = {
  'Gemm float32': (x, inWidth, outWidth) => gemm(x, x.graph.constant(filled(inWidth * outWidth), 'float32', [outWidth, inWidth], 'w'), undefined, { transB: true }),
  'DynamicQuantizeMatMul int8': (x, inWidth, outWidth) => {
    const { graph } = x;
    const inputs = [x, graph.constant(Int8Array.from({ length: inWidth * outWidth }, (_, i) => ((i * 37) % 127) - 63), 'int8', [inWidth, outWidth], 'w'), graph.constant(new Float32Array(outWidth).fill(0.01), 'float32', [outWidth], 's')];
    return single('DynamicQuantizeMatMul', inputs, [x.shape[0]!, outWidth], {}, 'float32', 'com.microsoft');
  },
  'MatMulNBits 8-bit': (x, inWidth, outWidth) => blocks(x, inWidth, outWidth, 8),
  'MatMulNBits 4-bit': (x, inWidth, outWidth) => blocks(x, inWidth, outWidth, 4),
};

function blocks(x: Value, inWidth: number, outWidth: number, bits: 4 | 8): Value {
  const { graph } = x;
  const count = Math.ceil(inWidth / 32);
  const data = Uint8Array.from({ length: outWidth * count * 4 * bits }, (_, i) => (i * 37) & 255);
  const inputs = [x, graph.constant(data, 'uint8', [outWidth, count, 4 * bits], 'w'), graph.constant(new Float32Array(outWidth * count).fill(0.01), 'float32', [outWidth * count], 's')];
  return single('MatMulNBits', inputs, [x.shape[0]!, outWidth], { K: int(inWidth), N: int(outWidth), bits: int(bits), block_size: int(32), accuracy_level: int(4) }, 'float32', 'com.microsoft');
}

/** The fastest kernel for a product, of all that ONNX Runtime has, by a short race on this machine. */
export async function fastestProduct({ rows, inWidth, outWidth, count }: ProductShape, threads: number): Promise<BareKernel> {
  const racers: { readonly kernel: BareKernel; best: number }[] = [];
  for (const [name, make] of Object.entries(products)) {
    const graph = new Graph(name);
    graph.output('y', make(graph.input('x', 'float32', [rows, inWidth]), inWidth, outWidth));
    racers.push({ kernel: await kernel(`${name} ${rows}×${inWidth}×${outWidth}`, count, graph, { x: new Tensor('float32', filled(rows * inWidth), [rows, inWidth]) }, threads), best: Infinity });
  }
  for (let round = 0; round < 4; round++) for (const racer of racers) racer.best = Math.min(racer.best, await racer.kernel.time());
  racers.sort((a, b) => a.best - b.best);
  for (const { kernel: slower } of racers.slice(1)) await slower[Symbol.asyncDispose]();
  return racers[0]!.kernel;
}

export async function bareAttention({ rows, heads, headWidth, causal, count }: AttentionShape, threads: number): Promise<BareKernel> {
  const graph = new Graph('attention');
  const shape = [1, rows, heads * headWidth];
  const inputs = ['q', 'k', 'v'].map((name) => graph.input(name, 'float32', shape));
  graph.output('y', single('MultiHeadAttention', inputs, shape, { num_heads: int(heads), unidirectional: int(Number(causal)), scale: float(1 / Math.sqrt(headWidth)) }, 'float32', 'com.microsoft'));
  const data = filled(rows * heads * headWidth);
  return kernel(`attention ${heads}×${rows}²`, count, graph, Object.fromEntries(inputs.map(({ name }) => [name, new Tensor('float32', data, shape)])), threads);
}

/** One pass of one token over every matrix of a decoder, in the formats of its pack: no norms, no attention, no activations between. */
export async function barePass(decoder: PackedDecoder, threads: number): Promise<BareKernel> {
  const graph = new Graph('pass');
  const inputs = new Map<number, { readonly exact: Value; readonly levels: Value }>();
  const sums = new Map<number, Value>();
  const all: PackedLinear[] = [...decoder.layers.flatMap(({ query, key, value, output, gate, up, down }) => [query, key, value, output, gate, up, down]), decoder.head];
  for (const packed of all) {
    const { inWidth, outWidth } = linearWidths(packed);
    const zero = graph.constant(Uint8Array.of(128), 'uint8', []);
    const known = inputs.get(inWidth) ?? { exact: graph.input(`x${inWidth}`, 'float32', [1, inWidth]), levels: graph.input(`levels${inWidth}`, 'uint8', [1, inWidth]) };
    inputs.set(inWidth, known);
    const product = packed.format === 'rows7' || packed.format === 'rows8' ? single('MatMulIntegerToFloat', [known.levels, weight(graph, packed.weight), graph.scalar(1), weight(graph, packed.scales), zero, ...(packed.format === 'rows8' ? [zero] : [])], [1, outWidth], {}, 'float32', 'com.microsoft') : linear(known.exact, packed);
    const sum = sums.get(outWidth);
    sums.set(outWidth, sum ? add(sum, product) : product);
  }
  for (const [width, sum] of sums) graph.output(`y${width}`, sum);
  const feeds: Record<string, Tensor> = {};
  for (const width of inputs.keys()) {
    feeds[`x${width}`] = new Tensor('float32', filled(width), [1, width]);
    feeds[`levels${width}`] = new Tensor('uint8', new Uint8Array(width).fill(131), [1, width]);
  }
  return kernel('one pass over the weights', 1, graph, feeds, threads);
}
