// `thalweg bench score`: an output file in an official format, scored.
import { scorePredictions } from '../../bench/predictions.ts';
import { loadSuites, resolveFiles } from '../../bench/suite.ts';
import { UserError } from '../../core/errors.ts';
import type { RunContext } from '../command.ts';
import { withJudge, type JudgeFlags } from './bench-judge.ts';

export interface ScoreFlags extends JudgeFlags {
  readonly suite: string;
  readonly folder: string;
  readonly predictions: string;
}

export async function scoreFile({ out, signal }: RunContext, { suite: name, folder, predictions, ...judgeFlags }: ScoreFlags): Promise<void> {
  const suites = await loadSuites();
  const suite = suites.get(name);
  if (!suite) throw new UserError('UNKNOWN_SUITE', { what: 'unknown suite', got: `"${name}"`, expected: `one of ${[...suites.keys()].join(', ')}` });
  const loaded = await suite.load(await resolveFiles(name, suite, folder));
  const scores = await withJudge(judgeFlags, folder, (judge) => scorePredictions({ name, suite, loaded, file: predictions, judge, signal }));
  out.data({ kind: 'scores', ...scores }, JSON.stringify(scores, null, 2));
}
