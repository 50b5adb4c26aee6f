// The pictures of the golden data: the integer formula of tools/goldens/images.py, byte for byte.

import { readFileSync } from 'node:fs';

/** A picture's parameters, as in expected/pictures.json. */
export interface GoldenPicture {
  readonly width: number;
  readonly height: number;
  readonly seed: number;
  /** SHA-256 of the RGB bytes, hexadecimal. */
  readonly sha256: string;
}

/** All pictures by name. */
export function goldenPictures(): ReadonlyMap<string, GoldenPicture> {
  const text = readFileSync(new URL('expected/pictures.json', import.meta.url), 'utf8');
  return new Map(Object.entries(JSON.parse(text) as Record<string, GoldenPicture>));
}

/**
 * Draws a picture named in expected/pictures.json.
 * @returns `rgb`: uint8 [height, width, 3], rows from the top
 * @throws RangeError where there is no such picture
 */
export function drawGoldenPicture(name: string): { widthPx: number; heightPx: number; rgb: Uint8Array } {
  const picture = goldenPictures().get(name);
  if (picture === undefined) throw new RangeError(`no golden picture is named ${name}`);
  const { width, height, seed } = picture;
  return { widthPx: width, heightPx: height, rgb: drawScene(width, height, seed) };
}

/** Ramps, a disc, a checker and a strip of fine texture: uint8 [height, width, 3]. */
function drawScene(width: number, height: number, seed: number): Uint8Array {
  const rgb = new Uint8Array(width * height * 3);
  const centreX = Math.floor((width * (2 + (seed % 3))) / 6);
  const centreY = Math.floor((height * (1 + (seed % 4))) / 5);
  const radius = Math.floor(Math.min(width, height) / 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let red = Math.floor((255 * x) / Math.max(width - 1, 1));
      let green = Math.floor((255 * y) / Math.max(height - 1, 1));
      let blue = (x * 7 + y * 11 + seed * 37) % 256;
      if (4 * x < width) {
        const texture = Math.floor(((x * 374761393 + y * 668265263 + seed * 1274126177) % 2 ** 32) / 2 ** 24);
        red = (red + texture) % 256;
        green = (green + texture) % 256;
        blue = (blue + texture) % 256;
      }
      if (2 * x >= width && 2 * y >= height && (Math.floor(x / 8) + Math.floor(y / 8)) % 2 === 0) {
        [red, green, blue] = [20, 30, 200];
      }
      if ((x - centreX) ** 2 + (y - centreY) ** 2 <= radius * radius) {
        [red, green, blue] = [230, (40 + seed * 50) % 256, 60];
      }
      rgb.set([red, green, blue], (y * width + x) * 3);
    }
  }
  return rgb;
}
