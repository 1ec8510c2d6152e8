// What is wrong with a configuration, in words and with its place; thrown by the loader, printed by
// the command line and sent as the reason of a refused xDS resource.

/** One thing that is wrong, or worth a warning. */
export interface ConfigProblem {
  /** File as the user named it, `--config-yaml`, or "" when there is no text behind it. */
  readonly file: string;
  /** Line from 1; 0 when unknown. */
  readonly line: number;
  /** Column from 1; 0 when unknown. */
  readonly column: number;
  /**
   * Field path from the root message, `static_resources.clusters[0].name`; "" for the whole text.
   */
  readonly path: string;
  /** Lower case, without full stop, with the offending value. */
  readonly message: string;
}

/** The most problems that are kept; what comes after is counted only. */
export const problemsMax = 100;

/** `file:line:col: path: message`, without the parts that are unknown. */
export function describeProblem(problem: ConfigProblem): string {
  const parts: string[] = [];
  if (problem.line > 0) parts.push(`${problem.file}:${problem.line}:${problem.column}`);
  else if (problem.file !== "") parts.push(problem.file);
  if (problem.path !== "") parts.push(problem.path);
  parts.push(problem.message);
  return parts.join(": ");
}

/** All problems of one configuration at once. `message` is one line for each. */
export class ConfigErrors extends Error {
  /** At most `problemsMax`, sorted by file, line and column. */
  readonly problems: readonly ConfigProblem[];
  /** How many more there were. */
  readonly omitted: number;

  constructor(problems: readonly ConfigProblem[], omitted = 0) {
    super(ConfigErrors.describe(problems, omitted));
    this.name = "ConfigErrors";
    this.problems = problems;
    this.omitted = omitted;
  }

  /**
   * The text of a list of problems, one a line, with `and N more` at the end when some were left
   * out.
   */
  static describe(problems: readonly ConfigProblem[], omitted: number): string {
    const lines: string[] = problems.map(describeProblem);
    if (omitted > 0) lines.push(`and ${omitted} more`);
    return lines.join("\n");
  }
}
