// Where a run happened: commit, versions and machine, for the record.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, platform, release, totalmem } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

export interface Environment {
  /** Null outside a git work tree (an installed package). */
  readonly commit: string | null;
  /** True where files differ from the commit; null outside a work tree. */
  readonly isDirty: boolean | null;
  readonly versions: Readonly<Record<string, string>>;
  readonly machine: { readonly cpu: string; readonly cores: number; readonly memoryBytes: number; readonly system: string };
}

const packageRoot = path.resolve(import.meta.dirname, '../../..');
const watched = ['onnxruntime-node', 'node-av', '@huggingface/tokenizers'];
let known: Promise<Environment> | undefined;

/** Read once a process: a run does not change its commit midway. */
export function readEnvironment(): Promise<Environment> {
  known ??= read();
  return known;
}

async function read(): Promise<Environment> {
  const git = async (...args: string[]) => (await promisify(execFile)('git', args, { cwd: packageRoot })).stdout.trim();
  // Outside a work tree, or without git, there is no commit to name; the package's version still says what ran.
  const commit = await git('rev-parse', 'HEAD').catch(() => null);
  const status = commit === null ? null : await git('status', '--porcelain').catch(() => null);
  const processors = cpus();
  return {
    commit,
    isDirty: status === null ? null : status !== '',
    versions: {
      node: process.versions.node,
      thalweg: await versionOf('package.json'),
      ...Object.fromEntries(await Promise.all(watched.map(async (name) => [name, await versionOf(`node_modules/${name}/package.json`)] as const))),
    },
    machine: { cpu: processors[0]?.model.trim() ?? 'unknown', cores: processors.length, memoryBytes: totalmem(), system: `${platform()} ${release()}` },
  };
}

async function versionOf(file: string): Promise<string> {
  const text = await readFile(path.join(packageRoot, file), 'utf8').catch(() => undefined);
  return text === undefined ? 'not found' : (JSON.parse(text) as { version: string }).version;
}
