// Tests of what cannot be watched: each ends in an error that names the reason and what to do.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createRandom } from '../core/random.ts';
import { encodeClip } from '../runtime/media-clip.fixture.ts';
import { mediaErrorOf } from '../runtime/media-ffmpeg.ts';
import type { SourceOptions } from './contract.ts';
import { openSource } from './open-source.ts';
import type { SourceInput } from './open-source.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'thalweg-bad-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function codeOf(input: SourceInput, options: SourceOptions = {}): Promise<string> {
  try {
    await using source = await openSource(input, options);
    for await (const frame of source) return `frame ${frame.index}`;
    return 'no frame';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

async function fileOf(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** A second of 16-bit silence. */
function wave(): Buffer {
  const data = Buffer.alloc(44 + 16_000);
  data.write('RIFF', 0, 'latin1');
  data.writeUInt32LE(data.length - 8, 4);
  data.write('WAVEfmt ', 8, 'latin1');
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(1, 22);
  data.writeUInt32LE(8000, 24);
  data.writeUInt32LE(16_000, 28);
  data.writeUInt16LE(2, 32);
  data.writeUInt16LE(16, 34);
  data.write('data', 36, 'latin1');
  data.writeUInt32LE(16_000, 40);
  return data;
}

test('no file, an empty file, a folder without images', async () => {
  expect(await codeOf(join(folder, 'none.mp4'))).toBe('MEDIA_NOT_FOUND');
  expect(await codeOf(join(await fileOf('file', 'x'), 'below.mp4'))).toBe('MEDIA_NOT_FOUND');
  expect(await codeOf(await fileOf('empty.mp4', ''))).toBe('MEDIA_EMPTY');
  expect(await codeOf(new Uint8Array())).toBe('MEDIA_EMPTY');
  await mkdir(join(folder, 'nothing'));
  expect(await codeOf(join(folder, 'nothing'))).toBe('MEDIA_NO_IMAGES');
});

test('text, noise and a file cut in its header are no video', async () => {
  const random = createRandom(5);
  const noise = Uint8Array.from({ length: 20_000 }, () => random.int(0, 256));
  expect(await codeOf(await fileOf('notes.txt', 'Not a video, but long enough to be taken for one.\n'.repeat(40)))).toBe('MEDIA_NOT_VIDEO');
  expect(await codeOf(await fileOf('notes.mp4', 'Not a video.'))).toBe('MEDIA_NOT_VIDEO');
  expect(await codeOf(await fileOf('noise.bin', noise))).toMatch(/^MEDIA_(NOT_VIDEO|NO_VIDEO)$/);
  const clip = await encodeClip({ frames: 10 });
  expect(await codeOf(await fileOf('cut.mp4', clip.slice(0, clip.length - 400)))).toBe('MEDIA_NOT_VIDEO');
});

test('sound only', async () => {
  await expect(openSource(await fileOf('sound.wav', wave()))).rejects.toMatchObject({ code: 'MEDIA_NO_VIDEO', message: expect.stringContaining('sound only') as string });
});

test('a codec without a decoder is named', async () => {
  // A whole MP4 whose sample entry names a codec that does not exist.
  const clip = Buffer.from(await encodeClip({ frames: 3 }));
  clip.write('zzzz', clip.indexOf('avc1', clip.indexOf('stsd')), 'latin1');
  await expect(openSource(await fileOf('unknown.mp4', clip))).rejects.toMatchObject({ code: 'MEDIA_UNSUPPORTED_CODEC', message: expect.stringContaining('zzzz') as string });
});

test.skipIf(process.getuid?.() === 0)('a file that may not be read', async () => {
  const path = await fileOf('secret.mp4', 'x');
  await chmod(path, 0);
  expect(await codeOf(path)).toBe('MEDIA_PERMISSION');
});

test('codes of FFmpeg say who can act, and passwords stay out of messages', async () => {
  expect(mediaErrorOf(-13, 'cannot open x')).toMatchObject({ code: 'MEDIA_PERMISSION' });
  expect(mediaErrorOf(-1, 'cannot open x')).toMatchObject({ code: 'MEDIA_PERMISSION' });
  expect(mediaErrorOf(-123_456, 'cannot open x').message).toMatch(/^cannot open x; got ".+" from FFmpeg/);
  await expect(openSource('rtsp://user:secret@127.0.0.1:1/camera')).rejects.toThrow(/^(?!.*secret).*user:\*\*\*@127/);
});

test('refused connections, unknown protocols, formats and devices', async () => {
  for (const protocol of ['http', 'rtsp', 'rtmp', 'tcp']) expect([protocol, await codeOf(`${protocol}://127.0.0.1:1/x`)]).toEqual([protocol, 'MEDIA_REFUSED']);
  expect(await codeOf('gopherx://host/x')).toBe('MEDIA_UNSUPPORTED_PROTOCOL');
  expect(await codeOf('clip.mp4', { format: 'nothing' })).toMatch(/^MEDIA_(NOT_FOUND|UNSUPPORTED_FORMAT)$/);
  expect(await codeOf('device:v4l2:/dev/no-such-camera')).toMatch(/^MEDIA_(NOT_FOUND|NO_DEVICE|UNSUPPORTED_FORMAT)$/);
  expect(await codeOf('lavfi:nosuchfilter')).toBe('MEDIA_BAD_FILTER');
});

test('wrong options are named', async () => {
  await expect(openSource('x.mp4', { fps: -1 })).rejects.toMatchObject({ code: 'BAD_SOURCE_OPTION', message: expect.stringContaining('"fps"') as string });
  await expect(openSource('x.mp4', { fpss: 1 } as SourceOptions)).rejects.toThrow(/fpss/);
  await expect(openSource('x.mp4', { reconnect: { attempts: -1 } })).rejects.toThrow(/reconnect\.attempts/);
});
