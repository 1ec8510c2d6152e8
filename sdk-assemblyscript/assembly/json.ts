// A strict JSON reader (RFC 8259) from bytes to a tape: never traps, tells where the text is wrong.
import {
  beginTape,
  closeNode,
  closeObject,
  isRepeated,
  isTapeFull,
  lastNode,
  NodeKind,
  pushNode,
} from "./tape";
import { isUtf8, storeUtf8 } from "./utf8";

const DEPTH_MAX: i32 = 64;

let start: usize = 0;
let at: usize = 0;
let stop: usize = 0;
let problem: string = "";
let problemNode: u32 = 0;

/** What is wrong with the text that readJson refused. */
export function jsonProblem(): string {
  return problem;
}

/** The node of the tape in which it is wrong. */
export function jsonProblemNode(): u32 {
  return problemNode;
}

/** How many bytes stand before it. */
export function jsonProblemOffset(): u32 {
  return <u32>(at - start);
}

/**
 * Writes the tape; false when the bytes are not exactly one JSON value. Escapes are resolved in
 * place, so the bytes must belong to the caller.
 */
export function readJson(bytes: usize, length: u32): bool {
  start = bytes;
  at = bytes;
  stop = bytes + length;
  beginTape(bytes);
  if (!readValue(0)) return false;
  if (peek() != -1) return fail("unexpected text behind the document", 0);
  return !isTapeFull() || fail("too many values", 0);
}

function readValue(depth: i32): bool {
  const byte = peek();
  if (depth > DEPTH_MAX) return failValue("nested too deep");
  if (byte == 0x7b) return readObject(depth);
  if (byte == 0x5b) return readArray(depth);
  if (byte == 0x22) return readString();
  if (byte == 0x2d || isDigit(byte)) return readNumber();
  if (byte == 0x74) return readWord("true", NodeKind.True);
  if (byte == 0x66) return readWord("false", NodeKind.False);
  if (byte == 0x6e) return readWord("null", NodeKind.Null);
  return failValue(byte == -1 ? "unexpected end" : "expected a value");
}

function readObject(depth: i32): bool {
  const object = pushNode(NodeKind.Object, at, 0);
  at++;
  if (!take(0x7d)) {
    do {
      if (peek() != 0x22) return fail("expected a name in double quotes", object);
      if (!readString()) return false;
      const name = lastNode();
      if (isRepeated(object, name)) return fail("appears twice", name);
      if (!take(0x3a)) return fail("expected a colon", name);
      if (!readValue(depth + 1)) return false;
    } while (take(0x2c));
    if (!take(0x7d)) return fail("expected a comma or a closing brace", object);
  }
  const twice = closeObject(object);
  return twice == 0 || fail("appears twice", twice);
}

function readArray(depth: i32): bool {
  const array = pushNode(NodeKind.Array, at, 0);
  at++;
  if (!take(0x5d)) {
    do {
      if (!readValue(depth + 1)) return false;
    } while (take(0x2c));
    if (!take(0x5d)) return fail("expected a comma or a closing bracket", array);
  }
  closeNode(array);
  return true;
}

function readString(): bool {
  const from = ++at;
  let out = from;
  while (at < stop) {
    const byte = load<u8>(at);
    if (byte < 0x20) return failValue("control character in a string");
    at++;
    if (byte == 0x22) {
      if (!isUtf8(from, <u32>(out - from))) return failValue("string is not UTF-8");
      pushNode(NodeKind.String, from, <u32>(out - from));
      return true;
    }
    if (byte == 0x5c) {
      const point = readEscape();
      if (point < 0) return failValue("unknown escape or lone surrogate");
      // What an escape stands for is never longer than the escape.
      out = storeUtf8(out, point);
    } else {
      store<u8>(out++, byte);
    }
  }
  return failValue("unexpected end of a string");
}

/** The code point of the escape whose backslash was just passed; -1 when it is none. */
function readEscape(): i32 {
  const letter = here();
  at++;
  if (letter == 0x22 || letter == 0x2f || letter == 0x5c) return letter;
  if (letter == 0x62) return 8;
  if (letter == 0x66) return 12;
  if (letter == 0x6e) return 10;
  if (letter == 0x72) return 13;
  if (letter == 0x74) return 9;
  if (letter != 0x75) return -1;
  const high = readHex();
  if (high < 0 || (high & 0xf800) != 0xd800) return high;
  if (high >= 0xdc00 || here() != 0x5c) return -1;
  at++;
  if (here() != 0x75) return -1;
  at++;
  const low = readHex();
  if (low < 0 || (low & 0xfc00) != 0xdc00) return -1;
  return 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
}

function readHex(): i32 {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = here();
    const letter = (byte | 0x20) - 97;
    if (isDigit(byte)) value = (value << 4) | (byte - 48);
    else if (letter >= 0 && letter < 6) value = (value << 4) | (letter + 10);
    else return -1;
    at++;
  }
  return value;
}

function readNumber(): bool {
  const from = at;
  if (!passNumber()) return failValue("malformed number");
  pushNode(NodeKind.Number, from, <u32>(at - from));
  return true;
}

/** Whether the bytes are a number in JSON's grammar and nothing else. */
export function isJsonNumber(bytes: usize, length: u32): bool {
  at = bytes;
  stop = bytes + length;
  return passNumber() && at == stop;
}

function passNumber(): bool {
  if (here() == 0x2d) at++;
  if (here() == 0x30) at++;
  else if (!passDigits()) return false;
  if (here() == 0x2e) {
    at++;
    if (!passDigits()) return false;
  }
  if ((here() | 0x20) == 0x65) {
    at++;
    if (here() == 0x2b || here() == 0x2d) at++;
    if (!passDigits()) return false;
  }
  return true;
}

/** Passes one digit or more; false when there is none. */
function passDigits(): bool {
  const from = at;
  while (isDigit(here())) at++;
  return at > from;
}

function readWord(word: string, kind: NodeKind): bool {
  const from = at;
  for (let i = 0; i < word.length; i++) {
    if (here() != word.charCodeAt(i)) return failValue("expected a value");
    at++;
  }
  pushNode(kind, from, word.length);
  return true;
}

/** The next byte that is not white space, not passed; -1 at the end. */
function peek(): i32 {
  while (at < stop) {
    const byte = load<u8>(at);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) return byte;
    at++;
  }
  return -1;
}

/** The byte here; -1 at the end. */
function here(): i32 {
  return at < stop ? load<u8>(at) : -1;
}

/** Passes white space and then `byte`; false when something else stands there. */
function take(byte: i32): bool {
  if (peek() != byte) return false;
  at++;
  return true;
}

function fail(what: string, node: u32): bool {
  problem = what;
  problemNode = node;
  return false;
}

/** As `fail`, for a value that has no node yet. */
function failValue(what: string): bool {
  return fail(what, pushNode(NodeKind.Null, at < stop ? at : stop, 0));
}

function isDigit(byte: i32): bool {
  return byte >= 48 && byte <= 57;
}
