// Options that every command shares which watches a stream, and what they open.
import { Option, type Command } from 'commander';
import { UserError } from '../core/errors.ts';
import { openStream, type Session, type SessionEvent } from '../index.ts';
import { count, jsonOption, nonNegative, positive, seconds, type RunContext } from './command.ts';

export interface StreamFlags {
  readonly model: string;
  readonly precision: 'float32' | 'w8a8' | 'w8' | 'w4';
  readonly threads?: number;
  readonly memory: string;
  readonly memoryOption: Readonly<Record<string, unknown>>;
  readonly memoryMib: number;
  readonly fps: number;
  readonly realtime?: boolean;
  readonly start?: number;
  readonly duration?: number;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
}

export function addStreamOptions(command: Command): Command {
  return command
    .addOption(new Option('-m, --model <folder|id>', 'a checkpoint folder, or a model fetched with `thalweg pull`').env('THALWEG_MODEL').makeOptionMandatory())
    .addOption(new Option('--precision <kind>', 'how weights and activations are stored').choices(['float32', 'w8a8', 'w8', 'w4']).default('w8a8'))
    .option('--threads <n>', 'threads that compute (default: all cores)', count)
    .option('--memory <method>', 'what the past is kept as; see `thalweg methods`', 'fifo')
    .option('--memory-option <name=value>', "an option of the memory's method; repeatable", addPair, {})
    .option('--memory-mib <MiB>', "hard cap on the stream's memory", positive, 1024)
    .option('--fps <rate>', 'frames a second of media time that the model sees', positive, 1)
    .option('--realtime', 'play a file at its own speed instead of as fast as possible')
    .option('--start <time>', 'begin there', seconds)
    .option('--duration <time>', 'watch that much', seconds)
    .option('--max-tokens <n>', 'longest answer', count)
    .option('--temperature <t>', '0 is greedy (default: the checkpoint decides)', nonNegative)
    .option('--seed <n>', 'seed for sampling', nonNegative)
    .addOption(jsonOption());
}

function addPair(text: string, previous: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const at = text.indexOf('=');
  if (at < 1) throw new UserError('BAD_PAIR', { what: 'cannot read --memory-option', got: `"${text}"`, expected: 'name=value, such as frames=32' });
  const raw = text.slice(at + 1);
  const value = raw === 'true' ? true : raw === 'false' ? false : raw !== '' && Number.isFinite(Number(raw)) ? Number(raw) : raw;
  return { ...previous, [text.slice(0, at)]: value };
}

/** Opens the session that the flags describe; conversion of weights shows as progress. */
export async function openFromFlags(address: string, flags: StreamFlags, { out, signal }: RunContext, onEvent?: (event: SessionEvent) => void): Promise<Session> {
  out.progress(`opening ${flags.model}`);
  return openStream({
    source: address,
    sourceOptions: {
      fps: flags.fps,
      ...(flags.realtime && { pace: 'realtime' }),
      ...(flags.start !== undefined && { startSec: flags.start }),
      ...(flags.duration !== undefined && { durationSec: flags.duration }),
    },
    model: {
      model: flags.model,
      precision: flags.precision,
      ...(flags.threads !== undefined && { threads: flags.threads }),
      onProgress: ({ stage, done }) => out.progress(`${stage}: ${Math.round(done * 100)} %`),
      signal,
    },
    memory: flags.memory,
    memoryOptions: flags.memoryOption,
    memoryMiB: flags.memoryMib,
    signal,
    ...(onEvent && { onEvent }),
  });
}

/** The part of the flags that shapes answers. */
export function generationOf({ maxTokens, temperature, seed }: StreamFlags): { maxTokens?: number; temperature?: number; seed?: number } {
  return { ...(maxTokens !== undefined && { maxTokens }), ...(temperature !== undefined && { temperature }), ...(seed !== undefined && { seed }) };
}
