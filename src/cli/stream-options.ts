// Options that every command shares which watches a stream, and what they open.
import { InvalidArgumentError, Option, type Command } from 'commander';
import { UserError } from '../core/errors.ts';
import { optionValue } from '../core/options.ts';
import type { Session, StreamOptions } from '../index.ts';
import type { Precision } from '../models/packed/contract.ts';
import { builtInModel } from '../session/model-folder.ts';
import { openStream } from '../session/open-stream.ts';
import { defaultPreset } from '../session/presets.ts';
import { printSaving } from './watch-progress.ts';
import { count, duration, jsonOption, nonNegative, positive, positiveUpTo, seconds, threads, whole, type RunContext } from './command.ts';

export interface StreamFlags {
  readonly model: string;
  readonly precision?: Precision;
  readonly threads?: number;
  readonly adapter?: string;
  readonly method: string;
  readonly gate?: string;
  readonly gateOption: Readonly<Record<string, unknown>>;
  readonly vision?: string;
  readonly visionOption: Readonly<Record<string, unknown>>;
  readonly memory?: string;
  readonly memoryOption: Readonly<Record<string, unknown>>;
  readonly memoryMib: number;
  readonly fps: number;
  readonly realtime?: boolean;
  readonly maxLatency?: number;
  readonly session?: string;
  readonly start?: number;
  readonly duration?: number;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
}

export function addStreamOptions(command: Command): Command {
  return command
    .addOption(new Option('-m, --model <folder|id>', 'a checkpoint folder, a model fetched with `thalweg pull`, or the built-in `nano`').env('THALWEG_MODEL').argParser(named).default(builtInModel))
    .addOption(new Option('--precision <kind>', 'how weights and activations are stored (default: float32 for small models, else w8a8)').choices(['float32', 'w8a8', 'w8', 'w4']))
    .option('--threads <n>', 'threads that compute (default: all cores)', threads)
    .option('--adapter <name|folder>', 'a memory adapter (DMC, DMS) to open the model with; see `thalweg inspect`', named)
    .option('--method <name>', 'a preset, or one method alone; `dense` computes and keeps everything; see `thalweg methods`', defaultPreset)
    .option('--gate <method>', 'which frames are looked at (default: as the preset has it)')
    .option('--gate-option <name=value>', "an option of the gate's method; repeatable", pairsOf('--gate-option', 'threshold=0.05'), {})
    .option('--vision <method>', 'which patches and visual tokens of a frame are computed and kept (default: as the preset has it)')
    .option('--vision-option <name=value>', "an option of the vision's method; repeatable", pairsOf('--vision-option', 'threshold=0.1'), {})
    .option('--memory <method>', 'what the past is kept as (default: as the preset has it)')
    .option('--memory-option <name=value>', "an option of the memory's method; repeatable", pairsOf('--memory-option', 'frames=32'), {})
    .option('--memory-mib <MiB>', "hard cap on the stream's memory", positiveUpTo(2 ** 20), 1024)
    .option('--fps <rate>', 'frames a second of media time that the model sees', positive, 1)
    .option('--realtime', 'play a file at its own speed instead of as fast as possible, and keep up with it by computing less where time is short')
    .option('--max-latency <time>', 'the latest that a frame is taken in after it came, and that an answer begins, such as 500ms (default: 1s where a stream is kept up with)', duration)
    .option('--start <time>', 'begin there', seconds)
    .option('--duration <time>', 'watch that much', duration)
    .option('--session <file>', 'keep the session in a file: go on from it where it is there, save to it every five minutes and at the end', named)
    .option('--max-tokens <n>', 'longest answer', count)
    .option('--temperature <t>', '0 is greedy (default: the checkpoint decides)', temperature)
    .option('--seed <n>', 'seed for sampling', whole)
    .addOption(jsonOption());
}

function named(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('expected a name');
  return text;
}

function temperature(text: string): number {
  const value = nonNegative(text);
  if (value > 100) throw new InvalidArgumentError('expected at most 100');
  return value;
}

/** Gathers `name=value`. */
function pairsOf(flag: string, example: string): (text: string, previous: Readonly<Record<string, unknown>>) => Record<string, unknown> {
  return (text, previous) => {
    // Names that start with a letter: `__proto__` is none.
    const [, name, raw] = /^([a-z][\w-]*)=(.*)$/is.exec(text) ?? [];
    if (name === undefined || raw === undefined) throw new UserError('BAD_PAIR', { what: `cannot read ${flag}`, got: `"${text}"`, expected: `name=value, such as ${example}` });
    return { ...previous, [name]: optionValue(raw) };
  };
}

/** @throws UserError where one of the questions says nothing, before anything is opened for it */
export function checkQuestions(questions: readonly string[]): void {
  if (questions.some((question) => question.trim() === '')) throw new UserError('EMPTY_QUESTION', { what: 'a question is empty', todo: 'ask something' });
}

/** Opens the session that the flags describe; conversion of weights shows as progress. */
export async function openFromFlags(address: string, flags: StreamFlags, { out, signal }: RunContext, watchers: Pick<StreamOptions, 'onFrame'> = {}): Promise<Session> {
  out.progress(`opening ${flags.model}`);
  return openStream({
    source: address,
    sourceOptions: {
      fps: flags.fps,
      ...(flags.start !== undefined && { startSec: flags.start }),
      ...(flags.duration !== undefined && { durationSec: flags.duration }),
    },
    model: {
      model: flags.model,
      ...(flags.precision && { precision: flags.precision }),
      ...(flags.threads !== undefined && { threads: flags.threads }),
      ...(flags.adapter !== undefined && { adapter: flags.adapter }),
      onProgress: ({ stage, done }) => out.progress(`${stage}: ${Math.round(done * 100)} %`),
      signal,
    },
    method: flags.method,
    ...(flags.gate !== undefined && { gate: flags.gate }),
    gateOptions: flags.gateOption,
    ...(flags.vision !== undefined && { vision: flags.vision }),
    visionOptions: flags.visionOption,
    ...(flags.memory !== undefined && { memory: flags.memory }),
    memoryOptions: flags.memoryOption,
    memoryMiB: flags.memoryMib,
    ...(flags.realtime && { realtime: true }),
    ...(flags.maxLatency !== undefined && { maxLatencyMs: flags.maxLatency * 1000 }),
    ...(flags.session !== undefined && { sessionFile: flags.session }),
    onEvent: (event) => printSaving(out, event),
    signal,
    ...watchers,
  });
}

/** The part of the flags that shapes answers. */
export function generationOf({ maxTokens, temperature, seed }: StreamFlags): { maxTokens?: number; temperature?: number; seed?: number } {
  return { ...(maxTokens !== undefined && { maxTokens }), ...(temperature !== undefined && { temperature }), ...(seed !== undefined && { seed }) };
}
