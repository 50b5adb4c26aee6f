// `thalweg demo`: a rendered street as live H.264, watched by the built-in model in real time, questions and answers beside the truth.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Option, type Command } from 'commander';
import { matchesNormalised } from '../../bench/metrics/normalise.ts';
import { AsyncDisposableStack } from '../../core/disposal.ts';
import { createRandom } from '../../core/random.ts';
import type { Answer, Model, Session } from '../../index.ts';
import { writeRandomCheckpoint } from '../../models/random-checkpoint.ts';
import { builtInModel, findModel, isBuiltIn } from '../../session/model-folder.ts';
import { openModel } from '../../session/model.ts';
import { openStream } from '../../session/open-stream.ts';
import { broadcastWorld, liveSourceOptions } from '../../world/live.ts';
import { askStream } from '../../world/questions/ask.ts';
import { createBalance } from '../../world/questions/balance.ts';
import type { WorldQuestion } from '../../world/questions/question.ts';
import { Viewing } from '../../world/questions/viewing.ts';
import { createWorld, type World } from '../../world/world.ts';
import { examples, jsonOption, positiveUpTo, run, threads, whole, type RunContext } from '../command.ts';
import { clock, counted, milliseconds, rate, thousands } from '../format.ts';
import type { Output } from '../output.ts';
import { summaryText } from '../summary-text.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { paint } from '../paint.ts';
import { watchProgress } from '../watch-progress.ts';

interface DemoFlags {
  readonly seed: number;
  readonly kind: 'fixed' | 'moving' | 'cuts';
  readonly seconds: number;
  readonly fps: number;
  readonly model: string;
  readonly threads?: number;
}

const cameraFps = 10;
/** Most lessons of the built-in model show so many frames at this rate. */
const defaultFps = 1;
/** One question in so many seconds. */
const everySec = 4.5;

export default {
  register(program: Command) {
    const command = program
      .command('demo')
      .description('watch a rendered street live, ask what people would ask, show the answers beside the truth; needs no download')
      .option('--seed <n>', 'seed of the street and of its questions', whole, 7)
      .addOption(new Option('--kind <footage>', 'how it is filmed').choices(['fixed', 'moving', 'cuts']).default('fixed'))
      .option('--seconds <n>', 'how long it plays', positiveUpTo(3600), 45)
      .option('--fps <rate>', 'frames a second that the model sees', positiveUpTo(cameraFps), defaultFps)
      .option('-m, --model <folder|id>', 'another model than the built-in one', builtInModel)
      .option('--threads <n>', 'threads that compute (default: all cores)', threads)
      .addOption(jsonOption())
      .action(run(demonstrate));
    examples(command, ['thalweg demo', 'thalweg demo --kind cuts --seed 3', 'thalweg demo --seconds 20 --fps 4 --json']);
  },
};

async function demonstrate({ out, signal }: RunContext, flags: DemoFlags): Promise<void> {
  const { seed, kind, seconds, fps } = flags;
  await using resources = new AsyncDisposableStack();
  out.progress(`opening ${flags.model}`);
  // Opened in its own thread while the street is thought up here.
  const opening = openDemoModel(flags, resources, signal);
  opening.catch(() => undefined); // Told where it is awaited.
  const world = createWorld({ seed, split: 'test', footage: kind, durationSec: Math.max(1, seconds), activities: 'many', heldOut: false, ...(kind !== 'cuts' && { scene: 'street' }) });
  const questions = askStream(new Viewing(world), Math.max(1, Math.round(seconds / everySec)), createBalance(), createRandom(`demo ${seed}`));
  const { model, isMeaningless } = await opening;
  const { info } = model;
  out.data({ kind: 'model', name: flags.model, meaningless: isMeaningless, ...info }, `${paint.bold(isMeaningless ? 'A stand-in' : nameOf(flags.model))}: a ${info.family} of ${thousands(info.parameters)} parameters in ${info.precision}, ${counted(info.tokensPerFrame, 'visual token')} a frame, opened in ${milliseconds(info.openMs)}.`);
  if (isMeaningless) warnOfRandomWeights(out);
  out.data({ kind: 'clip', seed, footage: kind, durationSec: world.durationSec, places: placesOf(world), questions: questions.length }, `${describeClip(world, kind)}, drawn from seed ${seed} and coded as H.264 while it plays. The model sees ${rate(fps)}.\n`);

  signal.throwIfAborted();
  await using session = await openStream({ source: broadcastWorld(world, { cameraFps, signal }), sourceOptions: { ...liveSourceOptions, fps }, model, memoryMiB: 64, signal });
  session.subscribe(watchProgress(out));
  const right = await askAll(session, questions, isMeaningless, out, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error; // What was watched until the interrupt is still summed up.
    return undefined;
  });
  const summary = signal.aborted ? await session.stop() : await session.ended;
  if (right !== undefined && !isMeaningless) out.data({ kind: 'score', right, questions: questions.length }, `\n${paint.bold(`${right} of ${counted(questions.length, 'answer')} right.`)}`);
  out.data({ kind: 'summary', ...summary }, `\n${summaryText(summary)}`);
  const { gateMs, preprocessMs, visionMs, prefillMs } = summary.meanMs;
  const timesRealTime = 1000 / fps / (gateMs + preprocessMs + visionMs + prefillMs);
  if (summary.frames > 0) out.data({ kind: 'speed', timesRealTime }, `speed    ${timesRealTime.toFixed(1)} times as fast as ${rate(fps)} need`);
  if (!signal.aborted) sayNext(out, flags, isMeaningless);
}

/** The model that was asked for; without the built-in one, random weights that are told to be that. */
async function openDemoModel({ model: name, threads: given, seed }: DemoFlags, resources: AsyncDisposableStack, signal: AbortSignal): Promise<{ readonly model: Model; readonly isMeaningless: boolean }> {
  const common = { signal, threads: given ?? availableParallelism() };
  const isMissing = isBuiltIn(name) && (await findModel(name).then(() => false, () => true));
  if (!isMissing) return { model: resources.use(await openModel({ ...common, model: name })), isMeaningless: false };
  const folder = resources.use(await temporaryFolder('thalweg-demo-'));
  const checkpoint = join(folder.path, 'model');
  await writeRandomCheckpoint(checkpoint, 'smolvlm-tiny', { seed, dtype: 'float32' });
  return { model: resources.use(await openModel({ ...common, model: checkpoint, precision: 'float32' })), isMeaningless: true };
}

function warnOfRandomWeights(out: Output): void {
  out.line(paint.yellow('THE BUILT-IN MODEL IS NOT IN THIS INSTALLATION (no folder models/thalweg-nano): random weights stand in, and what they say is meaningless.'));
  out.line('The street, the questions, the truth and the timings are real.');
}

/** Puts every question at its moment; gives the number of right answers. */
async function askAll(session: Session, questions: readonly WorldQuestion[], isMeaningless: boolean, out: Output, signal: AbortSignal): Promise<number> {
  let right = 0;
  for (const { question, answer: truth, timeSec, class: questionClass } of questions) {
    const answer = await session.ask(question, { atSec: timeSec, maxTokens: isMeaningless ? 6 : 24, signal });
    const isRight = matchesNormalised(answer.text, [truth]);
    if (isRight) right++;
    out.data({ ...answer, kind: 'answer', class: questionClass, truth, right: isMeaningless ? null : isRight }, answerLines(answer, truth, isMeaningless ? undefined : isRight));
  }
  return right;
}

function answerLines(answer: Answer, truth: string, isRight: boolean | undefined): string {
  // An untrained model writes any bytes; a terminal would obey some of them.
  const said = answer.text.replace(/\s+/g, ' ').replace(/\p{Cc}/gu, '').trim() || '(nothing)';
  const verdict = isRight === undefined ? `the truth: ${truth}` : isRight ? paint.green('✓ right') : paint.red(`✗ wrong, the truth: ${truth}`);
  return `${clock(answer.timeSec).padStart(5)}  ${answer.question}\n       ${paint.bold(said)}  ${verdict}\n       ${paint.dim(`first word after ${milliseconds(answer.timings.firstTokenMs)}, all after ${milliseconds(answer.timings.totalMs)}`)}`;
}

function describeClip(world: World, kind: DemoFlags['kind']): string {
  const how = { fixed: 'by a fixed camera', moving: 'by a moving camera', cuts: 'with cuts' }[kind];
  const places = placesOf(world);
  const what = places.length === 1 ? `A ${places[0]}` : `A ${places.slice(0, -1).join(', a ')} and a ${places.at(-1)}`;
  return `${what}, filmed ${how} for ${clock(world.durationSec)}`;
}

function placesOf(world: World): string[] {
  return [...new Set(world.scenes.map(({ kind }) => kind))];
}

function nameOf(model: string): string {
  return isBuiltIn(model) ? 'thalweg-nano' : model;
}

function sayNext(out: Output, { seed, kind }: DemoFlags, isMeaningless: boolean): void {
  out.line('\nNext:');
  out.line(`  ${`thalweg demo --kind ${kind === 'cuts' ? 'moving' : 'cuts'} --seed ${seed + 1}`.padEnd(45)}  another street`);
  out.line('  thalweg world make --seed 7 --out street.mp4   a video of this world, its truth and questions');
  if (!isMeaningless) out.line('  thalweg chat street.mp4                        ask it yourself');
  out.line('The built-in model knows this drawn world only. For real footage:');
  out.line('  thalweg pull HuggingFaceTB/SmolVLM-256M-Instruct');
  out.line('  thalweg ask <video> "What happens?" --model HuggingFaceTB/SmolVLM-256M-Instruct');
}
