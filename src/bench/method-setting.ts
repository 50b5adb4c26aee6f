// What a candidate runs: a method for each stage, by a name, a preset or a combination such as `vision=dtd,memory=fifo:frames=32`.
import { UserError } from '../core/errors.ts';
import { optionValue } from '../core/options.ts';
import { methodsOf, presets, stageMethodNamed, stageNames, type Preset, type PresetModel, type StageChoice, type StageMethod, type StageName } from '../session/presets.ts';
import { memoryMethodNamed } from '../memory/registry.ts';
import type { Knob } from './contract.ts';

interface Stage {
  readonly name: StageName;
  /** The method that does nothing. */
  readonly none: string;
  readonly methods: () => Promise<ReadonlyMap<string, StageMethod>>;
}

/** In the order of the data. */
const stages: readonly Stage[] = stageNames.map((name) => ({ name, none: presets.dense.stages({})[name].method, methods: () => methodsOf(name) }));

/** The name of no method in any stage: what the others are compared with. */
export const denseName = 'dense';

/** A method for each stage, and the one setting that may be swept. */
export interface MethodSetting {
  /** As in tables: `fifo`, `vision=dtd,memory=fifo`. */
  readonly name: string;
  readonly summary: string;
  readonly stages: Readonly<Record<StageName, StageChoice>>;
  readonly knob?: Knob & { readonly stage: StageName };
  /** Named by what it does as a whole; its options are part of it and are not swept. */
  readonly isPreset: boolean;
}

/**
 * Reads the name of a preset or a method, or a combination: `stage=method` with commas, each with options after colons.
 * @param model what presets depend on
 * @throws UserError for names and options that cannot be read; a name that two stages have needs its stage
 */
export async function parseSetting(text: string, model: PresetModel = {}): Promise<MethodSetting> {
  const preset = presetOf(text);
  if (preset) return { name: text, summary: preset.summary, stages: preset.stages(model), isPreset: text !== denseName };
  return text.includes('=') ? await combination(text) : await byName(text);
}

function presetOf(name: string): Preset | undefined {
  return (presets as Readonly<Record<string, Preset>>)[name];
}

/** Every preset, dense first, and every method of every stage as a setting of its own, in the order of the data. */
export async function allSettings(): Promise<MethodSetting[]> {
  const names: string[] = [denseName, ...Object.keys(presets).filter((name) => name !== denseName)];
  for (const { name, none, methods } of stages) {
    for (const method of (await methods()).keys()) if (method !== none) names.push((await stagesWith(method)).length > 1 ? `${name}=${method}` : method);
  }
  return Promise.all(names.map((name) => parseSetting(name)));
}

/** Kind of the memory adapter that a setting cannot do without. */
export async function adapterKindOf({ stages: { memory } }: MethodSetting): Promise<'dmc' | 'dms' | undefined> {
  return (await memoryMethodNamed(memory.method)).adapter;
}

/** Settings of several stages that have a name of their own. */
export async function presetNames(): Promise<string[]> {
  return (await allSettings()).filter(({ isPreset }) => isPreset).map(({ name }) => name);
}

/** Every name that `parseSetting` knows, for messages. */
export async function settingNames(): Promise<string[]> {
  return (await allSettings()).map(({ name }) => name);
}

async function byName(name: string): Promise<MethodSetting> {
  const known = await stagesWith(name);
  if (known.length === 0) throw new UserError('UNKNOWN_METHOD', { what: 'unknown method', got: `"${name}"`, expected: `one of ${(await settingNames()).join(', ')}; or a combination such as vision=dtd,memory=fifo:frames=32` });
  if (known.length > 1) throw new UserError('AMBIGUOUS_METHOD', { what: `more than one stage has a method "${name}"`, expected: known.map((stage) => `${stage.name}=${name}`).join(' or ') });
  return single(name, known[0]!, { method: name, options: {} });
}

async function stagesWith(method: string): Promise<readonly Stage[]> {
  const found = await Promise.all(stages.map(async (stage) => ((await stage.methods()).has(method) ? stage : undefined)));
  return found.filter((stage) => stage !== undefined);
}

async function single(name: string, stage: Stage, choice: StageChoice): Promise<MethodSetting> {
  const { summary, budget } = await stageMethodNamed(stage.name, choice.method);
  const isSet = budget !== undefined && budget.knob in choice.options;
  return {
    name,
    summary,
    stages: { ...allNone(), [stage.name]: choice },
    isPreset: false,
    ...(budget && !isSet && { knob: { name: budget.knob, kind: budget.kind, values: budget.sweep, stage: stage.name } }),
  };
}

async function combination(text: string): Promise<MethodSetting> {
  const chosen: { readonly stage: Stage; readonly choice: StageChoice }[] = [];
  for (const part of text.split(',')) {
    const [, stageName, method, rest] = /^([a-z]+)=([a-z0-9+-]+)((?::[A-Za-z]\w*=[^:,]+)*)$/.exec(part.trim()) ?? [];
    const stage = stages.find(({ name }) => name === stageName);
    if (stage === undefined || method === undefined) {
      throw new UserError('BAD_COMBINATION', { what: 'cannot read a combination of methods', got: `"${part}"`, expected: `${stages.map(({ name }) => name).join(' or ')}=method:option=value, with commas between stages` });
    }
    if (chosen.some((one) => one.stage === stage)) throw new UserError('BAD_COMBINATION', { what: `stage ${stage.name} is named twice`, got: `"${text}"` });
    await stageMethodNamed(stage.name, method);
    chosen.push({ stage, choice: { method, options: optionsOf(rest ?? '') } });
  }
  const [only] = chosen;
  if (chosen.length === 1 && only) return await single(text, only.stage, only.choice);
  return {
    name: text,
    summary: chosen.map(({ stage, choice }) => `${stage.name} ${choice.method}`).join(', '),
    stages: { ...allNone(), ...Object.fromEntries(chosen.map(({ stage, choice }) => [stage.name, choice])) },
    isPreset: false,
  };
}

function optionsOf(text: string): Record<string, unknown> {
  return Object.fromEntries(
    text
      .split(':')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const [name = '', raw = ''] = pair.split('=');
        return [name, optionValue(raw)];
      }),
  );
}

function allNone(): Record<StageName, StageChoice> {
  return Object.fromEntries(stages.map(({ name, none }) => [name, { method: none, options: {} }])) as Record<StageName, StageChoice>;
}
