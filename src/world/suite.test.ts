// Tests of suites, captions, walks and files: balanced, readable by the benchmarks' own loaders, and playable.
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEgoSchema } from '../bench/formats/egoschema.ts';
import { loadCaptions } from '../bench/formats/msrvtt.ts';
import { loadStreamBench } from '../bench/formats/streambench.ts';
import { openSource } from '../source/open-source.ts';
import { mainEvent } from './captions.ts';
import { clauseOf } from './questions/clause.ts';
import { Viewing } from './questions/viewing.ts';
import { createRenderer } from './render.ts';
import { worldSource } from './source.ts';
import { captionClips, egoClips, streamClips } from './suite.ts';
import { corpus, vocabulary, wordsOf } from './vocabulary.ts';
import { createWorld } from './world.ts';
import { writeClip, writeSuite } from './write-clip.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'thalweg-world-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('world-ego', () => {
  const clips = [...egoClips({ seed: 3, split: 'test', clips: 120 })];

  it('has five different options, the right one as often in each place', () => {
    const places = [0, 0, 0, 0, 0];
    for (const { question } of clips) {
      expect(new Set(question.options).size).toBe(5);
      places[question.correct]!++;
    }
    expect(Math.max(...places) / clips.length).toBeLessThanOrEqual(0.3);
    expect(new Set(clips.map((c) => c.question.template)).size).toBe(7);
  });

  it('cannot be guessed from the words: options as such are right about as often as chance', () => {
    const table = new Map<string, { right: number; shown: number }>();
    const guess = (template: string, options: readonly string[]) => {
      const rates = options.map((o) => {
        const seen = table.get(`${template} ${o}`);
        return seen === undefined ? 0.2 : (seen.right + 1) / (seen.shown + 5);
      });
      return rates.indexOf(Math.max(...rates));
    };
    for (const { question: q } of egoClips({ seed: 9, split: 'train', clips: 200 })) {
      q.options.forEach((option, i) => {
        const entry = table.get(`${q.template} ${option}`) ?? { right: 0, shown: 0 };
        table.set(`${q.template} ${option}`, { right: entry.right + (i === q.correct ? 1 : 0), shown: entry.shown + 1 });
      });
    }
    const right = clips.filter(({ question: q }) => guess(q.template, q.options) === q.correct).length;
    expect(right / clips.length).toBeLessThan(0.35);
  });

  it('asks about routes, sights and orders that the truth bears out', () => {
    for (const { world, question: { template, options, correct } } of clips) {
      const right = options[correct]!;
      const glimpsed = (name: string) => {
        for (let t = 0; t < world.durationSec; t += 0.5) {
          if (world.observe(t).objects.some((o) => o.visible > 0.03 && (o.kind === 'person' ? name === `a person in ${o.colour}` : name.endsWith(`${o.colour} ${o.kind}`)))) return true;
        }
        return false;
      };
      if (template === 'ego-route') expect(right).toBe(world.shots.map((s) => world.scenes[s.scene]!.kind).join(', '));
      if (template === 'ego-seen') expect(options.map(glimpsed)).toEqual(options.map((o) => o === right));
      if (template === 'ego-never') expect(glimpsed(right)).toBe(false);
      if (template === 'ego-first' || template === 'ego-last') {
        const times = options.map((o) => world.events.find((e) => clauseOf(world, e) === o)!.startSec);
        expect(times[correct]).toBe(template === 'ego-first' ? Math.min(...times) : Math.max(...times));
      }
    }
  });
});

describe('world-caption', () => {
  it('gives twenty references about what happens, in words of the vocabulary', () => {
    const words = new Set(vocabulary());
    const kinds = new Set<string>();
    for (const { world, captions } of captionClips({ seed: 2, split: 'test', clips: 60 })) {
      expect(captions.length).toBe(20);
      expect(new Set(captions).size).toBeGreaterThan(3);
      const event = mainEvent(new Viewing(world));
      if (event !== null) {
        kinds.add(event.kind);
        const { kind, look } = world.actor(event.actor);
        for (const caption of captions) expect(caption).toContain(kind === 'lamp' ? 'lamp' : look.colour);
      }
      expect(captions.flatMap(wordsOf).filter((w) => !words.has(w))).toEqual([]);
    }
    expect(kinds.size).toBeGreaterThanOrEqual(8);
  });

  it('yields a corpus without end, in words of the vocabulary', () => {
    const words = new Set(vocabulary());
    let lines = 0;
    for (const line of corpus(5, 'train')) {
      expect(wordsOf(line).filter((w) => !words.has(w))).toEqual([]);
      if (++lines === 500) break;
    }
    expect(lines).toBe(500);
  });
});

describe('files', () => {
  it('are read by the loaders of the three benchmarks', async () => {
    const [stream] = await writeSuite({ kind: 'stream', clips: streamClips({ seed: 1, split: 'test', clips: 4 }) }, path.join(folder, 'stream'), { videos: false });
    const videos = await loadStreamBench(stream!);
    expect(videos.length).toBe(4);
    expect(videos.map((v) => v.footage)).toEqual(['fixed', 'moving', 'cuts', 'fixed']);
    const [first] = streamClips({ seed: 1, split: 'test', clips: 1 });
    expect(videos[0]!.questions.map((q) => q.timeSec)).toEqual(first!.questions.map((q) => q.timeSec));
    const raw = JSON.parse(await readFile(stream!, 'utf8')) as { breakpoint: { template: string; evidence: unknown; held_out: unknown }[] }[];
    expect(raw[0]!.breakpoint[0]).toMatchObject({ template: first!.questions[0]!.template, evidence: first!.questions[0]!.evidence, held_out: first!.questions[0]!.heldOut });

    const [captions] = await writeSuite({ kind: 'captions', clips: captionClips({ seed: 1, split: 'test', clips: 3 }) }, path.join(folder, 'captions'), { videos: false });
    const captioned = await loadCaptions(captions!);
    expect(captioned.map((v) => v.questions.map((q) => (q.kind === 'caption' ? q.references.length : 0)))).toEqual([[20], [20], [20]]);

    const [questions, answers] = await writeSuite({ kind: 'ego', clips: egoClips({ seed: 1, split: 'test', clips: 3 }) }, path.join(folder, 'ego'), { videos: false });
    expect((await loadEgoSchema(questions!, answers)).videos.length).toBe(3);
  });

  it('draws a long clip in parts: cut short it goes on, and comes out as if it had not been', async () => {
    const world = createWorld({ seed: 9, split: 'train', footage: 'fixed', durationSec: 10, activities: 'many', heldOut: false });
    const options = { fps: 6, partSec: 2, truthFps: 0 };
    const whole = await writeClip(world, folder, 'uncut', options);
    const controller = new AbortController();
    const times: number[] = [];
    const interrupted = writeClip(world, folder, 'cut', { ...options, signal: controller.signal, onProgress: (doneSec) => doneSec >= 5 && controller.abort() });
    await expect(interrupted).rejects.toThrow(/abort/);
    expect((await readdir(folder)).filter((name) => name.startsWith('cut.'))).toEqual(['cut.mp4.part']);
    expect((await readdir(path.join(folder, 'cut.mp4.part'))).sort()).toEqual(['0000.mp4', '0001.mp4', 'parts.json']);
    const resumed = await writeClip(world, folder, 'cut', { ...options, onProgress: (doneSec) => times.push(doneSec) });
    expect(times[0]).toBeCloseTo(4 + 1 / 6);
    expect(await readFile(resumed.videoPath)).toEqual(await readFile(whole.videoPath));
    expect((await readdir(folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
    const seen: number[] = [];
    for await (const frame of await openSource(resumed.videoPath)) seen.push(Math.round(frame.timeSec * 6));
    expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => i));
  });

  it('leaves nothing of a clip that was interrupted, and says where it cannot write', async () => {
    const world = createWorld({ seed: 9, split: 'train', footage: 'fixed', durationSec: 4, activities: 'many', heldOut: false });
    const controller = new AbortController();
    await expect(writeClip(world, path.join(folder, 'none'), 'clip', { signal: controller.signal, onProgress: () => controller.abort() })).rejects.toThrow(/abort/);
    expect(await readdir(path.join(folder, 'none'))).toEqual([]);
    await expect(writeClip(world, '/proc/thalweg/clips', 'clip')).rejects.toMatchObject({ code: 'OUT_NOT_WRITABLE' });
  });

  it('hold a video that decodes to what was drawn, and its truth', async () => {
    const world = createWorld({ seed: 8, split: 'train', footage: 'moving', durationSec: 3, activities: 'many', heldOut: false });
    const { videoPath, truthPath, frameCount } = await writeClip(world, folder, 'clip', { fps: 8 });
    expect(frameCount).toBe(24);
    const renderer = createRenderer(world);
    let decoded = 0;
    for await (const frame of await openSource(videoPath)) {
      const drawn = renderer.frameAt(decoded / 8).rgb;
      let difference = 0;
      for (let i = 0; i < drawn.length; i += 7) difference += Math.abs(drawn[i]! - frame.rgb[i]!);
      expect(difference / (drawn.length / 7)).toBeLessThan(8);
      expect(frame.timeSec).toBeCloseTo(decoded / 8, 2);
      decoded++;
    }
    expect(decoded).toBe(24);
    const truth = JSON.parse(await readFile(truthPath, 'utf8')) as { frames: { objects: unknown[] }[]; spec: unknown; events: unknown[] };
    expect(truth.spec).toEqual(world.spec);
    expect(truth.frames.length).toBe(24);
    expect(truth.events.length).toBe(world.events.length);
  });

  it('can be done without: a stream opens on the world itself', async () => {
    const world = createWorld({ seed: 8, split: 'train', footage: 'cuts', durationSec: 5, activities: 'many', heldOut: false });
    const times: number[] = [];
    for await (const frame of await worldSource(world, { cameraFps: 8, widthPx: 160, heightPx: 120, source: { fps: 2 } })) times.push(frame.timeSec);
    expect(times).toEqual([0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5]);
  });
});
