// Holds CHECKS.md to the cases: no number is missing, and what a row names is there.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CONFIG_CASES, GROUPS } from "./cases/index.ts";
import { matchesName } from "./known-differences.ts";
import { REPOSITORY } from "./target.ts";

/** How many checks there are, by the letter before their numbers. */
const CHECKS: Readonly<Record<string, number>> = { "": 71, L: 34, T: 27, U: 16, P: 17, F: 15 };

interface Row {
  /** With its letter. */
  readonly number: string;
  readonly proof: string;
}

const page = readFileSync(join(REPOSITORY, "conformance/envoy/CHECKS.md"), "utf8");
const rows: readonly Row[] = [...page.matchAll(/^\| ([A-Z]?\d+) \| .* \| (.*) \|$/gm)].map(
  ([, number = "", proof = ""]) => ({ number, proof }),
);
const ids = [...GROUPS.flatMap((group) => group.cases), ...CONFIG_CASES].map((one) => one.id);

function isThere(name: string): boolean {
  if (name.includes("/")) return existsSync(join(REPOSITORY, name));
  return ids.some((id) => matchesName(name, id));
}

test("every check has one row, in order", () => {
  const all = Object.entries(CHECKS).flatMap(([letter, count]) =>
    Array.from({ length: count }, (_, index) => `${letter}${index + 1}`),
  );
  expect(rows.map((row) => row.number)).toEqual(all);
});

test("every row names cases or files that exist, or says what must come first", () => {
  const missing = rows.flatMap(({ number, proof }) => {
    if (/^later: \S/.test(proof)) return [];
    return proof.split(", ").flatMap((name) => (isThere(name) ? [] : [`${number}: ${name}`]));
  });
  expect(missing).toEqual([]);
});

test("a case whose title names a check stands in that check's row", () => {
  const lost = GROUPS.flatMap((group) => group.cases).flatMap((one) => {
    const number = /\(check ([A-Z]?\d+)\)/.exec(one.title)?.[1];
    const row = rows.find((each) => each.number === number);
    // Numbers above the last row belong to what later versions add.
    if (row === undefined || row.proof.startsWith("later")) return [];
    const names = row.proof.split(", ");
    return names.some((name) => matchesName(name, one.id)) ? [] : [`${number}: ${one.id}`];
  });
  expect(lost).toEqual([]);
});
