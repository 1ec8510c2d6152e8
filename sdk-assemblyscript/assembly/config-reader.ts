// What the transform's code calls to read a @config class. One document is read at a time; its
// nodes are indexes into the tape. Each function adds an error for what does not fit, and then
// answers the fallback.
import { ConfigDocument } from "./config-document";
import { Configuration } from "./configuration";
import { Regex, regexProblem } from "./kit/regex";
import { wholeValue } from "./numbers";
import { NodeKind } from "./tape";
import { decimal } from "./text";
import { unitValue } from "./units";

let reading: ConfigDocument | null = null;
let lastPattern: string = "";
let lastRegex: Regex | null = null;

/** Begins with the whole document, node 0; false when it cannot be read, which is an error then. */
export function begin(source: Configuration): bool {
  const before = source.errorCount;
  reading = source.readDocument();
  return source.errorCount == before;
}

/** Ends the reading: members that nothing asked for are errors. */
export function end(): void {
  document().finish();
  reading = null;
  lastRegex = null;
}

/** Whether the node is an object; its members are looked at then. */
export function object(node: u32): bool {
  if (!isObject(node)) return false;
  document().markRead(node);
  return true;
}

/** As `object`, for one whose members are perhaps never read. */
export function isObject(node: u32): bool {
  const tape = document();
  if (tape.kind(node) == NodeKind.Object) return true;
  tape.mismatch(node, "an object");
  return false;
}

/** The value of a member; 0 when it is absent, which is an error when it is required. */
export function member(object: u32, name: string, isRequired: bool): u32 {
  const tape = document();
  const node = tape.member(object, name);
  if (node != 0) tape.markRead(node - 1);
  else if (isRequired) tape.failMember(object, name, "is required");
  return node;
}

/** Errors about the value, and about all in it, do not show it. */
export function hide(node: u32): u32 {
  if (node != 0) document().hide(node);
  return node;
}

/** Adds the problem that an author's own `validate` has found. */
export function check(object: u32, problem: string | null): void {
  if (problem !== null) document().fail(object, problem);
}

/** How many errors there are so far. */
export function errors(): i32 {
  return document().errorCount;
}

/** The text of a node; `fallback`, and an error, when it is something else. */
export function text(node: u32, fallback: string): string {
  const tape = document();
  if (tape.kind(node) == NodeKind.String) return tape.text(node);
  tape.mismatch(node, "a string");
  return fallback;
}

/** A string of `least` characters or more. */
export function longText(node: u32, fallback: string, least: u32, expected: string): string {
  const tape = document();
  if (tape.kind(node) == NodeKind.String) {
    if (tape.characters(node) >= least) return tape.text(node);
    tape.fail(node, "must be " + expected);
  } else {
    tape.mismatch(node, expected);
  }
  return fallback;
}

/** A string of `least` characters or more in which a pattern matches. */
export function matching(
  node: u32,
  fallback: string,
  least: u32,
  pattern: string,
  expected: string,
): string {
  const tape = document();
  if (tape.kind(node) != NodeKind.String) {
    tape.mismatch(node, expected);
    return fallback;
  }
  const regex = compiled(pattern);
  if (regex === null) {
    tape.fail(node, "cannot be checked: " + regexProblem());
    return fallback;
  }
  const text = tape.text(node);
  if (tape.characters(node) >= least && regex.test(text)) return text;
  tape.fail(node, "must be " + expected);
  return fallback;
}

/** A string of `least` characters or more with some text in it, at its start or end if need be. */
export function literal(
  node: u32,
  fallback: string,
  least: u32,
  part: string,
  isStart: bool,
  isEnd: bool,
  expected: string,
): string {
  const tape = document();
  if (tape.kind(node) != NodeKind.String) {
    tape.mismatch(node, expected);
    return fallback;
  }
  const text = tape.text(node);
  const last = text.length - part.length;
  const isThere =
    isStart && isEnd
      ? text == part
      : isStart
        ? text.startsWith(part)
        : isEnd
          ? last >= 0 && text.indexOf(part, last) == last
          : text.includes(part);
  if (isThere && tape.characters(node) >= least) return text;
  tape.fail(node, "must be " + expected);
  return fallback;
}

/** The last pattern again, as for the elements of an array, or a new one. */
function compiled(pattern: string): Regex | null {
  if (lastRegex === null || lastPattern != pattern) {
    lastPattern = pattern;
    lastRegex = Regex.compile(pattern);
  }
  return lastRegex;
}

/** One of the given strings. */
export function choice(
  node: u32,
  fallback: string,
  choices: StaticArray<string>,
  expected: string,
): string {
  const at = indexOf(node, choices, expected);
  return at < 0 ? fallback : choices[at];
}

/** Which of the given strings it is; -1 for another one, or none. */
export function indexOf(node: u32, choices: StaticArray<string>, expected: string): i32 {
  const tape = document();
  if (tape.kind(node) != NodeKind.String) {
    tape.mismatch(node, expected);
    return -1;
  }
  const text = tape.text(node);
  for (let i = 0; i < choices.length; i++) if (choices[i] == text) return i;
  tape.fail(node, "must be " + expected);
  return -1;
}

export function flag(node: u32, fallback: bool): bool {
  const tape = document();
  const kind = tape.kind(node);
  if (kind == NodeKind.True) return true;
  if (kind == NodeKind.False) return false;
  tape.mismatch(node, "true or false");
  return fallback;
}

/** A whole number of 64 bits, its two ends included. */
export function whole(node: u32, fallback: i64, least: i64, most: i64, expected: string): i64 {
  const tape = document();
  if (tape.isWhole(node)) {
    const number = wholeValue();
    if (number >= least && number <= most) return number;
  }
  tape.mismatch(node, expected);
  return fallback;
}

/** As `whole`, without a sign. */
export function unsigned(node: u32, fallback: u64, least: u64, most: u64, expected: string): u64 {
  const tape = document();
  if (tape.isUnsigned(node)) {
    const number = <u64>wholeValue();
    if (number >= least && number <= most) return number;
  }
  tape.mismatch(node, expected);
  return fallback;
}

/** One of the given whole numbers. */
export function wholeChoice(
  node: u32,
  fallback: i64,
  choices: StaticArray<i64>,
  expected: string,
): i64 {
  const tape = document();
  if (tape.isWhole(node) && choices.includes(wholeValue())) return wholeValue();
  tape.mismatch(node, expected);
  return fallback;
}

/** Milliseconds of a string like "1.5s". */
export function duration(node: u32, fallback: u64, least: u64, most: u64, expected: string): u64 {
  const tape = document();
  if (tape.isDuration(node)) {
    const number = unitValue();
    if (number >= least && number <= most) return number;
  }
  return misfit(node, fallback, expected);
}

/** Bytes: a whole number, or a string like "64KiB". */
export function bytes(node: u32, fallback: u64, least: u64, most: u64, expected: string): u64 {
  const tape = document();
  const isSize = tape.isSize(node);
  if (isSize || tape.isUnsigned(node)) {
    const number = isSize ? unitValue() : <u64>wholeValue();
    if (number >= least && number <= most) return number;
  }
  return misfit(node, fallback, expected);
}

/** A number, or a string that holds one, which Envoy makes of fractions in YAML. */
export function number(node: u32, fallback: f64, least: f64, most: f64, expected: string): f64 {
  const tape = document();
  if (tape.isDouble(node)) {
    const number = tape.double(node);
    if (number >= least && number <= most) return number;
  }
  tape.mismatch(node, expected);
  return fallback;
}

/** The first element of an array; 0 when it has none, or is none, which is an error. */
export function firstElement(node: u32): u32 {
  return firstInside(node, NodeKind.Array, "an array");
}

/** The first name of an object that is a map; 0 as for arrays. */
export function firstName(node: u32): u32 {
  return firstInside(node, NodeKind.Object, "an object");
}

/** The next element, or the next name when `node` is a member's value; 0 behind the last. */
export function next(node: u32, parent: u32): u32 {
  const tape = document();
  const after = tape.end(node);
  return after < tape.end(parent) ? after : 0;
}

export function nameOf(node: u32): string {
  return document().text(node);
}

/** Adds an error when an array or map has too few; `expected` as "an array of 2 or more". */
export function atLeast(node: u32, count: i32, least: i32, expected: string): void {
  if (count >= least) return;
  const tape = document();
  const kind = tape.kind(node);
  if (kind != NodeKind.Array && kind != NodeKind.Object) return;
  tape.fail(node, "must be " + expected + ", found " + decimal(count));
}

/** A string has the right type, and only the wrong content. */
function misfit(node: u32, fallback: u64, expected: string): u64 {
  const tape = document();
  if (tape.kind(node) == NodeKind.String) tape.fail(node, "must be " + expected);
  else tape.mismatch(node, expected);
  return fallback;
}

function firstInside(node: u32, kind: NodeKind, expected: string): u32 {
  const tape = document();
  if (tape.kind(node) != kind) {
    tape.mismatch(node, expected);
    return 0;
  }
  return node + 1 < tape.end(node) ? node + 1 : 0;
}

function document(): ConfigDocument {
  return reading!;
}
