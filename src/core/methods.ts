// Method folders: a file dropped into `methods/` is a method, and its file name is the method's name.
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { UserError } from './errors.ts';

/** What every method of every stage says of itself. */
export interface MethodInfo {
  /** One line for `thalweg methods`. */
  readonly summary: string;
  /** Paper or specification that it follows, and how it differs. */
  readonly source: string;
}

/**
 * Imports every method of a folder, in name order. A method file has its method as its `default` export.
 * @param folder URL of the `methods/` folder, from `new URL('./methods/', import.meta.url)`
 */
export async function loadMethods<M extends MethodInfo>(folder: URL): Promise<ReadonlyMap<string, M>> {
  const names = (await readdir(fileURLToPath(folder)))
    .map((file) => /^([a-z0-9-]+)\.(?:ts|js)$/.exec(file))
    .filter((match) => match !== null)
    .map((match) => ({ file: match[0], name: match[1]! }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const methods = new Map<string, M>();
  for (const { file, name } of names) {
    const module = (await import(new URL(file, folder).href)) as { default?: M };
    if (!module.default) throw new UserError('METHOD_WITHOUT_EXPORT', { what: `method file ${file} exports no default`, expected: 'export default { summary, … }' });
    methods.set(name, module.default);
  }
  return methods;
}

/** The method of that name, or an error that lists those there are. */
export function methodNamed<M>(methods: ReadonlyMap<string, M>, stage: string, name: string): M {
  const method = methods.get(name);
  if (method === undefined) {
    throw new UserError('UNKNOWN_METHOD', { what: `unknown ${stage} method`, got: `"${name}"`, expected: `one of ${[...methods.keys()].join(', ')}` });
  }
  return method;
}
