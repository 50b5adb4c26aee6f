#!/usr/bin/env node
// The command line: `thalweg <command>`.
import { Command, CommanderError } from 'commander';
import { UserError } from '../core/errors.ts';
import { version } from '../core/version.ts';
import ask from './commands/ask.ts';
import bench from './commands/bench.ts';
import chat from './commands/chat.ts';
import demo from './commands/demo.ts';
import doctor from './commands/doctor.ts';
import inspect from './commands/inspect.ts';
import methods from './commands/methods.ts';
import pull from './commands/pull.ts';
import watch from './commands/watch.ts';
import { flushOutput, outputBroken, reportBrokenOutput, reportError } from './output.ts';

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

for (const command of [demo, ask, watch, chat, pull, inspect, methods, bench, doctor]) command.register(program);

try {
  await program.parseAsync();
} catch (thrown) {
  // `--help` and `--version` end this way too, with status 0.
  if (!(thrown instanceof CommanderError)) process.exitCode = reportError(thrown, json);
  else if (thrown.exitCode !== 0) process.exitCode = reportError(usageError(thrown), json);
}
await flushOutput();
if (outputBroken.aborted) process.exitCode = reportBrokenOutput(json);

function usageError({ code, message }: CommanderError): UserError {
  if (code === 'commander.help') return new UserError('NO_COMMAND', { what: 'no command', expected: `one of ${program.commands.map((command) => command.name()).join(', ')}` });
  return new UserError(
    code.replace('commander.', '').replace(/[A-Z]/g, '_$&').toUpperCase(),
    { what: message.replace(/^error: /, '').replaceAll('\n', ' '), todo: 'add --help for the options' },
  );
}
