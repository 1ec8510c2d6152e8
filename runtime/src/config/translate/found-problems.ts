// Joins what the stages of loading found into one error: each mistake once, in the order of the
// text. Called by translate-bootstrap.ts.
import { ConfigErrors, problemsMax } from "../config-error.ts";
import type { ConfigProblem } from "../config-error.ts";

/**
 * Throws ConfigErrors unless all stages found nothing. Of one field only the first stage that
 * speaks of it is heard: what later ones say follows from it. `unread` are fields that nobody
 * implements.
 */
export function throwProblems(
  stages: readonly (ConfigErrors | null)[],
  unread: readonly ConfigProblem[],
): void {
  const all: ConfigProblem[] = [];
  let omitted = 0;
  for (const errors of stages) {
    if (errors === null) continue;
    const earlier = new Set(all.map(fieldOf));
    all.push(...errors.problems.filter((problem) => !earlier.has(fieldOf(problem))));
    omitted += errors.omitted;
  }
  const spoken = new Set(all.map(fieldOf));
  all.push(...unread.filter((problem) => !spoken.has(fieldOf(problem))));
  if (all.length === 0) return;
  all.sort(byPosition);
  omitted += Math.max(0, all.length - problemsMax);
  throw new ConfigErrors(all.slice(0, problemsMax), omitted);
}

function fieldOf(problem: ConfigProblem): string {
  return `${problem.file}:${problem.path}`;
}

function byPosition(left: ConfigProblem, right: ConfigProblem): number {
  if (left.file !== right.file) return left.file < right.file ? -1 : 1;
  return left.line - right.line || left.column - right.column;
}
