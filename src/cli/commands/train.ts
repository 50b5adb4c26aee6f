// `thalweg train`: the group of commands that train something, here on this machine.
import type { Command } from 'commander';
import { registerTrainNano } from './train-nano.ts';
import { registerTrainRouter } from './train-router.ts';

export default {
  register(program: Command) {
    const group = program.command('train').description('train on the synthetic world: the built-in model, the gate of a checkpoint').enablePositionalOptions();
    registerTrainNano(group);
    registerTrainRouter(group);
  },
};
