// Pulling a checkpoint from the Hugging Face Hub: resumable, every size and hash checked, nothing half-done under its final name.
import { mkdir, readFile, rename, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { HubApiError, listFiles, modelInfo, type ListFileEntry } from '@huggingface/hub';
import { z } from 'zod';
import { CapacityError, ModelError, UserError, messageOf } from '../../core/errors.ts';
import { cacheFault, makeFolder } from '../../core/make-folder.ts';
import { download, type Expected } from './download.ts';
import { checkModelId } from './model-id.ts';

/** What `pullModel` fetches, from where and to where. */
export interface PullOptions {
  /** `owner/name` on the Hub. */
  readonly id: string;
  /** Branch, tag or commit. Default `main`. */
  readonly revision?: string;
  /** Where the files go. */
  readonly folder: string;
  /** Another server with the Hub's interface; default `HF_ENDPOINT` or the Hub itself. */
  readonly hubUrl?: string;
  /** For gated and private models; default `HF_TOKEN`. */
  readonly accessToken?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
}

/** How far a pull has come. */
export interface PullProgress {
  readonly file: string;
  /** Over all files, those already there included. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Received by this call; for the rate. */
  readonly receivedBytes: number;
}

/** What a pull brought. */
export interface PullResult {
  readonly id: string;
  readonly folder: string;
  /** Commit that the files are of. */
  readonly commit: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly state: 'fetched' | 'resumed' | 'kept' }[];
}

const recordSchema = z.object({ id: z.string(), commit: z.string(), files: z.record(z.string(), z.object({ bytes: z.number(), hash: z.string() })) });
type PullRecord = z.infer<typeof recordSchema>;
const recordName = '.thalweg-pull.json';

/** What a checkpoint is made of; other formats of the same weights stay on the Hub. */
function isWanted(path: string): boolean {
  return !path.includes('/') && /\.(safetensors|json|jinja|txt|model|md)$|^(LICENSE|NOTICE)/.test(path);
}

/**
 * Fetches a checkpoint. A call that was cut short goes on where it stopped; files that are already there and right are kept.
 * @throws UserError for a malformed name or address, and where the folder cannot be made; ModelError when the model is unknown, access is refused, the server cannot be reached, or a file arrives damaged; CapacityError when the disk is too small
 */
export async function pullModel({ id, revision = 'main', folder, hubUrl = process.env['HF_ENDPOINT'] ?? 'https://huggingface.co', accessToken = process.env['HF_TOKEN'], signal, onProgress }: PullOptions): Promise<PullResult> {
  checkModelId(id);
  checkHubUrl(hubUrl);
  const access = { hubUrl, ...(accessToken !== undefined && { accessToken }), ...(signal && { fetch: (input: string | URL | Request, init?: RequestInit) => fetch(input, { ...init, signal }) }) };
  const { commit, entries } = await survey(id, revision, access).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw explain(id, revision, hubUrl, cause);
  });
  const record = await readRecord(folder, id);
  const totalBytes = entries.reduce((sum, { size }) => sum + size, 0);
  await makeFolder(folder, { ...cacheFault, purpose: 'the model' });
  await checkSpace(folder, totalBytes, entries);

  const files: PullResult['files'][number][] = [];
  let doneBytes = 0;
  let receivedBytes = 0;
  for (const entry of entries) {
    const { path, size } = entry;
    const target = targetPath(folder, path);
    const expected = expectedOf(entry);
    if (await isKept(target, record.files[path], expected)) {
      doneBytes += size;
      files.push({ path, bytes: size, state: 'kept' });
    } else {
      const before = doneBytes;
      const resumed = await download({
        url: `${hubUrl.replace(/\/$/, '')}/${id}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`,
        target,
        expected,
        ...(accessToken !== undefined && { accessToken }),
        ...(signal && { signal }),
        onBytes(fileBytes, newBytes) {
          doneBytes = before + fileBytes;
          receivedBytes += newBytes;
          onProgress?.({ file: path, doneBytes, totalBytes, receivedBytes });
        },
      });
      doneBytes = before + size;
      files.push({ path, bytes: size, state: resumed ? 'resumed' : 'fetched' });
      record.files[path] = { bytes: size, hash: expected.hash };
      await writeRecord(folder, { ...record, commit });
    }
    onProgress?.({ file: path, doneBytes, totalBytes, receivedBytes });
  }
  await writeRecord(folder, { ...record, commit });
  return { id, folder, commit, files };
}

function checkHubUrl(hubUrl: string): void {
  if (!URL.canParse(hubUrl) || !/^https?:$/.test(new URL(hubUrl).protocol)) {
    throw new UserError('BAD_HUB_URL', { what: 'cannot read the address of the Hub', got: `"${hubUrl}"`, expected: 'an address such as https://huggingface.co', todo: 'correct or unset HF_ENDPOINT' });
  }
}

type Access = { readonly hubUrl: string; readonly accessToken?: string; readonly fetch?: typeof fetch };

async function survey(id: string, revision: string, access: Access): Promise<{ commit: string; entries: ListFileEntry[] }> {
  const { sha: commit } = await modelInfo({ name: id, revision, additionalFields: ['sha'], ...access });
  const entries: ListFileEntry[] = [];
  for await (const entry of listFiles({ repo: { type: 'model', name: id }, revision: commit, recursive: true, ...access })) {
    if (entry.type === 'file' && isWanted(entry.path)) entries.push(entry);
  }
  if (!entries.some(({ path }) => path.endsWith('.safetensors')) || !entries.some(({ path }) => path === 'config.json')) {
    throw new ModelError('NO_CHECKPOINT', { what: `${id} is not a checkpoint that Thalweg can read`, got: entries.map(({ path }) => path).join(', ') || 'no file of a known kind', expected: 'config.json and *.safetensors' });
  }
  return { commit, entries };
}

function expectedOf({ path, size, oid, lfs }: ListFileEntry): Expected {
  if (lfs) return { bytes: lfs.size, algorithm: 'sha256', hash: lfs.oid.replace(/^sha256:/, '') };
  if (oid !== undefined) return { bytes: size, algorithm: 'git', hash: oid };
  throw new ModelError('NO_HASH', { what: `the server gives no hash for ${path}`, expected: 'an oid or an LFS oid' });
}

/** A path from a server stays inside the folder. */
function targetPath(folder: string, path: string): string {
  const target = normalize(join(folder, path));
  if (!target.startsWith(normalize(folder) + sep)) throw new ModelError('BAD_PATH', { what: 'the server names a file outside of the model folder', got: path });
  return target;
}

async function isKept(target: string, known: { bytes: number; hash: string } | undefined, expected: Expected): Promise<boolean> {
  if (known?.hash !== expected.hash) return false;
  const there = await stat(target).catch(() => undefined);
  return there?.size === expected.bytes;
}

async function readRecord(folder: string, id: string): Promise<PullRecord> {
  const text = await readFile(join(folder, recordName), 'utf8').catch(() => undefined);
  const fresh: PullRecord = { id, commit: '', files: {} };
  if (text === undefined) return fresh;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return fresh; // An unreadable record only costs a second check of what is there.
  }
}

async function writeRecord(folder: string, record: PullRecord): Promise<void> {
  const path = join(folder, recordName);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.part`, `${JSON.stringify(record, null, 2)}\n`);
  await rename(`${path}.part`, path);
}

async function checkSpace(folder: string, totalBytes: number, entries: readonly ListFileEntry[]): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const sizes = await Promise.all(entries.flatMap(({ path }) => ['', '.part'].map((suffix) => stat(targetPath(folder, path) + suffix).then(({ size }) => size, () => 0))));
  const there = sizes.reduce((sum, size) => sum + size, 0);
  if (totalBytes - there > bavail * bsize) {
    throw new CapacityError('DISK_FULL', { what: `not enough space in ${folder}`, got: `${bavail * bsize} bytes free`, expected: `${totalBytes - there} bytes` });
  }
}

function explain(id: string, revision: string, hubUrl: string, cause: unknown): Error {
  if (cause instanceof ModelError) return cause;
  const status = cause instanceof HubApiError ? cause.statusCode : undefined;
  if (status === 401 || status === 403) return new ModelError('PULL_REFUSED', { what: `access to ${id} is refused`, got: `HTTP ${status}`, todo: 'check the name; for a gated model accept its terms and set HF_TOKEN', cause });
  if (status === 404) return new ModelError('PULL_UNKNOWN', { what: `no model ${id} at revision ${revision}`, got: 'HTTP 404', todo: 'check the name and the revision', cause });
  const deeper = cause instanceof Error && cause.cause ? `: ${messageOf(cause.cause)}` : '';
  return new ModelError('PULL_FAILED', { what: `cannot reach ${hubUrl}`, got: `${messageOf(cause)}${deeper}`, todo: 'check the network, then run the same command again', cause });
}

