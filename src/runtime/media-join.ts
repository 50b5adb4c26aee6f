// Joins videos that were coded alike, one after the other, without coding anything anew.
import { FormatContext, Packet } from 'node-av';
import { AVFMT_FLAG_BITEXACT, AVMEDIA_TYPE_VIDEO } from 'node-av/constants';
import { AsyncDisposableStack } from '../core/disposal.ts';
import { MediaError, UserError } from '../core/errors.ts';
import { END_OF_FILE, checked } from './media-ffmpeg.ts';

export interface JoinOptions {
  /** Files of one size, rate and encoder, each with the time in seconds at which it begins in the whole. */
  readonly parts: readonly { readonly path: string; readonly startSec: number }[];
  readonly path: string;
  /** FFmpeg's name of the container. */
  readonly format: string;
  readonly signal?: AbortSignal;
}

/** Writes `path` from its parts. @throws MediaError where a part cannot be read or the whole cannot be written; the reason of `signal` */
export async function joinVideos({ parts, path, format, signal }: JoinOptions): Promise<void> {
  if (parts.length === 0) throw new UserError('NO_PARTS', { what: `cannot join ${path}`, got: 'no parts', expected: 'one or more' });
  await using stack = new AsyncDisposableStack();
  const whole = new FormatContext();
  stack.defer(() => whole.freeContext());
  checked(whole.allocOutputContext2(null, format, path), `cannot write ${path}`);
  whole.setFlags(AVFMT_FLAG_BITEXACT);
  const stream = whole.newStream();
  const packet = new Packet();
  packet.alloc();
  stack.defer(() => packet.free());

  let isOpen = false;
  for (const { path: part, startSec } of parts) {
    await using input = await openPart(part);
    if (!isOpen) {
      checked(input.stream.codecpar.copy(stream.codecpar), `cannot describe ${path}`);
      stream.timeBase = input.stream.timeBase;
      stream.avgFrameRate = input.stream.avgFrameRate;
      checked(await whole.openOutput(), `cannot write ${path}`);
      stack.defer(() => whole.closeOutput());
      checked(await whole.writeHeader(), `cannot write ${path}`);
      isOpen = true;
    }
    const { num, den } = stream.timeBase;
    const offset = BigInt(Math.round((startSec * den) / num));
    for (;;) {
      signal?.throwIfAborted();
      const code = await input.format.readFrame(packet);
      if (code === END_OF_FILE) break;
      checked(code, `cannot read ${part}`);
      if (packet.streamIndex === input.stream.index) {
        packet.rescaleTs(input.stream.timeBase, stream.timeBase);
        packet.pts += offset;
        packet.dts += offset;
        packet.streamIndex = 0;
        checked(await whole.interleavedWriteFrame(packet), `cannot write ${path}`);
      }
      packet.unref();
    }
  }
  checked(await whole.writeTrailer(), `cannot finish ${path}`);
}

async function openPart(path: string) {
  await using stack = new AsyncDisposableStack();
  const format = new FormatContext();
  format.allocContext();
  stack.defer(() => format.closeInput());
  checked(await format.openInput(path), `cannot open ${path}`);
  checked(await format.findStreamInfo(), `cannot open ${path}`);
  const stream = format.streams.find(({ codecpar }) => codecpar.codecType === AVMEDIA_TYPE_VIDEO);
  if (!stream) throw new MediaError('MEDIA_NO_VIDEO', { what: `cannot join ${path}`, got: 'no video stream' });
  const resources = stack.move();
  return { format, stream, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}
