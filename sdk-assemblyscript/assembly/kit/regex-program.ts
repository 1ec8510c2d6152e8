// A compiled pattern while it is being written: instructions of two words, jumps relative so that
// code can be moved and copied, and sets of code points beside them.
import { scratch } from "../memory";

export const enum Op {
  Match,
  /** The argument is the code point. */
  Char,
  /** An ASCII letter in either case; the argument is the small one. */
  CharFold,
  Any,
  AnyButNewline,
  /** The argument is where the set begins, in words. */
  Set,
  /** First the next instruction, then the one so many further on. */
  Split,
  /** The other way round. */
  SplitFar,
  Jump,
  /** Keeps the position in a slot. */
  Save,
  TextStart,
  TextEnd,
  LineStart,
  LineEnd,
  WordBoundary,
  NoWordBoundary,
}

export const INSTRUCTION_BYTES: u32 = 8;
/** Each step of a search looks at every instruction at most once. */
const INSTRUCTIONS_MAX: i32 = 5000;
/** Words of all sets together. */
const SET_WORDS_MAX: i32 = 8192;
/** Ranges of one set. */
const RANGES_MAX: i32 = 512;
const POINT_MAX: u32 = 0x10ffff;
/** A set begins with a bit for each ASCII character and the number of its ranges. */
export const SET_HEAD_WORDS: i32 = 5;

let code: usize = 0;
let count: i32 = 0;
let sets: usize = 0;
let setWords: i32 = 0;
/** Sorted, none touches another: the set being made. */
let ranges: usize = 0;
let rangeCount: i32 = 0;
let isFull: bool = false;

export function beginProgram(): void {
  code = scratch(INSTRUCTIONS_MAX * INSTRUCTION_BYTES);
  sets = scratch(SET_WORDS_MAX * 4);
  ranges = scratch((RANGES_MAX + 1) * 8);
  count = 0;
  setWords = 0;
  isFull = false;
}

/** Where the next instruction goes. */
export function programLength(): i32 {
  return count;
}

/** True when something did not fit any more. */
export function isProgramFull(): bool {
  return isFull;
}

export function takeCode(): StaticArray<u32> {
  return copyWords(code, count * 2);
}

export function takeSets(): StaticArray<u32> {
  return copyWords(sets, setWords);
}

function copyWords(start: usize, words: i32): StaticArray<u32> {
  const copy = new StaticArray<u32>(words);
  memory.copy(changetype<usize>(copy), start, <usize>words << 2);
  return copy;
}

export function emit(op: Op, argument: i32): void {
  if (!hasRoom(1)) return;
  const at = code + <u32>count * INSTRUCTION_BYTES;
  store<u32>(at, op);
  store<i32>(at, argument, 4);
  count++;
}

function hasRoom(instructions: i32): bool {
  if (count + instructions > INSTRUCTIONS_MAX) isFull = true;
  return !isFull;
}

/** Puts an instruction before all from `at` on. */
export function insert(at: i32, op: Op, argument: i32): void {
  if (!hasRoom(1)) return;
  const start = code + <u32>at * INSTRUCTION_BYTES;
  memory.copy(start + INSTRUCTION_BYTES, start, <u32>(count - at) * INSTRUCTION_BYTES);
  store<u32>(start, op);
  store<i32>(start, argument, 4);
  count++;
}

/** The argument of instruction `at`. */
export function argumentOf(at: i32): i32 {
  return load<i32>(code + <u32>at * INSTRUCTION_BYTES, 4);
}

export function setArgument(at: i32, argument: i32): void {
  if (!isFull) store<i32>(code + <u32>at * INSTRUCTION_BYTES, argument, 4);
}

/** Drops all from `at` on. */
export function cutProgram(at: i32): void {
  if (!isFull) count = at;
}

/**
 * Makes what was emitted from `from` on repeat, `most` = -1 for ever. `x*` is written as `(x+)?`:
 * so it also holds for an `x` that may match nothing.
 */
export function repeat(from: i32, least: i32, most: i32, isLazy: bool): void {
  const near = isLazy ? Op.SplitFar : Op.Split;
  const far = isLazy ? Op.Split : Op.SplitFar;
  if (most == 0) return cutProgram(from);
  const size = count - from;
  // Splits that lead behind the last copy are chained through their arguments, ended by -1.
  let pending = -1;
  let last = from;
  if (least == 0) {
    insert(from, near, pending);
    pending = from;
    last++;
  }
  const copies = most < 0 ? max(least, 1) : most;
  for (let i = 1; i < copies && hasRoom(size + 1); i++) {
    if (i >= least) {
      emit(near, pending);
      pending = count - 1;
    }
    const copied = code + <u32>last * INSTRUCTION_BYTES;
    memory.copy(code + <u32>count * INSTRUCTION_BYTES, copied, <u32>size * INSTRUCTION_BYTES);
    last = count;
    count += size;
  }
  if (most < 0) emit(far, last - count);
  landHere(pending);
}

/** Lets all instructions of a chain jump to here. */
export function landHere(chain: i32): void {
  let at = chain;
  while (at >= 0 && !isFull) {
    const before = argumentOf(at);
    setArgument(at, count - at);
    at = before;
  }
}

export function beginSet(): void {
  rangeCount = 0;
}

function low(range: i32): u32 {
  return load<u32>(ranges + (<usize>range << 3));
}

function high(range: i32): u32 {
  return load<u32>(ranges + (<usize>range << 3), 4);
}

/** Adds the code points `from` to `to` to the set. */
export function addRange(from: u32, to: u32): void {
  let first = 0;
  while (first < rangeCount && high(first) + 1 < from) first++;
  let next = first;
  let least = from;
  let most = to;
  while (next < rangeCount && low(next) <= to + 1) {
    least = min(least, low(next));
    most = max(most, high(next));
    next++;
  }
  if (rangeCount - (next - first) >= RANGES_MAX) {
    isFull = true;
    return;
  }
  const at = ranges + (<usize>first << 3);
  memory.copy(at + 8, ranges + (<usize>next << 3), <usize>(rangeCount - next) << 3);
  store<u32>(at, least);
  store<u32>(at, most, 4);
  rangeCount += 1 - (next - first);
}

/** Adds ranges written as pairs of characters, or all that is outside of them. */
export function addPairs(pairs: string, isNegated: bool): void {
  let next: u32 = 0;
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const from = <u32>pairs.charCodeAt(i);
    const to = <u32>pairs.charCodeAt(i + 1);
    if (!isNegated) addRange(from, to);
    else if (next < from) addRange(next, from - 1);
    next = to + 1;
  }
  if (isNegated) addRange(next, POINT_MAX);
}

/** Adds the other case of every ASCII letter in the set. */
export function foldSet(): void {
  // 26 letters of each case: a few calls, whatever the set holds.
  for (let letter: u32 = 97; letter < 123; letter++) {
    if (hasPoint(letter)) addRange(letter - 32, letter - 32);
    else if (hasPoint(letter - 32)) addRange(letter, letter);
  }
}

function hasPoint(point: u32): bool {
  for (let i = 0; i < rangeCount; i++) {
    if (low(i) <= point && point <= high(i)) return true;
  }
  return false;
}

/** Writes the set, or what is outside of it, and the instruction that asks for one of it. */
export function emitSet(isNegated: bool): void {
  if (isNegated) negateSet();
  const words = SET_HEAD_WORDS + rangeCount * 2;
  if (setWords + words > SET_WORDS_MAX) isFull = true;
  if (isFull) return;
  emit(Op.Set, setWords);
  const start = sets + (<usize>setWords << 2);
  memory.fill(start, 0, 16);
  for (let point: u32 = 0; point < 128; point++) {
    const word = start + ((point >> 5) << 2);
    if (hasPoint(point)) store<u32>(word, load<u32>(word) | (1 << (point & 31)));
  }
  store<i32>(start, rangeCount, 16);
  memory.copy(start + 20, ranges, <usize>rangeCount << 3);
  setWords += words;
}

function negateSet(): void {
  let out = 0;
  let next: u32 = 0;
  // One more range than before at most: there is room for it.
  const end = rangeCount;
  for (let i = 0; i < end; i++) {
    const from = low(i);
    const to = high(i);
    if (next < from) {
      store<u32>(ranges + (<usize>out << 3), next);
      store<u32>(ranges + (<usize>out << 3), from - 1, 4);
      out++;
    }
    next = to + 1;
  }
  if (next <= POINT_MAX) {
    store<u32>(ranges + (<usize>out << 3), next);
    store<u32>(ranges + (<usize>out << 3), POINT_MAX, 4);
    out++;
  }
  rangeCount = out;
}
