// Takes weights out of a checkpoint by name and shape, and holds it to having neither fewer nor more.
import { ModelError } from '../core/errors.ts';
import type { LinearSource, NormSource, WeightSource } from './contract.ts';
import { sameValues, weightSource } from './safetensors.ts';
import type { TensorEntry } from './safetensors.ts';

/** Tensors that some checkpoints carry and no computation here needs. */
export interface HarmlessTensors {
  readonly pattern: RegExp;
  /** Why they may be left out. */
  readonly reason: string;
}

/** Buffers that older versions of Transformers saved: each is computed from the configuration. */
export const savedBuffers: HarmlessTensors = { pattern: /(^|\.)(rotary_emb\.inv_freq|position_ids)$/, reason: 'a buffer computed from the configuration' };

/** The weights of one checkpoint; what was taken is remembered, so that `finish` can name what was not. */
export class WeightTable {
  readonly #tensors: ReadonlyMap<string, TensorEntry>;
  readonly #folder: string;
  readonly #taken = new Set<string>();

  constructor(tensors: ReadonlyMap<string, TensorEntry>, folder: string) {
    this.#tensors = tensors;
    this.#folder = folder;
  }

  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Parameters in the tensors taken. */
  get parameters(): number {
    let sum = 0;
    for (const name of this.#taken) sum += this.#tensors.get(name)!.shape.reduce((a, b) => a * b, 1);
    return sum;
  }

  /**
   * The prefix under which the checkpoint keeps a part: published files and those that newer versions of Transformers save differ in it.
   * @param probe a tensor that the part always has
   * @throws ModelError when the probe stands under none of the prefixes
   */
  prefix(candidates: readonly string[], probe: string): string {
    const found = candidates.find((candidate) => this.#tensors.has(candidate + probe));
    if (found !== undefined) return found;
    throw this.#missing(candidates.map((candidate) => JSON.stringify(candidate + probe)).join(' or '));
  }

  /**
   * Whether the output matrix is the embedding. Where config.json says so and the file holds a matrix all the same, their bytes decide, as in
   * Transformers 5: a different matrix is used for what it is.
   */
  async tied(says: boolean, embedding: string, head: string): Promise<boolean> {
    const own = this.#tensors.get(head);
    const shared = this.#tensors.get(embedding);
    return says && (own === undefined || shared === undefined || (await sameValues(shared, own)));
  }

  /** @throws ModelError when the tensor is missing, misshapen or of a type that weights do not have */
  take(name: string, shape: readonly number[]): WeightSource {
    const entry = this.#tensors.get(name);
    if (entry === undefined) throw this.#missing(`${JSON.stringify(name)} [${shape.join(', ')}]`);
    if (entry.shape.length !== shape.length || entry.shape.some((size, axis) => size !== shape[axis])) {
      throw new ModelError('TENSOR_MISSHAPEN', { what: `tensor ${JSON.stringify(name)} of ${entry.file} does not fit config.json`, got: `[${entry.shape.join(', ')}]`, expected: `[${shape.join(', ')}]` });
    }
    this.#taken.add(name);
    return weightSource(entry);
  }

  /** `<name>.weight` [out, in] and, where asked, `<name>.bias` [out]. */
  linear(name: string, outputs: number, inputs: number, options: { readonly bias: boolean }): LinearSource {
    const weight = this.take(`${name}.weight`, [outputs, inputs]);
    return options.bias ? { weight, bias: this.take(`${name}.bias`, [outputs]) } : { weight };
  }

  /** `<name>.weight` [width] and, where asked, `<name>.bias` [width]. */
  norm(name: string, width: number, options: { readonly bias: boolean }): NormSource {
    const scale = this.take(`${name}.weight`, [width]);
    return options.bias ? { scale, bias: this.take(`${name}.bias`, [width]) } : { scale };
  }

  /**
   * To be called when the family has taken all it needs.
   * @throws ModelError naming a tensor that was not taken and that no rule calls harmless
   */
  finish(harmless: readonly HarmlessTensors[]): void {
    const extra = [...this.#tensors.keys()].filter((name) => !this.#taken.has(name) && !harmless.some(({ pattern }) => pattern.test(name)));
    if (extra.length === 0) return;
    throw new ModelError('TENSOR_UNEXPECTED', {
      what: `checkpoint ${this.#folder} has a tensor that its family does not know`,
      got: `${JSON.stringify(extra[0])}${extra.length > 1 ? ` and ${extra.length - 1} more` : ''}`,
      expected: `the tensors that config.json calls for; besides those only ${harmless.map(({ pattern, reason }) => `${String(pattern)} (${reason})`).join(', ')}`,
    });
  }

  #missing(expected: string): ModelError {
    return new ModelError('TENSOR_MISSING', { what: `checkpoint ${this.#folder} lacks a tensor`, got: `${this.#tensors.size} other tensors`, expected, todo: 'download the whole checkpoint, and check that config.json belongs to it' });
  }
}
