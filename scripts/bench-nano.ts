// The built-in model: how soon it is open, how fast it watches the demo's street, in each format. Writes docs/results/nano.json and nano.md.
// Usage: node scripts/bench-nano.ts [--model nano] [--precisions float32,w8a8,w8] [--threads 2] [--opens 5] [--rounds 5] [--out docs/results]
// Without the built-in model an untrained one of its sizes is measured, and the record says so: the work does not depend on the weights.
import { execFile } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { builtInFolder, builtInModel, createWorld, openModel, openStream } from '../src/index.ts';
import type { ModelInfo, Precision, SessionSummary } from '../src/index.ts';
import { readEnvironment } from '../src/bench/run/environment.ts';
import { keepYoungGenerationSmall } from '../src/runtime/young-generation.ts';
import { writeClip } from '../src/world/write-clip.ts';
import { writeUntrainedNano } from '../test/untrained-nano.ts';
import { median, writeRecord } from './record.ts';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: builtInModel },
    precisions: { type: 'string', default: 'float32,w8a8,w8' },
    threads: { type: 'string', default: '2' },
    opens: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '5' },
    out: { type: 'string', default: 'docs/results' },
  },
});
const threads = Number(values.threads);
const precisions = values.precisions.split(',') as Precision[];
/** The rate that has to be kept up with. */
const fps = 4;
const seconds = 24;
const questions = ['How many people are there?', 'What is the person in red doing?', 'Where is the car?'];

/** One start of a process, up to the open model. */
interface Opening {
  readonly sinceStartMs: number;
  readonly openMs: number;
  /** Processor time of all threads: says more than the clock where others are at work. */
  readonly cpuMs: number;
}

/** One pass over the clip. */
interface Pass {
  readonly framesPerSec: number;
  readonly frameMs: number;
  readonly preprocessMs: number;
  readonly visionMs: number;
  readonly prefillMs: number;
  readonly firstTokenMs: number;
  readonly tokenMs: number;
}

const run = promisify(execFile);
const opener = fileURLToPath(new URL('./bench-nano-open.ts', import.meta.url));

// As the command line does.
keepYoungGenerationSmall();
const folder = await mkdtemp(join(tmpdir(), 'thalweg-bench-nano-'));
try {
  const isTrained = values.model !== builtInModel || (await access(join(builtInFolder(), 'config.json')).then(() => true, () => false));
  const checkpoint = isTrained ? values.model : await writeUntrainedNano(join(folder, 'untrained'));
  const cache = join(folder, 'cache');
  const openings: Opening[] = [];
  const loadAtStart = loadavg()[0]!;
  for (let i = 0; i <= Number(values.opens); i++) {
    process.stderr.write(`\ropening ${i + 1} of ${Number(values.opens) + 1}`);
    const { stdout } = await run(process.execPath, [opener, checkpoint, values.threads], { env: { ...process.env, THALWEG_CACHE: cache } });
    openings.push(JSON.parse(stdout) as Opening);
  }
  // The first one compiles the program's code and converts the weights; both are kept.
  const [cold, ...warm] = openings;

  const world = createWorld({ seed: 7, split: 'test', footage: 'fixed', durationSec: seconds, activities: 'many', heldOut: false, scene: 'street' });
  await writeClip(world, folder, 'street', { truthFps: 0 });
  const passes = new Map<Precision, Pass[]>(precisions.map((precision) => [precision, []]));
  let info: ModelInfo | undefined;
  // Formats take turns, so that what else the machine does meets all of them.
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const precision of precisions) {
      process.stderr.write(`\rwatching in ${precision}, round ${round} of ${values.rounds}      `);
      await using model = await openModel({ model: checkpoint, precision, threads, cache });
      info ??= model.info;
      const pass = await watch(model);
      // The first round warms the caches of the system.
      if (round > 0) passes.get(precision)!.push(pass);
    }
  }
  process.stderr.write('\n');

  const { model, parameters, tokensPerFrame, imageWidthPx } = { model: isTrained ? values.model : 'untrained, of the same sizes', ...info! };
  const record = {
    model, parameters, tokensPerFrame, imageWidthPx, threads, fps, seconds,
    environment: await readEnvironment(),
    load: { atStart: loadAtStart, atEnd: loadavg()[0]! },
    open: { cold: cold!, warm: medians(warm) },
    watch: Object.fromEntries([...passes].map(([precision, all]) => [precision, { ...medians(all), timesRealTime: medians(all).framesPerSec / fps }])),
  };
  const text = markdown(record);
  await writeRecord(values.out, 'nano', record, text);
  console.log(text);
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** Watches the clip as fast as it goes, and asks at its end. */
async function watch(model: Awaited<ReturnType<typeof openModel>>): Promise<Pass> {
  await using session = await openStream({ source: join(folder, 'street.mp4'), sourceOptions: { fps }, model, method: 'fifo', memoryOptions: { frames: 48 }, memoryMiB: 64 });
  const { framesPerSec, meanMs }: SessionSummary = await session.ended;
  const answers: { firstTokenMs: number; tokenMs: number }[] = [];
  for (const question of questions) {
    const { timings } = await session.ask(question, { maxTokens: 12, remember: false });
    answers.push({ firstTokenMs: timings.firstTokenMs, tokenMs: timings.decodeTokenMs });
  }
  const { preprocessMs, visionMs, prefillMs } = meanMs;
  return { framesPerSec, frameMs: preprocessMs + visionMs + prefillMs, preprocessMs, visionMs, prefillMs, ...medians(answers) };
}

/** The median of each figure by itself. */
function medians<T extends { readonly [K in keyof T]: number }>(all: readonly T[]): { readonly [K in keyof T]: number } {
  return Object.fromEntries(Object.keys(all[0]!).map((key) => [key, median(all.map((each) => each[key as keyof T]))])) as { readonly [K in keyof T]: number };
}

function markdown({ model: name, parameters, open: { cold: first, warm: next }, watch: watched, load, environment, threads: used }: { readonly model: string; readonly parameters: number; readonly open: { readonly cold: Opening; readonly warm: Opening }; readonly watch: Readonly<Record<string, Pass & { readonly timesRealTime: number }>>; readonly load: { readonly atStart: number; readonly atEnd: number }; readonly environment: { readonly machine: { readonly cpu: string; readonly cores: number } }; readonly threads: number }): string {
  const ms = (value: number) => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
  const openRow = (what: string, { sinceStartMs, openMs, cpuMs }: Opening) => `| ${what} | ${ms(sinceStartMs)} ms | ${ms(openMs)} ms | ${ms(cpuMs)} ms |`;
  return [
    `${environment.machine.cpu}, ${environment.machine.cores} cores, ${used} threads; ${name}, ${parameters.toLocaleString('en-US')} parameters. Load of the machine: ${load.atStart.toFixed(1)} when it began, ${load.atEnd.toFixed(1)} at its end.`,
    '',
    '| opening | from the start of the process | the model alone | processor time, whole process |',
    '| --- | --- | --- | --- |',
    openRow('first time: code and weights are converted and kept', first),
    openRow('later, median', next),
    '',
    `| watching a street at ${fps} frames/s | frames/s | times real time | a frame | of it vision | of it prefill | first token | a further token |`,
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...Object.entries(watched).map(([precision, pass]) => `| ${precision} | ${pass.framesPerSec.toFixed(1)} | ${pass.timesRealTime.toFixed(1)} × | ${ms(pass.frameMs)} ms | ${ms(pass.visionMs)} ms | ${ms(pass.prefillMs)} ms | ${ms(pass.firstTokenMs)} ms | ${ms(pass.tokenMs)} ms |`),
    '',
  ].join('\n');
}
