// Writes clips: H.264 video, exact truth as JSON, and the official annotation files of a suite.
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';
import { openVideoWriter } from '../runtime/media-writer.ts';
import { ANNOTATION_NAMES, captionFile, egoFiles, streamFile } from './formats.ts';
import { createRenderer } from './render.ts';
import type { RenderOptions } from './render.ts';
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

/** Draws a world into `<folder>/<name>.mp4` and writes `<name>.truth.json` beside it. Memory does not grow with the length. */
export async function writeClip(world: World, folder: string, name: string, options: WriteOptions = {}): Promise<WrittenClip> {
  const { fps = 10, crf = 23, signal, onProgress, ...render } = options;
  await mkdir(folder, { recursive: true });
  const videoPath = path.join(folder, `${name}.mp4`);
  const truthPath = path.join(folder, `${name}.truth.json`);
  const renderer = createRenderer(world, render);
  const writer = await openVideoWriter({ path: videoPath, widthPx: renderer.widthPx, heightPx: renderer.heightPx, fps, crf });
  let frameCount = 0;
  try {
    for (const frame of renderer.frames(fps)) {
      signal?.throwIfAborted();
      await writer.write(frame.rgb);
      frameCount++;
      onProgress?.(frameCount / fps, world.durationSec);
      if (frameCount % FRAMES_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    await writer.close();
  }
  const truthFps = options.truthFps ?? (world.durationSec > 600 ? Math.min(2, fps) : fps);
  await writeTruth(world, truthPath, truthFps, renderer.widthPx, renderer.heightPx);
  return { videoPath, truthPath, frameCount };
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
  const stream = createWriteStream(file);
  const done = finished(stream);
  for (const piece of truthText(world, truthFps, widthPx, heightPx)) if (!stream.write(piece)) await Promise.race([once(stream, 'drain'), done]);
  stream.end();
  await done;
}

export type SuiteClips =
  | { readonly kind: 'stream'; readonly clips: Iterable<StreamClip> }
  | { readonly kind: 'captions'; readonly clips: Iterable<CaptionClip> }
  | { readonly kind: 'ego'; readonly clips: Iterable<EgoClip> };

export interface SuiteWriteOptions extends Omit<WriteOptions, 'onProgress'> {
  /** Called when a clip is written. */
  readonly onClip?: (id: string, done: number) => void;
  /** Write annotations and truth only where videos are not wanted; default true. */
  readonly videos?: boolean;
}

/** Writes a suite: `<folder>/videos/*.mp4` and the benchmark's annotation files. Returns the paths of the annotation files. */
export async function writeSuite(suite: SuiteClips, folder: string, options: SuiteWriteOptions = {}): Promise<string[]> {
  const { onClip, videos = true, ...write } = options;
  await mkdir(folder, { recursive: true });
  const each = async <C extends Clip>(clips: Iterable<C>): Promise<C[]> => {
    const all: C[] = [];
    for (const clip of clips) {
      if (videos) await writeClip(clip.world, path.join(folder, 'videos'), clip.id, write);
      all.push(clip);
      onClip?.(clip.id, all.length);
    }
    return all;
  };
  const save = async (name: string, value: unknown): Promise<string> => {
    const file = path.join(folder, name);
    await writeFile(file, `${JSON.stringify(value, null, 1)}\n`);
    return file;
  };
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
