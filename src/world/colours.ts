// Colours: the ten basic colour names, their paint, and shades of it.
import type { ActorClass, ColourName } from './types.ts';

/** Paint of each name, chosen far apart so that 160-pixel pictures under noise and tint still tell them apart. */
export const PAINT: Readonly<Record<ColourName, string>> = {
  red: '#dc1f26',
  orange: '#ff8412',
  yellow: '#ffe01a',
  green: '#1fa63f',
  blue: '#1f56d8',
  purple: '#8133bd',
  pink: '#ff93c8',
  brown: '#7b4620',
  black: '#1c1c20',
  white: '#f7f7f5',
};

/** Which colours each class may have. */
export const COLOURS_OF: Readonly<Record<ActorClass, readonly ColourName[]>> = {
  person: ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'black', 'white'],
  car: ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'black', 'white'],
  bicycle: ['red', 'yellow', 'green', 'blue', 'pink', 'white'],
  dog: ['brown', 'black', 'white', 'orange'],
  bag: ['red', 'orange', 'yellow', 'green', 'blue', 'purple', 'pink', 'black'],
  box: ['red', 'orange', 'yellow', 'green', 'blue', 'pink', 'brown', 'white'],
  door: ['red', 'green', 'blue', 'brown', 'white', 'yellow'],
  lamp: ['black'],
};

const cache = new Map<string, string>();

/** A `#rrggbb` colour made darker (factor below 1) or lighter, towards white (factor above 1). */
export function shade(hex: string, factor: number): string {
  const key = `${hex}${factor}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  const value = Number.parseInt(hex.slice(1), 16);
  const channels = [value >> 16, (value >> 8) & 255, value & 255].map((c) => Math.round(factor <= 1 ? c * factor : c + (255 - c) * (factor - 1)));
  const text = `#${channels.map((c) => Math.min(255, c).toString(16).padStart(2, '0')).join('')}`;
  cache.set(key, text);
  return text;
}
