// Writes small loops several times, one copy behind the other, so that one payment does for as many
// turns: found for fuel-plan.ts, written for fuel-meter.ts.
//
//     loop T            block T
//       ...               loop T
//       br 0                block      ; once for each copy: what went back to the loop
//       ...                   ...      ; goes on to the next one, what came to its end
//     end                     br 0     ; leaves them all
//                             ...
//                             br 2
//                           end
//                           ...
//                           check
//                           br 0
//                         end
//                       end
//
// V8 makes of it what it makes of loops that it unrolls itself, which are none with a call, as a
// check has one. The check is behind the copies because many loops end before they come to it.
import type { ByteWriter } from "./byte-writer.ts";
import type { CodeMapWriter } from "./code-map-writer.ts";
import { op } from "./control-opcodes.ts";
import type { InstructionWalker } from "./instruction-walker.ts";

/** Eight gain nothing more. */
export const COPIES = 4;
/** With its `end`. Longer bodies have much to do besides paying. */
const BODY_BYTES_MAX = 512;
/** Such a label takes one byte in a copy, too: copies are as long as what they are of. */
const LABEL_MAX = 0x7d;
const VOID = 0x40;
/** Behind its prefix: numbers that saturate. Others pay by a length. */
const SATURATING_MAX = 7;

/** By opcode: 1 = may stand in a loop that is copied: it neither calls, catches, nor pays. */
const allowed: Uint8Array = new Uint8Array(256);
for (const [from, to] of [
  [op.Unreachable, op.Block],
  [op.If, op.Else],
  [op.End, op.Return],
  [op.Drop, op.SelectTyped],
  // Locals, globals, tables, loads, stores; numbers; vectors.
  [0x20, op.MemoryGrow - 1],
  [0x41, 0xc4],
  [op.Misc, 0xfd],
] as const) {
  allowed.fill(1, from, to + 1);
}

/** Positions in the module as it came. */
export interface CopiedLoop {
  /** Of its opcode, of its first instruction, and of its `end`. */
  readonly begin: number;
  readonly from: number;
  readonly end: number;
  /** Labels in it that name what is around it. */
  readonly outerLabels: readonly number[];
}

/** Null = the loop at `begin`, with its first instruction at `from`, stays single. */
export function findCopies(
  bytes: Uint8Array,
  walker: InstructionWalker,
  begin: number,
  from: number,
): CopiedLoop | null {
  // A type that is no index has no parameters: what goes back to the loop takes nothing along.
  if (((bytes[begin + 1] as number) & 0xc0) !== VOID) return null;
  const outerLabels: number[] = [];
  let hasTurns = false;
  let depth = 0;
  let at = from;
  while (depth >= 0) {
    const opcode = bytes[at] as number;
    const next = walker.next(at);
    if (!mayCopy(bytes, walker, at) || next - from > BODY_BYTES_MAX) return null;
    if (opcode === op.Block || opcode === op.If) depth += 1;
    else if (opcode === op.End) depth -= 1;
    for (let label = firstLabel(bytes, walker, at, next); label < next; label += 1) {
      const target = bytes[label] as number;
      if (target > LABEL_MAX) return null;
      if (target > depth) outerLabels.push(label);
      else if (target === depth) hasTurns = true;
    }
    at = next;
  }
  return hasTurns ? { begin, from, end: at - 1, outerLabels } : null;
}

function mayCopy(bytes: Uint8Array, walker: InstructionWalker, at: number): boolean {
  const opcode = bytes[at] as number;
  if (opcode === op.Misc) return walker.u32(at + 1) <= SATURATING_MAX;
  return allowed[opcode] === 1;
}

/** Of the instruction at `at`; `next` = it has none. */
function firstLabel(
  bytes: Uint8Array,
  walker: InstructionWalker,
  at: number,
  next: number,
): number {
  const opcode = bytes[at] as number;
  if (opcode === op.Br || opcode === op.BrIf) return at + 1;
  if (opcode !== op.BrTable) return next;
  walker.u32(at + 1);
  return walker.after;
}

const OPEN_COPY: Uint8Array = Uint8Array.of(op.Block, VOID);
/** Out of the copy, the loop, and the block around it. */
const CLOSE_COPY: Uint8Array = Uint8Array.of(op.Br, 2, op.End);
const AGAIN: Uint8Array = Uint8Array.of(op.Br, 0);
const CLOSE: Uint8Array = Uint8Array.of(op.End, op.End);

/** Bytes that are added to the loop's own, but for its check. */
export function copiesGrowth({ begin, from, end }: CopiedLoop): number {
  const body = end - from;
  const copies = COPIES * (OPEN_COPY.length + body + CLOSE_COPY.length);
  return from - begin + copies - body + AGAIN.length + CLOSE.length - 1;
}

/** Writes the loop with its `end`. The result: where the check ends in `out`. */
export function writeCopies(
  out: ByteWriter,
  map: CodeMapWriter,
  bytes: Uint8Array,
  { begin, from, end, outerLabels }: CopiedLoop,
  check: Uint8Array,
): number {
  const body = Uint8Array.from(bytes.subarray(from, end));
  // The block around the loop and the one around the copy are between them and what they name.
  for (const label of outerLabels) body[label - from] = (bytes[label] as number) + 2;
  out.u8(op.Block);
  out.copy(bytes, begin + 1, from);
  out.copy(bytes, begin, from);
  for (let left = COPIES; left > 0; left -= 1) {
    out.put(OPEN_COPY);
    map.add(out.size, from);
    out.put(body);
    map.add(out.size, end);
    out.put(CLOSE_COPY);
  }
  // A guest that is stopped there is told to be at the loop's first instruction.
  map.add(out.size, from);
  out.put(check);
  const checkEnd = out.size;
  map.add(checkEnd, from);
  out.put(AGAIN);
  map.add(out.size, end);
  out.put(CLOSE);
  map.add(out.size, end + 1);
  return checkEnd;
}
