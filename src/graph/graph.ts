// The graph: values and nodes in the order they were made, encoded as an ONNX model. What an operation means is in the op files.
import { UserError } from '../core/errors.ts';
import { attributeTypes, encodeModel, onnxTypes } from './onnx-proto.ts';

export type DType = keyof typeof onnxTypes;

/** A number, or the name of a dimension that is known only when the graph runs (`T`, `past`). */
export type Dim = number | string;
export type Shape = readonly Dim[];

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] };

/** One tensor of a graph: an input, a weight, or the output of a node. */
export interface Value {
  readonly graph: Graph;
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** The node that makes it; absent for inputs, constants and weights. */
  readonly node?: Node;
}

export interface Node {
  readonly type: string;
  readonly domain: string;
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: Value[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Bytes of a weight in a file, referenced in place; `location` is relative to the folder that the model is written to. */
export interface ExternalData {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

interface Initializer {
  readonly value: Value;
  readonly data: Uint8Array | ExternalData;
}

export interface NodeOptions {
  readonly domain?: '' | 'com.microsoft';
  readonly attributes?: Readonly<Record<string, Attribute>>;
  /** Name of the first output; made up when absent. */
  readonly name?: string;
}

export const bytesPerElement: Readonly<Record<DType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** The typed array that holds tensors of that type (`float16` and `bfloat16` as their 16-bit words). */
export type TypedArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array | Int8Array | Uint16Array;

/** Builds one ONNX model. Values of one graph cannot be used in another. */
export class Graph {
  readonly name: string;
  readonly nodes: Node[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: { readonly name: string; readonly value: Value }[] = [];
  readonly #initializers: Initializer[] = [];
  readonly #names = new Set<string>();
  readonly #scalars = new Map<string, Value>();

  constructor(name: string) {
    this.name = name;
  }

  input(name: string, dtype: DType, shape: Shape): Value {
    const value = this.#value(name, dtype, shape);
    this.inputs.push(value);
    return value;
  }

  /** A small constant, stored in the model itself. Equal scalars are stored once. */
  constant(data: TypedArray, dtype: DType, shape: Shape, name?: string): Value {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const count = shape.reduce<number>((product, dim) => product * Number(dim), 1);
    if (bytes.length !== count * bytesPerElement[dtype]) {
      throw new UserError('GRAPH_CONSTANT', { what: `constant ${name ?? ''} of ${this.name} has the wrong size`, got: `${bytes.length} bytes`, expected: `${dtype} [${shape.join(', ')}]` });
    }
    const key = name === undefined && count <= 4 ? `${dtype}[${shape.join(',')}]${[...bytes].join(',')}` : undefined;
    const known = key === undefined ? undefined : this.#scalars.get(key);
    if (known) return known;
    const value = this.#value(name ?? 'const', dtype, shape);
    this.#initializers.push({ value, data: bytes.slice() });
    if (key !== undefined) this.#scalars.set(key, value);
    return value;
  }

  scalar(number: number, dtype: 'float32' | 'int64' | 'int32' | 'uint8' | 'float64' = 'float32'): Value {
    const data = { float32: () => Float32Array.of(number), float64: () => Float64Array.of(number), int64: () => BigInt64Array.of(BigInt(number)), int32: () => Int32Array.of(number), uint8: () => Uint8Array.of(number) };
    return this.constant(data[dtype](), dtype, []);
  }

  ints(values: readonly number[]): Value {
    return this.constant(BigInt64Array.from(values, BigInt), 'int64', [values.length]);
  }

  /** A weight whose bytes stay in a file. */
  weight(name: string, dtype: DType, shape: Shape, data: ExternalData): Value {
    const value = this.#value(name, dtype, shape);
    this.#initializers.push({ value, data });
    return value;
  }

  /** Adds a node with one output or several; `outputs` gives their types and shapes. */
  node(type: string, inputs: readonly (Value | undefined)[], outputs: readonly { readonly dtype: DType; readonly shape: Shape }[], options: NodeOptions = {}): readonly Value[] {
    for (const input of inputs) {
      if (input && input.graph !== this) throw new UserError('GRAPH_MIXED', { what: `${type} in graph ${this.name} uses ${input.name} of graph ${input.graph.name}`, expected: 'values of one graph' });
    }
    const node: Node = { type, domain: options.domain ?? '', inputs, outputs: [], attributes: options.attributes ?? {} };
    for (const { dtype, shape } of outputs) node.outputs.push(this.#value(options.name ?? type, dtype, shape, node));
    this.nodes.push(node);
    return node.outputs;
  }

  /** Asks a node that was already added for one more (optional) output: a gradient wants what the forward pass computed anyway. */
  addOutput(node: Node, { dtype, shape }: { readonly dtype: DType; readonly shape: Shape }): Value {
    const value = this.#value(node.type, dtype, shape, node);
    node.outputs.push(value);
    return value;
  }

  /** What a constant or weight holds; absent for every other value. */
  initializer(value: Value): Uint8Array | ExternalData | undefined {
    return this.#initializers.find((initializer) => initializer.value === value)?.data;
  }

  /** Names a result of the graph. The same value may be given out under several names. */
  output(name: string, value: Value): void {
    this.outputs.push({ name, value });
  }

  /** The ONNX model: IR version 10, opset 21, `com.microsoft` 1. */
  encode(): Uint8Array {
    // A node writes straight into the output that is named after its result; only further names, and those of inputs and constants, take a copy.
    const named = new Map<Value, string>();
    for (const { name, value } of this.outputs) if (value.node && !named.has(value) && !this.#names.has(name)) named.set(value, name);
    const nameOf = (value: Value) => named.get(value) ?? value.name;
    const aliases = this.outputs
      .filter(({ name, value }) => nameOf(value) !== name)
      .map(({ name, value }) => ({ input: [nameOf(value)], output: [name], name: `output ${name}`, opType: 'Identity', attribute: [], domain: '' }));
    return encodeModel({
      irVersion: 10,
      producerName: 'thalweg',
      opsetImport: [
        { domain: '', version: 21 },
        { domain: 'com.microsoft', version: 1 },
      ],
      graph: {
        name: this.name,
        node: [
          ...this.nodes.map((node, index) => ({
            input: node.inputs.map((input) => (input ? nameOf(input) : '')),
            output: node.outputs.map(nameOf),
            name: `${index} ${node.type}`,
            opType: node.type,
            domain: node.domain,
            attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
          })),
          ...aliases,
        ],
        initializer: this.#initializers.map(({ value, data }) => encodeInitializer(value, data)),
        input: this.inputs.map((value) => encodeValueInfo(value.name, value)),
        output: this.outputs.map(({ name, value }) => encodeValueInfo(name, value)),
      },
    });
  }

  #value(wanted: string, dtype: DType, shape: Shape, node?: Node): Value {
    let name = wanted;
    for (let n = this.#names.size; this.#names.has(name); n++) name = `${wanted}_${n}`;
    this.#names.add(name);
    return { graph: this, name, dtype, shape, ...(node && { node }) };
  }
}

const utf8 = new TextEncoder();

function encodeAttribute(name: string, attribute: Attribute): Record<string, unknown> {
  const type = attributeTypes[attribute.kind];
  switch (attribute.kind) {
    case 'int':
      return { name, type, i: attribute.value };
    case 'float':
      return { name, type, f: attribute.value };
    case 'string':
      return { name, type, s: utf8.encode(attribute.value) };
    case 'ints':
      return { name, type, ints: attribute.value };
  }
}

function encodeInitializer(value: Value, data: Uint8Array | ExternalData): Record<string, unknown> {
  const common = { name: value.name, dims: value.shape, dataType: onnxTypes[value.dtype] };
  if (data instanceof Uint8Array) return { ...common, rawData: data };
  const { location, offset, length } = data;
  const external = { location, offset, length };
  return { ...common, dataLocation: 1, externalData: Object.entries(external).map(([key, entry]) => ({ key, value: String(entry) })) };
}

function encodeValueInfo(name: string, { dtype, shape }: Value): Record<string, unknown> {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: onnxTypes[dtype], shape: { dim } } } };
}
