// What a plan holds and what it would cost, for `--dry-run`.
import { streamSeconds } from '../question.ts';
import { isFile } from '../world-videos.ts';
import { missingVideos, type MissingVideo, type Plan, type PlannedVideo } from './plan.ts';

/** `--dry-run`: what would be done, and what it would cost as far as the candidates can tell. */
export interface PlanSummary {
  readonly suites: readonly {
    readonly name: string;
    readonly videos: number;
    readonly missing: number;
    /** Videos of a world suite that have to be drawn first. */
    readonly undrawn: number;
    readonly questions: number;
    readonly streamSec: number;
    readonly fps: number;
    readonly notes: readonly string[];
  }[];
  readonly cells: readonly {
    readonly key: string;
    readonly videos: number;
    readonly questions: number;
    /** null where the candidate cannot tell. */ readonly estimateMs: number | null;
  }[];
  /** Of drawing what is not there yet; null where nobody measured it. */
  readonly drawMs: number | null;
  /** Cells and drawing together, divided by the number of lanes; null where any of it is unknown. */
  readonly estimateMs: number | null;
  readonly missing: readonly MissingVideo[];
}

/** Counts and estimated cost of a plan. @param drawMsPerSec wall time of drawing a second of video, as measured */
export async function summarisePlan(plan: Plan, parallel = 1, drawMsPerSec?: number): Promise<PlanSummary> {
  const suites = await Promise.all(
    plan.suites.map(async (suite) => {
      const present = suite.videos.filter((one) => one.path !== undefined);
      const undrawn = await Promise.all(present.map(async ({ clip }) => (clip && !(await isFile(clip.path)) ? clip.spec.durationSec : 0)));
      return {
        undrawnSec: undrawn.reduce((sum, sec) => sum + sec, 0),
        shown: {
          name: suite.name,
          videos: present.length,
          missing: suite.videos.length - present.length,
          undrawn: undrawn.filter((sec) => sec > 0).length,
          ...loadOf(present),
          fps: suite.fps,
          notes: suite.notes,
        },
      };
    }),
  );
  const cells = plan.cells.map((cell) => {
    const present = cell.videos.filter((one) => one.path !== undefined);
    const { questions, streamSec } = loadOf(present);
    return { key: cell.key, videos: present.length, questions, estimateMs: cell.candidate.estimateMs?.({ streamSec, questions, budget: cell.budget, fps: cell.suite.fps }) ?? null };
  });
  const undrawnSec = suites.reduce((sum, one) => sum + one.undrawnSec, 0);
  const drawMs = undrawnSec === 0 ? 0 : drawMsPerSec === undefined ? null : undrawnSec * drawMsPerSec;
  const isKnown = drawMs !== null && cells.every((cell) => cell.estimateMs !== null);
  return {
    suites: suites.map(({ shown }) => shown),
    cells,
    drawMs,
    estimateMs: isKnown ? (drawMs + cells.reduce((sum, cell) => sum + cell.estimateMs!, 0)) / parallel : null,
    missing: missingVideos(plan),
  };
}

function loadOf(videos: readonly PlannedVideo[]): { readonly questions: number; readonly streamSec: number } {
  return {
    questions: videos.reduce((sum, one) => sum + one.video.questions.length, 0),
    streamSec: videos.reduce((sum, one) => sum + streamSeconds(one.video), 0),
  };
}
