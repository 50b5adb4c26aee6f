// Lint rules: type-aware, no floating promises, no assertion-free tests.
import vitest from '@vitest/eslint-plugin';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'tools/', 'coverage/', '**/*.js', '**/*.mjs', '**/*.as.ts'] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-non-null-assertion': 'off', // typed-array reads inside measured loops: `a[i]!`
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'pass a seed and use core/random.ts' }],
      eqeqeq: 'error',
    },
  },
  // The package runs on Node.js 22; tests and scripts run on the Node.js that the project brings.
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/*.fixture.ts'],
    rules: {
      'no-restricted-globals': ['error', ...['AsyncDisposableStack', 'DisposableStack', 'Float16Array', 'SuppressedError'].map((name) => ({ name, message: 'Node.js 22 has none; see core/disposal.ts and core/float16.ts' }))],
    },
  },
  {
    files: ['**/*.test.ts', '**/*.contract.ts'],
    plugins: { vitest },
    rules: { 'vitest/expect-expect': ['error', { assertFunctionNames: ['expect', 'expect*'] }], 'vitest/valid-expect': 'error', 'vitest/no-focused-tests': 'error' },
  },
);
