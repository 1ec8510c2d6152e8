// Reads the YAML that configurations are really written in, without building a document tree: ten
// times faster than the `yaml` package, and start-up need not load that package. It never reports
// an error: whatever it does not know for certain (tags, anchors, folded scalars, tabs, bad syntax,
// duplicate keys) it declines, and yaml-document.ts reads the text again. Called by source-text.ts.
import { type Dialect, type RawValue, readPlainScalar } from "./yaml-scalars.ts";

/** Deeper than this is left to the slow reader, which reports it. */
const depthMax = 100;

class Declined extends Error {}
const declined = new Declined("declined");

/** Offsets of one entry of a map or list; `key` is the dash's content for a list item. */
export interface EntrySpan {
  readonly key: number;
  /** Start of the value, or of its key when the value is a block below it. */
  readonly value: number;
}

/** Filled on request: for each map and list of the value, where its entries stand. */
export type Spans = Map<RawValue, Map<string | number, EntrySpan>>;

/**
 * The value of the text's only document, or undefined when the slow reader must look at it. With
 * `spans` it also notes where everything stands, at about twice the cost.
 */
export function readYamlFast(
  text: string,
  dialect: Dialect,
  spans: Spans | null = null,
): RawValue | undefined {
  // A tab, carriage return, byte order mark or control character has rules of its own.
  // oxlint-disable-next-line no-control-regex
  if (/[\0-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]/.test(text)) return undefined;
  try {
    return new FastReader(text, dialect, spans).document();
  } catch (error) {
    if (error === declined) return undefined;
    throw error;
  }
}

const newline = 0x0a;
const space = 0x20;
const doubleQuote = 0x22;
const hash = 0x23;
const singleQuote = 0x27;
const comma = 0x2c;
const dash = 0x2d;
const colon = 0x3a;
const openList = 0x5b;
const closeList = 0x5d;
const openMap = 0x7b;
const pipe = 0x7c;
const closeMap = 0x7d;

/**
 * Characters that cannot open a plain scalar. `-`, `?` and `:` can, before something else than a
 * space.
 */
const indicators: ReadonlySet<number> = new Set(Array.from("[]{},#&*!|>'\"%@`?", codeOf));

const flowIndicators: ReadonlySet<number> = new Set(Array.from(",[]{}", codeOf));

function codeOf(character: string): number {
  return character.charCodeAt(0);
}

class FastReader {
  readonly #text: string;
  readonly #dialect: Dialect;
  readonly #spans: Spans | null;
  #at: number = 0;
  #lineStart: number = 0;
  #depth: number = 0;

  constructor(text: string, dialect: Dialect, spans: Spans | null) {
    this.#text = text;
    this.#dialect = dialect;
    this.#spans = spans;
  }

  document(): RawValue {
    if (!this.#nextContent()) throw declined;
    if (this.#isMarker("---")) {
      this.#at += 3;
      this.#endLine();
      if (!this.#nextContent()) throw declined;
    }
    const first = this.#code(this.#at);
    if (this.#dialect === "json" && first !== openMap && first !== openList) throw declined;
    const value = this.#block(this.#column());
    if (this.#at < this.#text.length) throw declined;
    return value;
  }

  #note(container: RawValue, entry: string | number, key: number, value: number): void {
    if (this.#spans === null) return;
    let entries = this.#spans.get(container);
    if (entries === undefined) this.#spans.set(container, (entries = new Map()));
    entries.set(entry, { key, value });
  }

  #code(at: number): number {
    return at < this.#text.length ? this.#text.charCodeAt(at) : newline;
  }

  #column(): number {
    return this.#at - this.#lineStart;
  }

  #isMarker(marker: "---" | "..."): boolean {
    return this.#column() === 0 && this.#text.startsWith(marker, this.#at);
  }

  #isBreakAt(at: number): boolean {
    const code = this.#code(at);
    return code === space || code === newline;
  }

  #skipSpaces(): void {
    while (this.#at < this.#text.length && this.#text.charCodeAt(this.#at) === space) this.#at += 1;
  }

  /** Goes to the first character of the next line with content; false at the end of the text. */
  #nextContent(): boolean {
    for (;;) {
      this.#skipSpaces();
      if (this.#at >= this.#text.length) return false;
      const code = this.#code(this.#at);
      if (code !== newline && code !== hash) {
        if (code === dash && this.#isMarker("---") && this.#lineStart !== 0) {
          // Allowed once, before any content: document() has already accepted comments before it.
          if (!/^(?:[ ]*(?:#.*)?\n)*$/.test(this.#text.slice(0, this.#lineStart))) throw declined;
        }
        if (this.#isMarker("...")) throw declined;
        return true;
      }
      this.#skipLine();
    }
  }

  #skipLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end + 1;
    this.#lineStart = this.#at;
  }

  /** After a value: nothing but a comment may follow on its line. */
  #endLine(): void {
    const before = this.#at;
    this.#skipSpaces();
    if (this.#at >= this.#text.length) return;
    const code = this.#code(this.#at);
    if (code !== newline && (code !== hash || this.#at === before)) throw declined;
    this.#skipLine();
  }

  /** A block node whose first character, in column `indent`, is the current one. */
  #block(indent: number): RawValue {
    this.#depth += 1;
    if (this.#depth > depthMax) throw declined;
    const value = this.#blockNode(indent);
    this.#depth -= 1;
    return value;
  }

  #blockNode(indent: number): RawValue {
    const code = this.#code(this.#at);
    if (code === dash && this.#isBreakAt(this.#at + 1)) return this.#sequence(indent);
    if (this.#keyEnd() >= 0) return this.#mapping(indent);
    const value = this.#inline(indent - 1);
    // Content that goes on deeper would belong to this scalar.
    if (this.#nextContent() && this.#column() >= indent) throw declined;
    return value;
  }

  #sequence(indent: number): RawValue {
    const items: RawValue[] = [];
    do {
      this.#at += 1;
      this.#skipSpaces();
      this.#note(items, items.length, this.#at, this.#at);
      items.push(this.#sequenceItem(indent));
      if (!this.#nextContent() || this.#column() < indent) return items;
      if (this.#column() > indent) throw declined;
    } while (this.#code(this.#at) === dash && this.#isBreakAt(this.#at + 1));
    return items;
  }

  #sequenceItem(indent: number): RawValue {
    const code = this.#code(this.#at);
    if (code === newline || code === hash) return this.#onNextLines(indent, false);
    if (this.#keyEnd() >= 0 || (code === dash && this.#isBreakAt(this.#at + 1))) {
      return this.#block(this.#column());
    }
    return this.#inline(indent);
  }

  #mapping(indent: number): RawValue {
    const entries = new Map<string, RawValue>();
    for (;;) {
      const end = this.#keyEnd();
      if (end < 0) throw declined;
      const keyAt = this.#at;
      const key = this.#key(end);
      if (entries.has(key)) throw declined;
      this.#at = end + 1;
      this.#skipSpaces();
      const code = this.#code(this.#at);
      const isEmpty = code === newline || code === hash;
      this.#note(entries, key, keyAt, isEmpty ? keyAt : this.#at);
      entries.set(key, isEmpty ? this.#onNextLines(indent, true) : this.#inline(indent));
      if (!this.#nextContent() || this.#column() < indent) return entries;
      if (this.#column() > indent) throw declined;
    }
  }

  /** The value of `key:` or `-` with nothing behind it on the line. */
  #onNextLines(indent: number, isMapValue: boolean): RawValue {
    if (this.#code(this.#at) === hash && this.#code(this.#at - 1) !== space) throw declined;
    if (!this.#nextContent()) return null;
    const column = this.#column();
    if (column > indent) return this.#block(column);
    // A list may stand in the column of its key.
    if (isMapValue && column === indent && this.#code(this.#at) === dash) {
      if (this.#isBreakAt(this.#at + 1)) return this.#block(column);
    }
    return null;
  }

  /** Where the colon of `key:` stands when the current content is a key, else -1. */
  #keyEnd(): number {
    const code = this.#code(this.#at);
    if (code === doubleQuote || code === singleQuote) {
      const end = this.#quoteEnd(this.#at, code);
      if (end < 0) throw declined;
      let at = end + 1;
      while (this.#code(at) === space) at += 1;
      if (this.#code(at) !== colon) return -1;
      // `"key":value` is no key in block style.
      if (!this.#isBreakAt(at + 1)) throw declined;
      return at;
    }
    if (indicators.has(code)) return -1;
    if ((code === dash || code === colon) && this.#isBreakAt(this.#at + 1)) return -1;
    const end = this.#plainEnd(this.#at, false);
    return this.#code(end) === colon ? end : -1;
  }

  #key(end: number): string {
    const code = this.#code(this.#at);
    if (code === doubleQuote || code === singleQuote) return this.#quoted(code);
    const key = this.#text.slice(this.#at, end).trimEnd();
    // Null as a key, merges and keys that only look like a list item are left to the slow reader.
    if (key === "" || key === "~" || key === "<<" || key === "-") throw declined;
    return key;
  }

  /** A value on the line of its key or dash; its parent stands in column `parentIndent`. */
  #inline(parentIndent: number): RawValue {
    const code = this.#code(this.#at);
    if (code === pipe) return this.#literal(parentIndent);
    let value: RawValue;
    if (code === openMap || code === openList) value = this.#flow(parentIndent);
    else if (code === doubleQuote || code === singleQuote) value = this.#quoted(code);
    else value = this.#plain();
    this.#endLine();
    if (this.#at < this.#text.length) this.#refuseContinuation(parentIndent);
    return value;
  }

  // A deeper line after a finished value would continue a plain scalar, or be an error.
  #refuseContinuation(parentIndent: number): void {
    const at = this.#at;
    const lineStart = this.#lineStart;
    if (this.#nextContent() && this.#column() > parentIndent) throw declined;
    this.#at = at;
    this.#lineStart = lineStart;
  }

  #plain(): RawValue {
    const code = this.#code(this.#at);
    if (indicators.has(code)) throw declined;
    if ((code === dash || code === colon) && this.#isBreakAt(this.#at + 1)) throw declined;
    const end = this.#plainEnd(this.#at, false);
    if (this.#code(end) === colon) throw declined;
    const text = this.#text.slice(this.#at, end).trimEnd();
    this.#at = end;
    // The comment sign must still have its space before it for endLine().
    while (this.#code(this.#at - 1) === space) this.#at -= 1;
    return readPlainScalar(text, this.#dialect);
  }

  /**
   * The end of a plain scalar: the line's end, a comment, `: `, or in flow style one of `,[]{}`.
   */
  #plainEnd(from: number, isFlow: boolean): number {
    const text = this.#text;
    let at = from;
    for (; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === newline) break;
      if (code === hash && at > from && text.charCodeAt(at - 1) === space) break;
      if (code === colon && (this.#isBreakAt(at + 1) || (isFlow && this.#endsFlow(at + 1)))) break;
      if (isFlow && this.#endsFlow(at)) break;
    }
    return at;
  }

  #endsFlow(at: number): boolean {
    return flowIndicators.has(this.#code(at));
  }

  /** Index of the closing quote on the same line, or -1. */
  #quoteEnd(from: number, quote: number): number {
    const text = this.#text;
    for (let at = from + 1; at < text.length; at += 1) {
      const code = text.charCodeAt(at);
      if (code === newline) return -1;
      if (code === quote) {
        if (quote === doubleQuote || text.charCodeAt(at + 1) !== singleQuote) return at;
        at += 1;
      } else if (code === 0x5c && quote === doubleQuote) at += 1;
    }
    return -1;
  }

  #quoted(quote: number): string {
    const end = this.#quoteEnd(this.#at, quote);
    if (end < 0) throw declined;
    const raw = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    if (quote === singleQuote) return raw.includes("'") ? raw.replaceAll("''", "'") : raw;
    if (!raw.includes("\\")) return raw;
    // The escapes that JSON shares with YAML; \x41, \e, \N and such are left to the slow reader.
    if (!/^(?:[^\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*$/.test(raw)) throw declined;
    return JSON.parse(`"${raw}"`) as string;
  }

  /** `|`, `|-` or `|+`, without an indentation number. */
  #literal(parentIndent: number): string {
    this.#at += 1;
    const chomp = this.#text[this.#at];
    if (chomp === "-" || chomp === "+") this.#at += 1;
    this.#endLine();
    const lines: string[] = [];
    let indent = -1;
    while (this.#at < this.#text.length) {
      const start = this.#at;
      this.#skipSpaces();
      const column = this.#at - start;
      const isBlank = this.#code(this.#at) === newline;
      if (isBlank) {
        // Blanks wider than the content are content, or an error before the first line.
        if (column > 0 && (indent < 0 || column > indent)) throw declined;
      } else if (column <= parentIndent || (indent >= 0 && column < indent)) {
        this.#at = start;
        break;
      } else if (indent < 0) indent = column;
      this.#at = start;
      this.#skipLine();
      const end = this.#text.charCodeAt(this.#at - 1) === newline ? this.#at - 1 : this.#at;
      lines.push(isBlank ? "" : this.#text.slice(start + indent, end));
    }
    // What follows must stand further left, and an empty literal has corner cases of its own.
    if (indent < 0) throw declined;
    this.#refuseContinuation(parentIndent);
    return this.#chomped(lines, chomp);
  }

  #chomped(lines: string[], chomp: string | undefined): string {
    if (chomp === "+") {
      if (!this.#text.endsWith("\n") && this.#at >= this.#text.length) throw declined;
      return `${lines.join("\n")}\n`;
    }
    while (lines.length > 0 && lines.at(-1) === "") lines.pop();
    return chomp === "-" ? lines.join("\n") : `${lines.join("\n")}\n`;
  }

  /** `{...}` or `[...]`, which may go on over lines that stand right of `parentIndent`. */
  #flow(parentIndent: number): RawValue {
    this.#depth += 1;
    if (this.#depth > depthMax) throw declined;
    const isMap = this.#code(this.#at) === openMap;
    this.#at += 1;
    const value = isMap ? this.#flowMap(parentIndent) : this.#flowList(parentIndent);
    this.#depth -= 1;
    return value;
  }

  #flowList(parentIndent: number): RawValue {
    const items: RawValue[] = [];
    for (;;) {
      this.#flowSpace(parentIndent);
      if (this.#code(this.#at) === closeList) break;
      this.#note(items, items.length, this.#at, this.#at);
      items.push(this.#flowValue(parentIndent));
      this.#flowSpace(parentIndent);
      if (this.#code(this.#at) === closeList) break;
      // A colon here would make a map of one pair.
      if (this.#code(this.#at) !== comma) throw declined;
      this.#at += 1;
    }
    this.#at += 1;
    return items;
  }

  #flowMap(parentIndent: number): RawValue {
    const entries = new Map<string, RawValue>();
    for (;;) {
      this.#flowSpace(parentIndent);
      if (this.#code(this.#at) === closeMap) break;
      const keyAt = this.#at;
      const key = this.#flowKey(parentIndent);
      if (entries.has(key)) throw declined;
      this.#flowSpace(parentIndent);
      const code = this.#code(this.#at);
      const isNull = code === comma || code === closeMap;
      this.#note(entries, key, keyAt, isNull ? keyAt : this.#at);
      entries.set(key, isNull ? null : this.#flowValue(parentIndent));
      this.#flowSpace(parentIndent);
      if (this.#code(this.#at) === closeMap) break;
      if (this.#code(this.#at) !== comma) throw declined;
      this.#at += 1;
    }
    this.#at += 1;
    return entries;
  }

  /** A key with its colon. */
  #flowKey(parentIndent: number): string {
    const code = this.#code(this.#at);
    let key: string;
    if (code === doubleQuote || code === singleQuote) {
      key = this.#quoted(code);
      this.#flowSpace(parentIndent);
    } else {
      if (indicators.has(code) || code === dash || code === colon) throw declined;
      const end = this.#plainEnd(this.#at, true);
      key = this.#text.slice(this.#at, end).trimEnd();
      if (key === "" || key === "~" || key === "<<") throw declined;
      this.#at = end;
    }
    if (this.#code(this.#at) !== colon) throw declined;
    this.#at += 1;
    return key;
  }

  #flowValue(parentIndent: number): RawValue {
    const code = this.#code(this.#at);
    if (code === openMap || code === openList) return this.#flow(parentIndent);
    if (code === doubleQuote || code === singleQuote) return this.#quoted(code);
    if (indicators.has(code)) throw declined;
    if (
      (code === dash || code === colon) &&
      (this.#isBreakAt(this.#at + 1) || this.#endsFlow(this.#at + 1))
    )
      throw declined;
    const end = this.#plainEnd(this.#at, true);
    const text = this.#text.slice(this.#at, end).trimEnd();
    const isLineEnd = this.#code(end) === newline || this.#code(end) === hash;
    this.#at = end;
    if (isLineEnd) {
      // The next line must not continue the scalar.
      this.#flowSpace(parentIndent);
      const next = this.#code(this.#at);
      if (next !== comma && next !== closeMap && next !== closeList) throw declined;
    } else if (this.#code(end) === openMap || this.#code(end) === openList) throw declined;
    return readPlainScalar(text, this.#dialect);
  }

  /** Spaces, comments and line ends inside a flow collection. */
  #flowSpace(parentIndent: number): void {
    for (;;) {
      this.#skipSpaces();
      if (this.#at >= this.#text.length) throw declined;
      const code = this.#code(this.#at);
      if (code === newline) {
        this.#skipLine();
        this.#skipSpaces();
        const isBlank = this.#code(this.#at) === newline;
        if (!isBlank && this.#column() <= Math.max(parentIndent, 0) && this.#dialect === "yaml") {
          throw declined;
        }
      } else if (code === hash) {
        if (!this.#isBreakAt(this.#at - 1) && this.#column() > 0) throw declined;
        const end = this.#text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.#text.length : end;
      } else return;
    }
  }
}
