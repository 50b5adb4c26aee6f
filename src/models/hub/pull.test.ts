// Pulling from a small server that speaks the Hub's interface: resumption, checks, refusals.
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { pullModel } from './pull.ts';

const commit = 'a'.repeat(40);
const weights = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 31) & 255));
const config = Buffer.from('{"model_type":"smolvlm"}');
const files: Record<string, Buffer> = { 'config.json': config, 'model.safetensors': weights };

let server: Server;
let hubUrl: string;
let folder: string;
let requests: { url: string; range: string | undefined }[];
/** Faults of the server: cut a file after so many bytes, flip a byte, ignore ranges, refuse. */
let faults: { cutAfter?: number; flip?: boolean; ignoreRange?: boolean; status?: number };

beforeEach(async () => {
  requests = [];
  faults = {};
  folder = await mkdtemp(join(tmpdir(), 'thalweg-pull-'));
  server = createServer((request, response) => {
    const url = request.url!.split('?')[0]!;
    requests.push({ url, range: request.headers.range });
    const json = (value: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
    if (faults.status) return void response.writeHead(faults.status).end('{}');
    if (url.includes('/tree/')) {
      return void json(
        Object.entries(files).map(([path, data]) => ({
          type: 'file',
          path,
          size: data.length,
          oid: createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex'),
          ...(path.endsWith('.safetensors') && { lfs: { oid: createHash('sha256').update(data).digest('hex'), size: data.length, pointerSize: 130 } }),
        })),
      );
    }
    if (url.startsWith('/api/models/')) return void json({ _id: '1', id: 'owner/name', sha: commit, private: false, downloads: 0, likes: 0, gated: false, lastModified: new Date(0) });
    const data = files[url.split('/').at(-1)!]!;
    const start = faults.ignoreRange ? 0 : Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const body = Buffer.from(data.subarray(start));
    if (faults.flip) body[body.length >> 1]! ^= 1;
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': body.length });
    if (faults.cutAfter !== undefined && body.length > faults.cutAfter) {
      response.write(body.subarray(0, faults.cutAfter), () => response.destroy());
      return;
    }
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  hubUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

describe('pull', () => {
  it.each(['foo', '../..', 'owner/..', './name', 'a/b/c', ''])('refuses the name "%s" before anything is asked or written', async (id) => {
    await expect(pullModel({ id, folder: join(folder, 'bad'), hubUrl })).rejects.toMatchObject({ code: 'BAD_MODEL_ID' });
    await expect(stat(join(folder, 'bad'))).rejects.toThrow('ENOENT');
  });

  it.each(['nonsense', 'file:///etc', 'huggingface.co:443'])('refuses the address %s of a hub', async (address) => {
    await expect(pullModel({ id: 'owner/name', folder, hubUrl: address })).rejects.toMatchObject({ code: 'BAD_HUB_URL', kind: 'user' });
  });

  it('fetches every file, and keeps them the second time', async () => {
    const first = await pullModel({ id: 'owner/name', folder, hubUrl });
    expect(first).toMatchObject({ commit, files: [{ path: 'config.json', state: 'fetched' }, { path: 'model.safetensors', state: 'fetched' }] });
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
    requests = [];
    const second = await pullModel({ id: 'owner/name', folder, hubUrl });
    expect(second.files.map(({ state }) => state)).toEqual(['kept', 'kept']);
    expect(requests.some(({ url }) => url.includes('/resolve/'))).toBe(false);
  });

  it('goes on where a broken connection stopped', async () => {
    faults = { cutAfter: 120_000 };
    const result = await pullModel({ id: 'owner/name', folder, hubUrl });
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
    expect(result.files[1]!.state).toBe('resumed');
    expect(requests.filter(({ range }) => range !== undefined).length).toBeGreaterThan(0);
  });

  it('goes on where an earlier call was killed', async () => {
    await writeFile(join(folder, 'model.safetensors.part'), weights.subarray(0, 200_000));
    const result = await pullModel({ id: 'owner/name', folder, hubUrl });
    expect(result.files[1]!.state).toBe('resumed');
    expect(requests.at(-1)!.range).toBe('bytes=200000-');
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
  });

  it('starts over when the server ignores the range', async () => {
    faults = { ignoreRange: true };
    await writeFile(join(folder, 'model.safetensors.part'), weights.subarray(0, 1000));
    await pullModel({ id: 'owner/name', folder, hubUrl });
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
  });

  it('refuses a file whose hash is wrong and leaves nothing under its name', async () => {
    faults = { flip: true };
    await expect(pullModel({ id: 'owner/name', folder, hubUrl })).rejects.toMatchObject({ code: 'PULL_DAMAGED' });
    await expect(stat(join(folder, 'config.json'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('fetches again what was shortened on disk', async () => {
    await pullModel({ id: 'owner/name', folder, hubUrl });
    await truncate(join(folder, 'model.safetensors'), 10);
    const again = await pullModel({ id: 'owner/name', folder, hubUrl });
    expect(again.files.map(({ state }) => state)).toEqual(['kept', 'fetched']);
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
  });

  it.each([
    [401, 'PULL_REFUSED'],
    [404, 'PULL_UNKNOWN'],
    [500, 'PULL_FAILED'],
  ])('explains HTTP %i', async (status, code) => {
    faults = { status };
    await expect(pullModel({ id: 'owner/name', folder, hubUrl })).rejects.toMatchObject({ code });
  });

  it('explains a server that is not there', async () => {
    await expect(pullModel({ id: 'owner/name', folder, hubUrl: 'http://127.0.0.1:9' })).rejects.toMatchObject({ code: 'PULL_FAILED' });
  });

  it('stops when aborted, and the next call goes on', async () => {
    const controller = new AbortController();
    const call = pullModel({ id: 'owner/name', folder, hubUrl, signal: controller.signal, onProgress: ({ file, receivedBytes }) => file === 'model.safetensors' && receivedBytes > 70_000 && controller.abort() });
    await expect(call).rejects.toMatchObject({ name: 'AbortError' });
    await pullModel({ id: 'owner/name', folder, hubUrl });
    expect(await readFile(join(folder, 'model.safetensors'))).toEqual(weights);
  });
});
