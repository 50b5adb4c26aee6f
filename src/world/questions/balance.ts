// Balance: keeps count of what was asked and answered, and prefers what was asked and answered least, so that guessing does not pay.
import type { Draft, QuestionClass, Template } from './template.ts';

/** A question that could be asked. */
export interface Candidate {
  readonly timeSec: number;
  readonly template: Template;
  readonly draft: Draft;
}

/** Counts over a whole suite; make one, and use it for every clip in order. */
export interface Balance {
  /** False where this answer has been given too often for its template. */
  admits(candidate: Candidate): boolean;
  /** Lower is rather asked: first templates, then answers. */
  rank(candidate: Candidate): number;
  classCount(questionClass: QuestionClass): number;
  add(candidate: Candidate): void;
}

/** The largest share of one answer where this many are known. */
function largestShare(answers: number): number {
  if (answers <= 2) return 0.53;
  if (answers === 3) return 0.38;
  return Math.max(0.16, 1.3 / answers);
}

export function createBalance(): Balance {
  const answers = new Map<string, Map<string, number>>();
  const templates = new Map<string, number>();
  const classes = new Map<QuestionClass, number>();
  const tables = ({ template, draft }: Candidate): Map<string, number>[] => {
    // By template, and by the part of the question that gives something away.
    const keys = draft.group === undefined ? [template.id] : [template.id, `${template.id} ${draft.group}`];
    return keys.map((key) => {
      let table = answers.get(key);
      if (table === undefined) answers.set(key, (table = new Map<string, number>()));
      return table;
    });
  };
  const excess = (table: Map<string, number>, answer: string): { total: number; limit: number; count: number } => {
    let total = 1;
    for (const n of table.values()) total += n;
    const count = (table.get(answer) ?? 0) + 1;
    const kinds = table.has(answer) ? table.size : table.size + 1;
    return { total, limit: largestShare(kinds), count };
  };
  return {
    admits: (candidate) => tables(candidate).every((table) => {
      const { total, limit, count } = excess(table, candidate.draft.answer);
      // The slack lets small counts grow: with one answer of each kind, any next one would be too many.
      return count <= limit * total + 1.5;
    }),
    rank(candidate) {
      const asked = ((templates.get(candidate.template.id) ?? 0) + 0.5) / candidate.template.weight;
      return asked + Math.max(...tables(candidate).map((table) => {
        const { total, count } = excess(table, candidate.draft.answer);
        return (count - 1) / total;
      })) * 3;
    },
    classCount: (questionClass) => classes.get(questionClass) ?? 0,
    add(candidate) {
      const { template, draft } = candidate;
      templates.set(template.id, (templates.get(template.id) ?? 0) + 1);
      classes.set(template.class, (classes.get(template.class) ?? 0) + 1);
      for (const table of tables(candidate)) table.set(draft.answer, (table.get(draft.answer) ?? 0) + 1);
    },
  };
}
