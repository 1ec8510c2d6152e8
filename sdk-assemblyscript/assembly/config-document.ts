// A configured document: the tape, the bytes it points into, and what its reading finds wrong.
import { Configuration, ReadingCheck } from "./configuration";
import { doubleOf } from "./decimal-double";
import { isJsonNumber } from "./json";
import { isUnsignedDouble, isUnsignedText, isWholeDouble, isWholeText } from "./numbers";
import { findMember, nodeEnd, nodeKind, nodeLength, nodeOffset, NODE_BYTES, NodeKind } from "./tape";
import { decimal } from "./text";
import { isDuration, isSize } from "./units";
import { decodeUtf8 } from "./utf8";

/** In a node's kind: the member was asked for, or the object was handed out. */
const READ: u32 = 0x100;
/** Messages must not show the value. */
const HIDDEN: u32 = 0x200;
const KIND: u32 = 0xff;

/** Nodes are indexes into the tape; 0 is the document itself. */
export class ConfigDocument extends ReadingCheck {
  constructor(
    private readonly owner: Configuration,
    private readonly bytes: StaticArray<u8>,
    private readonly nodes: StaticArray<u32>,
  ) {
    super();
  }

  /** Errors of the whole configuration so far. */
  get errorCount(): i32 {
    return this.owner.errorCount;
  }

  kind(node: u32): NodeKind {
    return nodeKind(this.tape(), node) & KIND;
  }

  /** Index behind the node and all that is inside of it. */
  end(node: u32): u32 {
    return nodeEnd(this.tape(), node);
  }

  /** The text of a string, or a number as it was written. */
  text(node: u32): string {
    return decodeUtf8(this.start(node), nodeLength(this.tape(), node));
  }

  /** Whether a number is a whole one of 64 bits; `wholeValue` of numbers.ts then has it. */
  isWhole(node: u32): bool {
    const kind = this.kind(node);
    if (kind == NodeKind.Double) return isWholeDouble(load<f64>(this.start(node)));
    return kind == NodeKind.Number && isWholeText(this.start(node), nodeLength(this.tape(), node));
  }

  /** As `isWhole`, for numbers without a sign; `wholeValue` then has the bits of one. */
  isUnsigned(node: u32): bool {
    const kind = this.kind(node);
    if (kind == NodeKind.Double) return isUnsignedDouble(load<f64>(this.start(node)));
    return (
      kind == NodeKind.Number && isUnsignedText(this.start(node), nodeLength(this.tape(), node))
    );
  }

  /** Whether a string is a duration or a size; `unitValue` of units.ts then has it. */
  isDuration(node: u32): bool {
    if (this.kind(node) != NodeKind.String) return false;
    return isDuration(this.start(node), nodeLength(this.tape(), node));
  }

  isSize(node: u32): bool {
    if (this.kind(node) != NodeKind.String) return false;
    return isSize(this.start(node), nodeLength(this.tape(), node));
  }

  /** How many code points a string has. */
  characters(node: u32): u32 {
    const start = this.start(node);
    const stop = start + nodeLength(this.tape(), node);
    let count: u32 = 0;
    for (let at = start; at < stop; at++) if ((load<u8>(at) & 0xc0) != 0x80) count++;
    return count;
  }

  /** Whether a value can be read as a double: a number, or a string that holds just one. */
  isDouble(node: u32): bool {
    const kind = this.kind(node);
    if (kind == NodeKind.Number || kind == NodeKind.Double) return true;
    // Envoy makes a string of every fraction that a Struct has in YAML.
    if (kind != NodeKind.String) return false;
    return isJsonNumber(this.start(node), nodeLength(this.tape(), node));
  }

  double(node: u32): f64 {
    if (this.kind(node) == NodeKind.Double) return load<f64>(this.start(node));
    return doubleOf(this.start(node), nodeLength(this.tape(), node));
  }

  /** The value of a member; 0 when the object does not have it. */
  member(object: u32, name: string): u32 {
    return findMember(this.tape(), changetype<usize>(this.bytes), object, name);
  }

  /** Marks an object as handed out, or a member as asked for. */
  markRead(node: u32): void {
    this.mark(node, READ);
  }

  /** Messages about the value, and about all inside of it, show nothing of it. */
  hide(node: u32): void {
    const end = this.end(node);
    for (let at = node; at < end; at++) this.mark(at, HIDDEN);
  }

  /** JSON pointer (RFC 6901) of a value, or of a member's name; "" is the document. */
  pointer(node: u32): string {
    let path = "";
    let parent: u32 = 0;
    while (parent < node) {
      const isObject = this.kind(parent) == NodeKind.Object;
      let value = isObject ? parent + 2 : parent + 1;
      let index: u64 = 0;
      // A name comes right before its value, which malformed text may not have.
      while (node >= value && node >= this.end(value)) {
        value = this.end(value) + (isObject ? 1 : 0);
        index++;
      }
      path += "/" + (isObject ? escapeStep(this.text(value - 1)) : decimal(index));
      parent = node < value ? node : value;
    }
    return path;
  }

  /** Adds an error about a node. */
  fail(node: u32, message: string): void {
    this.owner.fail(this.pointer(node), message);
  }

  /** Adds an error about a member that has no node. */
  failMember(object: u32, name: string, message: string): void {
    this.owner.fail(this.pointer(object) + "/" + escapeStep(name), message);
  }

  /** Adds the error that a node is not what was expected. */
  mismatch(node: u32, expected: string): void {
    this.fail(node, "must be " + expected + ", found " + this.describe(node));
  }

  /** Reports members of handed out objects that nothing asked for. */
  finish(): void {
    this.reportUnread(0);
  }

  private reportUnread(node: u32): u32 {
    const kind = this.kind(node);
    const end = this.end(node);
    const isRead = this.isRead(node);
    let at = node + 1;
    while (at < end) {
      if (kind == NodeKind.Object) {
        if (isRead && !this.isRead(at)) this.fail(at, "unknown field");
        at++;
      }
      at = this.reportUnread(at);
    }
    return end;
  }

  private isRead(node: u32): bool {
    return (nodeKind(this.tape(), node) & READ) != 0;
  }

  private describe(node: u32): string {
    switch (this.kind(node)) {
      case NodeKind.Null:
        return "null";
      case NodeKind.False:
        return "false";
      case NodeKind.True:
        return "true";
      case NodeKind.Number:
        if ((nodeKind(this.tape(), node) & HIDDEN) != 0) return "a number";
        return this.text(node);
      case NodeKind.Double:
        return "a number";
      case NodeKind.String:
        return "a string";
      case NodeKind.Array:
        return "an array";
      default:
        return "an object";
    }
  }

  private mark(node: u32, bit: u32): void {
    const address = this.tape() + node * NODE_BYTES;
    store<u32>(address, load<u32>(address) | bit);
  }

  private tape(): usize {
    return changetype<usize>(this.nodes);
  }

  private start(node: u32): usize {
    return changetype<usize>(this.bytes) + nodeOffset(this.tape(), node);
  }
}

/** `~` and `/` inside a step of a pointer. */
function escapeStep(step: string): string {
  if (!step.includes("~") && !step.includes("/")) return step;
  let escaped = "";
  for (let i = 0; i < step.length; i++) {
    const letter = step.charAt(i);
    escaped += letter == "~" ? "~0" : letter == "/" ? "~1" : letter;
  }
  return escaped;
}
