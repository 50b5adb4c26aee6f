#!/usr/bin/env node
// The command line: `thalweg <command>`.
import { keepCompiledCode } from './compile-cache.ts';

keepCompiledCode();
// Imported now, so that what it imports is compiled once.
const { runProgram } = await import('./program.ts');
await runProgram();
