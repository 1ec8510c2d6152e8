// Finds exported callbacks that do nothing, so that the host can leave out the call (inspect.ts).
import { ByteReader } from "./byte-reader.ts";
import type { ExportEntry, FunctionBody, ModuleStructure } from "./wasm-sections.ts";
import { readValueType } from "./wasm-types.ts";

const NOP = 0x01;
const END = 0x0b;
const RETURN = 0x0f;
const I32_CONST = 0x41;

/**
 * What an exported function always answers: its constant, or 0 when it has no result. Null when
 * its body does anything else, and for imports that are exported again.
 */
export function trivialResult(
  bytes: Uint8Array,
  structure: ModuleStructure,
  entry: ExportEntry,
): number | null {
  if (entry.kind !== "function") return null;
  const body = structure.bodies[entry.index - structure.importedFunctions];
  return body === undefined ? null : readConstant(bytes, body);
}

/** Bodies of the shape `nop* (i32.const n)? return? end`, whatever locals they declare. */
function readConstant(bytes: Uint8Array, body: FunctionBody): number | null {
  const reader = new ByteReader(bytes, body.start, body.end);
  for (let left = reader.count(); left > 0; left -= 1) {
    reader.u32();
    readValueType(reader);
  }
  let opcode = reader.u8();
  while (opcode === NOP) opcode = reader.u8();
  let constant = 0;
  if (opcode === I32_CONST) {
    constant = reader.s33();
    opcode = reader.u8();
  }
  if (opcode === RETURN) opcode = reader.u8();
  return opcode === END && reader.isAtEnd ? constant | 0 : null;
}
