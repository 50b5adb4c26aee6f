// Where models are: a folder that was named, or one that `thalweg pull` put into the cache.
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { ModelError } from '../core/errors.ts';
import { checkModelId, isModelId } from '../models/hub/model-id.ts';

/** `THALWEG_CACHE`, else `XDG_CACHE_HOME/thalweg`, else `~/.cache/thalweg`. */
export function cacheFolder(): string {
  const { THALWEG_CACHE, XDG_CACHE_HOME } = process.env;
  return THALWEG_CACHE ? resolve(THALWEG_CACHE) : join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'thalweg');
}

/**
 * Where `thalweg pull owner/name` puts a model: always inside the cache.
 * @throws UserError `BAD_MODEL_ID` for anything but owner/name
 */
export function pulledFolder(id: string): string {
  checkModelId(id);
  return join(cacheFolder(), 'models', ...id.split('/'));
}

/**
 * The checkpoint (a folder, or a llama2.c `.bin` file) that a model's name means: a path first, then a pulled model.
 * @throws ModelError `NO_MODEL` that says how to get one
 */
export async function findModel(name: string): Promise<string> {
  const path = resolve(name);
  if (await exists(path)) return path;
  const isHubId = isModelId(name);
  if (isHubId && (await exists(join(pulledFolder(name), 'config.json')))) return pulledFolder(name);
  throw new ModelError('NO_MODEL', {
    what: `no model ${name}`,
    expected: 'a checkpoint folder, or the name of a pulled model',
    todo: isHubId ? `fetch it with: thalweg pull ${name}` : 'see: thalweg pull --help',
  });
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
