#!/usr/bin/env node
// The command line: `thalweg <command>`.
import { keepYoungGenerationSmall } from '../runtime/young-generation.ts';
import { keepCompiledCode } from './compile-cache.ts';

keepYoungGenerationSmall();
keepCompiledCode();
// Imported now, so that what it imports is compiled once.
const { runProgram } = await import('./program.ts');
await runProgram();
