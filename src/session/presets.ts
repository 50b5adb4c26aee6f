// Presets: a name for a method in each stage. The one table that commands, `openStream` and the benchmark read.
import type { z } from 'zod';
import { UserError } from '../core/errors.ts';
import { methodNamed, type MethodInfo } from '../core/methods.ts';
import { parseOptions } from '../core/options.ts';
import { gateMethods } from '../gate/stage.ts';
import { memoryMethodNamed, memoryMethods, parseMemoryOptions } from '../memory/registry.ts';
import { visionMethods } from '../vision/stage.ts';

/** Stages that methods decide in, in the order of the data. */
export const stageNames = ['gate', 'vision', 'memory'] as const;
export type StageName = (typeof stageNames)[number];

/** A method and its own options. */
export interface StageChoice {
  readonly method: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export type StageChoices = Readonly<Record<StageName, StageChoice>>;

/** What a preset may depend on. */
export interface PresetModel {
  /** Kind of the memory adapter that the model was opened with. */
  readonly adapter?: { readonly kind: 'dmc' | 'dms' };
}

/** A named setting of all stages. */
export interface Preset {
  /** One line for `thalweg methods`. */
  readonly summary: string;
  /** Whether a live stream is kept up with unless the caller says otherwise: by computing less, instead of losing frames in the queue. */
  readonly keepsUp: boolean;
  stages(model: PresetModel): StageChoices;
}

const choice = (method: string, options: Readonly<Record<string, unknown>> = {}): StageChoice => ({ method, options });

/** The methods that do nothing. */
const none: StageChoices = { gate: choice('every-frame'), vision: choice('all'), memory: choice('dense') };

/** The default of every command and of `openStream`. */
export const defaultPreset = 'thalweg';

export const presets: Readonly<Record<'thalweg' | 'dense', Preset>> = {
  thalweg: {
    summary: 'the default: still frames are skipped, only what changed is computed and kept, and the past is merged (by a DMC or DMS adapter where the model has one, else by likeness) and held in 8 bits',
    keepsUp: true,
    // Values at which nothing is lost on validation clips: docs/decisions/0006.
    stages: ({ adapter }) => ({
      gate: choice('difference', { threshold: 0.015 }),
      vision: choice('difference', { threshold: 0.04, heldBack: 'shown' }),
      memory: choice(adapter?.kind ?? 'merge', { ...(!adapter && { threshold: 0.95 }), slotFormat: 'int8' }),
    }),
  },
  dense: { summary: 'everything: no method in any stage', keepsUp: false, stages: () => none },
};

/** What every stage's methods have in common. */
export interface StageMethod extends MethodInfo {
  readonly options: z.ZodType;
  readonly budget?: { readonly kind: 'fixed' | 'adaptive'; readonly knob: string; readonly sweep: readonly number[] };
  /** The kind of memory adapter that it needs. */
  readonly adapter?: 'dmc' | 'dms';
}

/**
 * One method by its name; of memory also two that work together, such as `merge+fifo`.
 * @throws UserError for a name that is none
 */
export async function stageMethodNamed(stage: StageName, name: string): Promise<StageMethod> {
  return stage === 'memory' ? memoryMethodNamed(name) : methodNamed(await methodsOf(stage), stage, name);
}

/** @throws UserError for an unknown method or wrong options */
export async function checkChoice(stage: StageName, { method, options }: StageChoice): Promise<void> {
  if (stage === 'memory') parseMemoryOptions(await memoryMethodNamed(method), method, options);
  else parseOptions((await stageMethodNamed(stage, method)).options, options, `${stage} method ${method}`);
}

/** All methods of a stage, by name. */
export function methodsOf(stage: StageName): Promise<ReadonlyMap<string, StageMethod>> {
  switch (stage) {
    case 'gate':
      return gateMethods();
    case 'vision':
      return visionMethods();
    case 'memory':
      return memoryMethods();
    default:
      return stage satisfies never;
  }
}

/**
 * The preset of a name; the name of a single method is one too: that method, and none in the other stages. A name that several stages have needs its
 * stage, as in `vision=difference`.
 * @throws UserError for a name that neither a preset nor a stage has
 */
export async function presetNamed(name: string): Promise<Preset> {
  const known = Object.hasOwn(presets, name) ? presets[name as keyof typeof presets] : undefined;
  if (known) return known;
  const [, stageName, methodName] = /^(gate|vision|memory)=(.+)$/.exec(name) ?? [];
  const [wanted, method] = stageName ? [[stageName as StageName], methodName!] : [stageNames, name];
  const found: { readonly stage: StageName; readonly summary: string }[] = [];
  for (const stage of wanted) {
    const info = (await methodsOf(stage)).get(method);
    if (info) found.push({ stage, summary: info.summary });
  }
  const [only, another] = found;
  if (only && !another) return { summary: only.summary, keepsUp: false, stages: () => ({ ...none, [only.stage]: choice(method) }) };
  if (only) throw new UserError('AMBIGUOUS_METHOD', { what: `several stages have a method ${method}`, expected: found.map(({ stage }) => `${stage}=${method}`).join(' or ') });
  throw new UserError('UNKNOWN_METHOD', { what: 'unknown method', got: `"${name}"`, expected: `a preset (${Object.keys(presets).join(', ')}), or a method of a stage; see \`thalweg methods\`` });
}

/** What a caller chose for a stage, over the preset. */
export interface StageOverride {
  readonly method?: string | undefined;
  readonly options?: Readonly<Record<string, unknown>> | undefined;
}

/** The preset's stages with the caller's choices: options without a method are added to those of the preset's method. */
export function chosenStages(preset: Preset, model: PresetModel, overrides: Readonly<Partial<Record<StageName, StageOverride>>>): StageChoices {
  const base = preset.stages(model);
  const over = (stage: StageName): StageChoice => {
    const { method, options = {} } = overrides[stage] ?? {};
    return method === undefined || method === base[stage].method ? { method: base[stage].method, options: { ...base[stage].options, ...options } } : { method, options };
  };
  return { gate: over('gate'), vision: over('vision'), memory: over('memory') };
}
