// What a command prints: text or JSON on standard output, progress on standard error of a terminal.
import { stderr, stdout } from 'node:process';
import type { Ora } from 'ora';
import { ThalwegError, UserError, messageOf } from '../core/errors.ts';

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

const broken = new AbortController();
stdout.on('error', (error) => broken.abort(error));
stderr.on('error', () => undefined); // Where nobody reads errors, there is nobody to tell.

/** Fires when standard output takes no more: its reader went away, or its disk is full. The reason is the stream's error. */
export const outputBroken: AbortSignal = broken.signal;

export function createOutput(json: boolean): Output {
  // A terminal of no width, as some recorders make, has no place for a line that is replaced.
  const isShown = stderr.isTTY && stderr.columns > 0 && !json;
  let spinner: Ora | undefined;
  let latest: string | undefined;
  const show = () => {
    if (!spinner || latest === undefined) return;
    spinner.text = latest;
    if (!spinner.isSpinning) spinner.start();
  };
  // Loaded beside the command's own work: it takes longer than many a command.
  if (isShown)
    void import('ora').then(({ default: ora }) => {
      spinner = ora({ stream: stderr, discardStdin: false });
      show();
    });
  const clearProgress = () => {
    latest = undefined;
    if (spinner?.isSpinning) spinner.stop();
  };
  const print = (text: string) => {
    clearProgress();
    if (!outputBroken.aborted) stdout.write(text);
  };
  const write = (text: string) => {
    if (!json) print(text);
  };
  return {
    json,
    write,
    line: (text = '') => write(`${text}\n`),
    data(value, text) {
      if (json) print(`${toJson(value)}\n`);
      else if (text !== undefined) print(`${text}\n`);
    },
    progress(text) {
      latest = text;
      show();
    },
    clearProgress,
  };
}

/** Waits until everything printed has gone out, or has failed to. */
export async function flushOutput(): Promise<void> {
  await new Promise((resolve) => stdout.write('', resolve));
  await new Promise(setImmediate); // A stream tells its error after its callbacks.
}

/** An error as JSON says it; of an unknown one, only the message. */
export function errorDocument(thrown: unknown): Readonly<Record<string, unknown>> {
  if (!(thrown instanceof ThalwegError)) return { kind: 'error', message: messageOf(thrown), type: 'internal' };
  const { what, got, expected, todo } = thrown.parts;
  return { kind: 'error', message: thrown.message, type: thrown.kind, code: thrown.code, what, got, expected, todo };
}

/** Prints an error and gives the exit status: 2 when the caller can mend it, else 1. */
export function reportError(thrown: unknown, json: boolean): number {
  if (json && !outputBroken.aborted) {
    stdout.write(`${toJson(errorDocument(thrown))}\n`);
  } else if (thrown instanceof ThalwegError) {
    const { what, got, expected, todo } = thrown.parts;
    const rows = [`error: ${what}`, got && `  got:      ${got}`, expected && `  expected: ${expected}`, todo && `  try:      ${todo}`];
    stderr.write(`${rows.filter(Boolean).join('\n')}\n`);
  } else {
    stderr.write(`internal error, please report it: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`);
  }
  return thrown instanceof ThalwegError ? 2 : 1;
}

/** What a broken output means: a reader that went away (`thalweg … | head`) is no fault of ours, anything else is told. */
export function reportBrokenOutput(json: boolean): number {
  const error = outputBroken.reason as NodeJS.ErrnoException;
  if (error.code === 'EPIPE') return 0;
  reportError(new UserError('OUTPUT_NOT_WRITABLE', { what: 'cannot write to standard output', got: error.message, todo: 'free space, or send the output elsewhere', cause: error }), json);
  return 1;
}

/** `Error` objects have no JSON of their own: an event that carries one says its code and message. */
function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => (inner instanceof Error ? { code: (inner as { readonly code?: unknown }).code, message: inner.message } : inner));
}
