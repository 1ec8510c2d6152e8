// Typed access to a configured object: defaults for what is absent, an error with a JSON pointer
// for what does not fit. Handed out by Configuration.json; nothing here traps.
import { ConfigDocument } from "./config-document";
import { wholeValue } from "./numbers";
import { NodeKind } from "./tape";
import { signedDecimal } from "./text";

/**
 * An object of the configuration. A member that no method asked for is an error when the
 * configuration is accepted, so that a misspelt name is found; `ignoreUnread` lifts that.
 */
export class ConfigObject {
  constructor(
    private readonly document: ConfigDocument,
    private readonly node: u32,
  ) {
    if (document.kind(node) == NodeKind.Object) document.markRead(node);
    else document.mismatch(node, "an object");
  }

  /** JSON pointer (RFC 6901) of this object: `/routes/0`, "" for the whole configuration. */
  get pointer(): string {
    return this.document.pointer(this.node);
  }

  /** Whether the member is there. Does not count as reading it. */
  has(name: string): bool {
    return this.find(name) != 0;
  }

  /** Adds an error when the member is absent; false then. */
  required(name: string): bool {
    if (this.has(name)) return true;
    this.fail(name, "is required");
    return false;
  }

  /** Adds an error about a member. */
  fail(name: string, message: string): void {
    this.document.failMember(this.node, name, message);
  }

  /** A string member; `fallback` when it is absent, and an error when it is something else. */
  string(name: string, fallback: string = ""): string {
    const member = this.take(name);
    return member == 0 ? fallback : readString(this.document, member, fallback);
  }

  /** The same for true and false. */
  bool(name: string, fallback: bool = false): bool {
    const member = this.take(name);
    return member == 0 ? fallback : readBool(this.document, member, fallback);
  }

  /** A whole number from `least` to `most`, both included; `1e3` and `1.0` are whole, too. */
  i64(name: string, fallback: i64 = 0, least: i64 = i64.MIN_VALUE, most: i64 = i64.MAX_VALUE): i64 {
    const member = this.take(name);
    return member == 0 ? fallback : readWhole(this.document, member, fallback, least, most);
  }

  /** As `i64`, for numbers without a sign. */
  u32(name: string, fallback: u32 = 0, least: u32 = 0, most: u32 = u32.MAX_VALUE): u32 {
    return <u32>this.i64(name, fallback, least, most);
  }

  /** A number; also as a string that holds one, which Envoy makes of fractions in YAML. */
  f64(name: string, fallback: f64 = 0): f64 {
    const member = this.take(name);
    return member == 0 ? fallback : readDouble(this.document, member, fallback);
  }

  /** A nested object; null when it is absent. */
  object(name: string): ConfigObject | null {
    const member = this.take(name);
    return member == 0 ? null : new ConfigObject(this.document, member);
  }

  /** A nested array; null when it is absent. */
  array(name: string): ConfigArray | null {
    const member = this.take(name);
    return member == 0 ? null : new ConfigArray(this.document, member);
  }

  /** The members' names, for an object that is a map: then read each by its name. */
  keys(): string[] {
    const names: string[] = [];
    if (this.document.kind(this.node) != NodeKind.Object) return names;
    const end = this.document.end(this.node);
    let at = this.node + 1;
    while (at < end) {
      names.push(this.document.text(at));
      at = this.document.end(at + 1);
    }
    return names;
  }

  /** Members that nothing reads are no error in this object. */
  ignoreUnread(): void {
    const names = this.keys();
    for (let i = 0; i < names.length; i++) this.take(names[i]);
  }

  private find(name: string): u32 {
    if (this.document.kind(this.node) != NodeKind.Object) return 0;
    return this.document.member(this.node, name);
  }

  private take(name: string): u32 {
    const member = this.find(name);
    if (member != 0) this.document.markRead(member - 1);
    return member;
  }
}

/** An array of the configuration. An index outside of it is an error, never a trap. */
export class ConfigArray {
  /** The number of elements; 0 when it is no array, which is an error. */
  readonly length: i32;

  constructor(
    private readonly document: ConfigDocument,
    private readonly node: u32,
  ) {
    let length = 0;
    if (document.kind(node) == NodeKind.Array) {
      const end = document.end(node);
      let at = node + 1;
      while (at < end) {
        length++;
        at = document.end(at);
      }
    } else {
      document.mismatch(node, "an array");
    }
    this.length = length;
  }

  /** Adds an error about an element. */
  fail(index: i32, message: string): void {
    this.document.failMember(this.node, signedDecimal(index), message);
  }

  /** As in ConfigObject, of the element at `index`. */
  string(index: i32, fallback: string = ""): string {
    const element = this.find(index);
    return element == 0 ? fallback : readString(this.document, element, fallback);
  }

  /** As in ConfigObject. */
  bool(index: i32, fallback: bool = false): bool {
    const element = this.find(index);
    return element == 0 ? fallback : readBool(this.document, element, fallback);
  }

  /** As in ConfigObject: a whole number from `least` to `most`. */
  i64(index: i32, fallback: i64 = 0, least: i64 = i64.MIN_VALUE, most: i64 = i64.MAX_VALUE): i64 {
    const element = this.find(index);
    return element == 0 ? fallback : readWhole(this.document, element, fallback, least, most);
  }

  /** As in ConfigObject, also a string that holds a number. */
  f64(index: i32, fallback: f64 = 0): f64 {
    const element = this.find(index);
    return element == 0 ? fallback : readDouble(this.document, element, fallback);
  }

  /** An element that is an object; null when there is none. */
  object(index: i32): ConfigObject | null {
    const element = this.find(index);
    return element == 0 ? null : new ConfigObject(this.document, element);
  }

  /** An element that is an array; null when there is none. */
  array(index: i32): ConfigArray | null {
    const element = this.find(index);
    return element == 0 ? null : new ConfigArray(this.document, element);
  }

  /** The element's node; 0, with an error, outside of the array. */
  private find(index: i32): u32 {
    if (index < 0 || index >= this.length) {
      this.fail(index, "is required");
      return 0;
    }
    let at = this.node + 1;
    for (let i = 0; i < index; i++) at = this.document.end(at);
    return at;
  }
}

function readString(document: ConfigDocument, node: u32, fallback: string): string {
  if (document.kind(node) == NodeKind.String) return document.text(node);
  document.mismatch(node, "a string");
  return fallback;
}

function readBool(document: ConfigDocument, node: u32, fallback: bool): bool {
  const kind = document.kind(node);
  if (kind == NodeKind.True) return true;
  if (kind == NodeKind.False) return false;
  document.mismatch(node, "true or false");
  return fallback;
}

function readWhole(document: ConfigDocument, node: u32, fallback: i64, least: i64, most: i64): i64 {
  if (document.isWhole(node)) {
    const number = wholeValue();
    if (number >= least && number <= most) return number;
  }
  const range = signedDecimal(least) + " to " + signedDecimal(most);
  document.mismatch(node, "a whole number from " + range);
  return fallback;
}

function readDouble(document: ConfigDocument, node: u32, fallback: f64): f64 {
  if (document.isDouble(node)) return document.double(node);
  document.mismatch(node, "a number");
  return fallback;
}
