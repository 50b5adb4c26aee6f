// Noisy top-k gating: which experts (here: paths) an input goes to, how much of it each takes, and how evenly they are loaded. Plain numbers; the trainer has the same as a graph.
// Shazeer et al. 2017, arXiv 1701.06538, section 2.1 and appendix A.

/** A gate's two matrices, row by row. */
export interface GateMatrices {
  readonly inputs: number;
  readonly experts: number;
  /** float32 [inputs, experts]: Wg. */
  readonly gate: Float32Array;
  /** float32 [inputs, experts]: Wn. */
  readonly noise: Float32Array;
}

/** Smallest standard deviation of the noise. */
export const minNoise = 0.01;

/** x · W: float32 [experts]. */
export function product(x: Float32Array, matrix: Float32Array, into: Float32Array): Float32Array {
  const experts = into.length;
  into.fill(0);
  for (let i = 0; i < x.length; i++) for (let e = 0; e < experts; e++) into[e]! += x[i]! * matrix[i * experts + e]!;
  return into;
}

/** softplus(x · Wn) + 0.01: the standard deviation of each expert's noise. */
function noiseScale(x: Float32Array, { noise, experts }: GateMatrices): Float32Array {
  return product(x, noise, new Float32Array(experts)).map((value) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value))) + minNoise);
}

/** Numbers of the values from the largest to the smallest; of equal ones the first. */
export function ranked(values: Float32Array): number[] {
  return Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
}

/** The expert of the largest value; of equal ones the first. What inference uses: k = 1 and no noise. */
export function best(values: Float32Array): number {
  let winner = 0;
  for (let e = 1; e < values.length; e++) if (values[e]! > values[winner]!) winner = e;
  return winner;
}

/** One input through the gate. */
export interface Gated {
  /** float32 [experts]: x · Wg. */
  readonly clean: Float32Array;
  /** float32 [experts]: standard deviations of the noise. */
  readonly sigma: Float32Array;
  /** float32 [experts]: H, with noise. */
  readonly noisy: Float32Array;
  /** float32 [experts]: G, the softmax over the k largest of H; zero elsewhere. */
  readonly gates: Float32Array;
}

/** @param draws float32 [experts]: standard normal numbers; zeros for none */
export function noisyTopK(x: Float32Array, matrices: GateMatrices, k: number, draws: Float32Array): Gated {
  const clean = product(x, matrices.gate, new Float32Array(matrices.experts));
  const sigma = noiseScale(x, matrices);
  const noisy = clean.map((value, e) => value + draws[e]! * sigma[e]!);
  const chosen = ranked(noisy).slice(0, k);
  const gates = new Float32Array(matrices.experts);
  const most = noisy[chosen[0]!]!;
  let sum = 0;
  for (const e of chosen) sum += gates[e] = Math.exp(noisy[e]! - most);
  for (const e of chosen) gates[e]! /= sum;
  return { clean, sigma, noisy, gates };
}

/** float32 [experts]: the probability, under new noise for it alone, that each expert is among the k chosen: its share of the load. */
export function loadOf({ clean, sigma, noisy }: Gated, k: number): Float32Array {
  const order = ranked(noisy);
  return clean.map((value, e) => {
    // The k-th largest of the others: the next one where e is among the k largest.
    const threshold = order.indexOf(e) < k ? order[k] : order[k - 1];
    return threshold === undefined ? 1 : normalCdf((value - noisy[threshold]!) / sigma[e]!);
  });
}

/** Squared coefficient of variation, var/mean²: 0 where all are equal. For what is to be balanced: experts, layers, heads; never content. */
export function squaredVariation(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return mean === 0 ? 0 : variance / mean ** 2;
}

/** Φ: Abramowitz and Stegun 7.1.26, within 1e-7. */
export function normalCdf(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x);
  return z >= 0 ? 1 - tail / 2 : tail / 2;
}
