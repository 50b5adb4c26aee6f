// The controller of a stream's budget: from how late frames are and what they cost, how much of the next one may be computed. It knows no clock and no model.

/** What the user has. */
export interface BudgetTargets {
  /** The latest that a frame may be taken in after it could have been, and that an answer may begin after its question. Milliseconds. */
  readonly maxLatencyMs: number;
  /** Within that, a backlog is worked off once the stream comes at its usual pace again. Seconds. */
  readonly catchUpSec: number;
}

/** A frame that is about to be taken in. */
export interface FrameLoad {
  /** Wall clock. */
  readonly nowMs: number;
  /** How long the frame has waited since it could have been taken. */
  readonly lagMs: number;
  /** Wall time from one frame of the stream to the next. */
  readonly intervalMs: number;
}

/** How much of a frame may be computed. */
export interface FrameAllowance {
  /** `skip`: there is no time for this one at all. */
  readonly most: 'full' | 'skip';
  /** Largest share of the patches, above 0. */
  readonly patchRatio: number;
  /** 0: the methods as they were set; 1: at their tightest. For gate and vision, and for the memory. */
  readonly pressure: number;
  readonly memoryPressure: number;
}

/** What a frame took. */
export interface FrameSpent {
  readonly ms: number;
  /** Share of the patches that were computed; 0 for a skipped frame. */
  readonly patchRatio: number;
  readonly wasSkipped: boolean;
  /** Bytes in use over the cap. */
  readonly memoryFill: number;
}

/** What the controller did, in totals. */
export interface BudgetTotals {
  /** Frames skipped for want of time, whatever the gate thought of them. */
  readonly skippedForTime: number;
  /** Frames of which fewer patches were allowed than all. */
  readonly limited: number;
  /** Times that the stream fell behind by more than the latency. */
  readonly catchUps: number;
  readonly longestCatchUpMs: number;
  readonly maxLagMs: number;
  readonly peakPressure: number;
  readonly peakMemoryPressure: number;
}

/** `behind` and `caught-up` are moments; `pressure` says that thresholds moved by a tenth. */
export interface BudgetChange {
  readonly change: 'behind' | 'caught-up' | 'pressure';
  readonly lagMs: number;
  readonly pressure: number;
  readonly memoryPressure: number;
  /** Frames skipped for want of time since the stream fell behind. */
  readonly skippedForTime: number;
}

/** Smallest share of patches that a frame is limited to: less shows nothing. */
const leastPatchRatio = 1 / 16;
/** Load above which pressure rises, and below which it may fall. Between them nothing moves. */
const highLoad = 0.85;
const lowLoad = 0.55;
/** Frames over which load and costs are averaged. */
const frameMemory = 8;
/** Seconds of low load before pressure falls; doubled each time that a fall was one too many, up to the second number. */
const calmSec = 4;
const mostCalmSec = 120;
const fallStep = 0.1;
/** Share of the memory in use from which on it is under pressure, and below which the pressure falls. */
const highFill = 0.9;
const lowFill = 0.7;

/** One stream's controller. */
export class BudgetController {
  readonly #targets: BudgetTargets;
  /** Cost of a frame: `fixedMs` + `patchesMs` · share of the patches. */
  #fixedMs: number | undefined;
  #patchesMs: number | undefined;
  #skipMs = 0;
  #load = 0;
  #intervalMs = 0;
  #pressure = 0;
  #memoryPressure = 0;
  #questionMs = 0;
  #calmSinceMs: number | undefined;
  #calmSec = calmSec;
  #fellAtMs = -Infinity;
  #behindSinceMs: number | undefined;
  #creditMs = 0;
  #skippedNow = 0;
  #nowMs = 0;
  #lagMs = 0;
  #told = { pressure: 0, memoryPressure: 0 };
  readonly #changes: BudgetChange[] = [];
  readonly #totals = { skippedForTime: 0, limited: 0, catchUps: 0, longestCatchUpMs: 0, maxLagMs: 0, peakPressure: 0, peakMemoryPressure: 0 };

  constructor(targets: BudgetTargets) {
    this.#targets = targets;
  }

  get totals(): BudgetTotals {
    return { ...this.#totals };
  }

  /** How much of the next frame may be computed. Call `spent` when it was taken in. */
  allow({ nowMs, lagMs, intervalMs }: FrameLoad): FrameAllowance {
    this.#nowMs = nowMs;
    this.#lagMs = lagMs;
    this.#intervalMs = intervalMs;
    this.#totals.maxLagMs = Math.max(this.#totals.maxLagMs, lagMs);
    this.#follow();
    const pressures = { pressure: this.#pressure, memoryPressure: this.#memoryPressure };
    if (this.#fixedMs === undefined || this.#patchesMs === undefined) return { most: 'full', patchRatio: 1, ...pressures };
    const shareFor = (ms: number) => (ms - this.#fixedMs!) / Math.max(1e-3, this.#patchesMs!);
    let patchRatio = leastPatchRatio ** this.#pressure;
    let most: FrameAllowance['most'] = 'full';
    if (this.#behindSinceMs === undefined) {
      // A single dear frame may use up what latency is left, but no more.
      patchRatio = Math.min(patchRatio, shareFor(this.#targets.maxLatencyMs - Math.max(lagMs, this.#questionMs)));
    } else {
      // Behind: what each frame may take on average so that the backlog is gone in time; saved up until it is enough to see something by.
      const leftSec = Math.max(0.1, this.#targets.catchUpSec - (nowMs - this.#behindSinceMs) / 1000);
      this.#creditMs = Math.min(this.#targets.maxLatencyMs, this.#creditMs + (intervalMs * leftSec * 1000) / (leftSec * 1000 + lagMs) - this.#skipMs);
      const affordable = shareFor(this.#creditMs);
      if (affordable < leastPatchRatio || nowMs - this.#behindSinceMs > this.#targets.catchUpSec * 1000) most = 'skip';
      patchRatio = Math.min(patchRatio, affordable);
    }
    if (most === 'skip') {
      this.#totals.skippedForTime++;
      this.#skippedNow++;
    }
    patchRatio = Math.min(1, Math.max(leastPatchRatio, patchRatio));
    if (patchRatio < 1) this.#totals.limited++;
    return { most, patchRatio, ...pressures };
  }

  /** The frame was taken in, or left out. */
  spent({ ms, patchRatio, wasSkipped, memoryFill }: FrameSpent): void {
    const blend = (before: number | undefined, value: number) => (before === undefined ? value : before + (value - before) / frameMemory);
    if (wasSkipped) this.#skipMs = blend(this.#skipMs, ms);
    else if (this.#fixedMs === undefined || this.#patchesMs === undefined) {
      // Of the first frame, which is computed whole, most goes by its patches.
      this.#fixedMs = 0.2 * ms;
      this.#patchesMs = (0.8 * ms) / Math.max(leastPatchRatio, patchRatio);
    } else if (patchRatio > 0.3) this.#patchesMs = blend(this.#patchesMs, Math.max(0, ms - this.#fixedMs) / patchRatio);
    else this.#fixedMs = blend(this.#fixedMs, Math.max(0, ms - this.#patchesMs * patchRatio));
    if (this.#behindSinceMs !== undefined && !wasSkipped) this.#creditMs -= ms;
    if (this.#intervalMs > 0) this.#load = blend(this.#load, ms / this.#intervalMs);
    this.#press();
    this.#pressMemory(memoryFill);
    this.#tell();
  }

  /** An answer began so long after its question, waiting for the frame in work not counted. */
  answered(firstTokenMs: number): void {
    this.#questionMs = this.#questionMs === 0 ? firstTokenMs : this.#questionMs + (firstTokenMs - this.#questionMs) / 2;
    const { maxLatencyMs } = this.#targets;
    if (this.#questionMs > 0.8 * maxLatencyMs) this.#setMemoryPressure(this.#memoryPressure + 0.2);
    else if (this.#questionMs < 0.4 * maxLatencyMs) this.#setMemoryPressure(this.#memoryPressure - 0.05);
  }

  /** What changed since the last call. */
  takeChanges(): BudgetChange[] {
    return this.#changes.splice(0);
  }

  /** Falls behind above the latency, has caught up well below it: between the two it stays as it is. */
  #follow(): void {
    const { maxLatencyMs } = this.#targets;
    if (this.#behindSinceMs === undefined) {
      if (this.#lagMs <= maxLatencyMs) return;
      this.#behindSinceMs = this.#nowMs;
      this.#creditMs = 0;
      this.#skippedNow = 0;
      this.#totals.catchUps++;
      this.#note('behind');
    } else if (this.#lagMs <= Math.min(maxLatencyMs / 2, Math.max(this.#intervalMs, maxLatencyMs / 4))) {
      this.#totals.longestCatchUpMs = Math.max(this.#totals.longestCatchUpMs, this.#nowMs - this.#behindSinceMs);
      this.#behindSinceMs = undefined;
      this.#note('caught-up');
    }
  }

  /** Pressure rises with the load at once, and falls step by step after a while of calm: longer each time that the fall was one too many. */
  #press(): void {
    if (this.#load > highLoad) {
      if (this.#pressure < 1 && this.#nowMs - this.#fellAtMs < 2000 * this.#calmSec) this.#calmSec = Math.min(mostCalmSec, 2 * this.#calmSec);
      this.#fellAtMs = -Infinity;
      this.#calmSinceMs = undefined;
      this.#setPressure(this.#pressure + Math.min(0.2, 0.25 * (this.#load - highLoad) + 0.02));
      // What was measured before the change says little of the time after it.
      this.#load = Math.min(this.#load, 2);
    } else if (this.#load < lowLoad && this.#pressure > 0) {
      this.#calmSinceMs ??= this.#nowMs;
      if (this.#nowMs - this.#calmSinceMs >= 1000 * this.#calmSec) {
        this.#calmSinceMs = this.#nowMs;
        this.#fellAtMs = this.#nowMs;
        this.#setPressure(this.#pressure - fallStep);
      }
    } else this.#calmSinceMs = undefined;
  }

  #pressMemory(fill: number): void {
    if (fill > highFill) this.#setMemoryPressure(this.#memoryPressure + 0.02);
    else if (fill < lowFill && this.#questionMs < 0.4 * this.#targets.maxLatencyMs) this.#setMemoryPressure(this.#memoryPressure - 0.005);
  }

  #setPressure(value: number): void {
    this.#pressure = Math.min(1, Math.max(0, value));
    this.#totals.peakPressure = Math.max(this.#totals.peakPressure, this.#pressure);
  }

  #setMemoryPressure(value: number): void {
    this.#memoryPressure = Math.min(1, Math.max(0, value));
    this.#totals.peakMemoryPressure = Math.max(this.#totals.peakMemoryPressure, this.#memoryPressure);
  }

  #tell(): void {
    const { pressure, memoryPressure } = this.#told;
    // An end of the scale is told of, though the way to it was short.
    const moved = (now: number, before: number) => Math.abs(now - before) >= 0.1 || (now !== before && (now === 0 || now === 1));
    if (moved(this.#pressure, pressure) || moved(this.#memoryPressure, memoryPressure)) this.#note('pressure');
  }

  #note(change: BudgetChange['change']): void {
    this.#told = { pressure: this.#pressure, memoryPressure: this.#memoryPressure };
    this.#changes.push({ change, lagMs: this.#lagMs, pressure: this.#pressure, memoryPressure: this.#memoryPressure, skippedForTime: this.#skippedNow });
  }
}
