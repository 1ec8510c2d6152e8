// One text that configuration is read from, and the places in it. Made by bootstrap-loader.ts;
// every value of the configuration remembers its Place.
import { ConfigErrors, type ConfigProblem } from "./config-error.ts";
import type { TextPosition, YamlDocument } from "./yaml-document.ts";
import { readYamlFast, type Spans } from "./yaml-fast.ts";
import type { Dialect, RawValue } from "./yaml-scalars.ts";

/** A text with its name. Positions are worked out when somebody asks, not while reading. */
export class SourceText {
  /** As the user named it; stands in front of every problem. */
  readonly name: string;
  readonly #text: string;
  readonly #dialect: Dialect;
  // Set when the fast reader declined: then this one answers for positions too.
  #document: YamlDocument | null = null;
  #spans: Spans | null = null;
  #root: RawValue = null;
  #lineStarts: number[] | null = null;

  constructor(name: string, text: string, dialect: Dialect) {
    this.name = name;
    this.#text = text;
    this.#dialect = dialect;
  }

  /**
   * The whole text as plain data; throws ConfigErrors with every syntax error. Loads the `yaml`
   * package only when the fast reader declines, which is why it is asynchronous.
   */
  async read(): Promise<RawValue> {
    const fast = readYamlFast(this.#text, this.#dialect);
    if (fast !== undefined) return fast;
    const module = await import("./yaml-document.ts");
    this.#document = new module.YamlDocument(this.#text, this.#dialect);
    const { value, problems } = this.#document.read();
    if (problems.length === 0) return value;
    const all: ConfigProblem[] = [];
    for (const { line, column, message } of problems) {
      all.push({ file: this.name, line, column, path: "", message });
    }
    throw new ConfigErrors(all.slice(0, 100), Math.max(0, all.length - 100));
  }

  /** Where the value at `keys` (keys and indexes as they stand in the text) or its key starts. */
  locate(keys: readonly (string | number)[], wantKey: boolean): TextPosition {
    if (this.#document !== null) return this.#document.locate(keys, wantKey);
    if (this.#spans === null) {
      this.#spans = new Map();
      this.#root = readYamlFast(this.#text, this.#dialect, this.#spans) ?? null;
    }
    let value: RawValue | undefined = this.#root;
    let offset = this.#contentStart();
    for (const [index, key] of keys.entries()) {
      const span = value === undefined ? undefined : this.#spans.get(value)?.get(key);
      if (span === undefined) break;
      offset = wantKey && index === keys.length - 1 ? span.key : span.value;
      if (Array.isArray(value)) value = (value as readonly RawValue[])[Number(key)];
      else value = (value as ReadonlyMap<string, RawValue>).get(String(key));
    }
    return this.#position(offset);
  }

  #contentStart(): number {
    const content = /^(?:[ ]*(?:#.*|---.*)?\n)*[ ]*/.exec(this.#text)?.[0].length ?? 0;
    return content < this.#text.length ? content : 0;
  }

  #position(offset: number): TextPosition {
    this.#lineStarts ??= lineStartsOf(this.#text);
    const starts = this.#lineStarts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 };
  }
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/**
 * Where a value stands in its text: a chain of keys and indexes as they are written there, which
 * may differ from the field path (camelCase, one object for a list, TypedStruct, --config-yaml).
 */
export class Place {
  readonly source: SourceText | null;
  readonly #parent: Place | null;
  readonly #key: string | number;

  constructor(source: SourceText | null, parent: Place | null = null, key: string | number = "") {
    this.source = source;
    this.#parent = parent;
    this.#key = key;
  }

  child(key: string | number): Place {
    return new Place(this.source, this, key);
  }

  keys(): (string | number)[] {
    const keys: (string | number)[] = [];
    const collect = (place: Place): void => {
      if (place.#parent === null) return;
      collect(place.#parent);
      keys.push(place.#key);
    };
    collect(this);
    return keys;
  }

  /** File, line and column; all empty for values that came without a text (xDS). */
  position(wantKey = false): { readonly file: string } & TextPosition {
    if (this.source === null) return { file: "", line: 0, column: 0 };
    const { line, column } = this.source.locate(this.keys(), wantKey);
    return { file: this.source.name, line, column };
  }
}
