// Loops and arithmetic that asc has once compiled wrongly, or nearly: the same file runs as
// JavaScript and as wasm, and both must answer the same. Run for each new version of asc.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compile } from "./compile-for-test.ts";
import * as portable from "./portable.ts";

type Function32 = (...args: number[]) => number;

async function functionsOf(source: string, ...args: string[]): Promise<Record<string, Function32>> {
  const files = { "assembly/index.ts": source, "asconfig.json": "{}" };
  const { wasm, lines } = await compile(files, ["--runtime", "stub", ...args]);
  expect(lines).toEqual([]);
  const module = new WebAssembly.Module(wasm ?? new Uint8Array());
  const env = { abort: () => undefined };
  return new WebAssembly.Instance(module, { env }).exports as Record<string, Function32>;
}

test.each([["-O0"], ["-O3"]])("loops and numbers mean the same at %s", async (level) => {
  // To asc i32 is a type of its own.
  const text = readFileSync(join(import.meta.dirname, "portable.ts"), "utf8");
  const source = text.replace("type i32 = number;", "");
  const compiled = await functionsOf(source, level);
  const wrong: unknown[] = [];
  for (const [name, own] of Object.entries(portable as Record<string, Function32>)) {
    for (let a = -3; a < 12; a += 1) {
      for (let b = -2; b < 7; b += 1) {
        const expected = own(a, b);
        const found = compiled[name]?.(a, b);
        if (found !== expected) wrong.push({ name, a, b, expected, found });
      }
    }
  }
  expect(Object.keys(portable).length).toBeGreaterThan(6);
  expect(wrong).toEqual([]);
});

test("asc still compiles an endless for loop wrongly: when it does not, the ban can go", async () => {
  const endless = `export function f(n: i32): i32 {
    let c = 0;
    for (;;) { c++; if (c < n) { continue; } if (c == n) { break; } return -1; }
    return c;
  }`;
  const { f } = await functionsOf(endless, "-O0");
  expect(() => f?.(3)).toThrow(/unreachable/);
  const { f: mended } = await functionsOf(endless.replace("for (;;)", "while (true)"), "-O0");
  expect(mended?.(3)).toBe(3);
});

test("asc still makes a trap of a negative offset: when it does not, that ban can go", async () => {
  const source = "export function f(): u32 { return load<u32>(memory.data(16) + 8, -4); }";
  const { f } = await functionsOf(source, "-O0");
  expect(() => f?.()).toThrow(WebAssembly.RuntimeError);
});

test("parseFloat still reads numbers wrongly: when it does not, decimal-double.ts can go", async () => {
  const source = (text: string): string => `export function f(): i32 {
    return f64.parse("${text}") == ${text} ? 1 : 0;
  }`;
  for (const text of ["4.1177817598958037e+40", "-2.8642581832045025e+45"]) {
    const { f } = await functionsOf(source(text), "-O0");
    expect(f?.()).toBe(0);
  }
});

test("asc still widens before it multiplies, which the SDK's sources write around", async () => {
  const source = (body: string): string =>
    `export function f(a: u32, b: u32): u32 { ${body} } memory.data(8);`;
  const at = "const p = memory.data(8); store<u32>(p, a);";
  const wide = "const w: u64 = <u64>(load<u32>(p) * b); return <u32>(w >> 32);";
  const { f } = await functionsOf(source(`${at} ${wide}`), "-O0");
  expect(f?.(-1, -1)).not.toBe(0);
  const narrow = "const n: u32 = load<u32>(p) * b; const w: u64 = n; return <u32>(w >> 32);";
  const { f: safe } = await functionsOf(source(`${at} ${narrow}`), "-O0");
  expect(safe?.(-1, -1)).toBe(0);
});
