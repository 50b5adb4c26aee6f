// What a checkpoint is and costs, as numbers: for `thalweg inspect` and for planning a budget.
import { stat } from 'node:fs/promises';
import { listAdapters, type ListedAdapter } from './adapters.ts';
import type { Checkpoint, DecoderSpec, ImageSpec, LinearSource, NormSource, ProjectorSpec, VisionSpec, WeightSource } from './contract.ts';

/** Arithmetic of one frame in GFLOP; a multiplication and an addition count as two. */
export interface FrameCost {
  /** Patch convolution and the encoder's matrix products. */
  readonly encoder: number;
  /** Scores and weighted values of the encoder's attention. */
  readonly encoderAttention: number;
  readonly projector: number;
  /** The frame's visual tokens through the decoder, attention over each other included, over a longer memory not. */
  readonly prefill: number;
  readonly total: number;
}

/** A checkpoint in figures: shapes, sizes, and what a frame costs. */
export interface CheckpointDescription {
  readonly family: string;
  readonly folder: string;
  readonly parameters: { readonly vision: number; readonly projector: number; readonly decoder: number; readonly total: number };
  /** Stored types of the weights and how many parameters are of each. */
  readonly dtypes: Readonly<Partial<Record<WeightSource['dtype'], number>>>;
  readonly weightFiles: readonly { readonly file: string; readonly bytes: number }[];
  readonly bytesOnDisk: number;
  readonly image?: ImageSpec;
  readonly vision?: VisionSpec;
  readonly projector?: ProjectorSpec;
  readonly decoder: DecoderSpec;
  /** Memory adapters in the checkpoint's folder. */
  readonly adapters: readonly ListedAdapter[];
  readonly tokensPerFrame: number;
  readonly frameGflop: FrameCost;
  /** GFLOP to write one token, attention over memory left out. */
  readonly decodeTokenGflop: number;
  /** GFLOP that each thousand tokens of memory add to one token. */
  readonly attentionGflopPerThousandTokens: number;
  readonly memory: {
    /** Width of the stored keys and values. */
    readonly bytesPerValue: number;
    readonly bytesPerToken: number;
    /** Visual tokens and the prompt's marks around them. */
    readonly tokensPerFrameWithMarks: number;
    readonly bytesPerFrame: number;
    readonly framesPerSec: number;
    /** If every frame were kept. */
    readonly bytesPerMinute: number;
  };
}

/**
 * @param options.bytesPerValue width of stored keys and values; 4 for float32
 * @param options.framesPerSec rate for the figures per minute
 */
export async function describeCheckpoint(checkpoint: Checkpoint, { bytesPerValue = 4, framesPerSec = 1 }: { readonly bytesPerValue?: number; readonly framesPerSec?: number } = {}): Promise<CheckpointDescription> {
  const { decoder, vision, tokensPerFrame } = checkpoint;
  const weights = { vision: unique(vision?.weights), projector: unique(vision?.projectorWeights), decoder: unique(decoder.weights) };
  const all = [...weights.vision, ...weights.projector, ...weights.decoder];
  const dtypes: Partial<Record<WeightSource['dtype'], number>> = {};
  for (const weight of all) dtypes[weight.dtype] = (dtypes[weight.dtype] ?? 0) + elements(weight);
  const files = [...new Set(all.map(({ file }) => file))].sort();
  const weightFiles = await Promise.all(files.map(async (file) => ({ file, bytes: (await stat(file)).size })));
  const { spec } = decoder;
  const bytesPerToken = 2 * spec.layers * spec.kvHeads * spec.headWidth * bytesPerValue;
  const marks = vision === undefined ? 0 : marksPerFrame(checkpoint);
  const bytesPerFrame = vision === undefined ? 0 : (tokensPerFrame + marks) * bytesPerToken;
  const frame = frameCost(checkpoint);
  return {
    family: checkpoint.family,
    folder: checkpoint.folder,
    parameters: { vision: sum(weights.vision), projector: sum(weights.projector), decoder: sum(weights.decoder), total: sum(all) },
    dtypes,
    weightFiles,
    bytesOnDisk: weightFiles.reduce((total, { bytes }) => total + bytes, 0),
    ...(vision !== undefined && { image: vision.image, vision: vision.spec, projector: vision.projector }),
    decoder: spec,
    adapters: await listAdapters(checkpoint),
    tokensPerFrame,
    frameGflop: frame,
    decodeTokenGflop: (2 * (layerWeights(spec) * spec.layers + spec.vocabulary * spec.width)) / 1e9,
    attentionGflopPerThousandTokens: (attentionFlop(spec) * 1000) / 1e9,
    memory: { bytesPerValue, bytesPerToken, tokensPerFrameWithMarks: tokensPerFrame + marks, bytesPerFrame, framesPerSec, bytesPerMinute: bytesPerFrame * framesPerSec * 60 },
  };
}

function frameCost({ vision, decoder: { spec }, tokensPerFrame }: Checkpoint): FrameCost {
  if (vision === undefined) return { encoder: 0, encoderAttention: 0, projector: 0, prefill: 0, total: 0 };
  const { layers, width, mlpWidth, patchPx, columns, rows } = vision.spec;
  const patches = columns * rows;
  const encoder = 2 * patches * (3 * patchPx * patchPx * width + layers * (4 * width * width + 2 * width * mlpWidth));
  const encoderAttention = layers * 4 * patches * patches * width;
  // The two matrices of LLaVA-OneVision run before the pooling, over every patch.
  const projected = vision.projector.kind === 'pixel-shuffle' ? tokensPerFrame : patches;
  const projector = 2 * projected * vision.projectorWeights.linears.reduce((total, { weight }) => total + elements(weight), 0);
  // Each token attends to half of the frame's tokens on average.
  const prefill = tokensPerFrame * (2 * layerWeights(spec) * spec.layers + (attentionFlop(spec) * tokensPerFrame) / 2);
  const gflop = { encoder: encoder / 1e9, encoderAttention: encoderAttention / 1e9, projector: projector / 1e9, prefill: prefill / 1e9 };
  return { ...gflop, total: gflop.encoder + gflop.encoderAttention + gflop.projector + gflop.prefill };
}

/** Weights of the matrices of one decoder layer. */
function layerWeights({ width, queryHeads, kvHeads, headWidth, mlpWidth }: DecoderSpec): number {
  return width * headWidth * (2 * queryHeads + 2 * kvHeads) + 3 * width * mlpWidth;
}

/** FLOP of one query token over one token of memory, in all layers: scores and weighted values. */
function attentionFlop({ layers, queryHeads, headWidth }: DecoderSpec): number {
  return 4 * layers * queryHeads * headWidth;
}

function marksPerFrame({ prompt }: Checkpoint): number {
  const { before, after } = prompt.stream.frame({ turn: 0, framesBefore: 1, timeSec: 600 });
  return before.length + after.length;
}

/** Every weight below a value, each once: a tied head is the embedding. */
function unique(tree: unknown): readonly WeightSource[] {
  const found = new Set<WeightSource>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (isWeight(value)) found.add(value);
    else for (const child of Object.values(value as LinearSource | NormSource)) visit(child);
  };
  visit(tree);
  return [...found];
}

function isWeight(value: object): value is WeightSource {
  return 'dtype' in value && 'offsetBytes' in value;
}

function elements({ shape }: WeightSource): number {
  return shape.reduce((a, b) => a * b, 1);
}

function sum(weights: readonly WeightSource[]): number {
  return weights.reduce((total, weight) => total + elements(weight), 0);
}
