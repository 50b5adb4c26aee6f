// AsyncDisposableStack where Node.js has none yet (before version 24); from core-js, which follows the standard and takes the engine's own where there is one.
const stack = (globalThis as Partial<typeof globalThis>).AsyncDisposableStack ?? (await import('core-js-pure/actual/async-disposable-stack/index.js')).default;

/** Closes what was opened, the last first, also when opening fails on the way. */
export const AsyncDisposableStack: AsyncDisposableStackConstructor = stack;
export type AsyncDisposableStack = globalThis.AsyncDisposableStack;
