declare module 'core-js-pure/actual/async-disposable-stack/index.js' {
  const constructor: AsyncDisposableStackConstructor;
  export default constructor;
}
