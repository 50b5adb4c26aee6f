// Bipartite soft matching (token merging, arXiv 2210.09461): which tokens of a frame are joined so that a given number is left.

/** Tokens that were joined so far: their mean, and how many they are. */
interface Group {
  readonly mean: Float64Array;
  readonly members: number[];
}

/**
 * Joins tokens until `keep` are left. A round splits the groups, in order, by turns into two sets, draws an edge from each of the first set to the one
 * of the second whose mean has the largest cosine, and joins along the best edges; it joins half of the groups at most, so there may be several rounds.
 * @param tokens float32 [count, width]
 * @returns int32 [count]: the group of each token, numbered by their first tokens; ties go to what comes first
 */
export function matchTokens(tokens: Float32Array, count: number, keep: number): Int32Array {
  const width = tokens.length / count;
  let groups: Group[] = Array.from({ length: count }, (_, token) => ({ mean: Float64Array.from(tokens.subarray(token * width, (token + 1) * width)), members: [token] }));
  while (groups.length > Math.max(1, keep)) groups = joinRound(groups, Math.min(groups.length - Math.max(1, keep), groups.length >> 1));
  const to = new Int32Array(count);
  for (const [number, { members }] of groups.entries()) for (const token of members) to[token] = number;
  return to;
}

function joinRound(groups: readonly Group[], joins: number): Group[] {
  const norms = groups.map(({ mean }) => Math.sqrt(dot(mean, mean)) || 1);
  const edges: { from: number; to: number; cosine: number }[] = [];
  for (let from = 0; from < groups.length; from += 2) {
    const edge = { from, to: 1, cosine: -Infinity };
    for (let to = 1; to < groups.length; to += 2) {
      const cosine = dot(groups[from]!.mean, groups[to]!.mean) / (norms[from]! * norms[to]!);
      if (cosine > edge.cosine) Object.assign(edge, { to, cosine });
    }
    edges.push(edge);
  }
  edges.sort((a, b) => b.cosine - a.cosine || a.from - b.from);
  const joined: (Group | undefined)[] = [...groups];
  for (const { from, to } of edges.slice(0, joins)) {
    joined[to] = join(joined[to]!, groups[from]!);
    joined[from] = undefined;
  }
  return joined.filter((group) => group !== undefined).sort((a, b) => a.members[0]! - b.members[0]!);
}

function join(a: Group, b: Group): Group {
  const share = b.members.length / (a.members.length + b.members.length);
  return { mean: a.mean.map((value, i) => value + (b.mean[i]! - value) * share), members: [...a.members, ...b.members].sort((x, y) => x - y) };
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
