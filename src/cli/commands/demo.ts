// `thalweg demo`: a rendered street as real H.264, watched in real time by a small model, with questions and timings.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createRenderer, createWorld, openModel, openStream, openVideoWriter, writeRandomCheckpoint } from '../../index.ts';
import { duration, examples, jsonOption, positive, run, whole, type RunContext } from '../command.ts';
import { bytes, clock, milliseconds } from '../format.ts';
import { answerText, summaryText } from '../summary-text.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { watchProgress } from '../watch-progress.ts';

interface DemoFlags {
  readonly seed: number;
  readonly duration: number;
  readonly fps: number;
  readonly json?: boolean;
}

const questions = ['What is in the picture?', 'How many people are there?', 'What happened a moment ago?'];
const pictureFps = 10;

export default {
  register(program: Command) {
    const command = program
      .command('demo')
      .description('watch a rendered street in real time, ask questions, show the timings; needs no download')
      .option('--seed <n>', 'seed of the street and of the model', whole, 7)
      .option('--duration <time>', 'length of the clip', duration, 12)
      .option('--fps <rate>', 'frames a second that the model sees', positive, 2)
      .addOption(jsonOption())
      .action(
        run(async (context, flags: DemoFlags) => {
          await using folder = await temporaryFolder('thalweg-demo-');
          await demonstrate(context, flags, folder.path);
        }),
      );
    examples(command, ['thalweg demo', 'thalweg demo --seed 3 --duration 30s --fps 4', 'thalweg demo --json']);
  },
};

async function demonstrate({ out, signal }: RunContext, { seed, duration: durationSec, fps }: DemoFlags, folder: string): Promise<void> {
  const video = join(folder, 'street.mp4');
  await renderStreet(video, seed, durationSec, (done) => out.progress(`rendering a street: ${Math.round(done * 100)} %`), signal);
  const { size } = await stat(video);
  out.data({ kind: 'clip', seed, durationSec, bytes: size }, `A street, ${clock(durationSec)} long, drawn from seed ${seed} and encoded as H.264 (${bytes(size)}).`);

  const checkpoint = join(folder, 'model');
  await writeRandomCheckpoint(checkpoint, 'smolvlm-tiny', { seed });
  await using model = await openModel({ model: checkpoint, precision: 'float32', cache: join(folder, 'cache'), signal });
  out.data({ kind: 'model', meaningless: true, ...model.info }, `A vision-language model of the SmolVLM layout, ${model.info.parameters.toLocaleString('en-US')} parameters, opened in ${milliseconds(model.info.openMs)}.`);
  out.line('ITS WEIGHTS ARE RANDOM: what it says is meaningless. The pipeline and the timings are real.\n');

  await using session = await openStream({ source: video, sourceOptions: { fps, pace: 'realtime' }, model, memory: 'fifo', memoryOptions: { frames: 16 }, memoryMiB: 64, signal });
  session.subscribe(watchProgress(out));
  for (const [i, question] of questions.entries()) {
    const atSec = (durationSec * (i + 1)) / (questions.length + 1);
    const answer = await session.ask(question, { atSec, maxTokens: 12, signal });
    out.data({ kind: 'answer', ...answer }, `${clock(answer.timeSec)}  ${question}\n      ${answer.text.replace(/\s+/g, ' ').trim()}\n      (${answerText(answer)})`);
  }
  await session.ended;
  const summary = session.summary();
  out.data({ kind: 'summary', ...summary }, `\n${summaryText(summary)}`);
  out.line('\nNext, with a model that means what it says:');
  out.line('  thalweg pull HuggingFaceTB/SmolVLM-256M-Instruct');
  out.line('  thalweg ask <video> "What happens?" --model HuggingFaceTB/SmolVLM-256M-Instruct');
}

async function renderStreet(path: string, seed: number, durationSec: number, onProgress: (done: number) => void, signal: AbortSignal): Promise<void> {
  const world = createWorld({ seed, split: 'train', footage: 'fixed', durationSec, activities: 'many', heldOut: false });
  const renderer = createRenderer(world);
  await using writer = await openVideoWriter({ path, widthPx: renderer.widthPx, heightPx: renderer.heightPx, fps: pictureFps });
  for (const { rgb, timeSec } of renderer.frames(pictureFps)) {
    signal.throwIfAborted();
    await writer.write(rgb);
    onProgress(timeSec / durationSec);
  }
  await writer.close();
}
