// What the media files share of FFmpeg: quiet logging, and return codes turned into errors that say what to do.
import { AVERROR_EAGAIN, AVERROR_EOF, FFmpegError, Log } from 'node-av';
import {
  AVERROR_DECODER_NOT_FOUND,
  AVERROR_DEMUXER_NOT_FOUND,
  AVERROR_EXIT,
  AVERROR_FILTER_NOT_FOUND,
  AVERROR_HTTP_FORBIDDEN,
  AVERROR_HTTP_NOT_FOUND,
  AVERROR_HTTP_OTHER_4XX,
  AVERROR_HTTP_SERVER_ERROR,
  AVERROR_HTTP_TOO_MANY_REQUESTS,
  AVERROR_HTTP_UNAUTHORIZED,
  AVERROR_INVALIDDATA,
  AVERROR_PROTOCOL_NOT_FOUND,
  AVERROR_STREAM_NOT_FOUND,
  AV_LOG_QUIET,
} from 'node-av/constants';
import { constants } from 'node:os';
import { MediaError } from '../core/errors.ts';

// Each open live source keeps one of libuv's threads waiting for its next packet. Of the four there are by default, four silent cameras take
// all, and file reads, DNS and every other decoder stand still until a time-out. The pool takes its size when it is first used; who wants another
// size, or uses it before, sets the variable for the process.
process.env['UV_THREADPOOL_SIZE'] ??= '32';

// FFmpeg writes to standard error by default; everything worth saying reaches the user as an error or an event.
Log.setLevel(AV_LOG_QUIET);

export const END_OF_FILE: number = AVERROR_EOF;
export const TRY_AGAIN: number = AVERROR_EAGAIN;
export const INTERRUPTED: number = AVERROR_EXIT;
export const INVALID_DATA: number = AVERROR_INVALIDDATA;

/** What a return code of FFmpeg means to the reader: a stable `code`, what was found, and what to do. */
interface Meaning {
  readonly code: string;
  readonly got: string;
  readonly todo?: string;
}

const { errno } = constants;
const meanings = new Map<number, Meaning>([
  [-errno.ENOENT, { code: 'MEDIA_NOT_FOUND', got: 'no such file', todo: 'check the path' }],
  [-errno.EACCES, { code: 'MEDIA_PERMISSION', got: 'permission denied', todo: 'grant this user the right to read it' }],
  [-errno.EPERM, { code: 'MEDIA_PERMISSION', got: 'operation not permitted', todo: 'grant this user the right to read it' }],
  [-errno.EISDIR, { code: 'MEDIA_IS_FOLDER', got: 'a folder', todo: 'name a file in it, or open it as a folder of images' }],
  [-errno.ENODEV, { code: 'MEDIA_NO_DEVICE', got: 'no such device', todo: 'check that the device is connected' }],
  [-errno.EBUSY, { code: 'MEDIA_BUSY', got: 'a device in use by another program', todo: 'close the other program' }],
  [-errno.ENOMEM, { code: 'MEDIA_OUT_OF_MEMORY', got: 'not enough memory for its pictures' }],
  [-errno.ECONNREFUSED, { code: 'MEDIA_REFUSED', got: 'connection refused', todo: 'check that the server runs and that the port is right' }],
  [-errno.ECONNRESET, { code: 'MEDIA_CONNECTION_LOST', got: 'a connection closed by the server' }],
  [-errno.EHOSTUNREACH, { code: 'MEDIA_UNREACHABLE', got: 'no route to the host', todo: 'check the address and the network' }],
  [-errno.ENETUNREACH, { code: 'MEDIA_UNREACHABLE', got: 'no route to the network', todo: 'check the address and the network' }],
  [-errno.ETIMEDOUT, { code: 'MEDIA_TIMEOUT', got: 'no answer in time', todo: 'check the address, or allow more time with `timeoutSec`' }],
  [-errno.EIO, { code: 'MEDIA_INPUT_OUTPUT', got: 'an input/output error', todo: 'check the address, that its host name exists, and the network' }],
  [AVERROR_EXIT, { code: 'MEDIA_INTERRUPTED', got: 'an interruption' }],
  [AVERROR_EOF, { code: 'MEDIA_EMPTY', got: 'nothing: the source ended before any picture', todo: 'check that the file is a video and is whole' }],
  [AVERROR_INVALIDDATA, { code: 'MEDIA_NOT_VIDEO', got: 'data that is no known video format', todo: 'check that the file is a video and is whole' }],
  [AVERROR_STREAM_NOT_FOUND, { code: 'MEDIA_NO_VIDEO', got: 'no video stream', todo: 'choose a source with pictures' }],
  [AVERROR_DECODER_NOT_FOUND, { code: 'MEDIA_UNSUPPORTED_CODEC', got: 'a codec with no decoder', todo: 'convert the video to H.264' }],
  [AVERROR_DEMUXER_NOT_FOUND, { code: 'MEDIA_UNSUPPORTED_FORMAT', got: 'a format unknown to this build of FFmpeg' }],
  [AVERROR_FILTER_NOT_FOUND, { code: 'MEDIA_BAD_FILTER', got: 'a filter unknown to this build of FFmpeg', todo: 'check the name of the filter' }],
  [AVERROR_PROTOCOL_NOT_FOUND, { code: 'MEDIA_UNSUPPORTED_PROTOCOL', got: 'a protocol unknown to this build of FFmpeg', todo: 'use a file, http(s), rtsp, rtmp, udp, srt or device address' }],
  [AVERROR_HTTP_UNAUTHORIZED, { code: 'MEDIA_UNAUTHORIZED', got: 'status 401 (unauthorized)', todo: 'put user and password in the address' }],
  [AVERROR_HTTP_FORBIDDEN, { code: 'MEDIA_FORBIDDEN', got: 'status 403 (forbidden)', todo: 'check the rights of the user in the address' }],
  [AVERROR_HTTP_NOT_FOUND, { code: 'MEDIA_NOT_FOUND', got: 'status 404 (not found)', todo: 'check the path of the address' }],
  [AVERROR_HTTP_TOO_MANY_REQUESTS, { code: 'MEDIA_TOO_MANY_REQUESTS', got: 'status 429 (too many requests)', todo: 'wait and try again' }],
  [AVERROR_HTTP_OTHER_4XX, { code: 'MEDIA_HTTP_STATUS', got: 'a 4xx status', todo: 'check the address' }],
  [AVERROR_HTTP_SERVER_ERROR, { code: 'MEDIA_HTTP_STATUS', got: 'a 5xx status', todo: 'try again later' }],
]);

/** The error for a negative return code of FFmpeg. `what` says what was being done, in a clause. */
export function mediaErrorOf(returnCode: number, what: string, expected?: string): MediaError {
  const meaning = meanings.get(returnCode);
  const strerror = FFmpegError.strerror(returnCode);
  return new MediaError(meaning?.code ?? 'MEDIA_FAILED', {
    what,
    got: meaning?.got ?? `"${strerror}" from FFmpeg`,
    ...(expected === undefined ? {} : { expected }),
    ...(meaning?.todo === undefined ? {} : { todo: meaning.todo }),
    cause: new Error(`FFmpeg: ${strerror} (${returnCode})`),
  });
}

/** Returns the code where it is not negative; throws otherwise. */
export function checked(returnCode: number, what: string): number {
  if (returnCode < 0) throw mediaErrorOf(returnCode, what);
  return returnCode;
}

/** An address without its password, fit for errors, events and logs. */
export function redactAddress(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/[^/:@\s]*):[^/@\s]*@/i, '$1:***@');
}
