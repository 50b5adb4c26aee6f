// Puts a finished training run into the package: its model under models/thalweg-nano, its curves and held-out figures under docs/results/.
// Usage: node scripts/publish-nano.ts <folder of `thalweg train nano`> --hours <wall clock of the training>
import { cp, readdir, rm } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { builtInFolder } from '../src/index.ts';
import { readLog } from '../src/train/log.ts';
import { nanoRecipe } from '../src/train/nano.ts';
import { writeRecord } from './record.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { hours: { type: 'string' } } });
const [folder] = positionals;
if (folder === undefined || values.hours === undefined) {
  console.error('Usage: node scripts/publish-nano.ts <folder of the run> --hours <n>');
  process.exit(2);
}

const entries = await readLog(join(folder, 'run', 'log.jsonl'));
const evaluations = entries.filter(({ kind }) => kind === 'evaluate');
const last = evaluations.at(-1);
const steps = nanoRecipe.curriculum.reduce((sum, lesson) => sum + lesson.steps, 0);
if (last?.step !== steps) throw new Error(`the run ended at step ${last?.step ?? 0}, and the recipe has ${steps}`);

const results = fileURLToPath(new URL('../docs/results', import.meta.url));
await rm(builtInFolder(), { recursive: true, force: true });
await cp(join(folder, 'model'), builtInFolder(), { recursive: true });
await cp(join(folder, 'run', 'curves.svg'), join(results, 'nano-training.svg'));
await writeRecord(results, 'nano-training', { steps, hours: Number(values.hours), machine: { cpu: cpus()[0]!.model.trim(), cores: cpus().length }, clips: nanoRecipe.trainingClips, evaluations }, table());
console.log(`${builtInFolder()}: ${(await readdir(builtInFolder())).join(', ')}`);

/** What the training itself measured on clips that it never saw: whole answers, each word given those before it. */
function table(): string {
  const shares = Object.entries(last!).filter((pair): pair is [string, number] => pair[0].startsWith('exactMatch') && typeof pair[1] === 'number');
  const names = shares.map(([name]) => name.replace('exactMatch', '').trim() || 'all');
  return [
    `${steps.toLocaleString('en')} steps in ${Number(values.hours).toFixed(1)} hours on ${cpus().length} cores of an ${cpus()[0]!.model.trim()}, on ${nanoRecipe.trainingClips.toLocaleString('en')} clips.`,
    `Right answers about ${nanoRecipe.evaluationClips} other clips, by kind of question ([curves](nano-training.svg)):`,
    '',
    `| step | ${names.join(' | ')} |`,
    `| --- | ${names.map(() => '---').join(' | ')} |`,
    ...evaluations.filter(({ exactMatch }) => exactMatch !== undefined).map((entry) => `| ${entry.step} | ${shares.map(([name]) => `${(100 * Number(entry[name] ?? 0)).toFixed(0)} %`).join(' | ')} |`),
    '',
  ].join('\n');
}
