// The slow, exact YAML reader: builds the document tree of the `yaml` package, reports every syntax
// error and duplicate key with its place, and finds the place of any value. Called by
// source-text.ts when the fast reader declined the text or when somebody asks for a position.
import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Pair,
  Scalar,
  type YAMLMap,
} from "yaml";
import { type Dialect, type RawValue, readPlainScalar } from "./yaml-scalars.ts";

/** A place in a text, both from 1. */
export interface TextPosition {
  readonly line: number;
  readonly column: number;
}

export interface TextProblem extends TextPosition {
  readonly message: string;
}

/** What the reader found: a value when `problems` is empty. */
export interface DocumentResult {
  readonly value: RawValue;
  readonly problems: readonly TextProblem[];
}

/** Aliases may multiply the text's values up to this many, against "billion laughs" documents. */
const aliasedNodesMax = 1_000_000;
const depthMax = 100;
const mergeKey = "<<";
const ignoreTag = "!ignore";

export class YamlDocument {
  readonly #root: Node | null;
  readonly #lines: LineCounter;
  readonly #dialect: Dialect;
  readonly #problems: TextProblem[];
  // Anchored nodes that stand open around the current one: an alias to one of them has no end.
  readonly #open: Set<Node>;
  readonly #anchors: Map<string, Node>;
  #aliasedNodes: number = 0;
  #aliasDepth: number = 0;
  #depth: number = 0;

  constructor(text: string, dialect: Dialect) {
    this.#lines = new LineCounter();
    this.#dialect = dialect;
    this.#problems = [];
    this.#open = new Set();
    this.#anchors = new Map();
    this.#root = this.#parse(text);
  }

  #parse(text: string): Node | null {
    try {
      const document = parseDocument<Node>(text, {
        lineCounter: this.#lines,
        schema: "failsafe",
        uniqueKeys: false,
        prettyErrors: false,
        logLevel: "error",
      });
      for (const error of document.errors) this.#report(error.pos[0], syntaxMessage(error));
      return document.contents;
    } catch (error) {
      // The package recurses with the text's depth: an overflow is the text's fault. Anything else
      // that it throws about a text is one too, but says what.
      const reason = error instanceof RangeError ? "nested too deeply" : String(error);
      this.#report(0, `not readable as YAML: ${reason}`);
      return null;
    }
  }

  /** Reads all values; call once. */
  read(): DocumentResult {
    let value: RawValue = null;
    if (this.#problems.length === 0) {
      const root = this.#root;
      if (this.#dialect === "json" && !(isMap(root) && root.flow === true)) {
        this.#report(root?.range?.[0] ?? 0, "found no JSON object, expected {");
      } else value = this.#value(root);
    }
    return { value, problems: this.#problems };
  }

  /**
   * Where the value at `keys` starts, or with `wantKey` its key. When the path leads to nothing,
   * the last part of it that exists.
   */
  locate(keys: readonly (string | number)[], wantKey: boolean): TextPosition {
    let node: Node | null = this.#root;
    let offset = node?.range?.[0] ?? 0;
    for (const [index, key] of keys.entries()) {
      const target = this.#resolve(node);
      if (isSeq(target) && typeof key === "number") {
        node = (target.items[key] ?? null) as Node | null;
        if (node === null) break;
        offset = node.range?.[0] ?? offset;
        continue;
      }
      const pair = isMap(target) ? this.#pair(target, String(key)) : undefined;
      if (pair === undefined) break;
      const keyOffset = (pair.key as Node | null)?.range?.[0] ?? offset;
      node = pair.value as Node | null;
      const isLast = index === keys.length - 1;
      offset = isLast && wantKey ? keyOffset : this.#valueOffset(node, keyOffset);
    }
    return this.#position(offset);
  }

  // A missing value (`key:`) and a nested block are best shown by their key.
  #valueOffset(node: Node | null, keyOffset: number): number {
    const range = node?.range;
    if (range === null || range === undefined || range[0] === range[1]) return keyOffset;
    return (isMap(node) || isSeq(node)) && node.flow !== true ? keyOffset : range[0];
  }

  #position(offset: number): TextPosition {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  #report(offset: number, message: string): void {
    this.#problems.push({ ...this.#position(offset), message });
  }

  #value(node: Node | null | undefined): RawValue {
    if (node === null || node === undefined) return null;
    if (this.#aliasDepth > 0 && ++this.#aliasedNodes > aliasedNodesMax) return null;
    if (isAlias(node)) return this.#aliasValue(node);
    if (isScalar(node)) return this.#scalar(node);
    this.#depth += 1;
    let value: RawValue = null;
    if (this.#depth > depthMax) {
      if (this.#depth === depthMax + 1) this.#report(node.range?.[0] ?? 0, "nested too deeply");
    } else {
      const anchor = "anchor" in node ? node.anchor : undefined;
      if (anchor !== undefined) this.#anchors.set(anchor, node);
      this.#open.add(node);
      if (isMap(node)) value = this.#map(node);
      else if (isSeq(node)) value = node.items.map((item) => this.#value(item as Node | null));
      this.#open.delete(node);
    }
    this.#depth -= 1;
    return value;
  }

  #scalar(node: Scalar): RawValue {
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    const text = scalarText(node);
    // A lone `!` says that an unquoted scalar is text, as for yaml-cpp.
    if (node.type !== Scalar.PLAIN || node.tag === "!") return text;
    return readPlainScalar(text, this.#dialect);
  }

  #aliasValue(alias: Alias): RawValue {
    const target = this.#anchors.get(alias.source);
    const offset = alias.range?.[0] ?? 0;
    if (target === undefined) {
      this.#report(
        offset,
        `found the alias *${alias.source}, expected an anchor of that name before`,
      );
      return null;
    }
    if (this.#open.has(target)) {
      this.#report(offset, `the alias *${alias.source} contains itself`);
      return null;
    }
    const before = this.#aliasedNodes;
    this.#aliasDepth += 1;
    const value = this.#value(target);
    this.#aliasDepth -= 1;
    if (before <= aliasedNodesMax && this.#aliasedNodes > aliasedNodesMax) {
      this.#report(offset, `aliases repeat more than ${aliasedNodesMax} values`);
    }
    return value;
  }

  #map(node: YAMLMap): RawValue {
    const entries = new Map<string, RawValue>();
    const seen = new Map<string, number>();
    const merges: [Node | null, RawValue][] = [];
    for (const pair of node.items) {
      const keyNode = pair.key as Node | null;
      if (keyNode !== null && "tag" in keyNode && keyNode.tag === ignoreTag) {
        // Dropped, but its anchors may be used elsewhere: that is what such entries are for.
        this.#value(pair.value as Node | null);
        continue;
      }
      const key = this.#keyText(keyNode);
      if (key === undefined) continue;
      const value = this.#value(pair.value as Node | null);
      if (key === mergeKey && isScalar(keyNode) && keyNode.type === Scalar.PLAIN) {
        merges.push([pair.value as Node | null, value]);
        continue;
      }
      const offset = keyNode?.range?.[0] ?? 0;
      const first = seen.get(key);
      if (first !== undefined) {
        const { line, column } = this.#position(first);
        this.#report(offset, `duplicate key "${key}" (first set at ${line}:${column})`);
      } else {
        seen.set(key, offset);
        entries.set(key, value);
      }
    }
    for (const [source, value] of merges) this.#merge(entries, source, value);
    return entries;
  }

  // Keys of the map itself win over merged ones, and earlier merged maps over later.
  #merge(entries: Map<string, RawValue>, source: Node | null, value: RawValue): void {
    const maps = Array.isArray(value) ? value : [value];
    for (const map of maps) {
      if (map instanceof Map) {
        for (const [key, merged] of map as ReadonlyMap<string, RawValue>) {
          if (!entries.has(key)) entries.set(key, merged);
        }
      } else {
        this.#report(
          source?.range?.[0] ?? 0,
          `found no map behind the merge key "<<", expected a map or a list of maps`,
        );
      }
    }
  }

  #keyText(key: Node | null): string | undefined {
    const target = isAlias(key) ? (this.#anchors.get(key.source) ?? null) : key;
    if (target === null) return "null";
    if (!isScalar(target)) {
      this.#report(target.range?.[0] ?? 0, "found a collection as a map key, expected a name");
      return undefined;
    }
    if (target.anchor !== undefined) this.#anchors.set(target.anchor, target);
    const text = scalarText(target);
    return target.type === Scalar.PLAIN && (text === "" || text === "~") ? "null" : text;
  }

  #resolve(node: Node | null): Node | null {
    let target = node;
    for (let hops = 0; isAlias(target) && hops < depthMax; hops += 1) {
      target = this.#anchors.get(target.source) ?? null;
    }
    return target;
  }

  #pair(map: YAMLMap, key: string, hops = 0): Pair | undefined {
    const merges: Pair[] = [];
    for (const pair of map.items) {
      const keyNode = pair.key as Node | null;
      if (keyNode !== null && "tag" in keyNode && keyNode.tag === ignoreTag) continue;
      const target = this.#resolve(keyNode);
      if (!isScalar(target)) continue;
      if (String(target.value) === key) return pair;
      if (target.value === mergeKey) merges.push(pair);
    }
    if (hops > depthMax) return undefined;
    for (const merge of merges) {
      const source = this.#resolve(merge.value as Node | null);
      for (const item of isSeq(source) ? source.items : [source]) {
        const merged = this.#resolve(item as Node | null);
        const found = isMap(merged) ? this.#pair(merged, key, hops + 1) : undefined;
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}

// The failsafe schema makes every scalar a string, and null of nothing.
function scalarText(node: Scalar): string {
  return typeof node.value === "string" ? node.value : "";
}

function syntaxMessage(error: { readonly code: string; readonly message: string }): string {
  if (error.code === "MULTIPLE_DOCS") return "found a second YAML document, expected only one";
  const message = error.message.charAt(0).toLowerCase() + error.message.slice(1);
  return `not valid YAML: ${message.replace(/[.:]$/, "")}`;
}
