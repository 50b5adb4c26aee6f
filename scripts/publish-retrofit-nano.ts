// Puts the memory adapters that come with the built-in model under docs/results/: what training measured, how each shared its ratio out, and what the slots
// of one of them cover in time at the end of a clip. Usage: node scripts/publish-retrofit-nano.ts
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtInFolder, createRenderer, createWorld, openModel, openStream } from '../src/index.ts';
import { slotMapSvg } from '../src/memory/slot-map.ts';
import { adapterConfigName, adaptersFolder, listAdapters } from '../src/models/adapters.ts';
import { openCheckpoint } from '../src/models/checkpoint.ts';
import { heatmapSvg } from '../src/train/retrofit-heatmap.ts';
import { writeRecord } from './record.ts';

interface Trained {
  readonly ratio: number;
  readonly trained: { readonly steps: number; readonly kl: number; readonly loss: number; readonly teacherLoss: number; readonly ratio: number; readonly ratios: readonly (readonly number[])[] };
}

const results = fileURLToPath(new URL('../docs/results', import.meta.url));
const picture = (name: string) => `retrofit-nano-${name}.svg`;

const names = (await listAdapters(await openCheckpoint(builtInFolder()))).map(({ name }) => name);
const adapters = await Promise.all(names.map(async (name) => ({ name, ...(JSON.parse(await readFile(join(builtInFolder(), adaptersFolder, name, adapterConfigName), 'utf8')) as Trained) })));
adapters.sort((a, b) => a.ratio - b.ratio);
for (const { name, trained } of adapters) await writeFile(join(results, picture(name)), heatmapSvg(trained.ratios, { title: `${name}: tokens for each slot`, rowName: 'layer', columnName: 'head' }));
const mapped = adapters[Math.floor(adapters.length / 2)]!.name;
await writeFile(join(results, picture(`${mapped}-slots`)), await slotMap(mapped));

const table = [
  'Trained on clips of the synthetic world, to answer as the model without them does; measured on clips that training never saw, with decisions as inference makes them. Nats a token of the answers.',
  '',
  '| adapter | steps | tokens for each slot | KL to the model without | loss | loss without |',
  '| --- | --- | --- | --- | --- | --- |',
  ...adapters.map(({ name, trained: { steps, ratio, kl, loss, teacherLoss } }) => `| ${name} | ${steps} | ${ratio.toFixed(2)} | ${kl.toFixed(3)} | ${loss.toFixed(3)} | ${teacherLoss.toFixed(3)} |`),
  '',
  'Answers under them, beside every other method at every size: [comparison](bench.md), rows `memory=dmc`.',
  '',
  ...adapters.map(({ name }) => `![ratios of ${name}](${picture(name)})`),
  '',
  `What each slot covers in time at the end of half a minute under ${mapped}, by layer and head:`,
  '',
  `![slots under ${mapped}](${picture(`${mapped}-slots`)})`,
  '',
].join('\n');
await writeRecord(results, 'retrofit-nano', { adapters: adapters.map(({ name, ratio, trained }) => ({ name, target: ratio, ...trained })) }, table);
console.log(table);

/** The memory after a clip of the world, a frame a second. */
async function slotMap(adapter: string): Promise<string> {
  const world = createWorld({ seed: 3, split: 'test', footage: 'fixed', durationSec: 30, activities: 'many', heldOut: false });
  await using model = await openModel({ model: builtInFolder(), adapter });
  await using session = await openStream({ source: createRenderer(world).frames(1), sourceOptions: { fps: 1 }, model, method: 'dmc' });
  await session.ended;
  return slotMapSvg(await session.slots());
}
