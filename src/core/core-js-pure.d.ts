// What of core-js is used, which has no types of its own.
declare module 'core-js-pure/actual/async-disposable-stack/index.js' {
  const constructor: AsyncDisposableStackConstructor;
  export default constructor;
}
