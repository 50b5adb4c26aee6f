// Errors: one base class, and a child for each party who can act on it.

/** The four parts of a message that helps: what went wrong, what was seen, what was expected, and what to do about it. */
export interface ErrorParts {
  /** What went wrong, in a clause: "cannot open video street.mp4". */
  readonly what: string;
  /** What was found. */
  readonly got?: string;
  /** What would have been right. */
  readonly expected?: string;
  /** What the reader can do next. */
  readonly todo?: string;
  readonly cause?: unknown;
}

function compose({ what, got, expected, todo }: ErrorParts): string {
  return [what, got && `got ${got}`, expected && `expected ${expected}`, todo].filter(Boolean).join('; ');
}

/** Base of every error that Thalweg throws on purpose. `code` is stable across versions and meant for programs. */
export abstract class ThalwegError extends Error {
  abstract readonly kind: 'user' | 'media' | 'model' | 'capacity';
  readonly code: string;
  readonly parts: ErrorParts;

  constructor(code: string, parts: ErrorParts) {
    super(compose(parts), parts.cause === undefined ? undefined : { cause: parts.cause });
    this.name = new.target.name;
    this.code = code;
    this.parts = parts;
  }
}

/** The caller asked for something that cannot be: a wrong option, an unknown method, an empty question. */
export class UserError extends ThalwegError {
  readonly kind = 'user';
}

/** A source of video is missing, damaged or unsupported. */
export class MediaError extends ThalwegError {
  readonly kind = 'media';
}

/** A checkpoint or another model file is missing, damaged or unsupported. */
export class ModelError extends ThalwegError {
  readonly kind = 'model';
}

/** A stated limit (memory, context, queue) cannot hold what was asked. */
export class CapacityError extends ThalwegError {
  readonly kind = 'capacity';
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
