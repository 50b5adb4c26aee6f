// Compiles the AssemblyScript sources of src/ to the .wasm beside each. With --check it only says whether the committed bytes are what the sources compile to.
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** The part of the compiler's API used here. Its own declarations change those of `Array` for the whole project, so they are not imported. */
interface Compiler {
  main(argv: readonly string[], options: { readonly stderr: NodeJS.WritableStream; readonly writeFile: (name: string, contents: string | Uint8Array) => void }): Promise<{ readonly error: Error | null }>;
}
const compiler: string = 'assemblyscript/asc';
const asc = (await import(compiler)) as Compiler;

const root = fileURLToPath(new URL('..', import.meta.url));
// No runtime, no imports, no checks: the kernels touch only memory that their caller lays out.
const flags = ['-O3', '--runtime', 'stub', '--enable', 'simd', '--noAssert', '--use', 'abort='];

const check = process.argv.includes('--check');
for (const source of globSync('src/**/*.as.ts', { cwd: root })) {
  const target = path.join(root, source.replace(/\.as\.ts$/, '.wasm'));
  const made = await compile(source);
  if (!check) writeFileSync(target, made);
  else if (Buffer.compare(made, readFileSync(target)) !== 0) {
    console.error(`${path.relative(root, target)} is not what ${source} compiles to; run: npm run build:wasm`);
    process.exitCode = 1;
  }
  console.log(`${source}: ${made.length} bytes`);
}

async function compile(source: string): Promise<Uint8Array> {
  let made: Uint8Array | undefined;
  const { error } = await asc.main([source, '--baseDir', root, '--outFile', 'made.wasm', ...flags], {
    stderr: process.stderr,
    writeFile: (_name, contents) => {
      if (typeof contents !== 'string') made = contents;
    },
  });
  if (error !== null || made === undefined) throw new Error(`${source} does not compile`, { cause: error });
  return made;
}
