// The layer check: which folder of src/ may import which. The data flow is the folder list.
const allowed = {
  core: [],
  runtime: ['core'],
  graph: ['core', 'runtime'],
  models: ['core', 'runtime', 'graph'],
  source: ['core', 'runtime'],
  gate: ['core', 'runtime', 'graph', 'models', 'source'],
  vision: ['core', 'runtime', 'graph', 'models', 'source', 'gate'],
  memory: ['core', 'runtime', 'graph', 'models', 'source', 'gate', 'vision'],
  language: ['core', 'runtime', 'graph', 'models', 'source', 'gate', 'vision', 'memory'],
  session: ['core', 'runtime', 'graph', 'models', 'source', 'gate', 'vision', 'memory', 'language'],
  world: ['core', 'runtime', 'source'],
  train: ['core', 'runtime', 'graph', 'models', 'source', 'gate', 'vision', 'memory', 'language', 'session', 'world'],
  bench: ['core', 'runtime', 'graph', 'models', 'source', 'gate', 'vision', 'memory', 'language', 'session', 'world'],
};
const native = ['onnxruntime-node', 'node-av', '@napi-rs/canvas'];

export default {
  forbidden: [
    ...Object.entries(allowed).map(([folder, may]) => ({
      name: `${folder}-imports-only-${may.join('-') || 'nothing'}`,
      severity: 'error',
      from: { path: `^src/${folder}/`, pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: '^src/', pathNot: `^src/(${[folder, ...may].join('|')})/` },
    })),
    {
      name: 'native-code-only-in-runtime',
      severity: 'error',
      from: { pathNot: '^src/runtime/' },
      to: { path: `node_modules/(${native.join('|')})/` },
    },
    {
      name: 'a-method-decides-and-owns-nothing',
      comment: 'A method imports its contract and core, never the runtime.',
      severity: 'error',
      from: { path: '^src/[^/]+/methods/', pathNot: '\\.test\\.ts$' },
      to: { path: '^src/(runtime|graph)/' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
