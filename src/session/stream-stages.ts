// Gate and vision of one stream, and the knobs by which a budget moves them and the memory together.
import { methodNamed } from '../core/methods.ts';
import type { Frame } from '../core/frame.ts';
import { parseOptions } from '../core/options.ts';
import { cheapRatio, type GateDecision } from '../gate/method.ts';
import type { RouterWeights } from '../gate/router-weights.ts';
import { FrameGate, gateMethods } from '../gate/stage.ts';
import type { Memory } from '../memory/stage.ts';
import type { ImageSpec } from '../models/contract.ts';
import type { VisionEncoder } from '../vision/encoder.ts';
import { withPatchLimit, type PatchLimit } from '../vision/patch-limit.ts';
import { VisionStream, visionMethods } from '../vision/stage.ts';
import type { FrameAllowance } from './budget-controller.ts';
import { Knob } from './knobs.ts';

/** What a stream's stages run. */
export interface StagesArgument {
  readonly gate: string;
  readonly gateOptions: Readonly<Record<string, unknown>>;
  readonly vision: string;
  readonly visionOptions: Readonly<Record<string, unknown>>;
  /** Whether a budget may limit the patches of a frame. Finding out which of them changed most has its cost. */
  readonly limited: boolean;
}

/** What the stages stand on. */
export interface StagesModel {
  readonly encoder: VisionEncoder;
  readonly image: ImageSpec;
  readonly memory: Memory;
  readonly router: RouterWeights;
}

/** Gate and vision of one stream. */
export class StreamStages {
  readonly vision: VisionStream;
  readonly gate: FrameGate;
  /** Whether every frame is computed whole, whatever came before it. */
  readonly isWhole: boolean;
  readonly #limit: PatchLimit = { ratio: 1 };
  readonly #knobs: { readonly gate: Knob; readonly memory: Knob };

  private constructor(vision: VisionStream, gate: FrameGate, isWhole: boolean, limit: PatchLimit, knobs: { readonly gate: Knob; readonly memory: Knob }) {
    this.vision = vision;
    this.gate = gate;
    this.isWhole = isWhole;
    this.#limit = limit;
    this.#knobs = knobs;
  }

  /** @throws UserError for unknown methods or wrong options */
  static async open({ gate: gateName, gateOptions, vision: visionName, visionOptions, limited }: StagesArgument, { encoder, image, memory, router }: StagesModel): Promise<StreamStages> {
    const gating = methodNamed(await gateMethods(), 'gate', gateName);
    const seeing = methodNamed(await visionMethods(), 'vision', visionName);
    const limit: PatchLimit = { ratio: 1 };
    const isWhole = gating.budget === undefined && visionName === 'all' && !limited;
    // A gate that lets everything through never sends a frame on the cheap path.
    const vision = new VisionStream(encoder, image, gating.budget || limited ? withPatchLimit(seeing, limit) : seeing, visionOptions, { router });
    const gate = new FrameGate(gating, gateOptions, { router });
    return new StreamStages(vision, gate, isWhole, limit, {
      gate: new Knob(gating.budget, parseOptions(gating.options, gateOptions, `gate method ${gateName}`), (value) => gate.tune(value)),
      memory: new Knob(memory.method.budget, memory.options, (value) => memory.tune(value)),
    });
  }

  /** Moves the knobs to what a frame is allowed, and asks the gate which way it goes. Tell the gate what came of it. */
  decide(frame: Frame, allowance: FrameAllowance | undefined): GateDecision {
    if (allowance) {
      this.#knobs.gate.press(allowance.pressure);
      this.#knobs.memory.press(allowance.memoryPressure);
    }
    const decision = this.gate.decide(frame, allowance?.most);
    const ratio = allowance?.patchRatio ?? 1;
    this.#limit.ratio = decision.path === 'cheap' ? Math.min(cheapRatio, ratio) : ratio;
    return decision;
  }

  /** Takes all pressure off the memory, which outlives its stages. */
  relax(): void {
    this.#knobs.memory.press(0);
  }
}
