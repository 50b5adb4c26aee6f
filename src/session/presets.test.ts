// Presets: what they run, what overrides them, and names that are none.
import { describe, expect, test } from 'vitest';
import { Knob, knobAt } from './knobs.ts';
import { checkChoice, chosenStages, presetNamed, presets, stageNames } from './presets.ts';

describe.each(Object.entries(presets))('preset %s', (_name, preset) => {
  test.each([{}, { adapter: { kind: 'dmc' } }, { adapter: { kind: 'dms' } }] as const)('names methods that exist, with options that they take (%j)', async (model) => {
    const stages = preset.stages(model);
    for (const stage of stageNames) await expect(checkChoice(stage, stages[stage])).resolves.toBeUndefined();
  });
});

test('thalweg takes the memory that the model was trained for, and merges by likeness without', () => {
  const memory = (kind?: 'dmc' | 'dms') => presets.thalweg.stages(kind ? { adapter: { kind } } : {}).memory.method;
  expect([memory(), memory('dmc'), memory('dms')]).toEqual(['merge', 'dmc', 'dms']);
});

test('the name of a method is a preset of that method alone', async () => {
  expect((await presetNamed('fifo')).stages({})).toEqual({ gate: { method: 'every-frame', options: {} }, vision: { method: 'all', options: {} }, memory: { method: 'fifo', options: {} } });
  expect((await presetNamed('dtd')).stages({}).vision.method).toBe('dtd');
  expect((await presetNamed('gate=difference')).stages({})).toMatchObject({ gate: { method: 'difference' }, vision: { method: 'all' }, memory: { method: 'dense' } });
  await expect(presetNamed('difference')).rejects.toMatchObject({ code: 'AMBIGUOUS_METHOD', message: expect.stringContaining('gate=difference or vision=difference') as string });
  for (const name of ['nonsense', 'memory=difference', 'constructor', '']) await expect(presetNamed(name)).rejects.toMatchObject({ code: 'UNKNOWN_METHOD' });
});

test('a method takes the place of the preset’s; options alone are added to it', () => {
  const stages = chosenStages(presets.thalweg, {}, { memory: { method: 'fifo', options: { frames: 3 } }, gate: { options: { refreshSec: 5 } }, vision: {} });
  const own = presets.thalweg.stages({});
  expect(stages).toEqual({ gate: { method: own.gate.method, options: { ...own.gate.options, refreshSec: 5 } }, vision: own.vision, memory: { method: 'fifo', options: { frames: 3 } } });
});

describe('knobs', () => {
  test('go from where they were set to the tightest value that methods are compared at', () => {
    const threshold = { knob: 'threshold', sweep: [0.2, 0.1, 0.05] };
    expect([0, 0.5, 1].map((pressure) => knobAt(threshold, 0.1, pressure))).toEqual([0.1, expect.closeTo(0.15, 9), 0.2]);
    const frames = { knob: 'frames', sweep: [4, 16, 64] };
    expect([0, 0.3, 1].map((pressure) => knobAt(frames, 16, pressure))).toEqual([16, 12, 4]);
    // Set tighter than any that is compared: they stay.
    expect([knobAt(threshold, 0.5, 1), knobAt(frames, 2, 1)]).toEqual([0.5, 2]);
  });

  test('are turned when their value is a new one, and only then', () => {
    const turned: number[] = [];
    const knob = new Knob({ knob: 'frames', sweep: [4, 16] }, { frames: 16 }, (value) => turned.push(value));
    for (const pressure of [0, 0.01, 0.5, 0.5, 1, 0]) knob.press(pressure);
    expect(turned).toEqual([10, 4, 16]);
    const none = new Knob(undefined, {}, (value) => turned.push(value));
    none.press(1);
    expect(turned).toHaveLength(3);
  });
});
