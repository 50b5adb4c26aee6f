// `thalweg methods`: the methods of every stage.
import type { Command } from 'commander';
import { listMethods } from '../../session/list-methods.ts';
import { examples, jsonOption, run } from '../command.ts';
import { table, terminalColumns } from '../format.ts';

export default {
  register(program: Command) {
    const command = program
      .command('methods')
      .description('list the methods of every stage')
      .addOption(jsonOption())
      .action(
        run(async ({ out }) => {
          const methods = await listMethods();
          out.data({ methods }, table([['stage', 'method', 'budget', 'what it does'], ...methods.map(({ stage, name, budget, summary }) => [stage, name, budget ? `${budget.kind}: ${budget.knob}` : 'all', summary])], terminalColumns()));
        }),
      );
    examples(command, ['thalweg methods', 'thalweg methods --json']);
  },
};
