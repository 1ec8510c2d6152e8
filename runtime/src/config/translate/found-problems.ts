// Joins what the stages of loading found into one error: each mistake once, in the order of the text.
import { ConfigErrors, problemsMax } from "../config-error.ts";
import type { ConfigProblem } from "../config-error.ts";

/**
 * Throws ConfigErrors unless all stages found nothing. A later stage's words about a field of which
 * an earlier one already refused a part are left out: they would only follow from it. `unread` are
 * fields that nobody implements; they are left out where a problem names the same field.
 */
export function throwProblems(
  stages: readonly (ConfigErrors | null)[],
  unread: readonly ConfigProblem[],
): void {
  const all: ConfigProblem[] = [];
  let omitted = 0;
  for (const errors of stages) {
    if (errors === null) continue;
    const earlier = [...all];
    all.push(...errors.problems.filter((one) => !earlier.some((known) => isWithin(known, one))));
    omitted += errors.omitted;
  }
  const paths = new Set(all.map((problem) => `${problem.file}:${problem.path}`));
  all.push(...unread.filter((problem) => !paths.has(`${problem.file}:${problem.path}`)));
  if (all.length === 0) return;
  all.sort(byPosition);
  omitted += Math.max(0, all.length - problemsMax);
  throw new ConfigErrors(all.slice(0, problemsMax), omitted);
}

/** `known` is about the same field as `problem`, or about a part of it. */
function isWithin(known: ConfigProblem, problem: ConfigProblem): boolean {
  if (known.file !== problem.file || !known.path.startsWith(problem.path)) return false;
  const next = known.path[problem.path.length];
  return next === undefined || next === "." || next === "[";
}

function byPosition(left: ConfigProblem, right: ConfigProblem): number {
  if (left.file !== right.file) return left.file < right.file ? -1 : 1;
  return left.line - right.line || left.column - right.column;
}
