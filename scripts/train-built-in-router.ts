// Trains the router that comes with the program: on the world's truth, at the picture and patch size of the built-in model. Writes src/gate/built-in-router.ts.
// Usage: node scripts/train-built-in-router.ts [--clips 60] [--steps 1500] [--work .cache/router]
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { makeRouterSamples } from '../src/train/router-samples.ts';
import { routerRecipe, trainRouter } from '../src/train/router.ts';
import { createPreprocessor } from '../src/vision/preprocess.ts';

const { values } = parseArgs({ options: { clips: { type: 'string', default: '60' }, steps: { type: 'string', default: '1500' }, work: { type: 'string', default: '.cache/router' } } });
const clips = Number(values.clips);
const [imagePx, patchPx] = [128, 16];
const side = imagePx / patchPx;
const image = { resize: { kind: 'longest-edge-then-square', longestEdgePx: imagePx }, widthPx: imagePx, heightPx: imagePx, resample: 'lanczos', rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } as const;
const eye = { preprocessor: createPreprocessor(image, { patchPx, columns: side, rows: side }), columns: side, rows: side };
const about = { labels: 'truth', clips, clipSec: 24, seed: routerRecipe.seed };
const options = { seed: about.seed, clipSec: about.clipSec, patchesPerFrame: 32, onClip: (done: number, total: number) => process.stderr.write(`\rclip ${done} of ${total}  `) } as const;
const samples = await makeRouterSamples(eye, { ...options, clips, split: 'train' });
const heldOut = await makeRouterSamples(eye, { ...options, clips: Math.round(clips / 5), split: 'test' });
process.stderr.write(`\n${samples.frames.rows} frames, ${samples.patches.rows} patches\n`);
const { file } = await trainRouter({ samples, heldOut, folder: values.work, about, recipe: { ...routerRecipe, steps: Number(values.steps) } });
const text = JSON.stringify(file, undefined, 2).replaceAll(/\[\s+([-\d.e+,\s]+?)\s+\]/g, (_, numbers: string) => `[${numbers.replaceAll(/\s+/g, ' ')}]`);
await writeFile(
  new URL('../src/gate/built-in-router.ts', import.meta.url),
  `// The router that comes with the program. Written by scripts/train-built-in-router.ts; do not edit.\nimport type { RouterFile } from './router-weights.ts';\n\nexport const builtInRouter: RouterFile = ${text};\n`,
);
console.log(JSON.stringify(file.trained, undefined, 2));
