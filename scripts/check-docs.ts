// The documentation check: public symbols are documented, files are short and say what they are, links lead somewhere.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const faults: string[] = [];
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

checkSources(tracked.filter((file) => /^(src|test|scripts|examples)\/.*\.ts$/.test(file)));
checkPublicSymbols('src/index.ts');
checkLinks(tracked.filter((file) => file.endsWith('.md')));

if (faults.length > 0) {
  console.error(faults.join('\n'));
  console.error(`${faults.length} faults`);
  process.exit(1);
}
console.log(`docs: ${tracked.length} files checked`);

/** A file's first line says what it is; methods have at most 150 lines, others 400. */
function checkSources(files: readonly string[]): void {
  for (const file of files) {
    const lines = read(file).trimEnd().split('\n');
    const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0];
    if (!first?.startsWith('// ')) faults.push(`${file}:1: the first line does not say what the file is`);
    const limit = file.includes('/methods/') ? 150 : 400;
    if (lines.length > limit) faults.push(`${file}: ${lines.length} lines, at most ${limit}`);
  }
}

/** Everything that `import … from 'thalweg'` gives has a doc comment. */
function checkPublicSymbols(entry: string): void {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (file) => readFileSync(file, 'utf8')) as { config: { compilerOptions: object } };
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram([join(root, entry)], options);
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(root, entry));
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${entry} exports nothing`);
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    if (symbol.getDocumentationComment(checker).length > 0) continue;
    const declared = symbol.declarations?.[0]?.getSourceFile().fileName;
    faults.push(`${declared === undefined ? entry : relative(root, declared)}: public symbol ${exported.name} has no doc comment`);
  }
}

/** Relative links of documents lead to files that exist. */
function checkLinks(files: readonly string[]): void {
  for (const file of files) {
    for (const [, target] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (target === undefined || /^([a-z]+:|#)/.test(target)) continue;
      const path = join(root, dirname(file), decodeURI(target.split('#')[0]!));
      if (!existsSync(path)) faults.push(`${file}: broken link ${target}`);
    }
  }
}
