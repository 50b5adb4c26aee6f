#!/usr/bin/env node
// The command line: `thalweg <command>`.
import { Command } from 'commander';
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
import { reportError } from './output.ts';

const program = new Command('thalweg')
  .description('Lets a vision-language model watch live video for hours on modest hardware.')
  .version(version)
  .showHelpAfterError('(add --help for the options)')
  .configureHelp({ sortSubcommands: false });

for (const command of [demo, ask, watch, chat, pull, inspect, methods, bench, doctor]) command.register(program);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = reportError(error, process.argv.includes('--json'));
}
