// `thalweg methods`: the methods of every stage.
import type { Command } from 'commander';
import { listMethods, listPresets } from '../../session/list-methods.ts';
import { examples, jsonOption, run } from '../command.ts';
import { table, terminalColumns } from '../format.ts';

export default {
  register(program: Command) {
    const command = program
      .command('methods')
      .description('list the methods of every stage, and the presets that combine them')
      .addOption(jsonOption())
      .action(
        run(async ({ out }) => {
          const methods = await listMethods();
          const presets = listPresets();
          const columns = terminalColumns();
          const presetRows = presets.map(({ name, stages: { gate, vision, memory }, summary }) => [name, `${gate}, ${vision}, ${memory}`, summary]);
          const methodRows = methods.map(({ stage, name, budget, adapter, summary }) => [stage, name, budget ? `${budget.kind}: ${budget.knob}` : adapter ? `${adapter} adapter` : 'all', summary]);
          out.data(
            { presets, methods },
            [table([['preset', 'gate, vision, memory', 'what it does'], ...presetRows], columns), '', table([['stage', 'method', 'budget', 'what it does'], ...methodRows], columns)].join('\n'),
          );
        }),
      );
    examples(command, ['thalweg methods', 'thalweg methods --json', 'thalweg ask street.mp4 "What happened?" --method dense']);
  },
};
