// Line tables of real compilers, compared with what their sources say, and tables that are no good.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { WasmFormatError } from "./byte-reader.ts";
import { DebugLines } from "./debug-lines.ts";
import { guestBuilder } from "./wasm-builder-for-test.ts";
import { readModule, SectionId } from "./wasm-sections.ts";

const guests = new URL("../../../conformance/guests/", import.meta.url);

function readWasm(name: string): Buffer {
  return readFileSync(new URL(`wasm/${name}.wasm`, guests));
}

/** Every place of every byte of code, each once. */
function placesOf(bytes: Buffer): Set<string> {
  const structure = readModule(bytes);
  const lines = DebugLines.read(bytes, structure);
  const places = new Set<string>();
  for (const { start, end } of structure.bodies) {
    for (let at = start; at < end; at += 1) {
      const place = lines?.placeOf(at, start) ?? null;
      if (place !== null) places.add(`${place.file}:${place.line}:${place.column}`);
    }
  }
  return places;
}

test.each(["c-trapping-dwarf4", "c-trapping-dwarf5"])("%s: lines are those of the file", (name) => {
  const source = readFileSync(new URL("c/trapping.c", guests), "utf8").split("\n");
  const places = placesOf(readWasm(name));
  for (const text of ["return a / b;", "__builtin_trap();", "for (;;) *count += 1;"]) {
    const line = source.findIndex((found) => found.includes(text));
    const start = `c/trapping.c:${line + 1}:`;
    expect([...places].filter((place) => place.startsWith(start))).not.toEqual([]);
  }
  const header = readFileSync(new URL("c/proxy-wasm.h", guests), "utf8").split("\n");
  const inHeader = [...places].filter((place) => place.startsWith("c/proxy-wasm.h:"));
  expect(inHeader.length).toBeGreaterThan(5);
  for (const place of inHeader) {
    const [, line, column] = place.split(":").map(Number);
    expect(header[(line ?? 0) - 1]?.length).toBeGreaterThanOrEqual((column ?? 0) - 1);
  }
});

test("versions 4 and 5 tell the same", () => {
  const fourth = placesOf(readWasm("c-trapping-dwarf4"));
  expect(placesOf(readWasm("c-trapping-dwarf5"))).toEqual(fourth);
});

test("Rust's table names the guest's own lines and those of its libraries", () => {
  const places = [...placesOf(readWasm("rust-faulty-dwarf4"))];
  const source = readFileSync(new URL("rust/faulty.rs", guests), "utf8").split("\n");
  const line = source.findIndex((text) => text.includes("assert!(self.fault")) + 1;
  expect(places.filter((place) => place.startsWith(`faulty.rs:${line}:`))).not.toEqual([]);
  expect(places.some((place) => place.startsWith("src/dispatcher.rs:"))).toBe(true);
});

/** A module whose line table has these bytes. */
function withTable(table: readonly number[]): Buffer {
  return guestBuilder().custom(".debug_line", table).build();
}

function read(bytes: Buffer, rowsMax?: number): DebugLines | null {
  return DebugLines.read(bytes, readModule(bytes), rowsMax);
}

/** A unit of version 4 with one file "a" and this program. */
function unit(program: readonly number[], version = 4, lineRange = 14): number[] {
  const fields = [1, 1, 1, 0xfb, lineRange, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
  const files = [0, 0x61, 0, 0, 0, 0, 0];
  const head = [...fields, ...files];
  const body = [version, 0, head.length, 0, 0, 0, ...head, ...program];
  return [body.length, 0, 0, 0, ...body];
}

const setAddress = (address: number): number[] => [0, 5, 2, address, 0, 0, 0];
const END = [0, 1, 1];
/** One row: line 3, at the address. */
const ROW = [3, 2, 1];

test("a module without a table has no lines, and units of other versions are passed over", () => {
  expect(read(guestBuilder().build())).toBeNull();
  const bytes = withTable([
    ...unit([0xff, 0xff], 6),
    ...unit([...setAddress(2), ...ROW, 2, 9, ...END]),
  ]);
  const lines = read(bytes);
  const start =
    readModule(bytes).sections.find(({ id }) => id === SectionId.Code)?.contentStart ?? 0;
  expect(lines?.placeOf(start + 5, start)).toEqual({ file: "a", line: 3, column: 1 });
  expect(lines?.placeOf(start + 11, start)).toBeNull();
  expect(lines?.placeOf(start + 1, start)).toBeNull();
  // A row of the function before says nothing about this one.
  expect(lines?.placeOf(start + 5, start + 4)).toBeNull();
});

test("line 0 is the line before it, and functions that the linker dropped are nowhere", () => {
  const program = [...setAddress(2), ...ROW, 2, 2, 3, 0x7d, 1, 2, 6, ...END];
  const gone = [...setAddress(0), ...ROW, 2, 100, ...END];
  const bytes = withTable([...unit(gone), ...unit(program)]);
  const start =
    readModule(bytes).sections.find(({ id }) => id === SectionId.Code)?.contentStart ?? 0;
  expect(read(bytes)?.placeOf(start + 6, start)?.line).toBe(3);
  expect(read(bytes)?.placeOf(start + 1, start)).toBeNull();
});

test("a table that is cut, damaged, or larger than the limit is refused by its place", () => {
  const whole = unit([...setAddress(2), ...ROW, 2, 9, ...END]);
  expect(read(withTable(whole))).not.toBeNull();
  for (let size = 1; size < whole.length; size += 1) {
    expect(() => read(withTable(whole.slice(0, size)))).toThrow(WasmFormatError);
  }
  expect(() => read(withTable(unit([0, 9, 2])))).toThrow(WasmFormatError);
  expect(() => read(withTable(unit([], 4, 0)))).toThrow("lines have no range");
  const rows = [...setAddress(2), ...ROW, 1, 1, 1, 2, 9, ...END];
  expect(read(withTable(unit(rows)), 4)).not.toBeNull();
  expect(() => read(withTable(unit(rows)), 3)).toThrow("more than 3 rows");
});
