// Keeps V8's heap for short-lived objects as small as it began. For programs that run for hours in little memory.
import { setFlagsFromString } from 'node:v8';

/**
 * V8 doubles the space for young objects, in every thread, whenever as much as fits into it has survived: a stream of hours brings each thread to the
 * largest size, about 50 MB, whatever it holds. From now on the spaces of this process keep their size. Young objects are collected more often instead.
 * For a whole program to decide: no library function calls it. `node --max-semi-space-size=1` does the same from outside.
 */
export function keepYoungGenerationSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
