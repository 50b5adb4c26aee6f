// Real candidates: a loaded model under a method for each stage.
import { basename } from 'node:path';
import { UserError } from '../core/errors.ts';
import { inspectModel } from '../session/inspect-model.ts';
import type { CheckpointDescription } from '../models/describe.ts';
import type { FrameReport } from '../session/contract.ts';
import type { Model } from '../session/model.ts';
import type { StageName } from '../session/presets.ts';
import { openStream } from '../session/open-stream.ts';
import { openSource } from '../source/open-source.ts';
import type { Candidate, CandidateSession, Knob, OpenOptions, StreamLoad, WorkAmount } from './contract.ts';
import { adapterKindOf, denseName, parseSetting, type MethodSetting } from './method-setting.ts';
import { pictureOf } from './picture.ts';
import { queueInRealTime, type Busy } from './real-time.ts';

/** The model that candidates run on, and what they may use. */
export interface MethodCandidateOptions {
  /** The same model once for each lane that works side by side. */
  readonly models: readonly Model[];
  /** The same with a memory adapter, by the adapter's name, once for each lane: for methods that need one and presets that use one. */
  readonly adapted?: ReadonlyMap<string, readonly Model[]>;
  /** Hard cap on a stream's memory; of the baseline too. */
  readonly memoryMiB: number;
  /** Caps to compare at, instead of each method's own knob; the baseline keeps `memoryMiB`. */
  readonly memoryMiBs?: readonly number[];
  /** What the model needed when it was last measured, for estimates. */
  readonly rates?: WorkRates;
}

/** Measured times of one model, for estimates. */
export interface WorkRates {
  /** Of a frame that is computed whole. Candidates share decoding on one video, and the encoder where their vision method is the same. */
  readonly decodeMs: number;
  readonly encodeMs: number;
  readonly prefillMs: number;
  readonly questionMs: number;
  /** Opening and closing a stream. */
  readonly openMs: number;
}

/**
 * The candidates of those names, presets or combinations; `dense` is no method at all in any stage.
 * @throws UserError for a name that no stage knows
 */
export async function methodCandidates(names: readonly string[], options: MethodCandidateOptions): Promise<Candidate[]> {
  const [model] = options.models;
  if (!model) throw new UserError('NO_MODEL', { what: 'candidates need a model', got: 'none' });
  const description = await inspectModel(model.info.folder);
  const candidates: Candidate[] = [];
  for (const name of names) {
    const plain = await parseSetting(name, model.info);
    const needed = await adapterKindOf(plain);
    if (needed === undefined) candidates.push(createCandidate(plain, description, options));
    const adapted = [...(options.adapted ?? [])].filter(([, [first]]) => (needed === undefined ? plain.isPreset : first?.info.adapter?.kind === needed));
    if (needed !== undefined && adapted.length === 0) throw new UserError('NO_ADAPTER', { what: `method ${name} needs a ${needed} adapter`, got: 'none of that kind', todo: 'name one with --adapter; thalweg retrofit makes one' });
    for (const [adapter, models] of adapted) {
      const setting = await parseSetting(name, models[0]!.info);
      candidates.push(createCandidate({ ...setting, name: `${name}+${adapter}` }, description, { ...options, models }));
    }
  }
  return candidates;
}

function createCandidate(setting: MethodSetting, description: CheckpointDescription, options: MethodCandidateOptions): Candidate {
  const { models, memoryMiB, memoryMiBs } = options;
  const { info } = models[0]!;
  const modelName = basename(info.folder);
  const { name, stages } = setting;
  const caps: Knob | undefined = memoryMiBs && name !== denseName ? { name: 'memoryMiB', kind: 'fixed', values: memoryMiBs } : undefined;
  const knob = caps ?? setting.knob;
  return {
    name: `${name}@${modelName}`,
    model: modelName,
    method: name,
    summary: setting.summary,
    ...(knob && { knob: { name: knob.name, kind: knob.kind, values: knob.values } }),
    resolved: { ...stages, ...(info.adapter && { adapter: info.adapter }), memoryMiB, precision: info.precision, family: info.family, parameters: info.parameters },
    estimateMs: (work) => estimate(setting, options.rates, work),
    fittingFps: (load) => fittingFps(description, load),
    picture: pictureOf,
    open: (videoPath, opening) => openCandidate(videoPath, opening, setting, caps !== undefined, description, options),
  };
}

async function openCandidate(
  videoPath: string,
  { budget, seed, signal, fps, shared }: OpenOptions,
  { stages, knob }: MethodSetting,
  isCap: boolean,
  description: CheckpointDescription,
  { models, memoryMiB }: MethodCandidateOptions,
): Promise<CandidateSession> {
  const model = models[(shared?.lane ?? 0) % models.length]!;
  const swept = (stage: StageName) => ({ ...stages[stage].options, ...(knob?.stage === stage && budget !== null && !isCap && { [knob.name]: budget }) });
  const session = await openStream({
    model,
    source: shared ? await shared.source(videoPath, fps, signal) : await openSource(videoPath, { fps, signal }),
    method: 'dense',
    gate: stages.gate.method,
    gateOptions: swept('gate'),
    vision: stages.vision.method,
    visionOptions: swept('vision'),
    memory: stages.memory.method,
    memoryOptions: swept('memory'),
    memoryMiB: isCap && budget !== null ? budget : memoryMiB,
    drive: 'manual',
    signal,
    // Under one vision method that computes all, frames become the same tokens for every memory.
    ...(shared && { share: shared.name }),
  });
  const frames: FrameReport[] = [];
  const work: Busy[] = [];
  let streamMs = 0;
  let answerMs = 0;
  let peakKvBytes = 0;
  /** Visual tokens that questions were shown beside the memory. */
  let shownTokens = 0;
  return {
    async advanceTo(timeSec) {
      for (const frame of await session.advanceTo(timeSec === 'end' ? Infinity : timeSec)) {
        const { gateMs, decodeMs, preprocessMs, visionMs, prefillMs } = frame.timings;
        const workMs = gateMs + decodeMs + preprocessMs + visionMs + prefillMs;
        streamMs += workMs;
        work.push({ kind: 'frame', timeSec: frame.timeSec, workMs });
        peakKvBytes = Math.max(peakKvBytes, frame.memory.liveBytes);
        frames.push(frame);
      }
    },
    async ask({ prompt, maxTokens, remember, signal: abort }) {
      const answer = await session.ask(prompt, { maxTokens, remember, seed, signal: abort });
      answerMs += answer.timings.totalMs;
      shownTokens += answer.shownTokens;
      peakKvBytes = Math.max(peakKvBytes, answer.memory.liveBytes);
      work.push({ kind: 'answer', timeSec: Math.max(0, answer.timeSec), workMs: answer.timings.totalMs });
      const heads = description.decoder.layers * description.decoder.kvHeads;
      const meanSlots = answer.memory.slots / heads;
      return {
        text: answer.text,
        firstTokenMs: answer.timings.firstTokenMs,
        totalMs: answer.timings.totalMs,
        kvBytes: answer.memory.liveBytes,
        visualTokens: answer.memory.longestHead,
        generatedTokens: answer.tokens,
        tokensSeen: answer.memory.tokensSeen,
        meanSlots,
        slotsRead: answer.slotsRead / heads,
      };
    },
    stats: () => ({ ...workOf(frames, shownTokens, description), peakKvBytes, streamMs, answerMs, queue: queueInRealTime(work), peakRssBytes: process.resourceUsage().maxRSS * 1024 }),
    async close() {
      await session[Symbol.asyncDispose]();
    },
  };
}

/** Work counted from what the stages report, by the shapes of the model; attention over the growing memory is left out. */
function workOf(frames: readonly FrameReport[], shownTokens: number, { vision, frameGflop, tokensPerFrame }: CheckpointDescription): { frames: number; keptFrames: number; visualTokens: number; offeredTokens: number; patchLayers: number; flops: number } {
  let visualTokens = shownTokens;
  let patchLayers = 0;
  let gflop = frameGflop.prefill * (shownTokens / tokensPerFrame);
  for (const { patchesRecomputed, patches, visualTokens: tokens } of frames) {
    visualTokens += tokens;
    patchLayers += patchesRecomputed * (vision?.layers ?? 0);
    gflop += (frameGflop.encoder + frameGflop.encoderAttention) * (patchesRecomputed / patches) + (frameGflop.projector + frameGflop.prefill) * (tokens / tokensPerFrame);
  }
  const keptFrames = frames.filter(({ visualTokens: tokens }) => tokens > 0).length;
  return { frames: frames.length, keptFrames, visualTokens, offeredTokens: frames.length * tokensPerFrame, patchLayers, flops: gflop * 1e9 };
}

/** What is left of the context after the dialogue, at four characters a token, spread over the stream. */
function fittingFps({ decoder: { contextLength }, memory: { tokensPerFrameWithMarks } }: CheckpointDescription, { streamSec, characters }: StreamLoad): number {
  if (streamSec === 0) return Infinity;
  // One frame more than the stream's seconds hold: the one at its start.
  return Math.max(0, (contextLength - characters / 4) / tokensPerFrameWithMarks - 1) / streamSec;
}

/** The baseline pays for what is shared. Methods that save are not known to: an estimate errs on the safe side. */
function estimate({ name, stages }: MethodSetting, rates: WorkRates | undefined, { streamSec, questions, fps }: WorkAmount): number | null {
  if (!rates) return null;
  const { decodeMs, encodeMs, prefillMs, questionMs, openMs } = rates;
  const frameMs = prefillMs + (name === denseName || stages.vision.method !== 'all' ? encodeMs : 0) + (name === denseName ? decodeMs : 0);
  return openMs + streamSec * fps * frameMs + questions * questionMs;
}
