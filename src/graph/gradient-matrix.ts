// Gradient rules of matrix products. Transposed products, never transposed copies.
import { unbroadcast } from './gradient-elementwise.ts';
import { reshapeLike } from './gradient-shape.ts';
import type { GradientRules } from './gradient.ts';
import type { Node, Value } from './graph.ts';
import { gemm, mul, neg, reshape } from './ops.ts';
import { fusedMatmul, rotaryEmbedding } from './ops-fused.ts';

function attribute(node: Node, name: string, otherwise: number): number {
  const found = node.attributes[name];
  return found && (found.kind === 'int' || found.kind === 'float') ? found.value : otherwise;
}

const flattened = (x: Value): Value => {
  const last = x.shape.at(-1)!;
  return x.shape.length === 2 || typeof last !== 'number' ? x : reshape(x, [-1, last]);
};

export const matrixRules: GradientRules = {
  MatMul: ({ inputs: [a, b] }, [gradient], wanted) => {
    const stacked = b!.shape.length === 2 && typeof b!.shape[1] === 'number' && typeof a!.shape.at(-1) === 'number';
    if (stacked) {
      // Rows of every batch times one matrix: two plain matrix products, the fastest kernels there are.
      const rows = flattened(gradient!);
      return [wanted[0] ? reshapeLike(gemm(rows, b!, undefined, { transB: true }), a!) : undefined, wanted[1] ? gemm(flattened(a!), rows, undefined, { transA: true }) : undefined];
    }
    return [wanted[0] ? unbroadcast(fusedMatmul(gradient!, b!, { transB: true }), a!) : undefined, wanted[1] ? unbroadcast(fusedMatmul(a!, gradient!, { transA: true }), b!) : undefined];
  },
  FusedMatMul: (node, [gradient], wanted) => {
    const [a, b] = [node.inputs[0]!, node.inputs[1]!];
    const transA = attribute(node, 'transA', 0) === 1;
    const transB = attribute(node, 'transB', 0) === 1;
    const alpha = attribute(node, 'alpha', 1);
    const g = gradient!;
    const left = () => (transA ? fusedMatmul(b, g, { transA: transB, transB: true, alpha }) : fusedMatmul(g, b, { transB: !transB, alpha }));
    const right = () => (transB ? fusedMatmul(g, a, { transA: true, transB: transA, alpha }) : fusedMatmul(a, g, { transA: !transA, alpha }));
    return [wanted[0] ? unbroadcast(left(), a) : undefined, wanted[1] ? unbroadcast(right(), b) : undefined];
  },
  Gemm: (node, [gradient], wanted) => {
    const [a, b, c] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]];
    const transA = attribute(node, 'transA', 0) === 1;
    const transB = attribute(node, 'transB', 0) === 1;
    const alpha = attribute(node, 'alpha', 1);
    const beta = attribute(node, 'beta', 1);
    const g = gradient!;
    const left = () => (transA ? gemm(b, g, undefined, { transA: transB, transB: true, alpha }) : gemm(g, b, undefined, { transB: !transB, alpha }));
    const right = () => (transB ? gemm(g, a, undefined, { transA: true, transB: transA, alpha }) : gemm(a, g, undefined, { transA: !transA, alpha }));
    const added = () => {
      const summed = unbroadcast(g, c!);
      return beta === 1 ? summed : mul(summed, g.graph.scalar(beta, g.dtype === 'float64' ? 'float64' : 'float32'));
    };
    return [wanted[0] ? left() : undefined, wanted[1] ? right() : undefined, wanted[2] ? added() : undefined];
  },
  // A rotation's transpose turns back.
  RotaryEmbedding: ({ inputs: [, positions, cos, sin] }, [gradient]) => [rotaryEmbedding(gradient!, positions!, cos!, neg(sin!))],
};
