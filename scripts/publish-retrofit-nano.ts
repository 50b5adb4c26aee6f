// Puts the memory adapters that come with the built-in model under docs/results/: what training measured, how each shared its ratio out, and what the slots
// of one of them cover in time at the end of a clip. Usage: node scripts/publish-retrofit-nano.ts
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtInFolder, createRenderer, createWorld, openModel, openStream } from '../src/index.ts';
import { slotMapSvg } from '../src/memory/slot-map.ts';
import { listAdapters, withAdapter } from '../src/models/adapters.ts';
import { openCheckpoint } from '../src/models/checkpoint.ts';
import { heatmapSvg } from '../src/train/retrofit-heatmap.ts';
import { writeRecord } from './record.ts';

/** What `retrofit` notes in an adapter. */
interface Trained {
  readonly steps: number;
  readonly kl: number;
  readonly loss: number;
  readonly teacherLoss: number;
  readonly ratio: number;
  readonly ratios: readonly (readonly number[])[];
}

const results = fileURLToPath(new URL('../docs/results', import.meta.url));
const picture = (name: string) => `retrofit-nano-${name}.svg`;

const checkpoint = await openCheckpoint(builtInFolder());
const adapters = await Promise.all(
  (await listAdapters(checkpoint)).map(async ({ name }) => {
    const { ratio, trained } = (await withAdapter(checkpoint, name)).adapter!;
    return { name, ratio, trained: trained as unknown as Trained };
  }),
);
adapters.sort((a, b) => a.ratio - b.ratio);
for (const { name, trained } of adapters) await writeFile(join(results, picture(name)), heatmapSvg(trained.ratios, { title: `${name}: tokens for each slot`, rowName: 'layer', columnName: 'head' }));
const mapped = adapters[Math.floor(adapters.length / 2)]!.name;
await writeFile(join(results, picture(`${mapped}-slots`)), await slotMap(mapped));

const table = [
  'Trained on clips of the synthetic world, to answer as the model without them does (`thalweg retrofit --ratio … --steps …`; [the log](../log.md) says more); measured on clips that training never saw, with decisions as inference makes them. Nats a token of the answers.',
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
