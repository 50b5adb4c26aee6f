// The program: its commands, each loaded when it is named, and what their failures print.
import { Command, CommanderError } from 'commander';
import { UserError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import type { CliCommand } from './command.ts';
import { flushOutput, outputBroken, reportBrokenOutput, reportError } from './output.ts';

/** In the order of the help. A command's own imports are most of the time that it takes to start. */
const commands: Readonly<Record<string, () => Promise<{ readonly default: CliCommand }>>> = {
  demo: () => import('./commands/demo.ts'),
  ask: () => import('./commands/ask.ts'),
  watch: () => import('./commands/watch.ts'),
  chat: () => import('./commands/chat.ts'),
  pull: () => import('./commands/pull.ts'),
  inspect: () => import('./commands/inspect.ts'),
  methods: () => import('./commands/methods.ts'),
  bench: () => import('./commands/bench.ts'),
  world: () => import('./commands/world.ts'),
  retrofit: () => import('./commands/retrofit.ts'),
  train: () => import('./commands/train.ts'),
  doctor: () => import('./commands/doctor.ts'),
};

/** Runs the command that `process.argv` names; sets the exit status. */
export async function runProgram(): Promise<void> {
  // An empty variable is none.
  if (process.env['THALWEG_MODEL'] === '') delete process.env['THALWEG_MODEL'];
  const json = process.argv.includes('--json');
  const program = new Command('thalweg')
    .description('Lets a vision-language model watch live video for hours on modest hardware.')
    .version(version)
    // Options belong to the command they follow, so that `bench` and `bench score` can both have a --suite.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: () => undefined, ...(json && { writeErr: () => undefined }) })
    .configureHelp({ sortSubcommands: false });

  const named = process.argv[2];
  const one = named === undefined || !Object.hasOwn(commands, named) ? undefined : commands[named];
  const wanted = one ? [one] : named === '--version' || named === '-V' ? [] : Object.values(commands);
  for (const { default: command } of await Promise.all(wanted.map((load) => load()))) command.register(program);

  try {
    await program.parseAsync();
  } catch (thrown) {
    // `--help` and `--version` end this way too, with status 0.
    if (!(thrown instanceof CommanderError)) process.exitCode = reportError(thrown, json);
    else if (thrown.exitCode !== 0) process.exitCode = reportError(usageError(thrown, one ? subcommands(program.commands[0]!) : Object.keys(commands)), json);
  }
  await flushOutput();
  if (outputBroken.aborted) process.exitCode = reportBrokenOutput(json);
}

/** Of a group such as `world`. */
function subcommands(group: Command): string[] {
  return group.commands.map((command) => `${group.name()} ${command.name()}`);
}

function usageError({ code, message }: CommanderError, names: readonly string[]): UserError {
  if (code === 'commander.help') return new UserError('NO_COMMAND', { what: 'no command', expected: `one of ${names.join(', ')}` });
  return new UserError(
    code.replace('commander.', '').replace(/[A-Z]/g, '_$&').toUpperCase(),
    { what: message.replace(/^error: /, '').replaceAll('\n', ' '), todo: 'add --help for the options' },
  );
}
