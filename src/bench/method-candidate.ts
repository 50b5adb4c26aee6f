// Real candidates: a loaded model under one method of one stage, all else dense.
import { basename } from 'node:path';
import { UserError } from '../core/errors.ts';
import { memoryMethods } from '../memory/stage.ts';
import type { CheckpointDescription } from '../models/describe.ts';
import { inspectModel } from '../session/inspect-model.ts';
import type { FrameReport } from '../session/contract.ts';
import type { Model } from '../session/model.ts';
import { openStream } from '../session/open-stream.ts';
import { visionMethods } from '../vision/stage.ts';
import type { Candidate, CandidateSession, Knob } from './contract.ts';

/** The model that candidates run on, and what they may use. */
export interface MethodCandidateOptions {
  readonly model: Model;
  /** Frames a second of media time that the model sees. */
  readonly fps: number;
  /** Hard cap on a stream's memory. */
  readonly memoryMiB: number;
}

/** What the stages run, besides the one that a candidate is about. */
interface Setting {
  readonly vision: string;
  readonly memory: string;
  readonly summary: string;
  readonly knob?: Knob;
  /** Which stage the knob belongs to. */
  readonly stage: 'vision' | 'memory';
}

/**
 * The candidates of those names; `dense` is no method at all in any stage.
 * @throws UserError for a name that no stage knows
 */
export async function methodCandidates(names: readonly string[], options: MethodCandidateOptions): Promise<Candidate[]> {
  const description = await inspectModel(options.model.info.folder);
  const settings = await Promise.all(names.map(settingOf));
  return names.map((name, i) => createCandidate(name, settings[i]!, description, options));
}

async function settingOf(name: string): Promise<Setting> {
  const [memory, vision] = [await memoryMethods(), await visionMethods()];
  const ofMemory = memory.get(name);
  const ofVision = vision.get(name);
  const method = ofMemory ?? ofVision;
  if (!method) throw new UserError('UNKNOWN_METHOD', { what: 'no stage has this method', got: `"${name}"`, expected: `one of ${[...memory.keys(), ...vision.keys()].join(', ')}` });
  const { summary, budget } = method;
  return {
    vision: ofVision ? name : 'all',
    memory: ofMemory ? name : 'dense',
    summary,
    stage: ofMemory ? 'memory' : 'vision',
    ...(budget && { knob: { name: budget.knob, kind: budget.kind, values: budget.sweep } }),
  };
}

function createCandidate(name: string, { vision, memory, summary, knob, stage }: Setting, description: CheckpointDescription, { model, fps, memoryMiB }: MethodCandidateOptions): Candidate {
  const { info } = model;
  const modelName = basename(info.folder);
  return {
    name: `${name}@${modelName}`,
    model: modelName,
    method: name,
    summary,
    ...(knob && { knob }),
    resolved: { vision, memory, fps, memoryMiB, precision: info.precision, family: info.family, parameters: info.parameters },
    async open(videoPath, { budget, seed, signal }) {
      const chosen = knob && budget !== null ? { [knob.name]: budget } : {};
      const session = await openStream({
        model,
        source: videoPath,
        sourceOptions: { fps },
        vision,
        memory,
        memoryMiB,
        drive: 'manual',
        signal,
        ...(stage === 'vision' ? { visionOptions: chosen } : { memoryOptions: chosen }),
      });
      const frames: FrameReport[] = [];
      let streamMs = 0;
      let answerMs = 0;
      let peakKvBytes = 0;
      const candidate: CandidateSession = {
        async advanceTo(timeSec) {
          const start = performance.now();
          const seen = await session.advanceTo(timeSec === 'end' ? Infinity : timeSec);
          streamMs += performance.now() - start;
          for (const { memory: report } of seen) peakKvBytes = Math.max(peakKvBytes, report.liveBytes);
          frames.push(...seen);
        },
        async ask({ prompt, maxTokens, remember, signal: abort }) {
          const answer = await session.ask(prompt, { maxTokens, remember, seed, signal: abort });
          answerMs += answer.timings.totalMs;
          return {
            text: answer.text,
            firstTokenMs: answer.timings.firstTokenMs,
            totalMs: answer.timings.totalMs,
            kvBytes: answer.memory.liveBytes,
            visualTokens: answer.memory.longestHead,
            generatedTokens: answer.tokens,
          };
        },
        stats: () => ({ ...workOf(frames, description), peakKvBytes, streamMs, answerMs, peakRssBytes: process.resourceUsage().maxRSS * 1024 }),
        async close() {
          await session[Symbol.asyncDispose]();
        },
      };
      return candidate;
    },
  };
}

/** Work counted from what the stages report, by the shapes of the model; attention over the growing memory is left out. */
function workOf(frames: readonly FrameReport[], { vision, frameGflop, tokensPerFrame }: CheckpointDescription): { frames: number; keptFrames: number; visualTokens: number; patchLayers: number; flops: number } {
  let visualTokens = 0;
  let patchLayers = 0;
  let gflop = 0;
  for (const { patchesRecomputed, patches, visualTokens: tokens } of frames) {
    visualTokens += tokens;
    patchLayers += patchesRecomputed * (vision?.layers ?? 0);
    gflop += (frameGflop.encoder + frameGflop.encoderAttention) * (patchesRecomputed / patches) + (frameGflop.projector + frameGflop.prefill) * (tokens / tokensPerFrame);
  }
  return { frames: frames.length, keptFrames: frames.filter(({ visualTokens: tokens }) => tokens > 0).length, visualTokens, patchLayers, flops: gflop * 1e9 };
}
