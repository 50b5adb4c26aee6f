// Patches of pictures as the golden files keep them.

/** Patches of a uint8 [3, size, size] picture, normalised to −1…1; what is left over at the right and the bottom is cut off. */
export function patchesOf(picture: Uint8Array, size: number, patch: number): Float32Array {
  const across = Math.floor(size / patch);
  const patches = new Float32Array(across * across * 3 * patch * patch);
  let at = 0;
  for (let y = 0; y < across; y++) {
    for (let x = 0; x < across; x++) {
      for (let c = 0; c < 3; c++) {
        for (let dy = 0; dy < patch; dy++) {
          for (let dx = 0; dx < patch; dx++) patches[at++] = (picture[(c * size + y * patch + dy) * size + x * patch + dx]! / 255 - 0.5) / 0.5;
        }
      }
    }
  }
  return patches;
}
