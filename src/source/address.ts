// Addresses: what kind of source a text names, and what FFmpeg is asked to open.
import { UserError } from '../core/errors.ts';
import type { SourceInfo } from './contract.ts';

export interface ParsedAddress {
  readonly kind: Exclude<SourceInfo['kind'], 'program' | 'images'>;
  /** What FFmpeg opens. */
  readonly target: string;
  /** FFmpeg's input format where the address decides it. */
  readonly format?: string;
  /** Protocols that are live by nature; HTTP is decided by what it serves. */
  readonly live: boolean | 'by-content';
  /** Protocol options that suit a watcher; the caller's own go first. */
  readonly formatOptions: Readonly<Record<string, string | number>>;
}

/** Capture formats by platform; another is named as `device:FORMAT:NAME`. */
const DEVICE_FORMATS: Readonly<Record<string, string>> = { linux: 'v4l2', darwin: 'avfoundation', win32: 'dshow' };
const CAPTURE_FORMATS = new Set(['v4l2', 'video4linux2', 'avfoundation', 'dshow', 'gdigrab', 'x11grab', 'xcbgrab', 'kmsgrab', 'fbdev', 'decklink']);
const LIVE_PROTOCOLS = new Set(['rtsp', 'rtsps', 'rtmp', 'rtmps', 'rtmpt', 'rtmpe', 'udp', 'rtp', 'srt', 'rist', 'tcp', 'mms', 'mmsh', 'zmq', 'unix']);

/** A recording whose connection is cut goes on from the byte it had; live streams have none, and are opened again as a whole. */
const HTTP_RESUME = { reconnect: 1, reconnect_delay_max: 5 };

/**
 * FFmpeg waits up to 5 s for sound that a stream may announce and never send (RTMP does), and for 20 pictures to guess a rate that nobody asks
 * for. What the first second does not say, the decoder finds out by itself.
 */
const QUICK_PROBE = { analyzeduration: 1_000_000, fpsprobesize: 0 };

/**
 * Reads an address: a path, `-` (standard input), `device:NAME`, `lavfi:GRAPH`, or a URL.
 * @param platform as in `process.platform`
 */
export function parseAddress(address: string, platform: string = process.platform): ParsedAddress {
  if (address.trim() === '') throw new UserError('EMPTY_ADDRESS', { what: 'cannot open a source', got: 'an empty address', expected: 'a path, a URL, device:NAME, lavfi:GRAPH or - for standard input' });
  if (address === '-') return { kind: 'stdin', target: '-', live: false, formatOptions: {} };

  const lavfi = /^lavfi:(.+)$/s.exec(address)?.[1];
  if (lavfi !== undefined) return { kind: 'test', target: lavfi, format: 'lavfi', live: false, formatOptions: {} };

  if (/^(device|lavfi):/.test(address)) {
    const rest = address.replace(/^device:/, '');
    const [, named, name = ''] = /^(?:([a-z0-9]+):)?(.*)$/s.exec(rest) ?? [];
    const format = named !== undefined && CAPTURE_FORMATS.has(named) ? named : DEVICE_FORMATS[platform];
    const target = named !== undefined && CAPTURE_FORMATS.has(named) ? name : rest;
    if (format === undefined || target === '' || address.startsWith('lavfi:')) {
      throw new UserError('BAD_ADDRESS', { what: `cannot open ${address}`, expected: 'device:NAME (device:/dev/video0, device:0, device:video=Camera) or lavfi:GRAPH (lavfi:testsrc2=size=320x240:rate=10)' });
    }
    return { kind: 'device', target, format, live: true, formatOptions: {} };
  }

  const protocol = /^([a-z][a-z0-9+.-]+):\/\//i.exec(address)?.[1]?.toLowerCase();
  if (protocol === undefined || protocol === 'file') return { kind: 'file', target: protocol === 'file' ? pathOfFileUrl(address) : address, live: false, formatOptions: {} };
  if (protocol === 'http' || protocol === 'https') return { kind: 'network', target: address, live: 'by-content', formatOptions: HTTP_RESUME };
  const live = LIVE_PROTOCOLS.has(protocol);
  return { kind: 'network', target: address, live, formatOptions: { ...(live ? QUICK_PROBE : {}), ...networkOptionsOf(protocol) } };
}

function networkOptionsOf(protocol: string): Readonly<Record<string, string | number>> {
  // Cameras lose RTP packets over UDP on busy networks: TCP first, as players do.
  if (protocol.startsWith('rtsp')) return { rtsp_flags: 'prefer_tcp' };
  // A burst of a key frame overruns the system's default receive buffer, and each overrun is a damaged picture.
  if (protocol === 'udp') return { fifo_size: 65_536, overrun_nonfatal: 1, buffer_size: 4_194_304 };
  return {};
}

function pathOfFileUrl(address: string): string {
  try {
    return decodeURIComponent(new URL(address).pathname);
  } catch (cause) {
    throw new UserError('BAD_ADDRESS', { what: `cannot open ${address}`, expected: 'file:///absolute/path', cause });
  }
}

/** Containers that a server sends without an end. Others without a known length are files still being written or cut from a stream. */
const ENDLESS_CONTAINERS = new Set(['hls', 'mpegts', 'flv', 'mpjpeg', 'mjpeg', 'h264', 'hevc']);

/** Whether what came over HTTP is live: no length, in a container that streams use. */
export function isLiveContent(container: string, durationSec: number | undefined): boolean {
  return durationSec === undefined && container.split(',').some((name) => ENDLESS_CONTAINERS.has(name));
}
