// The benchmark: suites × candidates × budgets to one record, and a report from it.
export type * from './contract.ts';
export type * from './question.ts';
export { asBlind, asOneFrame } from './controls.ts';
export { loadMocks } from './mock.ts';
export { loadSuites, resolveFiles, type LoadedSuite, type Suite } from './suite.ts';
export { generateWorldSuite, type WorldKind } from './world-suite.ts';
export { createChatJudge, type ChatJudge, type ChatJudgeOptions } from './judge/chat-judge.ts';
export type { Judge, Judgement } from './judge/judge.ts';
export { matchJudge } from './judge/match-judge.ts';
export { makePlan, summarisePlan, type Plan, type PlanSummary, type RunRequest, type SuiteRequest } from './run/plan.ts';
export type { Progress } from './run/progress.ts';
export { readRecord, withoutTimes, type BenchRecord, type RecordCell, type RecordItem } from './run/record.ts';
export { defaultMargin, runBench, type RunOptions } from './run/run.ts';
export { scorePredictions, type PredictionRequest, type PredictionScores } from './predictions.ts';
export { htmlReport, type HtmlOptions } from './report/html.ts';
export { markdownReport } from './report/markdown.ts';
export { methodCandidates, type MethodCandidateOptions } from './method-candidate.ts';
