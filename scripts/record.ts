// What the benchmarks of this folder do with their figures.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Writes `<name>.json`, and `<name>.md` where there is a table, into a folder that is made where it is not there. */
export async function writeRecord(folder: string, name: string, record: object, table?: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, `${name}.json`), `${JSON.stringify(record, undefined, 1)}\n`);
  if (table !== undefined) await writeFile(join(folder, `${name}.md`), table);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
