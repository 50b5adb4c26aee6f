// Graphs of steps: linear layers whose inputs and outputs can be seen, and whose outputs can be disturbed.
import { Graph } from '../../graph/graph.ts';
import type { Shape, Value } from '../../graph/graph.ts';
import { linear, linearWidths, weight } from '../../graph/linear.ts';
import { layerNorm, rmsNorm, single } from '../../graph/ops.ts';
import type { OnnxModel } from '../../runtime/onnx.ts';
import { Tensor, openOnnx } from '../../runtime/onnx.ts';
import type { StepParts, StepResult } from './steps.ts';

const nothing = new Tensor('float32', new Float32Array(1), [1, 1]);

/** Builds one graph of a step. */
export class StepGraph {
  readonly graph: Graph;
  readonly #parts: StepParts;
  readonly #linears = new Map<string, number>();

  constructor(name: string, parts: StepParts) {
    this.graph = new Graph(name);
    this.#parts = parts;
  }

  input(name: string, shape: Shape): Value {
    return this.graph.input(name, 'float32', shape);
  }

  linear(name: string, x: Value): Value {
    const packed = this.#parts.linears[name]!;
    const { outWidth } = linearWidths(packed);
    const exact = linear(x, packed);
    const disturbed = single('Add', [exact, this.graph.input(`noise.${name}`, 'float32', ['A', 'B'])], exact.shape);
    this.graph.output(`in.${name}`, x);
    this.graph.output(`out.${name}`, disturbed);
    this.#linears.set(name, outWidth);
    return disturbed;
  }

  layerNorm(name: string, x: Value, epsilon: number): Value {
    const { scale, bias } = this.#parts.norms[name]!;
    const shift = bias ? weight(this.graph, bias) : this.graph.constant(new Float32Array(scale.shape[0]!), 'float32', scale.shape);
    return layerNorm(x, weight(this.graph, scale), shift, epsilon);
  }

  rmsNorm(name: string, x: Value, epsilon: number): Value {
    return rmsNorm(x, weight(this.graph, this.#parts.norms[name]!.scale), epsilon);
  }

  async open(threads: number): Promise<StepModel> {
    return new StepModel(await openOnnx(this.graph.encode(), { threads, arena: false }), this.#linears);
  }
}

/** One graph of a step, open. */
export class StepModel implements AsyncDisposable {
  readonly #model: OnnxModel;
  readonly #linears: ReadonlyMap<string, number>;

  constructor(model: OnnxModel, linears: ReadonlyMap<string, number>) {
    this.#model = model;
    this.#linears = linears;
  }

  async run(feeds: Readonly<Record<string, Tensor>>, noise: Readonly<Record<string, Float32Array>>): Promise<Omit<StepResult, 'after'> & { readonly results: Readonly<Record<string, Float32Array>> }> {
    const disturbed = [...this.#linears].map(([name, width]) => {
      const given = noise[name];
      return [`noise.${name}`, given ? new Tensor('float32', given, [given.length / width, width]) : nothing] as const;
    });
    const all = Object.entries(await this.#model.run({ ...feeds, ...Object.fromEntries(disturbed) })).map(([name, { data }]) => [name, data as Float32Array] as const);
    const under = (prefix: string) => Object.fromEntries(all.filter(([name]) => name.startsWith(prefix)).map(([name, data]) => [name.slice(prefix.length), data]));
    return { inputs: under('in.'), outputs: under('out.'), results: Object.fromEntries(all.filter(([name]) => !name.includes('.'))) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model[Symbol.asyncDispose]();
  }
}
