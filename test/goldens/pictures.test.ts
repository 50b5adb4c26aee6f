// The port of the picture formula gives the bytes that the golden data was made from.

import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { drawGoldenPicture, goldenPictures } from './pictures.ts';

describe('golden pictures', () => {
  it.each([...goldenPictures()])('%s has the bytes that Transformers saw', (name, picture) => {
    const { widthPx, heightPx, rgb } = drawGoldenPicture(name);
    expect([widthPx, heightPx]).toEqual([picture.width, picture.height]);
    expect(createHash('sha256').update(rgb).digest('hex')).toBe(picture.sha256);
  });

  it('names a picture that does not exist', () => {
    expect(() => drawGoldenPicture('2x2-z')).toThrow(/2x2-z/);
  });
});
