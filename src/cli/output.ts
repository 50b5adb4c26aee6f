// What a command prints: text or JSON on standard output, progress on standard error of a terminal.
import { stderr, stdout } from 'node:process';
import ora from 'ora';
import { ThalwegError, messageOf } from '../core/errors.ts';

/** Where a command's words go. With `--json`, `data` prints one JSON document a line and `line` prints nothing. */
export interface Output {
  readonly json: boolean;
  /** A line for people. */
  line(text?: string): void;
  /** Text for people without a line end: an answer as it is written. */
  write(text: string): void;
  /** An event or result for programs; `text` is the same for people. */
  data(value: unknown, text?: string): void;
  /** The one line of progress, replaced by the next; shown on a terminal only. */
  progress(text: string): void;
  /** Takes the progress line away. */
  clearProgress(): void;
}

export function createOutput(json: boolean): Output {
  const spinner = stderr.isTTY && !json ? ora({ stream: stderr, discardStdin: false }) : undefined;
  // A reader that went away (`thalweg … | head`) is no fault of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  const clearProgress = () => spinner?.stop();
  const write = (text: string) => {
    if (json) return;
    clearProgress();
    stdout.write(text);
  };
  return {
    json,
    write,
    line: (text = '') => write(`${text}\n`),
    data(value, text) {
      if (json) stdout.write(`${JSON.stringify(value)}\n`);
      else if (text !== undefined) write(`${text}\n`);
    },
    progress(text) {
      if (!spinner) return;
      spinner.text = text;
      if (!spinner.isSpinning) spinner.start();
    },
    clearProgress,
  };
}

/** Prints an error and gives the exit status: 2 when the caller can mend it, 130 after an interrupt, else 1. */
export function reportError(thrown: unknown, json: boolean): number {
  const isAbort = thrown instanceof Error && thrown.name === 'AbortError';
  if (isAbort) {
    if (!json) stderr.write('interrupted\n');
    return 130;
  }
  if (json) {
    const known = thrown instanceof ThalwegError ? { type: thrown.kind, code: thrown.code, ...withoutCause(thrown.parts) } : { type: 'internal' };
    stdout.write(`${JSON.stringify({ kind: 'error', message: messageOf(thrown), ...known })}\n`);
  } else if (thrown instanceof ThalwegError) {
    const { what, got, expected, todo } = thrown.parts;
    const rows = [`error: ${what}`, got && `  got:      ${got}`, expected && `  expected: ${expected}`, todo && `  try:      ${todo}`];
    stderr.write(`${rows.filter(Boolean).join('\n')}\n`);
  } else {
    stderr.write(`internal error, please report it: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  }
  return thrown instanceof ThalwegError && thrown.kind !== 'capacity' ? 2 : 1;
}

function withoutCause({ what, got, expected, todo }: ThalwegError['parts']): Record<string, string | undefined> {
  return { what, got, expected, todo };
}
