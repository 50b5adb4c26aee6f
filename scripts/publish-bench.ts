// Puts the results of a comparison under docs/results/ and fills the README's table from them: node scripts/publish-bench.ts <folder of the run> [name]
// Without a name it is the comparison of everything, `bench`; others stand beside it.
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchSummary } from '../src/index.ts';

/** A repository is fetched by everybody. */
const mostBytes = 3e6;

const [folder, name = 'bench'] = process.argv.slice(2);
if (folder === undefined) {
  console.error('name the folder of a finished run, such as bench-results');
  process.exit(2);
}
const to = (ending: string) => fileURLToPath(new URL(`../docs/results/${name}.${ending}`, import.meta.url));
const summary = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as BenchSummary;
// What was typed names folders of one machine; what it was resolved to is all that counts.
writeFileSync(to('json'), `${JSON.stringify({ ...summary, options: { ...summary.options, given: null } })}\n`);
for (const ending of ['md', 'html']) {
  const from = join(folder, `report.${ending}`);
  const { size } = statSync(from);
  if (size > mostBytes) throw new Error(`${from} has ${size} bytes, at most ${mostBytes}`);
  copyFileSync(from, to(ending));
}
execFileSync(process.execPath, [fileURLToPath(new URL('generate-docs.ts', import.meta.url))], { stdio: 'inherit' });
