// Where models are: the built-in one, a folder that was named, or one that `thalweg pull` put into the cache.
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

/** The built-in model, trained on the synthetic world alone: the model of every command that is told of none. */
export const builtInModel = 'nano';
const builtInNames: readonly string[] = [builtInModel, 'thalweg-nano'];

/** The built-in model's checkpoint folder, inside the package; there whether or not the folder is. */
export function builtInFolder(): string {
  // From `src/session` and from `dist/session` alike.
  return resolve(import.meta.dirname, '../../models/thalweg-nano');
}

/** Whether a model's name means the built-in one. A folder of that name is `./nano`. */
export function isBuiltIn(name: string): boolean {
  return builtInNames.includes(name);
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
 * The checkpoint (a folder, or a llama2.c `.bin` file) that a model's name means: the built-in model, a path, or a pulled model, in this order.
 * @param builtIn folder of the built-in model
 * @throws ModelError `NO_MODEL` or `NO_BUILT_IN_MODEL` that says how to get one
 */
export async function findModel(name: string, builtIn = builtInFolder()): Promise<string> {
  if (isBuiltIn(name)) {
    if (await exists(join(builtIn, 'config.json'))) return builtIn;
    throw new ModelError('NO_BUILT_IN_MODEL', {
      what: `the built-in model ${name} is not in this installation`,
      got: `no checkpoint in ${builtIn}`,
      todo: 'name another with --model: one that you have trained (thalweg train nano --out FOLDER gives FOLDER/model), or one from the Hub (thalweg pull HuggingFaceTB/SmolVLM-256M-Instruct)',
    });
  }
  const path = resolve(name);
  if (await exists(path)) return path;
  const isHubId = isModelId(name);
  if (isHubId && (await exists(join(pulledFolder(name), 'config.json')))) return pulledFolder(name);
  throw new ModelError('NO_MODEL', {
    what: `no model ${name}`,
    expected: 'a checkpoint folder, the name of a pulled model, or nano',
    todo: isHubId ? `fetch it with: thalweg pull ${name}` : 'see: thalweg pull --help',
  });
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
