// Writes clips: H.264 video, exact truth as JSON, and the official annotation files of a suite. What is interrupted leaves no half file.
import { createWriteStream } from 'node:fs';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { makeFolder } from '../core/make-folder.ts';
import type { FolderFault } from '../core/make-folder.ts';
import { joinVideos } from '../runtime/media-join.ts';
import { openVideoWriter } from '../runtime/media-writer.ts';
import { ANNOTATION_NAMES, captionFile, egoFiles, streamFile } from './formats.ts';
import { createRenderer } from './render.ts';
import type { Renderer, RenderOptions } from './render.ts';
import { VIEW_WIDTH } from './scene/layout.ts';
import type { CaptionClip, Clip, EgoClip, StreamClip } from './suite.ts';
import type { World } from './world.ts';

export interface WriteOptions extends RenderOptions {
  /** Frames a second of the video; default 10. */
  readonly fps?: number;
  /** Boxes a second in the truth file; default every frame, and two a second in clips above ten minutes. */
  readonly truthFps?: number;
  /** Constant rate factor of the encoder; default 23. */
  readonly crf?: number;
  /** Longer clips are drawn in parts of this length, which an interrupted run leaves for the next; default 60. */
  readonly partSec?: number;
  readonly signal?: AbortSignal;
  /** Called after each frame. */
  readonly onProgress?: (doneSec: number, totalSec: number) => void;
}

export interface WrittenClip {
  readonly videoPath: string;
  readonly truthPath: string;
  readonly frameCount: number;
}

/** Frames drawn between two looks at the event loop: drawing is synchronous, and others want their turn. */
const FRAMES_A_TURN = 8;

export const clipFault: FolderFault = { code: 'OUT_NOT_WRITABLE', purpose: 'the clips', todo: 'name another folder' };

/**
 * Draws a world into `<folder>/<name>.mp4` and writes `<name>.truth.json` beside it. Memory does not grow with the length. What is not finished
 * is under `<name>.mp4.part`, which stays after an interrupt only where it holds whole parts of a long clip.
 * @throws UserError where the folder cannot be made; the reason of `signal`
 */
export async function writeClip(world: World, folder: string, name: string, options: WriteOptions = {}): Promise<WrittenClip> {
  const { fps = 10, crf = 23, partSec = 60, signal, onProgress, truthFps, ...render } = options;
  await makeFolder(folder, clipFault);
  const videoPath = path.join(folder, `${name}.mp4`);
  const truthPath = path.join(folder, `${name}.truth.json`);
  const renderer = createRenderer(world, render);
  const drawing: Drawing = { world, renderer, fps, crf, draft: `${videoPath}.part`, signal, onProgress };
  const isLong = world.durationSec > 2 * partSec;
  const finishedPath = isLong ? await drawInParts(drawing, partSec, { ...render, fps, crf }) : await drawWhole(drawing);

  const { widthPx, heightPx } = renderer;
  await writeTruth(world, truthPath, truthFps ?? (world.durationSec > 600 ? Math.min(2, fps) : fps), widthPx, heightPx);
  // The video comes last: where it is, everything is.
  await rename(finishedPath, videoPath);
  if (isLong) await rm(drawing.draft, { recursive: true });
  return { videoPath, truthPath, frameCount: frameCountOf(world, fps) };
}

interface Drawing {
  readonly world: World;
  readonly renderer: Renderer;
  readonly fps: number;
  readonly crf: number;
  /** Where the clip is until it is whole: a file, or a folder of parts. */
  readonly draft: string;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: WriteOptions['onProgress'];
}

function frameCountOf({ durationSec }: World, fps: number): number {
  return Math.floor(durationSec * fps + 1e-6);
}

/** Codes frames `from` (inclusive) to `to` (exclusive) into a file, which is removed where that fails. */
async function draw({ world, renderer, fps, crf, signal, onProgress }: Drawing, file: string, from: number, to: number): Promise<void> {
  const writer = await openVideoWriter({ path: file, format: 'mp4', widthPx: renderer.widthPx, heightPx: renderer.heightPx, fps, crf });
  try {
    for (let i = from; i < to; i++) {
      signal?.throwIfAborted();
      await writer.write(renderer.frameAt(i / fps).rgb);
      onProgress?.((i + 1) / fps, world.durationSec);
      if ((i + 1) % FRAMES_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await writer.close();
  } catch (error) {
    await writer.close().catch(() => undefined); // The first failure is the one to tell.
    await rm(file, { force: true });
    throw error;
  }
}

async function drawWhole(drawing: Drawing): Promise<string> {
  await rm(drawing.draft, { recursive: true, force: true });
  await draw(drawing, drawing.draft, 0, frameCountOf(drawing.world, drawing.fps));
  return drawing.draft;
}

/** Draws what of the parts is not there yet, and joins them. Parts of other options or another world are drawn anew. */
async function drawInParts(drawing: Drawing, partSec: number, options: object): Promise<string> {
  const { world, fps, draft, signal } = drawing;
  const identityFile = path.join(draft, 'parts.json');
  // The script says what is drawn: it changes with the seed, and with every change to the world's rules.
  const identity = JSON.stringify({ options, partSec, spec: world.spec, actors: world.actors, shots: world.shots });
  if ((await readFile(identityFile, 'utf8').catch(() => undefined)) !== identity) {
    await rm(draft, { recursive: true, force: true });
    await makeFolder(draft, clipFault);
    await writeFile(identityFile, identity);
  }
  const total = frameCountOf(world, fps);
  const each = Math.round(partSec * fps);
  const parts: { path: string; startSec: number }[] = [];
  for (let from = 0; from < total; from += each) {
    const file = path.join(draft, `${String(parts.length).padStart(4, '0')}.mp4`);
    parts.push({ path: file, startSec: from / fps });
    if (await isFile(file)) continue;
    await draw(drawing, `${file}.part`, from, Math.min(total, from + each));
    await rename(`${file}.part`, file);
  }
  const joined = path.join(draft, 'whole.mp4');
  await joinVideos({ parts, path: joined, format: 'mp4', ...(signal && { signal }) });
  return joined;
}

async function isFile(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined))?.isFile() ?? false;
}

/** All that is so, as JSON text in pieces: an hour's boxes are never in memory at once. Boxes in pixels of the video. */
export function* truthText(world: World, truthFps: number, widthPx: number, heightPx: number): Generator<string> {
  const { spec, scenes, shots, actors, events, occluders } = world;
  const head = {
    format: 'thalweg-world-truth', version: 1, spec, widthPx, heightPx, fps: truthFps, scenes, shots, occluders,
    actors: actors.map(({ id, kind, scene, look, motions }) => ({ id, kind, scene, look, startSec: motions[0]!.startSec, endSec: motions.at(-1)!.endSec, motions })),
    events,
  };
  yield `${JSON.stringify(head).slice(0, -1)},"frames":[`;
  const scale = widthPx / VIEW_WIDTH;
  const round = (value: number) => Math.round(value * 1000) / 1000;
  const count = Math.floor(world.durationSec * truthFps + 1e-6);
  for (let i = 0; i < count; i++) {
    const { timeSec, scene, camera, objects } = world.observe(i / truthFps);
    const row = {
      timeSec: round(timeSec), scene,
      camera: { x: round(camera.x), y: round(camera.y), zoom: round(camera.zoom * scale), rollRad: Math.round(camera.rollRad * 1e5) / 1e5 },
      objects: objects.map((o) => ({ ...o, box: o.box.map((side, axis) => Math.round(side * (axis % 2 === 0 ? scale : heightPx / 240) * 10) / 10) })),
    };
    yield `${i === 0 ? '' : ','}\n${JSON.stringify(row)}`;
  }
  yield ']}\n';
}

async function writeTruth(world: World, file: string, truthFps: number, widthPx: number, heightPx: number): Promise<void> {
  const draft = `${file}.part`;
  const stream = createWriteStream(draft);
  const done = finished(stream);
  try {
    for (const piece of truthText(world, truthFps, widthPx, heightPx)) if (!stream.write(piece)) await Promise.race([once(stream, 'drain'), done]);
    stream.end();
    await done;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await rename(draft, file);
}

export type SuiteClips =
  | { readonly kind: 'stream'; readonly clips: Iterable<StreamClip> }
  | { readonly kind: 'captions'; readonly clips: Iterable<CaptionClip> }
  | { readonly kind: 'ego'; readonly clips: Iterable<EgoClip> };

export interface SuiteWriteOptions extends Omit<WriteOptions, 'onProgress'> {
  /** Called when a clip is written, or was there. */
  readonly onClip?: (id: string, done: number) => void;
  /** Called after each frame: of the clip that is being drawn. */
  readonly onProgress?: (id: string, doneSec: number, totalSec: number) => void;
  /** Write annotations only where videos are not wanted; default true. */
  readonly videos?: boolean;
}

/**
 * Writes a suite: `<folder>/videos/*.mp4` and the benchmark's annotation files, which come last. Clips that are there already are left, so that a
 * run that was cut short goes on. Returns the paths of the annotation files.
 */
export async function writeSuite(suite: SuiteClips, folder: string, options: SuiteWriteOptions = {}): Promise<string[]> {
  const { onClip, onProgress, videos = true, ...write } = options;
  await makeFolder(folder, clipFault);
  const each = async <C extends Clip>(clips: Iterable<C>): Promise<C[]> => {
    const all: C[] = [];
    for (const clip of clips) {
      write.signal?.throwIfAborted();
      const videoFolder = path.join(folder, 'videos');
      if (videos && !(await isFile(path.join(videoFolder, `${clip.id}.mp4`)))) {
        await writeClip(clip.world, videoFolder, clip.id, { ...write, ...(onProgress && { onProgress: (doneSec: number, totalSec: number) => onProgress(clip.id, doneSec, totalSec) }) });
      }
      all.push(clip);
      onClip?.(clip.id, all.length);
    }
    return all;
  };
  const save = (name: string, value: unknown) => writeAnnotations(path.join(folder, name), value);
  switch (suite.kind) {
    case 'stream': return [await save(ANNOTATION_NAMES.stream, streamFile(await each(suite.clips)))];
    case 'captions': return [await save(ANNOTATION_NAMES.captions, captionFile(await each(suite.clips)))];
    case 'ego': {
      const { questions, answers } = egoFiles(await each(suite.clips));
      return [await save(ANNOTATION_NAMES.egoQuestions, questions), await save(ANNOTATION_NAMES.egoAnswers, answers)];
    }
    default: throw new TypeError(`unknown suite ${String(suite satisfies never)}`);
  }
}

/** Writes a JSON file whole or not at all, and gives its path. */
export async function writeAnnotations(file: string, value: unknown): Promise<string> {
  await writeFile(`${file}.part`, `${JSON.stringify(value, null, 1)}\n`);
  await rename(`${file}.part`, file);
  return file;
}
