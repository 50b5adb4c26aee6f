// Stop strings: found across token boundaries; what may be the beginning of one waits.

export interface StopFilter {
  /** Text that is free to go, and whether a stop string was found (the text ends before it). */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** What waited for a stop string that did not come. */
  flush(): string;
}

/** Makes a filter for one answer. */
export function createStopFilter(stops: readonly string[]): StopFilter {
  const wanted = stops.filter((stop) => stop !== '');
  let waiting = '';
  return {
    push(text) {
      waiting += text;
      const found = wanted.map((stop) => waiting.indexOf(stop)).filter((at) => at !== -1);
      if (found.length > 0) {
        const before = waiting.slice(0, Math.min(...found));
        waiting = '';
        return { text: before, stopped: true };
      }
      const free = waiting.length - Math.max(0, ...wanted.map((stop) => overlap(waiting, stop)));
      const out = waiting.slice(0, free);
      waiting = waiting.slice(free);
      return { text: out, stopped: false };
    },
    flush() {
      const rest = waiting;
      waiting = '';
      return rest;
    },
  };
}

/** Length of the longest end of `text` that `stop` begins with. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
