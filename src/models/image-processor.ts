// How a checkpoint wants its pictures: the processor files, found and read as Transformers does.
import path from 'node:path';
import { z } from 'zod';
import { ModelError } from '../core/errors.ts';
import { count, positive } from './config.ts';
import type { ImageSpec } from './contract.ts';
import { parseWith, readJsonIfPresent, short } from './json.ts';

const triple = z.union([z.tuple([z.number(), z.number(), z.number()]), z.number().transform((value): [number, number, number] => [value, value, value])], 'three numbers');
const longest = z.looseObject({ longest_edge: count });
const square = z.looseObject({ height: count, width: count });
const size = z.union([longest, square, count.transform((px) => ({ height: px, width: px }))], '{ longest_edge }, { height, width } or a number');
const resampleNames = ['nearest', 'lanczos', 'bilinear', 'bicubic'] as const;
const on = z.literal(true, 'true: this step is part of the model').default(true);

/** What a processor class does when its file says nothing. */
export interface ProcessorDefaults {
  readonly resample: ImageSpec['resample'];
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

const schema = z.looseObject({
  do_resize: on,
  do_rescale: on,
  do_normalize: on,
  rescale_factor: positive.default(1 / 255),
  image_mean: triple.optional(),
  image_std: triple.optional(),
  resample: z.int().min(0).max(3, '0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)').optional(),
  size: size.optional(),
  max_image_size: longest.optional(),
  video_sampling: z.looseObject({ video_size: size.optional() }).optional(),
});

/**
 * The processor of pictures or of videos: nested in processor_config.json, else video_preprocessor_config.json (videos),
 * else preprocessor_config.json.
 * @param imagePx side of the picture that the encoder takes, by config.json
 * @throws ModelError when there is none, or it asks for what is not supported
 */
export async function openImageSpec(folder: string, kind: 'image' | 'video', imagePx: number, defaults: ProcessorDefaults): Promise<ImageSpec> {
  const { file, value } = await findProcessor(folder, kind);
  const config = parseWith(schema, value, file);
  const target = config.size ?? config.video_sampling?.video_size;
  const mustBe = (field: string, got: number) => {
    if (got !== imagePx) throw new ModelError('CONFIG_UNSUPPORTED', { what: `${file}: field ${field} is not supported`, got: `${got}`, expected: `${imagePx}, as vision_config.image_size` });
  };
  let resize: ImageSpec['resize'];
  if (target !== undefined && 'longest_edge' in target) {
    mustBe('max_image_size.longest_edge', config.max_image_size?.longest_edge ?? imagePx);
    resize = { kind: 'longest-edge-then-square', longestEdgePx: Math.min(target.longest_edge, maxEdgePx) };
  } else {
    mustBe('size.height', target?.height ?? imagePx);
    mustBe('size.width', target?.width ?? imagePx);
    resize = { kind: 'square' };
  }
  const std = config.image_std ?? defaults.std;
  if (std.some((value) => value === 0)) throw new ModelError('CONFIG_INVALID', { what: `${file}: field image_std is not what it should be`, got: short(std), expected: 'no zero' });
  return {
    resize,
    widthPx: imagePx,
    heightPx: imagePx,
    resample: config.resample === undefined ? defaults.resample : resampleNames[config.resample]!,
    rescale: config.rescale_factor,
    mean: config.image_mean ?? defaults.mean,
    std,
  };
}

/** Idefics3 and SmolVLM never enlarge beyond this. */
const maxEdgePx = 4096;

async function findProcessor(folder: string, kind: 'image' | 'video'): Promise<{ file: string; value: unknown }> {
  const nestedFile = path.join(folder, 'processor_config.json');
  const nested = parseWith(z.looseObject({}).nullish(), await readJsonIfPresent(folder, 'processor_config.json'), nestedFile)?.[`${kind}_processor`];
  if (nested !== undefined && nested !== null) return { file: `${nestedFile} (${kind}_processor)`, value: nested };
  const names = [...(kind === 'video' ? ['video_preprocessor_config.json'] : []), 'preprocessor_config.json'];
  for (const name of names) {
    const value = await readJsonIfPresent(folder, name);
    if (value !== undefined) return { file: path.join(folder, name), value };
  }
  throw new ModelError('FILE_MISSING', { what: `checkpoint ${folder} does not say how pictures are prepared`, expected: `${names.join(' or ')}, or ${kind}_processor in processor_config.json`, todo: 'download the whole checkpoint' });
}
