// Decides where a module's code pays fuel and how much: at the entry of each function and of each
// loop, for the longest straight path that begins there. Used by fuel-meter.ts.
//
// The price is 1 + (path >> 6): it follows time as well as an exact count of instructions, for a
// third of its cost. Entries of small functions are paid for by their callers, and where a function
// surely comes to a loop, by each turn of that: all of Go's functions are such. A loop that is
// copied (loop-copies.ts) pays for as many turns at once as there are copies; its first ones belong
// to the path of what is around it. All constants are measured, see RATIONALE.md, "Why fuel?".
import { WasmFormatError } from "./byte-reader.ts";
import { op } from "./control-opcodes.ts";
import { InstructionWalker } from "./instruction-walker.ts";
import { SiteKind, SiteList } from "./fuel-sites.ts";
import { COPIES, type CopiedLoop, copiesGrowth, findCopies } from "./loop-copies.ts";
import type { FunctionType } from "./wasm-types.ts";
import type { FunctionBody, ModuleStructure } from "./wasm-sections.ts";

/** A path of this many instructions costs one unit more: 2^6. */
const PATH_SHIFT = 6;
/** Longest path of a function that its callers pay for. */
const FOLD_PATH_MAX = 256;
/** Longest path outside of loops that each turn of the first one may pay for, too. */
const ENTRY_PATH_MAX = 64;
/** Longer bodies are not looked at for folding. */
const FOLD_BYTES_MAX = FOLD_PATH_MAX * 4;
/** Chains of calls that folding follows; deeper functions pay for themselves. */
const FOLD_DEPTH_MAX = 200;
/** Loops in loops; each branch out of them looks at all. The deepest known code has some dozens. */
const LOOP_DEPTH_MAX = 1000;
/** Copies of loops add no more to a module. */
const COPIED_BYTES_MAX = 4 << 20;
/** Longer functions have none: V8 takes 7.6 MB of one. */
const COPIED_BODY_MAX = 1 << 20;
/** 100 units: what the cheapest hostcalls take. Dear ones take more when they run. */
const HOSTCALL_WEIGHT = 100 << PATH_SHIFT;
const INDIRECT_WEIGHT = 8;
/** Of code that cannot be reached. */
const DEAD = -1;

/** Opcodes from here on change no control flow, but for a few. */
const PLAIN_FROM = 0x20;

/** What slow instructions cost above 1. */
const weights: Uint8Array = new Uint8Array(256);
weights.fill(6, 0x6d, 0x71);
weights.fill(20, 0x7f, 0x83);
for (const sqrtOrDivision of [0x91, 0x95, 0x9f, 0xa3]) weights[sqrtOrDivision] = 6;
/** Paid where it stands, not by the path: allocators hardly ever come to it. 20 units in all. */
const GROW_WEIGHT = 19 << PATH_SHIFT;
/** The same, for most functions that may throw do not: 500 units, and so many nanoseconds. */
const THROW_WEIGHT = 499 << PATH_SHIFT;

export interface FuelPlan {
  readonly sites: SiteList;
  /** By function: its first site, the one at its entry. One more than functions. */
  readonly firstSites: Int32Array;
  /** By function: where its instructions begin. */
  readonly codeStarts: Int32Array;
  /** By function: parameters and locals. */
  readonly localCounts: Int32Array;
  /** By site: loops that are written several times. */
  readonly copiedLoops: ReadonlyMap<number, CopiedLoop>;
  /** By function: nothing is paid at its entry, because its callers or its first loop do. */
  isEntryFree(index: number): boolean;
}

/** `copiedBytesMax`: so much more code may there be for loops that are written several times. */
export function planFuel(
  bytes: Uint8Array,
  structure: ModuleStructure,
  copiedBytesMax: number = COPIED_BYTES_MAX,
): FuelPlan {
  const planner = new FuelPlanner(bytes, structure, copiedBytesMax);
  planner.run();
  return planner;
}

class FuelPlanner implements FuelPlan {
  readonly sites: SiteList;
  readonly firstSites: Int32Array;
  readonly codeStarts: Int32Array;
  readonly localCounts: Int32Array;
  readonly copiedLoops: Map<number, CopiedLoop> = new Map();
  readonly #bytes: Uint8Array;
  readonly #bodies: readonly FunctionBody[];
  readonly #imported: number;
  readonly #isWide: readonly boolean[];
  readonly #walker: InstructionWalker;
  /** By function: the path that callers pay, DEAD = they do not. */
  readonly #folded: Int32Array;
  readonly #foldState: Uint8Array;
  /** By function: 1 = who enters it enters a loop, which pays for both. */
  readonly #startsWithLoop: Uint8Array;
  // Of the body that is walked: its open blocks, and of those the loops.
  /** By block: the longest path to its end so far. */
  #blockPaths: number[] = [];
  #isLoop: boolean[] = [];
  /** By loop: its block, its site, and the path before it. */
  #loopBlocks: number[] = [];
  #loopSites: number[] = [];
  #pathsBefore: number[] = [];
  /** Instructions since the last site. */
  #path: number = 0;
  /** Whether who enters the function surely comes here, and calls nothing before. */
  #isStraight: boolean = true;
  /** The site of the loop that surely is entered; -1 = none. */
  #firstLoop: number = -1;
  /** By label: the last branch table that named it. */
  readonly #seenLabels: number[] = [];
  #table: number = 0;
  readonly #copiedBytesMax: number;
  /** Bytes that copies of loops may still add. */
  #copyRoom: number;
  #mayCopy: boolean = true;

  constructor(bytes: Uint8Array, structure: ModuleStructure, copiedBytesMax: number) {
    const count = structure.bodies.length;
    this.#copiedBytesMax = copiedBytesMax;
    this.#copyRoom = copiedBytesMax;
    this.sites = new SiteList();
    this.firstSites = new Int32Array(count + 1);
    this.codeStarts = new Int32Array(count);
    this.localCounts = new Int32Array(count);
    this.#bytes = bytes;
    this.#bodies = structure.bodies;
    this.#imported = structure.importedFunctions;
    this.#isWide = structure.memories.map((memory) => memory.is64);
    this.#walker = new InstructionWalker(bytes);
    this.#folded = new Int32Array(count).fill(DEAD);
    this.#foldState = new Uint8Array(count);
    this.#startsWithLoop = new Uint8Array(count);
    for (let i = 0; i < count; i += 1) {
      this.#readLocals(i, structure.functions[this.#imported + i] as FunctionType);
    }
  }

  isEntryFree(index: number): boolean {
    return (this.#folded[index] as number) >= 0 || this.#startsWithLoop[index] === 1;
  }

  run(): void {
    const count = this.#bodies.length;
    for (let i = 0; i < count; i += 1) this.#fold(i, 0);
    for (let i = 0; i < count; i += 1) {
      this.firstSites[i] = this.sites.count;
      this.#planBody(i);
    }
    this.firstSites[count] = this.sites.count;
    const { costs, kinds } = this.sites;
    for (let site = 0; site < this.sites.count; site += 1) {
      if (kinds[site] !== SiteKind.Check) continue;
      const price = 1 + ((costs[site] as number) >> PATH_SHIFT);
      costs[site] = this.copiedLoops.has(site) ? COPIES * price : price;
    }
  }

  #readLocals(index: number, type: FunctionType): void {
    const walker = this.#walker;
    let groups = walker.u32((this.#bodies[index] as FunctionBody).start);
    let at = walker.after;
    let count = type.params.length;
    for (; groups > 0; groups -= 1) {
      count += walker.u32(at);
      at = walker.valueType(walker.after);
    }
    this.codeStarts[index] = at;
    this.localCounts[index] = count;
  }

  // ---- Folding: callees before callers.

  /** The path that callers of the function pay; DEAD when it pays for itself. */
  #fold(index: number, depth: number): number {
    const state = this.#foldState[index] as number;
    // In progress: it calls itself, directly or not.
    if (state === 1) return DEAD;
    if (state === 2) return this.#folded[index] as number;
    this.#foldState[index] = 1;
    const isSimple = depth < FOLD_DEPTH_MAX && this.#isSimple(index, depth);
    this.#foldState[index] = 2;
    if (!isSimple) return DEAD;
    const path = this.#planBody(index);
    // Only the path was wanted.
    this.sites.count = 0;
    this.copiedLoops.clear();
    this.#copyRoom = this.#copiedBytesMax;
    if (path <= FOLD_PATH_MAX) this.#folded[index] = path;
    return this.#folded[index] as number;
  }

  /**
   * Short, and on no circle of calls that could do without it: of each circle one function or more
   * pays for itself, and so does each loop. That loops do not exclude a function took fuel from
   * 21 % of the SDK guest's time to 7, from 17 % of a Rust guest's to 4 (bench/micro fuel-share).
   */
  #isSimple(index: number, depth: number): boolean {
    const bytes = this.#bytes;
    const { start, end } = this.#bodies[index] as FunctionBody;
    if (end - start > FOLD_BYTES_MAX) return false;
    for (let at = this.codeStarts[index] as number; at < end; at = this.#walker.next(at)) {
      const opcode = bytes[at] as number;
      if (isNeverSimple(opcode)) return false;
      if (opcode !== op.Call && opcode !== op.ReturnCall) continue;
      const callee = this.#walker.u32(at + 1) - this.#imported;
      if (callee < 0) continue;
      this.#fold(callee, depth + 1);
      // It calls this function: one of each circle pays for itself.
      if (this.#foldState[callee] === 1) return false;
    }
    return true;
  }

  // ---- One body.

  /** Adds the sites of a body; the longest path through it outside loops. */
  #planBody(index: number): number {
    const { start, end } = this.#bodies[index] as FunctionBody;
    const codeStart = this.codeStarts[index] as number;
    const entry = this.sites.add(codeStart, SiteKind.Check);
    this.#blockPaths = [DEAD];
    this.#isLoop = [false];
    this.#loopBlocks = [];
    this.#loopSites = [];
    this.#pathsBefore = [];
    this.#path = 0;
    this.#isStraight = true;
    this.#firstLoop = -1;
    this.#mayCopy = end - start <= COPIED_BODY_MAX;
    this.#walk(codeStart, end);
    this.sites.costs[entry] = this.#path;
    const isFolded = (this.#folded[index] as number) >= 0;
    const isPaidByLoop = !isFolded && this.#firstLoop >= 0 && this.#path <= ENTRY_PATH_MAX;
    this.#startsWithLoop[index] = isPaidByLoop ? 1 : 0;
    if (isPaidByLoop) {
      const turn = this.sites.costs[this.#firstLoop] as number;
      this.sites.costs[this.#firstLoop] = turn + Math.max(0, this.#path);
    }
    return this.#path;
  }

  #walk(from: number, end: number): void {
    for (let at = from; at < end; ) {
      const opcode = this.#bytes[at] as number;
      const next = this.#walker.next(at);
      if (this.#path >= 0) this.#path += 1;
      if (opcode < PLAIN_FROM) this.#control(opcode, at, next);
      else this.#plain(opcode, at);
      at = next;
    }
  }

  #plain(opcode: number, at: number): void {
    switch (opcode) {
      case op.BrOnNull:
      case op.BrOnNonNull:
        this.#branch(this.#walker.u32(at + 1));
        return;
      case op.Gc:
        this.#gc(at);
        return;
      case op.Misc:
        this.#bulk(at);
        return;
      case op.MemoryGrow:
        this.sites.raise(this.sites.add(at, SiteKind.Check), GROW_WEIGHT);
        return;
      default:
        if (this.#path >= 0) this.#path += weights[opcode] as number;
    }
  }

  #control(opcode: number, at: number, next: number): void {
    if (this.#isStraight && !goesOn(opcode)) this.#isStraight = false;
    switch (opcode) {
      case op.Loop:
        this.#openLoop(at, next);
        return;
      case op.Block:
        this.#open(DEAD);
        return;
      // An `if` as though its condition were false, until an `else` comes.
      case op.If:
      case op.Try:
      case op.TryTable:
        this.#open(this.#path);
        return;
      case op.Else:
        this.#else();
        return;
      case op.Catch:
      case op.CatchAll:
        this.#catch();
        return;
      case op.End:
      case op.Delegate:
        this.#close();
        return;
      case op.Call:
        this.#spend(this.#costOf(this.#walker.u32(at + 1)));
        return;
      case op.CallIndirect:
      case op.CallRef:
        this.#spend(INDIRECT_WEIGHT);
        return;
      default:
        this.#leaveBy(opcode, at);
    }
  }

  /** Instructions after which the next one is not reached, or only by chance. */
  #leaveBy(opcode: number, at: number): void {
    const walker = this.#walker;
    switch (opcode) {
      case op.BrIf:
        this.#branch(walker.u32(at + 1));
        return;
      case op.Br:
        this.#branch(walker.u32(at + 1));
        break;
      case op.BrTable:
        this.#branchTable(at);
        break;
      case op.ReturnCall:
        this.#spend(this.#costOf(walker.u32(at + 1)));
        this.#branch(this.#blockPaths.length - 1);
        break;
      case op.Throw:
      case op.Rethrow:
      case op.ThrowRef:
        this.sites.raise(this.sites.add(at, SiteKind.Check), THROW_WEIGHT);
        break;
      case op.Unreachable:
      case op.Return:
      case op.ReturnCallIndirect:
      case op.ReturnCallRef:
        this.#branch(this.#blockPaths.length - 1);
        break;
      default:
        return;
    }
    this.#path = DEAD;
  }

  /** A table may name the same label a million times. */
  #branchTable(at: number): void {
    const walker = this.#walker;
    const seen = this.#seenLabels;
    this.#table += 1;
    let left = walker.u32(at + 1) + 1;
    for (let label = walker.after; left > 0; left -= 1, label = walker.after) {
      const depth = walker.u32(label);
      if (seen[depth] === this.#table) continue;
      seen[depth] = this.#table;
      this.#branch(depth);
    }
  }

  #spend(cost: number): void {
    if (this.#path >= 0) this.#path += cost;
  }

  #costOf(callee: number): number {
    if (callee < this.#imported) return HOSTCALL_WEIGHT;
    return Math.max(0, this.#folded[callee - this.#imported] as number);
  }

  #open(pathToEnd: number): void {
    this.#blockPaths.push(pathToEnd);
    this.#isLoop.push(false);
  }

  #openLoop(begin: number, at: number): void {
    if (this.#loopBlocks.length >= LOOP_DEPTH_MAX) {
      throw new WasmFormatError(at, `loops are nested deeper than ${LOOP_DEPTH_MAX}`);
    }
    this.#loopBlocks.push(this.#blockPaths.length);
    this.#pathsBefore.push(this.#path);
    const site = this.sites.add(at, SiteKind.Check);
    this.#loopSites.push(site);
    this.#blockPaths.push(DEAD);
    this.#isLoop.push(true);
    if (this.#path >= 0) this.#path = 0;
    const copied = this.#mayCopy ? findCopies(this.#bytes, this.#walker, begin, at) : null;
    const growth = copied === null ? 0 : copiesGrowth(copied);
    if (copied !== null && growth <= this.#copyRoom) {
      this.#copyRoom -= growth;
      this.#payAhead(site, copied);
    } else if (this.#isStraight && this.#firstLoop < 0) this.#firstLoop = site;
  }

  /**
   * What is around a copied loop pays for its first turns. So the loop is walked to see what one
   * costs, and then again: the paths that leave it are longer by then, and nothing else changes.
   */
  #payAhead(site: number, loop: CopiedLoop): void {
    this.copiedLoops.set(site, loop);
    const path = this.#path;
    this.#walk(loop.from, loop.end);
    this.sites.raise(site, this.#path);
    this.#path = path;
    if (path < 0) return;
    const last = this.#pathsBefore.length - 1;
    const before = this.#pathsBefore[last] as number;
    this.#pathsBefore[last] = before + COPIES * (this.sites.costs[site] as number);
  }

  #else(): void {
    const top = this.#blockPaths.length - 1;
    const whenFalse = this.#blockPaths[top] as number;
    this.#blockPaths[top] = this.#path;
    this.#path = whenFalse;
  }

  #catch(): void {
    const top = this.#blockPaths.length - 1;
    const longest = Math.max(this.#blockPaths[top] as number, this.#path);
    this.#blockPaths[top] = longest;
    this.#path = longest;
  }

  #close(): void {
    const toEnd = this.#blockPaths.pop() as number;
    if (this.#isLoop.pop() !== true) {
      if (toEnd > this.#path) this.#path = toEnd;
      return;
    }
    this.#loopBlocks.pop();
    this.sites.raise(this.#loopSites.pop() as number, this.#path);
    const before = this.#pathsBefore.pop() as number;
    this.#path = this.#path < 0 ? DEAD : before;
  }

  #branch(depth: number): void {
    this.#isStraight = false;
    if (this.#path < 0) return;
    const target = this.#blockPaths.length - 1 - depth;
    const path = this.#pathTo(target);
    if (this.#isLoop[target] === true) {
      const loop = this.#loopBlocks.lastIndexOf(target);
      this.sites.raise(this.#loopSites[loop] as number, path);
    } else if (path > (this.#blockPaths[target] as number)) this.#blockPaths[target] = path;
  }

  /** The path as the block sees it; loops in between are paid for up to here. */
  #pathTo(block: number): number {
    let path = this.#path;
    for (let loop = this.#loopBlocks.length - 1; loop >= 0; loop -= 1) {
      if ((this.#loopBlocks[loop] as number) <= block) break;
      this.sites.raise(this.#loopSites[loop] as number, path);
      path = this.#pathsBefore[loop] as number;
    }
    return path;
  }

  /** Of memories and tables: the length is on the stack. */
  #bulk(at: number): void {
    const code = this.#walker.u32(at + 1);
    if (code === 10 || code === 11) {
      // Memory copy and fill: the length is an i64 when all memories it names are wide.
      const memory = this.#walker.u32(this.#walker.after);
      const other = code === 10 ? this.#walker.u32(this.#walker.after) : memory;
      const isWide = this.#isWide[memory] === true && this.#isWide[other] === true;
      this.sites.add(at, isWide ? SiteKind.BulkWide : SiteKind.Bulk);
    } else if (code === 8) this.sites.add(at, SiteKind.Bulk);
    else if (code === 12 || code === 14 || code === 15 || code === 17) {
      this.sites.add(at, SiteKind.Entries);
    }
  }

  #gc(at: number): void {
    const code = this.#walker.u32(at + 1);
    if (code <= 1 || (code >= 6 && code <= 10)) {
      throw new WasmFormatError(at, "makes objects on the engine's heap, which nothing bounds");
    }
    // br_on_cast and br_on_cast_fail: a flag byte, then the label.
    if (code === 24 || code === 25) this.#branch(this.#walker.u32(this.#walker.after + 1));
    // Arrays filled and copied.
    if (code >= 16 && code <= 19) this.sites.add(at, SiteKind.Entries);
  }
}

/** Of what may change control flow: what only the next instruction follows, as a block or drop. */
function goesOn(opcode: number): boolean {
  const isNothing = opcode === op.Nop || (opcode >= op.Drop && opcode <= op.SelectTyped);
  return isNothing || opcode === op.Block || opcode === op.Loop;
}

/** Loops, calls to who knows where, growing, and what allocates. */
function isNeverSimple(opcode: number): boolean {
  if (opcode === op.CallIndirect || opcode === op.MemoryGrow) return true;
  if (opcode >= op.ReturnCallIndirect && opcode <= op.ReturnCallRef) return true;
  return opcode === op.Gc;
}
