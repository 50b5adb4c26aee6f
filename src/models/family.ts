// The contract of a checkpoint family: a file dropped into `families/` registers it under its name.
import type { MethodInfo } from '../core/methods.ts';
import type { Checkpoint } from './contract.ts';

/** A kind of checkpoint that can be opened. */
export interface CheckpointFamily extends MethodInfo {
  /** Values of `model_type` in config.json; empty for families that have no config.json. */
  readonly modelTypes: readonly string[];
  /** Whether a path without config.json is of this family. */
  recognises?(location: string): Promise<boolean>;
  /** @param config config.json, parsed; `undefined` for families without one */
  open(location: string, config: unknown): Promise<Omit<Checkpoint, 'family'>>;
}
