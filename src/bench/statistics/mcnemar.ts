// McNemar's exact test on paired right/wrong answers.

export interface McNemar {
  readonly bothRight: number;
  readonly bothWrong: number;
  /** Right with the method, wrong with the baseline. */
  readonly onlyMethod: number;
  readonly onlyBaseline: number;
  /** Two-sided exact p of the discordant counts under a fair coin; 1 where there are none. */
  readonly p: number;
}

export function mcnemar(pairs: readonly { readonly method: boolean; readonly baseline: boolean }[]): McNemar {
  const count = (method: boolean, baseline: boolean) => pairs.filter((pair) => pair.method === method && pair.baseline === baseline).length;
  const onlyMethod = count(true, false);
  const onlyBaseline = count(false, true);
  return { bothRight: count(true, true), bothWrong: count(false, false), onlyMethod, onlyBaseline, p: exactP(onlyMethod, onlyBaseline) };
}

/** 2 · P(Binomial(b + c, ½) ≤ min(b, c)), at most 1; summed in logarithms, so thousands of pairs do not underflow. */
export function exactP(b: number, c: number): number {
  const n = b + c;
  let logTerm = -n * Math.LN2;
  let tail = Math.exp(logTerm);
  for (let k = 1; k <= Math.min(b, c); k++) {
    logTerm += Math.log((n - k + 1) / k);
    tail += Math.exp(logTerm);
  }
  return Math.min(1, 2 * tail);
}
