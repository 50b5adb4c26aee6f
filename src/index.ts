// The public interface: everything that the command line does is a call of what is exported here.
export * from './core/errors.ts';
export type { Frame, MotionVectors, PictureType } from './core/frame.ts';
export type { MethodInfo } from './core/methods.ts';
export { version } from './core/version.ts';
export { pullModel, type PullOptions, type PullProgress, type PullResult } from './models/hub/pull.ts';
export type * from './session/contract.ts';
export type { AnswerStream } from './session/answer-stream.ts';
export { listMethods, type ListedMethod } from './session/list-methods.ts';
export { openModel, type Model, type ModelOptions } from './session/model.ts';
export { cacheFolder, findModel, pulledFolder } from './session/model-folder.ts';
export { openStream, type StreamOptions } from './session/open-stream.ts';
export type { Session } from './session/session.ts';
export type { Source, SourceEvent, SourceInfo, SourceOptions, SourceStats } from './source/contract.ts';
export { openSource, type SourceInput } from './source/open-source.ts';
export type { RawFrame, RawFrames } from './source/raw-frames.ts';
export { runDoctor, type DoctorCheck, type DoctorReport } from './session/doctor.ts';
