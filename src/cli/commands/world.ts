// `thalweg world make` and `thalweg world suite`: videos of the synthetic world, their truth and their questions.
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { UserError } from '../../core/errors.ts';
import { makeFolder } from '../../core/make-folder.ts';
import { version } from '../../core/version.ts';
import { annotateClip } from '../../world/annotate-clip.ts';
import { ANNOTATION_NAMES } from '../../world/formats.ts';
import { captionClips, egoClips, streamClips, type SuiteOptions } from '../../world/suite.ts';
import type { Footage, SceneKind, Split } from '../../world/types.ts';
import { createWorld } from '../../world/world.ts';
import { clipFault, writeAnnotations, writeClip, writeSuite, type SuiteClips } from '../../world/write-clip.ts';
import { claimFolder } from '../claim-folder.ts';
import { count, examples, jsonOption, positiveUpTo, run, whole, type RunContext } from '../command.ts';
import { bytes, clock, counted, thousands } from '../format.ts';
import { createTimeLeft } from '../time-left.ts';

interface PictureFlags {
  readonly fps: number;
  readonly size: { readonly widthPx: number; readonly heightPx: number };
  readonly split: Split;
}

interface MakeFlags extends PictureFlags {
  readonly seed: number;
  readonly kind: Footage;
  readonly scene?: SceneKind;
  readonly minutes: number;
  readonly questions?: number;
  readonly out: string;
  readonly force?: boolean;
}

interface SuiteFlags extends PictureFlags {
  readonly suite: keyof typeof suites;
  readonly clips: number;
  readonly seed: number;
  readonly out: string;
  readonly videos: boolean;
}

const suites = {
  'world-stream': (options: SuiteOptions): SuiteClips => ({ kind: 'stream', clips: streamClips(options) }),
  'world-caption': (options: SuiteOptions): SuiteClips => ({ kind: 'captions', clips: captionClips(options) }),
  'world-ego': (options: SuiteOptions): SuiteClips => ({ kind: 'ego', clips: egoClips(options) }),
} as const;

export default {
  register(program: Command) {
    const group = program.command('world').description('make videos of the synthetic world, with exact truth and questions').enablePositionalOptions();
    const make = addPictureOptions(group.command('make'))
      .description('one video, its truth, and what can be asked about it in the formats of StreamBench, MSR-VTT and EgoSchema')
      .requiredOption('--out <path>', 'a folder, which `thalweg bench --folder` can read; or a file that ends in .mp4, with the rest beside it')
      .option('--seed <n>', 'what happens, and to whom', whole, 7)
      .addOption(new Option('--kind <footage>', 'how it is filmed; ego is a walk through several places').choices(['fixed', 'moving', 'cuts', 'ego']).default('fixed'))
      .addOption(new Option('--scene <place>', 'where, for fixed and moving (default: as the seed has it)').choices(['street', 'shop', 'room', 'park']))
      .option('--minutes <n>', 'length', positiveUpTo(240), 1)
      .option('--questions <n>', 'questions in mid-stream at most (default: by the length)', count)
      .option('--force', 'replace what is there')
      .addOption(jsonOption())
      .action(run(makeClip));
    examples(make, ['thalweg world make --seed 7 --scene street --out street.mp4', 'thalweg world make --kind cuts --minutes 60 --fps 4 --out ./hour', 'thalweg world make --kind ego --minutes 2 --size 640x480 --out walk.mp4 --json']);

    const suite = addPictureOptions(group.command('suite'))
      .description('many videos and their annotation files; clips that are there are left, so a run that was cut short goes on')
      .requiredOption('--out <folder>', 'gets videos/ and the annotation files')
      .addOption(new Option('--suite <name>', 'which questions').choices(Object.keys(suites)).default('world-stream'))
      .option('--clips <n>', 'how many', count, 100)
      .option('--seed <n>', 'other clips for each', whole, 0)
      .option('--no-videos', 'annotation files alone')
      .addOption(jsonOption())
      .action(run(makeSuite));
    examples(suite, ['thalweg world suite --suite world-stream --clips 100 --out ./suite', 'thalweg bench --suite streambench --folder ./suite --method dense --method fifo']);
  },
};

function addPictureOptions(command: Command): Command {
  return command
    .option('--fps <rate>', 'pictures a second', positiveUpTo(120), 10)
    .addOption(new Option('--size <WxH>', 'pixels; the world is drawn for 4:3, other shapes are stretched').argParser(size).default(size('320x240'), '320x240'))
    .addOption(new Option('--split <name>', 'train leaves out what is held out for tests').choices(['test', 'train']).default('test'));
}

function size(text: string): PictureFlags['size'] {
  const [, widthPx, heightPx] = (/^(\d{1,4})x(\d{1,4})$/.exec(text) ?? []).map(Number);
  const fits = (side: number | undefined) => side !== undefined && side >= 32 && side <= 4096 && side % 2 === 0;
  if (!fits(widthPx) || !fits(heightPx)) throw new InvalidArgumentError('expected a width and a height such as 640x480, even numbers from 32 to 4096');
  return { widthPx: widthPx!, heightPx: heightPx! };
}

async function makeClip({ out, signal }: RunContext, flags: MakeFlags): Promise<void> {
  const { seed, kind, scene, minutes, fps, split } = flags;
  const target = targetOf(flags.out, `${kind}-${scene === undefined ? '' : `${scene}-`}${seed}`);
  if (flags.force !== true) refuseToReplace(target.taken);
  const world = createWorld({ seed, split, footage: kind, durationSec: minutes * 60, activities: 'many', heldOut: false, ...(scene && { scene }) });
  // First, so that a folder which cannot be written to is told at once.
  await makeFolder(target.videoFolder, { ...clipFault, todo: 'name another place with --out' });
  out.progress('asking');
  const { files, counts } = annotateClip(target.name, world, flags.questions);
  const timeLeft = createTimeLeft();
  const { videoPath, truthPath, frameCount } = await writeClip(world, target.videoFolder, target.name, {
    fps, widthPx: flags.size.widthPx, heightPx: flags.size.heightPx, signal,
    onProgress: (doneSec, totalSec) => out.progress(`drawing ${clock(doneSec)} of ${clock(totalSec)}${timeLeft(doneSec / totalSec)}`),
  }).catch((error: unknown) => {
    const kept = path.join(target.videoFolder, `${target.name}.mp4.part`);
    if (signal.aborted && existsSync(kept)) out.data({ kind: 'kept', folder: kept }, `What is drawn so far is kept in ${kept}; the same command goes on.`);
    throw error;
  });
  const written: string[] = [];
  for (const [name, content] of Object.entries(files)) written.push(await writeAnnotations(target.annotation(name), content));
  const { size: videoBytes } = await stat(videoPath);
  const result = { kind: 'clip', video: videoPath, truth: truthPath, annotations: written, frames: frameCount, durationSec: world.durationSec, bytes: videoBytes, events: world.events.length, ...counts };
  out.data(result, [
    `${videoPath}  ${clock(world.durationSec)}, ${counted(frameCount, 'frame')} of ${flags.size.widthPx}×${flags.size.heightPx} as H.264, ${bytes(videoBytes)}`,
    `${truthPath}  who, what, where, when: ${counted(world.events.length, 'event')}, boxes by frame`,
    ...written.map((file) => `${file}  ${describeAnnotations(file, counts)}`),
    '',
    `next: thalweg chat ${videoPath}`,
  ].join('\n'));
}

interface Target {
  readonly name: string;
  readonly videoFolder: string;
  annotation(name: string): string;
  /** Files that would be replaced. */
  readonly taken: readonly string[];
}

/** Where everything goes: into a folder under the benchmarks' own names, or beside a video file under its name. */
function targetOf(given: string, nameInFolder: string): Target {
  const extension = path.extname(given).toLowerCase();
  if (extension === '.mp4') {
    const videoFolder = path.dirname(given);
    const name = path.basename(given).slice(0, -extension.length);
    return { name, videoFolder, annotation: (file) => path.join(videoFolder, `${name}.${file}`), taken: [given] };
  }
  if (/^\.(mkv|mov|avi|webm|ts|m4v)$/.test(extension)) throw new UserError('OUT_NOT_MP4', { what: `cannot write ${given}`, got: extension, expected: 'a file that ends in .mp4, or a folder' });
  const annotation = (file: string) => path.join(given, file);
  return { name: nameInFolder, videoFolder: path.join(given, 'videos'), annotation, taken: [path.join(given, 'videos', `${nameInFolder}.mp4`), annotation(ANNOTATION_NAMES.stream), annotation(ANNOTATION_NAMES.egoQuestions)] };
}

function refuseToReplace(files: readonly string[]): void {
  const found = files.find((file) => existsSync(file));
  if (found !== undefined) throw new UserError('OUT_EXISTS', { what: `${found} is there already`, todo: 'name another place with --out, or replace it with --force' });
}

function describeAnnotations(file: string, { streamQuestions, captions, egoQuestions }: ReturnType<typeof annotateClip>['counts']): string {
  if (file.endsWith(ANNOTATION_NAMES.stream)) return `StreamBench: ${counted(streamQuestions, 'question')} in mid-stream`;
  if (file.endsWith(ANNOTATION_NAMES.captions)) return `MSR-VTT: ${counted(captions, 'caption')}`;
  return file.endsWith(ANNOTATION_NAMES.egoAnswers) ? 'EgoSchema: the right options' : `EgoSchema: ${counted(egoQuestions, 'question')} with five options`;
}

async function makeSuite({ out, signal }: RunContext, flags: SuiteFlags): Promise<void> {
  const { suite, clips, seed, split, fps, size: { widthPx, heightPx } } = flags;
  await makeFolder(flags.out, { ...clipFault, todo: 'name another folder with --out' });
  // Clips of other options under the same names would be taken for this suite's. More clips of the same are welcome.
  const claim = JSON.stringify({ suite, seed, split, fps, widthPx, heightPx, thalweg: version });
  const other = await claimFolder(path.join(flags.out, 'suite.json'), claim);
  if (other !== undefined) throw new UserError('OTHER_SUITE', { what: `${flags.out} holds another suite`, got: other, expected: claim, todo: 'name another folder with --out, or give the same options' });
  const timeLeft = createTimeLeft();
  let done = 0;
  let alreadyThere = true;
  const annotations = await writeSuite(suites[suite]({ seed, split, clips }), flags.out, {
    fps, widthPx, heightPx, signal, videos: flags.videos,
    onProgress: (id, doneSec, totalSec) => {
      // What was there from an earlier run says nothing about the time that is left.
      if (alreadyThere) timeLeft(done / clips);
      alreadyThere = false;
      out.progress(`clip ${done + 1} of ${thousands(clips)}, ${id}: ${clock(doneSec)} of ${clock(totalSec)}${timeLeft((done + doneSec / totalSec) / clips)}`);
    },
    onClip: (id, number) => {
      done = number;
      out.data({ kind: 'clip', id, done, of: clips });
    },
  });
  out.data({ kind: 'suite', suite, folder: flags.out, clips, annotations }, [`${counted(clips, 'clip')}${flags.videos ? ` in ${path.join(flags.out, 'videos')}` : ', no videos'}`, ...annotations, '', `next: thalweg bench --suite ${officialName[suite]} --folder ${flags.out} --method dense`].join('\n'));
}

const officialName = { 'world-stream': 'streambench', 'world-caption': 'msrvtt-caption', 'world-ego': 'egoschema' } as const;
