// Reads a pattern and writes its program. The grammar is RE2's without Unicode classes (\p).
import {
  addPairs,
  addRange,
  beginProgram,
  beginSet,
  emit,
  emitSet,
  foldSet,
  insert,
  isProgramFull,
  landHere,
  Op,
  programLength,
  repeat,
} from "./regex-program";
import { decimal } from "../text";

const PATTERN_UNITS_MAX: i32 = 8192;
const DEPTH_MAX: i32 = 100;
/** What one quantifier may ask for, as in RE2. */
const REPEAT_MAX: i32 = 1000;
const POINT_MAX: i32 = 0x10ffff;

const FOLD: i32 = 1;
const MULTILINE: i32 = 2;
const DOT_ALL: i32 = 4;
const UNGREEDY: i32 = 8;

const BACKSLASH: i32 = 0x5c;
// @ts-ignore: decorator
@lazy
const DIGITS: string = "09";
// @ts-ignore: decorator
@lazy
const WORD: string = "09AZ__az";
/** Perl's, without the vertical tab. */
// @ts-ignore: decorator
@lazy
const SPACE: string = "\t\n\f\r  ";

let pattern: string = "";
let at: i32 = 0;
let flags: i32 = 0;
let depth: i32 = 0;
let groups: i32 = 0;
let names: string[] | null = null;
/** Where the code of the last character of `\Q...\E` begins: all that a quantifier takes of it. */
let quotedFrom: i32 = 0;
let problem: string = "";
/** How often the quantifier that was just read repeats; `most` = -1 is for ever. */
let least: i32 = 0;
let most: i32 = 0;

/** Why the last pattern was refused: what and at which character, counted from 1. */
export function regexProblem(): string {
  return problem;
}

/** Number of groups of the pattern just read, the whole one not counted. */
export function groupsRead(): i32 {
  return groups;
}

/** Their names in order, "" for those without; begins with the whole one. */
export function namesRead(): string[] {
  return names!;
}

/** Writes the program of a pattern; false when it is none, regexProblem() then says why. */
export function readPattern(text: string): bool {
  pattern = text;
  at = 0;
  flags = 0;
  depth = 0;
  groups = 0;
  names = [""];
  problem = "";
  beginProgram();
  emit(Op.Save, 0);
  if (text.length > PATTERN_UNITS_MAX) return fail("pattern is longer than 8192 characters");
  if (!readAlternatives()) return false;
  if (at < text.length) return fail("unexpected )");
  emit(Op.Save, 1);
  emit(Op.Match, 0);
  return !isProgramFull() || fail("pattern is too large once it is compiled");
}

/** As if the pattern just read were not valid. */
export function refusePattern(what: string): void {
  problem = what;
}

function fail(what: string): bool {
  problem = what + " at character " + decimal(at + 1);
  return false;
}

/** The unit here; -1 at the end. */
function peek(): i32 {
  return at < pattern.length ? pattern.charCodeAt(at) : -1;
}

function take(unit: i32): bool {
  if (peek() != unit) return false;
  at++;
  return true;
}

/** Passes a code point; -1 at the end. */
function next(): i32 {
  const unit = peek();
  if (unit < 0) return -1;
  at++;
  const low = peek();
  if ((unit & 0xfc00) != 0xd800 || (low & ~0x3ff) != 0xdc00) return unit;
  at++;
  return 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
}

function readAlternatives(): bool {
  if (++depth > DEPTH_MAX) return fail("groups are nested too deep");
  let pending = -1;
  let from = programLength();
  if (!readSequence()) return false;
  while (take(0x7c)) {
    // Behind the jump that is yet to come.
    insert(from, Op.Split, programLength() - from + 2);
    emit(Op.Jump, pending);
    pending = programLength() - 1;
    from = programLength();
    if (!readSequence()) return false;
  }
  landHere(pending);
  depth--;
  return true;
}

function readSequence(): bool {
  while (at < pattern.length && peek() != 0x7c && peek() != 0x29) {
    if (isQuantifier()) return fail("nothing to repeat");
    const from = programLength();
    quotedFrom = 0;
    if (!readAtom()) return false;
    if (isProgramFull()) return fail("pattern is too large once it is compiled");
    if (!isQuantifier()) continue;
    if (least > REPEAT_MAX || most > REPEAT_MAX) return fail("repeats more than 1000 times");
    if (most >= 0 && most < least) return fail("repeats at most less often than at least");
    const isLazy = take(0x3f) != ((flags & UNGREEDY) != 0);
    repeat(max(from, quotedFrom), least, most, isLazy);
    if (isQuantifier()) return fail("quantifier behind a quantifier");
  }
  return true;
}

/** Passes a quantifier without its `?`; false when there is none: `{` may be an ordinary one. */
function isQuantifier(): bool {
  least = 0;
  most = -1;
  if (take(0x2a)) return true;
  if (take(0x2b)) {
    least = 1;
    return true;
  }
  if (take(0x3f)) {
    most = 1;
    return true;
  }
  const from = at;
  if (take(0x7b) && readCounts()) return true;
  at = from;
  return false;
}

/** `n}`, `n,}` or `n,m}` */
function readCounts(): bool {
  least = readCount();
  if (least < 0) return false;
  most = least;
  if (take(0x2c)) {
    most = -1;
    if (peek() != 0x7d) {
      most = readCount();
      if (most < 0) return false;
    }
  }
  return take(0x7d);
}

/** A number, cut to one that is too large; -1 when there is none. */
function readCount(): i32 {
  const from = at;
  let value = 0;
  while (peek() >= 0x30 && peek() <= 0x39) {
    value = min(value * 10 + peek() - 0x30, REPEAT_MAX + 1);
    at++;
  }
  return at == from ? -1 : value;
}

function readAtom(): bool {
  const point = next();
  if (point == 0x28) return readGroup();
  if (point == 0x5b) return readSet();
  if (point == BACKSLASH) return readEscape();
  if (point == 0x2e) emit((flags & DOT_ALL) != 0 ? Op.Any : Op.AnyButNewline, 0);
  else if (point == 0x5e) emit((flags & MULTILINE) != 0 ? Op.LineStart : Op.TextStart, 0);
  else if (point == 0x24) emit((flags & MULTILINE) != 0 ? Op.LineEnd : Op.TextEnd, 0);
  else emitChar(point);
  return true;
}

function emitChar(point: i32): void {
  const small = point | 0x20;
  const isLetter = small >= 0x61 && small <= 0x7a;
  if (isLetter && (flags & FOLD) != 0) emit(Op.CharFold, small);
  else emit(Op.Char, point);
}

function readGroup(): bool {
  const outer = flags;
  let group = 0;
  if (take(0x3f)) {
    if (isLookaround()) return fail("look-around is not supported");
    const isName = peek() == 0x50 || peek() == 0x3c;
    if (!isName) {
      if (!readFlags()) return false;
      // Without a group of their own flags hold until the end of the one around them.
      if (take(0x29)) return true;
      if (!take(0x3a)) return fail("unknown flag");
    } else {
      take(0x50);
      if (!take(0x3c) || !readName()) return problem != "" ? false : fail("expected (?P<name>");
      group = ++groups;
    }
  } else {
    group = ++groups;
    names!.push("");
  }
  if (group > 0) emit(Op.Save, group * 2);
  if (!readAlternatives()) return false;
  if (!take(0x29)) return fail("missing )");
  if (group > 0) emit(Op.Save, group * 2 + 1);
  flags = outer;
  return true;
}

/** `(?=`, `(?!`, `(?<=`, `(?<!` */
function isLookaround(): bool {
  const sign = peek() == 0x3c && at + 1 < pattern.length ? pattern.charCodeAt(at + 1) : peek();
  return sign == 0x3d || sign == 0x21;
}

/** `i`, `m`, `s`, `U`, and those behind a `-` off. */
function readFlags(): bool {
  let isOn = true;
  // What a `-` turns off comes right behind it.
  while ((peek() != 0x3a && peek() != 0x29) || (!isOn && pattern.charCodeAt(at - 1) == 0x2d)) {
    const letter = next();
    let flag = 0;
    if (letter == 0x69) flag = FOLD;
    else if (letter == 0x6d) flag = MULTILINE;
    else if (letter == 0x73) flag = DOT_ALL;
    else if (letter == 0x55) flag = UNGREEDY;
    else if (letter != 0x2d || !isOn) return fail("unknown flag");
    else isOn = false;
    flags = isOn ? flags | flag : flags & ~flag;
  }
  return true;
}

/** Of word characters, up to the `>`. */
function readName(): bool {
  const from = at;
  while (isWord(peek())) at++;
  if (at == from || peek() != 0x3e) return fail("bad group name");
  const name = pattern.substring(from, at);
  if (names!.includes(name)) return fail("group name appears twice");
  names!.push(name);
  at++;
  return true;
}

export function isWord(unit: i32): bool {
  const small = unit | 0x20;
  return (small >= 0x61 && small <= 0x7a) || (unit >= 0x30 && unit <= 0x39) || unit == 0x5f;
}

/** Behind a backslash outside of a set. */
function readEscape(): bool {
  const letter = peek();
  if (letter == 0x51) return readQuoted();
  let op = Op.Match;
  if (letter == 0x62) op = Op.WordBoundary;
  else if (letter == 0x42) op = Op.NoWordBoundary;
  else if (letter == 0x41) op = Op.TextStart;
  else if (letter == 0x7a) op = Op.TextEnd;
  if (op != Op.Match) {
    at++;
    emit(op, 0);
    return true;
  }
  beginSet();
  if (readPerlSet()) {
    emitSet(false);
    return true;
  }
  const point = readEscapedPoint();
  if (point < 0) return false;
  emitChar(point);
  return true;
}

/** `\Q...\E`, or to the end. Nothing of it is special; a quantifier takes its last character. */
function readQuoted(): bool {
  at++;
  const end = pattern.indexOf("\\E", at);
  const stop = end < 0 ? pattern.length : end;
  let from = programLength();
  while (at < stop) {
    from = programLength();
    emitChar(next());
  }
  quotedFrom = from;
  at = end < 0 ? stop : stop + 2;
  return true;
}

/** Adds `\d`, `\s`, `\w` or their opposites to the set; false, nothing passed, when it is none. */
function readPerlSet(): bool {
  const letter = peek();
  const small = letter | 0x20;
  let pairs = "";
  if (small == 0x64) pairs = DIGITS;
  else if (small == 0x73) pairs = SPACE;
  else if (small == 0x77) pairs = WORD;
  else return false;
  at++;
  addPairs(pairs, letter != small);
  return true;
}

/** The code point of an escape whose backslash was passed; -1 and the problem when it is none. */
function readEscapedPoint(): i32 {
  const letter = next();
  if (letter == 0x74) return 9;
  if (letter == 0x6e) return 10;
  if (letter == 0x76) return 11;
  if (letter == 0x66) return 12;
  if (letter == 0x72) return 13;
  if (letter == 0x61) return 7;
  if (letter == 0x78) return readHexPoint();
  if (letter == 0x30) return readOctal();
  // Whatever is not a letter, digit or beyond ASCII stands for itself.
  if (letter >= 0 && letter < 0x80 && (letter == 0x5f || !isWord(letter))) return letter;
  at--;
  if (letter >= 0x31 && letter <= 0x39) fail("back-references are not supported");
  else fail(letter < 0 ? "backslash at the end" : "unknown escape");
  return -1;
}

/** `\0`, `\012` */
function readOctal(): i32 {
  let value = 0;
  for (let i = 0; i < 2 && peek() >= 0x30 && peek() <= 0x37; i++) {
    value = value * 8 + peek() - 0x30;
    at++;
  }
  return value;
}

/** `\x41` or `\x{1F600}` */
function readHexPoint(): i32 {
  const isBraced = take(0x7b);
  let value = 0;
  let digits = 0;
  const digitsMax = isBraced ? 8 : 2;
  while (digits < digitsMax) {
    const digit = hexDigit(peek());
    if (digit < 0) break;
    value = value * 16 + digit;
    // The longest that a braced one may be does not overflow before this.
    if (value > POINT_MAX) break;
    at++;
    digits++;
  }
  const isWhole = isBraced ? digits > 0 && take(0x7d) : digits == digitsMax;
  if (isWhole) return value;
  fail("bad hexadecimal escape");
  return -1;
}

function hexDigit(unit: i32): i32 {
  if (unit >= 0x30 && unit <= 0x39) return unit - 0x30;
  const letter = (unit | 0x20) - 0x61;
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

/** Behind the opening bracket. */
function readSet(): bool {
  const isNegated = take(0x5e);
  beginSet();
  let isFirst = true;
  // A closing bracket is an ordinary character in the first place.
  while (isFirst || peek() != 0x5d) {
    if (at >= pattern.length) return fail("missing ]");
    if (!readSetItem()) return false;
    if (isProgramFull()) return fail("pattern is too large once it is compiled");
    isFirst = false;
  }
  at++;
  if ((flags & FOLD) != 0) foldSet();
  emitSet(isNegated);
  return true;
}

function readSetItem(): bool {
  const nameEnd = isNamedSet() ? pattern.indexOf(":]", at + 2) : -1;
  if (nameEnd >= 0) return readNamedSet(nameEnd);
  const from = readSetPoint();
  if (from == -2) return true;
  if (from < 0) return false;
  let to = from;
  const isRange = peek() == 0x2d && at + 1 < pattern.length && pattern.charCodeAt(at + 1) != 0x5d;
  if (isRange) {
    at++;
    to = readSetPoint();
    if (to == -2 || (to >= 0 && to < from)) return fail("bad range in a set");
    if (to < 0) return false;
  }
  addRange(from, to);
  return true;
}

/** A code point of a set; -2 when a set was added instead, -1 and the problem when it is bad. */
function readSetPoint(): i32 {
  if (!take(BACKSLASH)) return next();
  return readPerlSet() ? -2 : readEscapedPoint();
}

function isNamedSet(): bool {
  return peek() == 0x5b && at + 1 < pattern.length && pattern.charCodeAt(at + 1) == 0x3a;
}

/** `[:alpha:]`, `[:^alpha:]` */
function readNamedSet(end: i32): bool {
  const isNegated = pattern.charCodeAt(at + 2) == 0x5e;
  const pairs = pairsOf(pattern.substring(isNegated ? at + 3 : at + 2, end));
  if (pairs == "") return fail("unknown set name");
  addPairs(pairs, isNegated);
  at = end + 2;
  return true;
}

function pairsOf(name: string): string {
  if (name == "alnum") return "09AZaz";
  if (name == "alpha") return "AZaz";
  if (name == "ascii") return "\0\x7f";
  if (name == "blank") return "\t\t  ";
  if (name == "cntrl") return "\0\x1f\x7f\x7f";
  if (name == "digit") return DIGITS;
  if (name == "graph") return "!~";
  if (name == "lower") return "az";
  if (name == "print") return " ~";
  if (name == "punct") return "!/:@[`{~";
  if (name == "space") return "\t\r  ";
  if (name == "upper") return "AZ";
  if (name == "word") return WORD;
  if (name == "xdigit") return "09AFaf";
  return "";
}
