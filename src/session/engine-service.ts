// The calls between a session and the engine in its worker thread.
import type { Frame } from '../core/frame.ts';
import type { FrameAllowance } from './budget-controller.ts';
import type { HeadCoverage } from '../memory/slot-coverage.ts';
import type { Answer, FrameReport, GenerationOptions, MemoryReport, ModelInfo, Precision } from './contract.ts';
import type { StagesArgument } from './stream-stages.ts';

export interface LoadArgument {
  readonly folder: string;
  /** A memory adapter: its name in the checkpoint's folder, or its own folder. */
  readonly adapter?: string;
  readonly cacheFolder: string;
  /** Absent: by the size of the model. */
  readonly precision?: Precision;
  readonly threads: number;
}

export interface OpenArgument extends StagesArgument {
  readonly memory: string;
  readonly memoryOptions: Readonly<Record<string, unknown>>;
  readonly memoryMiB: number;
  /** Name under which streams that see the same frames share what the encoder makes of them, one stream after the other. */
  readonly share?: string | undefined;
  /** Whether reports say which patches and tokens they count. */
  readonly explain?: boolean;
  /** A file that `save` wrote, to go on from. */
  readonly resume?: string;
}

/** Converting and packing a checkpoint, once. */
export interface LoadProgress {
  readonly stage: string;
  /** 0 to 1. */
  readonly done: number;
}

export type EngineAnswer = Omit<Answer, 'timings'> & {
  readonly prefillMs: number;
  readonly firstTokenMs: number;
  readonly decodeTokenMs: number;
  readonly totalMs: number;
  readonly runtimeMs: number;
};

export interface EngineFrame {
  readonly report: Omit<FrameReport, 'timings'>;
  readonly gateMs: number;
  readonly preprocessMs: number;
  readonly visionMs: number;
  readonly prefillMs: number;
  readonly runtimeMs: number;
}

export interface EngineService {
  load: { argument: LoadArgument; emits: LoadProgress; result: ModelInfo };
  open: { argument: OpenArgument; emits: never; result: number };
  frame: { argument: { readonly stream: number; readonly frame: Frame; readonly allowance?: FrameAllowance }; emits: never; result: EngineFrame };
  ask: {
    argument: { readonly stream: number; readonly question: string; readonly remember: boolean; readonly generation: GenerationOptions };
    emits: string;
    /** `waitMs`: until other streams of the model let it have its turn. */
    result: EngineAnswer & { readonly waitMs: number };
  };
  memory: { argument: number; emits: never; result: MemoryReport };
  slots: { argument: number; emits: never; result: readonly HeadCoverage[] };
  save: { argument: { readonly stream: number; readonly file: string }; emits: never; result: undefined };
  close: { argument: number; emits: never; result: undefined };
}
