// The golden data in this project's types, for tests.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Turn, TurnPart } from './contract.ts';

const root = new URL('../../test/goldens/', import.meta.url);

export type GoldenPart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image'; readonly picture?: string }
  | { readonly type: 'video'; readonly frames?: readonly string[]; readonly frameNumbers?: readonly number[]; readonly sourceFps?: number; readonly sourceFrameCount?: number };

export interface GoldenMessage {
  readonly role: Turn['role'];
  readonly content: readonly GoldenPart[];
}

export interface GoldenPrompt {
  readonly name: string;
  readonly messages: readonly GoldenMessage[];
  readonly imageSplitting?: boolean;
  readonly rendered: string;
  readonly ids: readonly number[];
  readonly greedy: readonly number[];
  readonly greedyText: string;
}

export function goldenJson(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`expected/${name}.json`, root), 'utf8')) as unknown;
}

export function goldenFile(name: string): string {
  return fileURLToPath(new URL(`expected/${name}`, root));
}

/** Folder of a golden checkpoint. */
export function goldenCheckpoint(name: string): string {
  return fileURLToPath(new URL(`checkpoints/${name}`, root));
}

export const goldenCheckpoints: readonly string[] = readdirSync(new URL('checkpoints/', root)).sort();

export function goldenTurns(messages: readonly GoldenMessage[]): readonly Turn[] {
  return messages.map(({ role, content }) => ({
    role,
    parts: content.map((part): TurnPart => {
      if (part.type === 'text') return { kind: 'text', text: part.text };
      if (part.type === 'image') return { kind: 'image' };
      const { frameNumbers = [0], sourceFps = 1, sourceFrameCount = 1 } = part;
      return { kind: 'video', frameTimesSec: frameNumbers.map((frame) => frame / sourceFps), durationSec: sourceFrameCount / sourceFps };
    }),
  }));
}
