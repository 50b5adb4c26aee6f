// One start of a process up to the open model, as the command line does it; prints the times as JSON. Called by bench-nano.ts.
import { keepCompiledCode } from '../src/cli/compile-cache.ts';
import { keepYoungGenerationSmall } from '../src/runtime/young-generation.ts';

keepYoungGenerationSmall();
keepCompiledCode();
const { openModel } = await import('../src/session/model.ts');
const [model, threads] = process.argv.slice(2);
const opened = await openModel({ model: model!, threads: Number(threads) });
const sinceStartMs = performance.now();
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ sinceStartMs, openMs: opened.info.openMs, cpuMs: (user + system) / 1000 }));
await opened[Symbol.asyncDispose]();
