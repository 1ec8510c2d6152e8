// JSON (RFC 8259) that did not come as configuration: bodies, tokens, answers of other services.
import { doubleOf } from "../decimal-double";
import { jsonProblem as problemOfRead, jsonProblemOffset, readJson } from "../json";
import { isWholeText, wholeValue } from "../numbers";
import {
  findMember,
  nodeEnd,
  NodeKind,
  nodeKind,
  nodeLength,
  nodeOffset,
  takeTape,
} from "../tape";
import { decimal } from "../text";
import { decodeUtf8, encodedLength, encodeUtf8, isTextEqual } from "../utf8";

let hasProblem: bool = false;

/**
 * The value that the bytes are, copied; null when they are not exactly one: also for a name that
 * appears twice, text that is not UTF-8, nesting past 64 and more than a million values.
 */
export function parseJson(bytes: Uint8Array): JsonValue | null {
  return parseMemory(bytes.dataStart, bytes.length);
}

/** The value that the text is, as `parseJson`. */
export function parseJsonText(text: string): JsonValue | null {
  const start = encodeUtf8(text);
  return parseMemory(start, encodedLength());
}

/** What was wrong with the last text that was refused, and where. */
export function jsonProblem(): string {
  return hasProblem ? problemOfRead() + " at byte " + decimal(jsonProblemOffset()) : "";
}

function parseMemory(start: usize, length: u32): JsonValue | null {
  const bytes = new StaticArray<u8>(length);
  memory.copy(changetype<usize>(bytes), start, length);
  hasProblem = !readJson(changetype<usize>(bytes), length);
  return hasProblem ? null : new JsonValue(bytes, takeTape(), 0);
}

/** A value of a document. What it is not asked for costs nothing: text is made when read. */
@final
export class JsonValue {
  /** The element that `at` gave last, and where it is: the next one is not far. */
  private lastIndex: i32 = -1;
  private lastNode: u32 = 0;

  constructor(
    private readonly bytes: StaticArray<u8>,
    private readonly nodes: StaticArray<u32>,
    private readonly node: u32,
  ) {}

  get isNull(): bool {
    return this.kind == NodeKind.Null;
  }

  get isBool(): bool {
    return this.kind == NodeKind.True || this.kind == NodeKind.False;
  }

  get isNumber(): bool {
    return this.kind == NodeKind.Number;
  }

  get isText(): bool {
    return this.kind == NodeKind.String;
  }

  get isArray(): bool {
    return this.kind == NodeKind.Array;
  }

  get isObject(): bool {
    return this.kind == NodeKind.Object;
  }

  /** The text of a string; null for all else. */
  text(): string | null {
    return this.isText ? this.content() : null;
  }

  /** Whether it is a string of this text, told without making one. */
  isTextEqual(text: string): bool {
    return this.isText && isTextEqual(this.start, nodeLength(this.tape, this.node), text);
  }

  /** True for `true`; `fallback` for what is neither true nor false. */
  bool(fallback: bool = false): bool {
    return this.isBool ? this.kind == NodeKind.True : fallback;
  }

  /** The double nearest to a number; `fallback` for all else. */
  number(fallback: f64 = NaN): f64 {
    return this.isNumber ? doubleOf(this.start, nodeLength(this.tape, this.node)) : fallback;
  }

  /** A whole number, exactly; `fallback` for all else, for a fraction and past 64 bits. */
  whole(fallback: i64 = 0): i64 {
    const isWhole = this.isNumber && isWholeText(this.start, nodeLength(this.tape, this.node));
    return isWhole ? wholeValue() : fallback;
  }

  /** A number as it was written; null for all else. */
  numberText(): string | null {
    return this.isNumber ? this.content() : null;
  }

  /** A member of an object; null when there is none, and of all else. Looks at each until found. */
  get(name: string): JsonValue | null {
    if (!this.isObject) return null;
    const node = findMember(this.tape, changetype<usize>(this.bytes), this.node, name);
    return node == 0 ? null : new JsonValue(this.bytes, this.nodes, node);
  }

  /** The text of a member; null when there is none or it is no string. */
  getText(name: string): string | null {
    const value = this.get(name);
    return value === null ? null : value.text();
  }

  /** Number of elements or members; walks over all. 0 for what is neither. */
  get length(): i32 {
    if (!this.isArray && !this.isObject) return 0;
    const end = nodeEnd(this.tape, this.node);
    let count = 0;
    for (let at = this.node + this.step; at < end; at = this.after(at)) count++;
    return count;
  }

  /** An element, or the value of a member; null outside. One after the other is quick. */
  at(index: i32): JsonValue | null {
    const node = this.find(index);
    return node == 0 ? null : new JsonValue(this.bytes, this.nodes, node);
  }

  /** The name of a member; null outside, and of what is no object. */
  nameAt(index: i32): string | null {
    const node = this.isObject ? this.find(index) : 0;
    return node == 0 ? null : new JsonValue(this.bytes, this.nodes, node - 1).content();
  }

  private find(index: i32): u32 {
    if ((!this.isArray && !this.isObject) || index < 0) return 0;
    const end = nodeEnd(this.tape, this.node);
    let node = this.node + this.step;
    let position = 0;
    if (this.lastIndex >= 0 && this.lastIndex <= index) {
      node = this.lastNode;
      position = this.lastIndex;
    }
    while (position < index && node < end) {
      node = this.after(node);
      position++;
    }
    if (node >= end) return 0;
    this.lastIndex = index;
    this.lastNode = node;
    return node;
  }

  /** The value behind this one; in an object a name stands between. */
  private after(node: u32): u32 {
    return nodeEnd(this.tape, node) + this.step - 1;
  }

  /** How far the first value is from its container. */
  private get step(): u32 {
    return this.isObject ? 2 : 1;
  }

  private content(): string {
    return decodeUtf8(this.start, nodeLength(this.tape, this.node));
  }

  private get kind(): NodeKind {
    return nodeKind(this.tape, this.node);
  }

  private get tape(): usize {
    return changetype<usize>(this.nodes);
  }

  private get start(): usize {
    return changetype<usize>(this.bytes) + nodeOffset(this.tape, this.node);
  }
}
