// Walks a module's code: which proposals its instructions need, and which functions call which.
// Used by module-profile.ts.
import { ByteReader, WasmFormatError } from "./byte-reader.ts";
import { InstructionWalker } from "./instruction-walker.ts";
import type { FunctionBody, ModuleStructure } from "./wasm-sections.ts";
import { readValueType } from "./wasm-types.ts";

const CALL = 0x10;
const RETURN_CALL = 0x12;
const REF_FUNC = 0xd2;

/** What instructions belong to; those that every host knows are left out. */
const proposals: readonly (readonly [from: number, to: number, name: string])[] = [
  [0x06, 0x0a, "exception handling"],
  [0x12, 0x13, "tail calls"],
  [0x14, 0x15, "typed function references"],
  [0x18, 0x19, "exception handling"],
  [0x1f, 0x1f, "exception handling"],
  [0xfb, 0xfb, "garbage collection"],
  [0xfd, 0xfd, "SIMD"],
  [0xfe, 0xfe, "threads"],
];

export interface CodeScan {
  /** Names of proposals, sorted. */
  readonly features: readonly string[];
  /** By function index: the functions that its code names, to call or to hand on. */
  calleesOf(index: number): readonly number[];
}

/** Null when there is an instruction that is not known. */
export function scanCode(bytes: Uint8Array, structure: ModuleStructure): CodeScan | null {
  const seen = new Uint8Array(256);
  try {
    for (const body of structure.bodies) walk(bytes, body, (opcode) => (seen[opcode] = 1));
  } catch (error) {
    if (error instanceof WasmFormatError) return null;
    throw error;
  }
  const features = new Set<string>();
  for (const [from, to, name] of proposals) {
    for (let opcode = from; opcode <= to; opcode += 1) if (seen[opcode] === 1) features.add(name);
  }
  const calleesOf = (index: number): number[] => {
    const body = structure.bodies[index - structure.importedFunctions];
    const callees = new Set<number>();
    if (body === undefined) return [];
    walk(bytes, body, (opcode, at, walker) => {
      const isNamed = opcode === CALL || opcode === RETURN_CALL || opcode === REF_FUNC;
      if (isNamed) callees.add(walker.u32(at + 1));
    });
    return [...callees];
  };
  return { features: [...features].sort(), calleesOf };
}

/** Functions that can be reached from one, that one among them; not what tables lead to. */
export function reachedFrom(scan: CodeScan, index: number): ReadonlySet<number> {
  const reached = new Set([index]);
  for (const at of reached) for (const callee of scan.calleesOf(at)) reached.add(callee);
  return reached;
}

type Visit = (opcode: number, at: number, walker: InstructionWalker) => void;

function walk(bytes: Uint8Array, body: FunctionBody, visit: Visit): void {
  const reader = new ByteReader(bytes, body.start, body.end);
  for (let left = reader.count(); left > 0; left -= 1) {
    reader.u32();
    readValueType(reader);
  }
  const walker = new InstructionWalker(bytes);
  for (let at = reader.at; at < body.end; at = walker.next(at)) {
    visit(bytes[at] as number, at, walker);
  }
}
