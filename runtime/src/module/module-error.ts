// The one error of this room: a module that cannot be used, with every reason at once.

/** Thrown while modules are loaded; `server` refuses the configuration and keeps the old one. */
export class ModuleError extends Error {
  override readonly name = "ModuleError";
  /** Where the module came from: a file's name or "inline code". */
  readonly source: string;
  /** At least one; lower-case, each says what was found and what was expected. */
  readonly problems: readonly string[];

  constructor(source: string, problems: readonly string[]) {
    super(describe(source, problems));
    this.source = source;
    this.problems = problems;
  }
}

function describe(source: string, problems: readonly string[]): string {
  if (problems.length === 1) return `${source}: ${problems[0]}`;
  return [`${source}: ${problems.length} problems`, ...problems].join("\n  ");
}
