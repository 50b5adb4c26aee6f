// Every weight of a checkpoint, once.
import type { Checkpoint, LinearSource, NormSource, WeightSource } from '../contract.ts';

const ofNorm = ({ scale, bias }: NormSource): WeightSource[] => (bias ? [scale, bias] : [scale]);
const ofLinear = ({ weight, bias }: LinearSource): WeightSource[] => (bias ? [weight, bias] : [weight]);

/** All weights in the order of computation; tied ones once. */
export function weightsOf({ vision, decoder }: Checkpoint): WeightSource[] {
  const all: WeightSource[] = [];
  if (vision) {
    const { weights, projectorWeights } = vision;
    all.push(...ofLinear(weights.patch), weights.positions);
    for (const layer of weights.layers) {
      const { attentionNorm, query, key, value, output, mlpNorm, up, down } = layer;
      all.push(...ofNorm(attentionNorm), ...[query, key, value, output].flatMap(ofLinear), ...ofNorm(mlpNorm), ...[up, down].flatMap(ofLinear));
    }
    if (weights.finalNorm) all.push(...ofNorm(weights.finalNorm));
    all.push(...projectorWeights.linears.flatMap(ofLinear));
    if (projectorWeights.newline) all.push(projectorWeights.newline);
  }
  const { weights } = decoder;
  all.push(weights.embedding);
  for (const layer of weights.layers) {
    const { attentionNorm, query, key, value, output, mlpNorm, gate, up, down } = layer;
    all.push(...ofNorm(attentionNorm), ...[query, key, value, output].flatMap(ofLinear), ...ofNorm(mlpNorm), ...[gate, up, down].flatMap(ofLinear));
  }
  all.push(...ofNorm(weights.finalNorm), ...ofLinear(weights.head));
  const seen = new Set<string>();
  return all.filter(({ file, offsetBytes }) => {
    const place = `${file}:${offsetBytes}`;
    return !seen.has(place) && Boolean(seen.add(place));
  });
}
