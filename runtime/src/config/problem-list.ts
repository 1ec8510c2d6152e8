// Gathers what is wrong with a configuration while it is walked, and gives it positions at the end:
// positions cost a second reading of the text. Used by the walker, the rules and the loader; the
// translator reports to one as well.
import { ConfigErrors, type ConfigProblem, problemsMax } from "./config-error.ts";
import { pathWithoutSecrets, withoutSecrets } from "./sensitive-fields.ts";
import type { Place } from "./source-text.ts";

/** A field path as a chain, put into words only when there is something to say. */
export class FieldPath {
  readonly #parent: FieldPath | null;
  readonly #segment: string;

  constructor(parent: FieldPath | null = null, segment = "") {
    this.#parent = parent;
    this.#segment = segment;
  }

  field(name: string): FieldPath {
    return new FieldPath(this, `.${name}`);
  }

  item(index: number): FieldPath {
    return new FieldPath(this, `[${index}]`);
  }

  key(name: string): FieldPath {
    return new FieldPath(this, `[${JSON.stringify(name)}]`);
  }

  /** `static_resources.listeners[0].metadata["x"]`; "" for the root. */
  toString(): string {
    const segments: string[] = [this.#segment];
    for (let path = this.#parent; path !== null; path = path.#parent) segments.push(path.#segment);
    const text = segments.reverse().join("");
    return text.startsWith(".") ? text.slice(1) : text;
  }
}

/** What of a field a problem is about: the key that should not be there, or the value. */
export type ProblemPart = "key" | "value";

interface Found {
  readonly place: Place;
  readonly part: ProblemPart;
  readonly path: string;
  readonly message: string;
}

export class ProblemList {
  readonly #errors: Found[];
  readonly #warnings: Found[];
  #omitted: number = 0;

  constructor() {
    this.#errors = [];
    this.#warnings = [];
  }

  /** How many errors, those beyond the limit included. */
  get errorCount(): number {
    return this.#errors.length + this.#omitted;
  }

  error(place: Place, path: FieldPath, message: string, part: ProblemPart = "value"): void {
    if (this.#errors.length >= problemsMax) this.#omitted += 1;
    else this.#errors.push(found(place, part, path.toString(), message));
  }

  warn(place: Place, path: FieldPath, message: string, part: ProblemPart = "key"): void {
    if (this.#warnings.length >= problemsMax) return;
    this.#warnings.push(found(place, part, path.toString(), message));
  }

  /** All warnings so far, in the order of the text; at most `problemsMax`. */
  warnings(): ConfigProblem[] {
    return located(this.#warnings);
  }

  /** All errors so far in the order of the text, null when there are none. */
  errors(): ConfigErrors | null {
    if (this.#errors.length === 0) return null;
    return new ConfigErrors(located(this.#errors), this.#omitted);
  }

  /** Throws what `errors` answers. */
  throwIfAny(): void {
    const errors = this.errors();
    if (errors !== null) throw errors;
  }
}

/** Whatever is wrong, secrets are not shown: messages go to logs and to /config_dump. */
function found(place: Place, part: ProblemPart, path: string, message: string): Found {
  return { place, part, path: pathWithoutSecrets(path), message: withoutSecrets(path, message) };
}

function located(list: readonly Found[]): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const { place, part, path, message } of list) {
    problems.push({ ...place.position(part === "key"), path, message });
  }
  return problems.sort(byPosition);
}

// Sorting is stable: problems of one position keep the order in which they were found.
function byPosition(left: ConfigProblem, right: ConfigProblem): number {
  if (left.file !== right.file) return left.file < right.file ? -1 : 1;
  return left.line - right.line || left.column - right.column;
}
