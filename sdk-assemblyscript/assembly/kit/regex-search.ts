// Runs the program of a pattern over text: all ways at once, one character at a time (Pike's way),
// so that the work is at most characters times instructions.
import { INSTRUCTION_BYTES, Op, SET_HEAD_WORDS } from "./regex-program";
import { isWord } from "./regex-parser";

/** In the stack of what is still to follow: a slot to put back instead of an instruction. */
const RESTORE: u32 = 0x80000000;

/** What a pattern was compiled to, and what is known of it before a search. */
@final
export class RegexProgram {
  /** A bit for each ASCII character that a match may begin with. */
  readonly first: StaticArray<u32> = new StaticArray<u32>(4);
  /** True when a match can begin nowhere but with one of those, or beyond ASCII. */
  readonly skips: bool;
  /** True when a match can begin nowhere but at the start of the text. */
  readonly isAnchored: bool;

  constructor(
    readonly code: StaticArray<u32>,
    readonly sets: StaticArray<u32>,
    /** Two for each group and for the whole: where it begins and ends. */
    readonly slots: i32,
  ) {
    reserve(this.length, slots);
    const start = changetype<usize>(code);
    const op = load<u32>(start);
    const second = this.length > 1 ? load<u32>(start, INSTRUCTION_BYTES) : op;
    this.isAnchored = op == Op.TextStart || (op == Op.Save && second == Op.TextStart);
    this.skips = findFirst(this);
  }

  /** Number of instructions. */
  get length(): i32 {
    return this.code.length >> 1;
  }
}

// Shared by all searches: one runs at a time. Freed and made anew when a larger program comes.
let workspace: usize = 0;
let reservedLength: i32 = 0;
let reservedSlots: i32 = 0;
/** For each instruction the step in which it was reached last. */
let marks: usize = 0;
let stack: usize = 0;
let current: usize = 0;
let following: usize = 0;
/** Slots of the way that is being followed. */
let slotsNow: usize = 0;
let slotsFound: usize = 0;
let step: u32 = 0;

// The search that runs.
let code: usize = 0;
let text: usize = 0;
let units: i32 = 0;
let slotCount: i32 = 0;
let slotBytes: usize = 0;
/** A list's entry: the instruction, then the slots. */
let entryBytes: usize = 0;
/** Whether a match has to end with the text. */
let isWhole: bool = false;
/** Where the next entry of a list goes. */
let listEnd: usize = 0;
let hasMatched: bool = false;

function reserve(length: i32, slots: i32): void {
  if (length <= reservedLength && slots <= reservedSlots) return;
  reservedLength = max(length, reservedLength);
  reservedSlots = max(slots, reservedSlots);
  const count = <usize>reservedLength;
  const listBytes = count * (<usize>reservedSlots + 1) * 4;
  const slotsBytes = <usize>reservedSlots * 4;
  // No instruction is in the stack twice, nor is a slot put back twice for one.
  const stackBytes = count * 16 + 16;
  if (workspace != 0) heap.free(workspace);
  workspace = heap.alloc(count * 4 + stackBytes + 2 * listBytes + 2 * slotsBytes);
  marks = workspace;
  stack = marks + count * 4;
  current = stack + stackBytes;
  following = current + listBytes;
  slotsNow = following + listBytes;
  slotsFound = slotsNow + slotsBytes;
  memory.fill(marks, 0, count * 4);
  step = 0;
}

/**
 * The leftmost match at `from` or behind it; keeps the slots of its groups when asked to, for
 * `slotOf`. With `wholly` it has to be the whole text.
 */
export function search(
  program: RegexProgram,
  subject: string,
  from: i32,
  wholly: bool,
  keepsSlots: bool,
): bool {
  reserve(program.length, program.slots);
  code = changetype<usize>(program.code);
  text = changetype<usize>(subject);
  units = subject.length;
  isWhole = wholly;
  slotCount = keepsSlots ? program.slots : 0;
  slotBytes = <usize>slotCount << 2;
  entryBytes = slotBytes + 4;
  hasMatched = false;
  // Steps are counted on from search to search, so that marks of old ones mean nothing.
  if (step > 0x7fffffff) {
    memory.fill(marks, 0, <usize>reservedLength << 2);
    step = 0;
  }
  step++;
  listEnd = current;
  run(program, from);
  return hasMatched;
}

/** Where a group begins (even) or ends (odd) in the text; -1 when it took no part. */
export function slotOf(slot: i32): i32 {
  return load<i32>(slotsFound + (<usize>slot << 2));
}

function run(program: RegexProgram, from: i32): void {
  const isPinned = isWhole || program.isAnchored;
  const start = isWhole ? from : 0;
  let at = from;
  do {
    if (listEnd == current) {
      if (hasMatched || (isPinned && at > start)) return;
      if (program.skips) at = skip(changetype<usize>(program.first), at);
    }
    if (!hasMatched && !(isPinned && at > start)) {
      if (slotCount > 0) memory.fill(slotsNow, 0xff, slotBytes);
      add(0, at);
    }
    // The slots are those of the way that is still the best: only a search for them goes on.
    if (hasMatched && slotCount == 0) return;
    const point = pointAt(at);
    const width = point > 0xffff ? 2 : 1;
    advance(point, at, at + width, changetype<usize>(program.sets));
    at += width;
  } while (at <= units);
}

/** The first place from `at` on where a match may begin; the end when there is none. */
function skip(first: usize, at: i32): i32 {
  let place = at;
  while (place < units) {
    const unit: u32 = load<u16>(text + (<usize>place << 1));
    if (unit >= 128 || (load<u32>(first + ((unit >> 5) << 2)) >> (unit & 31) & 1) != 0) break;
    place++;
  }
  return place;
}

/** The code point here; -1 at the end. */
function pointAt(at: i32): i32 {
  if (at >= units) return -1;
  const unit: i32 = load<u16>(text + (<usize>at << 1));
  if ((unit & 0xfc00) != 0xd800 || at + 1 >= units) return unit;
  const low: i32 = load<u16>(text + (<usize>at << 1), 2);
  return (low & 0xfc00) == 0xdc00 ? 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff) : unit;
}

/** Takes all ways one character further, the best first. */
function advance(point: i32, at: i32, next: i32, sets: usize): void {
  const end = listEnd;
  listEnd = following;
  step++;
  for (let entry = current; entry < end; entry += entryBytes) {
    const pc = load<u32>(entry);
    const instruction = code + pc * INSTRUCTION_BYTES;
    const op: Op = load<u32>(instruction);
    if (op == Op.Match) {
      if (isWhole && at != units) continue;
      hasMatched = true;
      if (slotCount > 0) memory.copy(slotsFound, entry + 4, slotBytes);
      // Whatever follows in the list is worse.
      break;
    }
    if (point < 0 || !accepts(op, load<i32>(instruction, 4), point, sets)) continue;
    if (slotCount > 0) memory.copy(slotsNow, entry + 4, slotBytes);
    add(pc + 1, next);
  }
  const list = current;
  current = following;
  following = list;
}

function accepts(op: Op, argument: i32, point: i32, sets: usize): bool {
  if (op == Op.Char) return point == argument;
  if (op == Op.CharFold) return (point | 0x20) == argument;
  if (op == Op.Set) return isInSet(sets + (<usize>argument << 2), point);
  return op == Op.Any || point != 10;
}

function isInSet(set: usize, point: u32): bool {
  if (point < 128) return (load<u32>(set + ((point >> 5) << 2)) >> (point & 31) & 1) != 0;
  let low = 0;
  let high = load<i32>(set, 16);
  const ranges = set + SET_HEAD_WORDS * 4;
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = ranges + (<usize>middle << 3);
    if (point < load<u32>(range)) high = middle;
    else if (point > load<u32>(range, 4)) low = middle + 1;
    else return true;
  }
  return false;
}

/** Adds to the list all that can be reached from an instruction without taking a character. */
function add(start: u32, at: i32): void {
  let top = stack;
  let pc = start;
  while (true) {
    const mark = marks + (<usize>pc << 2);
    if (load<u32>(mark) != step) {
      store<u32>(mark, step);
      const instruction = code + pc * INSTRUCTION_BYTES;
      const op: Op = load<u32>(instruction);
      const argument = load<i32>(instruction, 4);
      if (op < Op.Split) {
        addEntry(pc, op, at);
      } else if (op == Op.Split) {
        store<u32>(top, pc + argument);
        top += 8;
        pc++;
        continue;
      } else if (op == Op.SplitFar) {
        store<u32>(top, pc + 1);
        top += 8;
        pc += argument;
        continue;
      } else if (op == Op.Jump) {
        pc += argument;
        continue;
      } else if (op == Op.Save) {
        if (slotCount > 0) top = saveSlot(top, argument, at);
        pc++;
        continue;
      } else if (holds(op, at)) {
        pc++;
        continue;
      }
    }
    // The way ended here: the next best.
    top = restoreSlots(top);
    if (top == stack) return;
    top -= 8;
    pc = load<u32>(top);
  }
}

function addEntry(pc: u32, op: Op, at: i32): void {
  // Nobody asks which way it was.
  if (op == Op.Match && slotCount == 0 && (!isWhole || at == units)) hasMatched = true;
  store<u32>(listEnd, pc);
  if (slotCount > 0) memory.copy(listEnd + 4, slotsNow, slotBytes);
  listEnd += entryBytes;
}

function saveSlot(top: usize, slot: i32, at: i32): usize {
  const place = slotsNow + (<usize>slot << 2);
  store<u32>(top, RESTORE | slot);
  store<u32>(top, load<u32>(place), 4);
  store<i32>(place, at);
  return top + 8;
}

function restoreSlots(start: usize): usize {
  let top = start;
  while (top > stack) {
    const entry = load<u32>(top - 8);
    if ((entry & RESTORE) == 0) break;
    store<u32>(slotsNow + ((entry & ~RESTORE) << 2), load<u32>(top - 4));
    top -= 8;
  }
  return top;
}

function holds(op: Op, at: i32): bool {
  if (op == Op.TextStart) return at == 0;
  if (op == Op.TextEnd) return at == units;
  const before = at > 0 ? <i32>load<u16>(text + (<usize>at << 1) - 2) : -1;
  const after = at < units ? <i32>load<u16>(text + (<usize>at << 1)) : -1;
  if (op == Op.LineStart) return before < 0 || before == 10;
  if (op == Op.LineEnd) return after < 0 || after == 10;
  const isBoundary = (before >= 0 && isWord(before)) != (after >= 0 && isWord(after));
  return isBoundary == (op == Op.WordBoundary);
}

/** Notes with which ASCII characters a match may begin; false when it may begin without any. */
function findFirst(program: RegexProgram): bool {
  const first = changetype<usize>(program.first);
  const sets = changetype<usize>(program.sets);
  code = changetype<usize>(program.code);
  slotCount = 0;
  slotBytes = 0;
  entryBytes = 4;
  isWhole = false;
  units = 0;
  const end = reach(program.length);
  for (let entry = current; entry < end; entry += 4) {
    const instruction = code + load<u32>(entry) * INSTRUCTION_BYTES;
    const op: Op = load<u32>(instruction);
    if (op == Op.Match) return false;
    for (let point = 0; point < 128; point++) {
      if (!accepts(op, load<i32>(instruction, 4), point, sets)) continue;
      const word = first + ((point >> 5) << 2);
      store<u32>(word, load<u32>(word) | (1 << (point & 31)));
    }
  }
  return true;
}

/** Lists all instructions that may take the first character, as if every assertion held. */
function reach(length: i32): usize {
  listEnd = current;
  step++;
  let top = stack;
  store<u32>(top, 0);
  top += 8;
  while (top > stack) {
    top -= 8;
    const pc = load<u32>(top);
    const mark = marks + (<usize>pc << 2);
    if (load<u32>(mark) == step) continue;
    store<u32>(mark, step);
    const instruction = code + pc * INSTRUCTION_BYTES;
    const op: Op = load<u32>(instruction);
    const argument = load<i32>(instruction, 4);
    if (op < Op.Split) {
      addEntry(pc, Op.Any, 0);
      continue;
    }
    if (op <= Op.Jump) {
      store<u32>(top, pc + argument);
      top += 8;
    }
    if (op != Op.Jump) {
      store<u32>(top, pc + 1);
      top += 8;
    }
  }
  return listEnd;
}
