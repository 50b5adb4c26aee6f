// The contract of an activity: a small piece of script with a name, for which someone must be free and there must be room.
import type { SceneKind } from '../types.ts';
import type { Stage } from './stage.ts';

export interface Activity {
  readonly name: string;
  /** How often it is chosen, relative to the others. */
  readonly weight: number;
  /** Places where it can happen; everywhere if absent. */
  readonly scenes?: readonly SceneKind[];
  /** May run beside a main activity, far from it. */
  readonly ambient?: boolean;
  /** Writes the script from this time and returns its end, or changes nothing and returns null where it cannot be done. */
  perform(stage: Stage, timeSec: number): number | null;
}
