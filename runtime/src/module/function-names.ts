// Reads what the name section calls functions. V8 knows a running module's own; this is for debug
// files, which have the names that were stripped. Used by source-places.ts.
import { WasmFormatError } from "./byte-reader.ts";
import type { ByteReader } from "./byte-reader.ts";
import { customSections, type ModuleStructure } from "./wasm-sections.ts";

const SUBSECTION_FUNCTIONS = 1;

/** By the function's index, imports first; empty when the module has none. */
export function readFunctionNames(
  bytes: Uint8Array,
  structure: ModuleStructure,
): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const reader of customSections(bytes, structure, "name")) {
    try {
      readSubsections(reader, names);
    } catch (error) {
      // A custom section is never a reason to refuse a module, or to tell nothing.
      if (!(error instanceof WasmFormatError)) throw error;
    }
  }
  return names;
}

function readSubsections(reader: ByteReader, names: Map<number, string>): void {
  while (!reader.isAtEnd) {
    const id = reader.u8();
    const end = reader.u32() + reader.at;
    if (id === SUBSECTION_FUNCTIONS) {
      for (let left = reader.count(); left > 0; left -= 1) names.set(reader.u32(), reader.name());
    }
    reader.skip(end - reader.at);
  }
}
