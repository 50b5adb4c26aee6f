// The whole forward pass of a SmolVLM-shaped model in training: frames, prefix, threads of questions, answer loss, auxiliary losses.
import { UserError } from '../core/errors.ts';
import type { Forward } from './step-graph.ts';
import { anyOfCrossEntropy, binaryCrossEntropy, huberLoss, softmaxCrossEntropy } from '../graph/loss.ts';
import { add, concat, gather, gemm, identity, mul, reshape, split } from '../graph/ops.ts';
import type { Graph, Value } from '../graph/graph.ts';
import type { AttentionHead, BatchShape } from './decoder-graph.ts';
import { decode } from './decoder-graph.ts';
import { visionTokens } from './vision-graph.ts';
import type { VlmConfig } from './vlm-config.ts';
import { vlmNames, vlmSizes } from './vlm-config.ts';

export interface VlmLossOptions {
  /** Weight of the auxiliary losses beside the answers'. */
  readonly auxiliaryWeight: number;
  /** Heads that are taught to look where the answer is to be seen, and the weight of that loss; for batches with pointers. */
  readonly evidence?: { readonly weight: number; readonly heads: readonly AttentionHead[] };
}

/**
 * Inputs (sizes as in `BatchShape`, V the vocabulary, M = B · F · tokensPerFrame):
 * - `patches` uint8 [B · F · patches, 3 · patch · patch]
 * - `prefixIds` int64 [B, P]: a token id, or V + the number of a visual token among the batch's M
 * - `prefixPositions` int64 [B, P]
 * - `threadIds` int64 [B, N, T], `threadPositions` int64 [B, N · T], `visible` and `segments` int64 [B, N, T] (see `DecoderInputs`)
 * - `answerRows` int64 [A]: numbers among the B · N · T thread tokens whose next token is learned; `answerTargets` int64 [A]; `answerWeights`
 *   float32 [A], 0 for padding
 * - without threads, patches and auxiliary truth alone: the encoder learns, the decoder stays as it is
 * - with pointers: `pointerRows` int64 [B, Q], numbers among the thread tokens where answers begin; `pointerVisible` and `pointerEvidence` float32 [B, Q, P],
 *   1 for visual tokens that are seen there, and for those where the answer is to be seen; `pointerWeights` float32 [B · Q], 0 for padding
 * - with auxiliary heads: `auxiliaryTargets` and `auxiliaryWeights` float32 [M, labels + numbers]
 *
 * Outputs: `loss`; `answerLoss`; `auxiliaryLoss`; `evidenceLoss`; for each answer row `logLoss` and `correct` (its likeliest token is the target).
 */
export function vlmForward(config: VlmConfig, shape: BatchShape, options: VlmLossOptions): Forward {
  return (graph, weight) => {
    const { text, auxiliary } = config;
    const sizes = vlmSizes(config);
    const { clips: B, frames: F, prefix: P, threads: N, threadLength: T, answers: A, pointers: Q = 0 } = shape;
    const M = B * F * sizes.tokensPerFrame;
    if (P + T > text.contextLength) throw new UserError('VLM_CONTEXT', { what: 'the batches are longer than the context', got: `${P} tokens and ${T} of a thread`, expected: `at most ${text.contextLength}` });
    const visual = visionTokens(graph, weight, config, graph.input('patches', 'uint8', [B * F * sizes.patches, sizes.patchValues]), B * F);
    const auxiliaryLoss = auxiliary && lossOfTruth(visual, weight, auxiliary, M);
    if (N === 0) {
      if (!auxiliaryLoss) throw new UserError('VLM_NOTHING_TO_LEARN', { what: 'batches without questions, for a model without auxiliary heads', expected: 'threads, or auxiliary heads' });
      return { loss: auxiliaryLoss, metrics: { auxiliaryLoss: identity(auxiliaryLoss) }, trains: (name) => !name.startsWith('model.text_model.') };
    }
    const embedding = weight(vlmNames.embedding);
    const table = concat([embedding, visual], 0);
    const evidence = Q > 0 ? options.evidence : undefined;
    const { hidden, scores } = decode(graph, weight, config, shape, {
      prefix: reshape(gather(table, graph.input('prefixIds', 'int64', [B, P])), [B * P, text.width]),
      threads: reshape(gather(embedding, graph.input('threadIds', 'int64', [B, N, T])), [B * N * T, text.width]),
      prefixPositions: graph.input('prefixPositions', 'int64', [B, P]),
      threadPositions: graph.input('threadPositions', 'int64', [B, N * T]),
      visible: graph.input('visible', 'int64', [B, N, T]),
      segments: graph.input('segments', 'int64', [B, N, T]),
    }, evidence && { heads: evidence.heads, rows: graph.input('pointerRows', 'int64', [B, Q]) });
    // Only the rows that are learned meet the vocabulary.
    const logits = gemm(gather(hidden, graph.input('answerRows', 'int64', [A])), embedding, undefined, { transB: true });
    const answer = softmaxCrossEntropy(logits, graph.input('answerTargets', 'int64', [A]), graph.input('answerWeights', 'float32', [A]));
    const metrics = { answerLoss: answer.loss, logLoss: answer.perRow, correct: answer.correct };
    const evidenceLoss = evidence && lossOfLooking(graph, scores, [B, Q, P]);
    const weighted = [
      ...(auxiliaryLoss ? [mul(auxiliaryLoss, graph.scalar(options.auxiliaryWeight))] : []),
      ...(evidenceLoss ? [mul(evidenceLoss, graph.scalar(evidence.weight))] : []),
    ];
    return { loss: weighted.reduce(add, answer.loss), metrics: { ...metrics, ...(auxiliaryLoss && { auxiliaryLoss }), ...(evidenceLoss && { evidenceLoss: identity(evidenceLoss) }) } };
  };
}

/** How much of what each head gives to visual tokens misses the evidence, the mean of the heads. */
function lossOfLooking(graph: Graph, scores: readonly Value[], shape: readonly [number, number, number]): Value {
  const rows = shape[0] * shape[1];
  const flat = (x: Value) => reshape(x, [rows, shape[2]]);
  const [visible, evidence] = ['pointerVisible', 'pointerEvidence'].map((name) => flat(graph.input(name, 'float32', shape)));
  const weights = graph.input('pointerWeights', 'float32', [rows]);
  const losses = scores.map((each) => anyOfCrossEntropy(flat(each), visible!, evidence!, weights));
  return mul(losses.reduce(add), graph.scalar(1 / losses.length));
}

/** Binary cross-entropy of the labels and Huber loss of the boxes that stand in the square of each visual token. */
function lossOfTruth(visual: Value, weight: (name: string) => Value, auxiliary: NonNullable<VlmConfig['auxiliary']>, tokens: number): Value {
  const { graph } = visual;
  const { labels, numbers } = auxiliary;
  const targets = graph.input('auxiliaryTargets', 'float32', [tokens, labels + numbers]);
  const weights = graph.input('auxiliaryWeights', 'float32', [tokens, labels + numbers]);
  const predicted = gemm(visual, weight(`${vlmNames.auxiliary}.weight`), weight(`${vlmNames.auxiliary}.bias`), { transB: true });
  const parts = [predicted, targets, weights].map((value) => (numbers === 0 ? [value] : split(value, [labels, numbers], 1)));
  const known = binaryCrossEntropy(parts[0]![0]!, parts[1]![0]!, parts[2]![0]!);
  return numbers === 0 ? known : add(known, huberLoss(parts[0]![1]!, parts[1]![1]!, parts[2]![1]!, 0.1));
}
