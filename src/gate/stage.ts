// The gate stage: looks at a stream's frames and runs its method. What comes of a frame is told back, so that later ones are compared with what was encoded.
import { UserError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import { loadMethods } from '../core/methods.ts';
import { parseOptions } from '../core/options.ts';
import { gatePaths, type GateContext, type GateDecision, type GateMethod, type GateMethodStream, type GatePath } from './method.ts';
import { FrameStatistics } from './statistics.ts';

/** All gate methods, by name. */
export function gateMethods(): Promise<ReadonlyMap<string, GateMethod>> {
  return loadMethods<GateMethod>(new URL('./methods/', import.meta.url));
}

/** One stream's gate. Call `decide`, then `settle` with what came of the frame. */
export class FrameGate {
  readonly #statistics = new FrameStatistics();
  readonly #method: GateMethodStream;
  readonly #runLengths: boolean;
  #isDemanded = false;
  /** A method that keeps everything is not asked, and frames are not compared for it. */
  readonly #keepsAll: boolean;
  /** Size of the last frame of such a stream that reached the memory, as `width × height`; empty for none. */
  #lastSize = '';
  #size = '';

  /** @param options the method's own, checked here */
  constructor(method: GateMethod, options: Readonly<Record<string, unknown>>, context: GateContext) {
    this.#method = method.open(parseOptions(method.options, options, 'gate method'), context);
    this.#runLengths = method.runLengths === true;
    this.#keepsAll = method.budget === undefined;
  }

  /**
   * Which way a frame goes.
   * @param most the most costly path that the time allows: a decision for a costlier one is lowered to it, with the reason `budget`. The first frame is not:
   * without it there is nothing to see
   * @throws UserError when the method's decision is none
   */
  decide(frame: Frame, most: GatePath = 'full'): GateDecision {
    this.#size = `${frame.widthPx} × ${frame.heightPx}`;
    const view = this.#keepsAll ? undefined : this.#statistics.look(frame);
    if (!view && !(this.#keepsAll && this.#size === this.#lastSize)) return { path: 'full', reason: 'first', score: 1 };
    const own: GateDecision = view ? this.#method.decide(view) : { path: 'full', reason: 'every', score: 1 };
    const decision: GateDecision = this.#isDemanded && own.path === 'skip' ? { path: 'full', reason: 'refresh', score: own.score } : own;
    if (!gatePaths.includes(decision.path) || !Number.isFinite(decision.score)) {
      throw new UserError('GATE_DECISION', { what: 'a gate method decided for something else', got: JSON.stringify(decision), expected: `a path (${gatePaths.join(', ')}) and a finite score` });
    }
    return gatePaths.indexOf(decision.path) < gatePaths.indexOf(most) ? { path: most, reason: 'budget', score: decision.score } : decision;
  }

  /** The frame has gone that way; or it failed, and what was encoded never reached the memory. */
  settle(outcome: GatePath | 'failed'): void {
    if (this.#keepsAll) this.#lastSize = outcome === 'failed' ? '' : this.#size;
    else if (outcome === 'failed') this.#statistics.forget();
    else this.#statistics.settle(outcome);
    if (outcome !== 'skip') this.#isDemanded = false;
  }

  /** The memory no longer has what stands: the next frame is not skipped as still. */
  demand(): void {
    this.#isDemanded = true;
  }

  /** Whether, after that decision, what the memory has of the last encoded frame stands for one frame more. */
  stands({ path, reason }: GateDecision): boolean {
    return this.#runLengths && path === 'skip' && reason === 'still';
  }

  /** Moves the method's knob; methods without one stay as they are. */
  tune(value: number): void {
    this.#method.tune?.(value);
  }
}
