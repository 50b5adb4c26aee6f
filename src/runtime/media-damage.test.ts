// Tests of damage: what the decoder knows to be broken is left out and counted, the rest comes through, and nothing hangs.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { encodeClip, readClip } from './media-clip.fixture.ts';
import type { ClipOptions, ReadClip } from './media-clip.fixture.ts';
import { createDamageTracker } from './media-damage.ts';

describe('the tracker', () => {
  /** Feeds packets in the order of coding, given as time and `k` for key frames. */
  const track = (coded: readonly string[], brokenTimes: readonly number[]) => {
    const tracker = createDamageTracker();
    for (const text of coded) tracker.packet(BigInt(parseInt(text)), text.endsWith('k'));
    const times = coded.map((text) => parseInt(text)).sort((a, b) => a - b);
    const pictures = times.map((time) => ({ time, coded: tracker.picture(BigInt(time), brokenTimes.includes(time)) }));
    return pictures.filter(({ coded: picture }) => tracker.isWhole(picture)).map(({ time }) => time);
  };

  test('damage ends at the next key frame', () => {
    expect(track(['0k', '1', '2', '3', '4k', '5'], [2])).toEqual([0, 1, 4, 5]);
  });

  test('pictures shown before a damaged one but predicted from it go too', () => {
    expect(track(['0k', '3', '1', '2', '6', '4', '5'], [3])).toEqual([0]);
    expect(track(['0k', '3', '1', '2', '6', '4', '5'], [6])).toEqual([0, 1, 2, 3]);
  });

  test('pictures that look back across a key frame go with the group before it', () => {
    expect(track(['0k', '1', '5k', '3', '4', '6'], [1])).toEqual([0, 5, 6]);
  });

  test('a gap before a key frame costs nothing', () => {
    const tracker = createDamageTracker();
    const whole = [tracker.packet(0n, true), tracker.packet(1n, false)];
    tracker.gap();
    const after = tracker.packet(3n, false);
    tracker.gap();
    const key = tracker.packet(4n, true);
    expect(whole.map((picture) => tracker.isWhole(picture))).toEqual([true, true]);
    expect(tracker.isWhole(after)).toBe(false);
    expect(tracker.isWhole(key)).toBe(true);
  });

  test('a picture waits for those coded before it, and no longer than told', () => {
    const tracker = createDamageTracker();
    tracker.packet(0n, true);
    tracker.packet(3n, false);
    tracker.packet(1n, false);
    const key = tracker.picture(0n, false);
    expect(tracker.isSettled(key)).toBe(true);
    const early = tracker.picture(1n, false);
    expect(tracker.isSettled(early)).toBe(false);
    tracker.settle(early);
    expect(tracker.isSettled(early)).toBe(true);
  });

  test('a stream without key frames is believed again after a while', () => {
    const tracker = createDamageTracker();
    tracker.packet(0n, true);
    tracker.picture(0n, true);
    let lost = 0;
    for (let time = 1n; time < 400n; time++) {
      tracker.packet(time, false);
      if (!tracker.isWhole(tracker.picture(time, false))) lost += 1;
    }
    expect(lost).toBe(250);
  });
});

interface Clip {
  readonly name: string;
  readonly options: ClipOptions;
  /** Whether the codec can tell most damage. CABAC and range coders decode garbage into pixels without an error. */
  readonly tells: boolean;
}

const FRAMES = 40;
const CLIPS: readonly Clip[] = [
  { name: 'H.264 with B-frames in MP4', options: { bFrames: 2, gopFrames: 10 }, tells: true },
  { name: 'H.264 in fragmented MP4', options: { gopFrames: 10, formatOptions: { movflags: 'frag_keyframe+empty_moov' } }, tells: true },
  { name: 'H.264 in slices in Matroska', options: { format: 'matroska', bFrames: 3, gopFrames: 10, codecOptions: { slices: 4 } }, tells: true },
  { name: 'H.264 in MPEG-TS', options: { format: 'mpegts', gopFrames: 10 }, tells: true },
  { name: 'HEVC in MP4', options: { codec: 'libx265', gopFrames: 10, codecOptions: { 'x265-params': 'log-level=none:pools=none:frame-threads=1' } }, tells: false },
  { name: 'VP9 in WebM', options: { format: 'webm', codec: 'libvpx-vp9', gopFrames: 10, codecOptions: { deadline: 'realtime', 'cpu-used': 8 } }, tells: false },
  { name: 'MPEG-4 in AVI', options: { format: 'avi', codec: 'mpeg4', gopFrames: 10, codecOptions: { b: 1_000_000 } }, tells: true },
  { name: 'Motion JPEG in AVI', options: { format: 'avi', codec: 'mjpeg', pixelFormat: 'yuvj420p', colorRange: 'full' }, tells: true },
];

type Outcome = { readonly kind: 'read'; readonly clip: ReadClip } | { readonly kind: 'refused'; readonly code: string };

async function attempt(bytes: Uint8Array): Promise<Outcome> {
  try {
    return { kind: 'read', clip: await readClip(bytes) };
  } catch (error) {
    return { kind: 'refused', code: (error as { code?: string }).code ?? String(error) };
  }
}

/** Pictures that are not among those of the whole clip, to the bit. Times do not count: AVI has none of its own. */
function wrongCount(clip: ReadClip, whole: ReadClip): number {
  const digest = (rgb: Uint8Array) => createHash('sha1').update(rgb).digest('hex');
  const right = new Set(whole.pictures.map(({ rgb }) => digest(rgb)));
  return clip.pictures.filter(({ rgb }) => !right.has(digest(rgb))).length;
}

describe.each(CLIPS)('$name', ({ options, tells }) => {
  test('cut at every tenth of its length, it gives the right pictures up to there, or a clear error', async () => {
    const bytes = await encodeClip({ ...options, frames: FRAMES });
    const whole = await readClip(bytes);
    expect(whole.pictures).toHaveLength(FRAMES);
    let last = 0;
    for (let tenth = 0; tenth < 10; tenth++) {
      const outcome = await attempt(bytes.slice(0, Math.floor((bytes.length * tenth) / 10)));
      if (outcome.kind === 'refused') {
        expect(outcome.code).toMatch(/^MEDIA_(NOT_VIDEO|NO_VIDEO)$/);
        continue;
      }
      expect(wrongCount(outcome.clip, whole)).toBe(0);
      expect(outcome.clip.pictures.length).toBeGreaterThanOrEqual(last);
      expect(outcome.clip.pictures.length).toBeLessThanOrEqual(FRAMES);
      last = outcome.clip.pictures.length;
    }
  });

  test('with bytes flipped in the middle, damaged pictures only are lost', async () => {
    const bytes = await encodeClip({ ...options, frames: FRAMES });
    const whole = await readClip(bytes);
    const random = createRandom(7);
    let lost = 0;
    for (let round = 0; round < 6; round++) {
      const damaged = bytes.slice();
      const at = Math.floor(bytes.length * (0.2 + 0.09 * round));
      for (let i = 0; i < 8; i++) damaged[at + random.int(0, 12)] = random.int(0, 256);
      const outcome = await attempt(damaged);
      // Damage in the middle never costs the stream.
      expect(outcome.kind).toBe('read');
      if (outcome.kind !== 'read') continue;
      const { clip } = outcome;
      // No more than the group of pictures that was hit, and the one that leans on it; a broken table of contents ends the file, and says so.
      if (!clip.reasons.includes('the rest cannot be read')) expect(clip.pictures.length).toBeGreaterThanOrEqual(FRAMES - 22);
      for (let i = 1; i < clip.timesSec.length; i++) expect(clip.timesSec[i]).toBeGreaterThan(clip.timesSec[i - 1]!);
      // Where the decoder noticed, everything that came through is right to the bit.
      if (tells && clip.lostCount > 0) expect(wrongCount(clip, whole)).toBe(0);
      lost += clip.lostCount;
    }
    if (tells) expect(lost).toBeGreaterThan(0);
  });
});
