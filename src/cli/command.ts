// The shape of a command file, and what all of them share.
import { Command, InvalidArgumentError, Option } from 'commander';
import { createOutput, flushOutput, outputBroken, reportError, type Output } from './output.ts';
import { removeTemporaryFolders } from './temporary-folder.ts';

/** One file in `commands/`. */
export interface CliCommand {
  /** Adds the command to the program: arguments, options, examples, action. */
  register(program: Command): void;
}

export interface RunContext {
  readonly out: Output;
  /** Fires at the first interrupt (Ctrl-C; a second one ends the process at once), and when nobody takes the output any more. */
  readonly signal: AbortSignal;
}

/** Wraps an action: output by `--json`, interrupts, errors, exit status. */
export function run<Args extends unknown[]>(action: (context: RunContext, ...args: Args) => Promise<void>): (...args: Args) => Promise<void> {
  return async (...args) => {
    const command: Command | undefined = args.findLast((arg) => arg instanceof Command);
    const json = Boolean(command?.opts()['json']);
    const out = createOutput(json);
    const controller = new AbortController();
    let interruptedMs = -Infinity;
    const interrupt = (name: NodeJS.Signals) => {
      // npx and npm pass on a Ctrl-C that the terminal has sent us already: what comes at once is the same one.
      if (performance.now() - interruptedMs < 300) return;
      interruptedMs = performance.now();
      if (controller.signal.aborted) endAtOnce(out, name);
      controller.abort(new DOMException('interrupted', 'AbortError'));
    };
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
    let failure: { readonly error: unknown } | undefined;
    try {
      await action({ out, signal: AbortSignal.any([controller.signal, outputBroken]) }, ...args);
    } catch (error) {
      failure = { error };
    }
    out.clearProgress();
    await flushOutput();
    if (controller.signal.aborted) {
      // What fails after an interrupt fails because of it.
      out.data({ kind: 'interrupted' });
      if (!json) process.stderr.write('interrupted\n');
      process.exitCode = 130;
    } else if (failure && !outputBroken.aborted) process.exitCode = reportError(failure.error, json);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  };
}

/** The second interrupt: the signal's own effect ends the process, since `process.exit` while native code computes aborts it with a core dump. */
function endAtOnce(out: Output, name: NodeJS.Signals): void {
  out.clearProgress();
  removeTemporaryFolders();
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}

export const jsonOption = () => new Option('--json', 'print JSON for programs: one document, or one line an event');

/** Examples at the end of a command's help. */
export function examples(command: Command, lines: readonly string[]): void {
  command.addHelpText('after', `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}`);
}

/** Parses a positive number. */
export function positive(text: string): number {
  return positiveUpTo(Number.MAX_VALUE)(text);
}

/** Parses a number above 0 and at most `most`. */
export function positiveUpTo(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
    if (value > most) throw new InvalidArgumentError(`expected at most ${most}`);
    return value;
  };
}

/** Parses a number that may be 0. */
export function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0) || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number from 0 up');
  return value;
}

/** Parses a whole number that may be 0. */
export function whole(text: string): number {
  const value = nonNegative(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('expected a whole number from 0 up');
  return value;
}

/** Parses a whole number above 0. */
export function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number above 0');
  return value;
}

/** Parses a number of threads. */
export function threads(text: string): number {
  const value = count(text);
  if (value > 1024) throw new InvalidArgumentError('expected at most 1024');
  return value;
}

/** Parses a time: `10`, `10s`, `500ms`, `2m`, `1h`; in seconds. */
export function seconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  if (!match) throw new InvalidArgumentError('expected a time such as 10s, 500ms, 2m or 1h');
  return Number(match[1]) * { ms: 0.001, s: 1, m: 60, h: 3600 }[(match[2] ?? 's') as 'ms' | 's' | 'm' | 'h'];
}

/** Parses a length of time, which is above 0; in seconds. */
export function duration(text: string): number {
  const value = seconds(text);
  if (value === 0) throw new InvalidArgumentError('expected a time above 0');
  return value;
}
