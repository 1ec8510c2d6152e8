// Checks the parts of --sdks that measure nothing: counts of lines, edits, differences, tables.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Sample } from "../report.ts";
import { askedCount, differencesOf } from "./sameness.ts";
import {
  FILTERS,
  FOLDER,
  LANGUAGES,
  linesOfBindings,
  linesOfCode,
  linesOfFilter,
  sourceOf,
} from "./sources.ts";
import { type Built, publish, sdkTables } from "./tables.ts";
import { edited } from "./toolchains.ts";

test("lines of code are neither empty nor comment, but for what Go's compiler reads", () => {
  const text = [
    "// a",
    "",
    "/** b */",
    "/* c",
    "   d",
    "*/",
    "//go:wasmexport e",
    "  f(); // g",
    "//! h",
  ];
  expect(linesOfCode(text.join("\n"))).toBe(2);
});

test("each filter is there in each language, and has what an author edits", () => {
  for (const language of LANGUAGES) {
    for (const filter of FILTERS) {
      const source = readFileSync(FOLDER + sourceOf(language, filter), "utf8");
      expect(edited(source, filter, 7)).not.toBe(source);
      expect(edited(source, filter, 7).length).toBe(source.length + 2);
      expect(linesOfFilter(language, filter)).toBeGreaterThan(10);
    }
    expect(linesOfBindings(language) > 0).toBe(language === "go" || language === "c");
  }
  expect(() => edited("", "header", 1)).toThrow('a header filter has no "mobile');
});

test("outcomes that differ are told with what was asked", () => {
  const one = Array.from({ length: askedCount("header") }, () => ({
    status: 200,
    headers: [],
    body: "",
    behind: [],
  }));
  const other = one.map((outcome, at) => (at === 4 ? { ...outcome, body: "x" } : outcome));
  expect(differencesOf("header", one, one)).toEqual([]);
  const [line, ...rest] = differencesOf("header", one, other);
  expect(rest).toEqual([]);
  expect(line).toMatch(/^header: GET \/old\/ \{\}\n.*"body":"".*\n.*"body":"x"/);
});

function sample(cpuUs: number): Sample {
  return { cpuUs, requestsPerSecond: 1, p50Us: 1, p99Us: 1, residentBytes: 1, errors: 0 };
}

const TABLES = (() => {
  const built: Built[] = FILTERS.map((filter, at) => ({
    language: "as",
    filter,
    file: "",
    cleanSeconds: 2 + at,
    editSeconds: [1, 1.5],
    stripped: 2048 * (at + 1),
    withNames: 204_800,
  }));
  const measured = {
    "headgate router header": [sample(10), sample(20), sample(10)],
    "headgate as header": [sample(11), sample(24), sample(12)],
  };
  const facts = { words: ["a: b"], rounds: 3, seconds: 1 };
  return sdkTables(built, measured, facts);
})();

test("the tables tell sizes, lines, seconds, and costs round by round", () => {
  const lines = FILTERS.map((filter) => linesOfFilter("as", filter)).join(", ");
  const row = `| AssemblyScript | 2.0, 4.0, 6.0 | 200, 200, 200 | ${lines} | 3.0 (2.0 to 4.0) | 1.3 (1.0 to 1.5) |`;
  expect(TABLES).toContain(row);
  expect(TABLES).toContain("| Headgate, AssemblyScript | 2.0 (2.0 to 4.0) | - | - |");
  expect(TABLES).not.toContain("Rust");
});

test("the page gets the tables between its marks, again and again", () => {
  const folder = mkdtempSync(join(tmpdir(), "headgate-sdks-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const page = join(folder, "page.md");
  const marks = readFileSync(join(FOLDER, "../../sdk-assemblyscript/README.md"), "utf8");
  writeFileSync(page, marks);
  publish("first", page);
  publish("second", page);
  const text = readFileSync(page, "utf8");
  expect(text).toContain("writes this -->\n\nsecond\n\n<!-- to here -->");
  expect(text).not.toContain("first\n\n<!--");
  writeFileSync(page, "no marks");
  expect(() => publish("third", page)).toThrow("no marks");
});
