// Tests of addresses.
import { expect, test } from 'vitest';
import { isLiveContent, parseAddress } from './address.ts';

test.each([
  ['street.mp4', { kind: 'file', target: 'street.mp4', live: false }],
  ['C:\\clips\\street.mp4', { kind: 'file', target: 'C:\\clips\\street.mp4' }],
  ['file:///tmp/my%20clip.mp4', { kind: 'file', target: '/tmp/my clip.mp4' }],
  ['-', { kind: 'stdin' }],
  ['https://host/live/index.m3u8', { kind: 'network', live: 'by-content' }],
  ['rtsp://user:secret@camera/1', { kind: 'network', live: true, formatOptions: { rtsp_flags: 'prefer_tcp' } }],
  ['udp://127.0.0.1:1234', { kind: 'network', live: true }],
  ['rtmp://host/app/key', { kind: 'network', live: true }],
  ['lavfi:testsrc2=size=320x240:rate=10', { kind: 'test', target: 'testsrc2=size=320x240:rate=10', format: 'lavfi', live: false }],
  ['device:/dev/video0', { kind: 'device', target: '/dev/video0', format: 'v4l2', live: true }],
  ['device:xcbgrab::0.0', { kind: 'device', target: ':0.0', format: 'xcbgrab' }],
])('%s', (address, expected) => {
  expect(parseAddress(address, 'linux')).toMatchObject(expected);
});

test('devices follow the platform', () => {
  expect(parseAddress('device:0', 'darwin')).toMatchObject({ format: 'avfoundation', target: '0' });
  expect(parseAddress('device:video=Camera', 'win32')).toMatchObject({ format: 'dshow', target: 'video=Camera' });
});

test.each(['', '  ', 'device:', 'lavfi:'])('"%s" is refused', (address) => {
  expect(() => parseAddress(address, 'linux')).toThrow(expect.objectContaining({ kind: 'user' }) as Error);
});

test('what comes over HTTP is live when it has no length and streams use its container', () => {
  expect(isLiveContent('hls', undefined)).toBe(true);
  expect(isLiveContent('mpegts', undefined)).toBe(true);
  expect(isLiveContent('hls', 12)).toBe(false);
  expect(isLiveContent('matroska,webm', undefined)).toBe(false);
});
