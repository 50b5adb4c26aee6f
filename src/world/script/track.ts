// Builds the motions of one actor, one after the other and without gaps.
import type { Motion, Pose } from '../types.ts';

/** What to change during the next stretch; what is not named stays as it is. */
export interface Step {
  readonly x?: number;
  readonly y?: number;
  readonly pose?: Pose;
  readonly facing?: 1 | -1;
  readonly alpha?: number;
  readonly value?: number;
  readonly holder?: string | null;
}

const round = (value: number) => Math.round(value * 1000) / 1000;

/** An actor's motions under construction. Times and positions are kept to a thousandth, so that truth files are exact. */
export class Track {
  readonly motions: Motion[] = [];
  endSec: number;
  x: number;
  y: number;
  facing: 1 | -1;
  alpha = 1;
  value: number;
  holder: string | null = null;
  /** What the actor does between steps. */
  restPose: Pose = 'stand';

  constructor(startSec: number, x: number, y: number, facing: 1 | -1, value = 0) {
    this.endSec = round(startSec);
    this.x = round(x);
    this.y = round(y);
    this.facing = facing;
    this.value = value;
  }

  /** Appends a stretch of this length and returns its end. Stretches too short to see are dropped, their changes applied. */
  add(durationSec: number, step: Step): number {
    const next = {
      x: round(step.x ?? this.x), y: round(step.y ?? this.y), facing: step.facing ?? this.facing,
      alpha: step.alpha ?? this.alpha, value: step.value ?? this.value, holder: step.holder === undefined ? this.holder : step.holder,
    };
    const endSec = round(this.endSec + durationSec);
    if (endSec > this.endSec) {
      this.motions.push({
        startSec: this.endSec, endSec,
        x0: this.x, y0: this.y, x1: next.x, y1: next.y,
        pose: step.pose ?? this.restPose, facing: next.facing,
        alpha0: this.alpha, alpha1: next.alpha, value0: this.value, value1: next.value, holder: next.holder,
      });
      this.endSec = endSec;
    }
    Object.assign(this, next);
    return this.endSec;
  }

  /** Stays as it is until this time. */
  restUntil(timeSec: number): void {
    if (timeSec > this.endSec) this.add(timeSec - this.endSec, {});
  }

  /** Puts the actor elsewhere with no motion between. */
  jump(x: number, y: number, facing: 1 | -1): void {
    this.x = round(x);
    this.y = round(y);
    this.facing = facing;
  }
}
