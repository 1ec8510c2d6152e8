// Leaves of a module's debug sections what tells lines: the rest is ten times as much.
import { readModule } from "../../runtime/src/module/wasm-sections.ts";

const KEPT: ReadonlySet<string> = new Set([".debug_line", ".debug_line_str", "name"]);

/** The module without its other custom sections. */
export function keepLineTables(module: Uint8Array): Buffer {
  const { sections } = readModule(module);
  const kept = sections.filter(({ id, name }) => id !== 0 || KEPT.has(name));
  return Buffer.concat([
    module.subarray(0, 8),
    ...kept.map(({ start, end }) => module.subarray(start, end)),
  ]);
}
