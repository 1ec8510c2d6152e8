import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = new URL("../..", import.meta.url).pathname;

/** What has no stat, and what its cell "at the limit" must say then. */
const withoutStat: ReadonlyMap<string, RegExp> = new Map([
  // Only while configuring: nothing runs that could count.
  ["an error names it", /refused/],
  ["the kernel counts", /kernel/],
  ["nothing waits", /^-$|kernel/],
  ["one by its nature", /counts/],
  ["the guest is told", /grow/],
  ["cut for the log", /lines go/],
  ["only slower", /pay/],
]);

interface Row {
  readonly what: string;
  readonly atLimit: string;
  readonly stat: string;
  readonly test: string;
  readonly cellCount: number;
}

/** The rows below "## Limits" of runtime/README.md. */
function limitRows(): Row[] {
  const text = readFileSync(join(root, "runtime/README.md"), "utf8");
  const section = text.slice(text.indexOf("## Limits")).split("\n## ")[0] as string;
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(1).map((row) => {
    const cells = row.split(" | ").map((cell) => cell.replaceAll(/^\||\|$/g, "").trim());
    const [what = "", , atLimit = "", stat = "", test = ""] = cells;
    return { what, atLimit, stat, test, cellCount: cells.length };
  });
}

test("every limit of runtime/README.md names a test that is there", () => {
  const rows = limitRows();
  expect(rows.length).toBeGreaterThan(30);
  const problems: string[] = [];
  for (const { what, stat, test: cell, cellCount } of rows) {
    const test = /^`([^`]+)`: (.+)$/.exec(cell);
    if (cellCount !== 5) problems.push(`${what}: ${cellCount} cells`);
    else if (test === null) {
      // Without a stat and a test only what is not ours to bound, or never grows.
      if (cell !== "-" || !/^none: (the kernel counts|nothing waits)$/.test(stat)) {
        problems.push(`${what}: ${cell}`);
      }
    } else {
      const path = join(root, test[1] as string);
      const isThere = existsSync(path) && readFileSync(path, "utf8").includes(`"${test[2]}"`);
      if (!isThere) problems.push(`${what}: no test "${test[2]}" in ${test[1]}`);
    }
  }
  expect(problems).toEqual([]);
});

test("every limit of runtime/README.md names a stat that is made, or why it has none", () => {
  const sources = globSync("runtime/src/**/*.ts", { cwd: root })
    .filter((path) => !path.endsWith(".test.ts"))
    .map((path) => readFileSync(join(root, path), "utf8"))
    .join("\n");
  const problems = limitRows().flatMap(({ what, atLimit, stat }) => {
    const reason = /^none: (.+)$/.exec(stat)?.[1];
    if (reason !== undefined) {
      return withoutStat.get(reason)?.test(atLimit) === true ? [] : [`${what}: ${stat}`];
    }
    const names = [...stat.matchAll(/`([^`]+)`/g)].map(([, name]) => name as string);
    if (names.length === 0 && !existsAsWords(stat)) return [`${what}: no stat`];
    return names
      .filter((name) => !isMade(sources, name) && !name.endsWith("*"))
      .filter((name) => !stat.endsWith("of its page") || !sources.includes(`${name}:`))
      .map((name) => `${what}: no ${name}`);
  });
  expect(problems).toEqual([]);
});

/** Rows whose stats stand in another row or page. */
function existsAsWords(stat: string): boolean {
  return stat === "the stats of the kinds" || stat === "as without TLS";
}

/**
 * The name's last part stands in the source as one text, or as two that are put together:
 * "upstream_cx_" and "overflow". One that begins with "_" goes on with the start of the one before.
 */
function isMade(sources: string, name: string): boolean {
  const words = (name.split(".").at(-1) ?? "").split("_");
  for (let from = 0; from < words.length; from += 1) {
    const start = words.slice(0, from).join("_");
    const end = words.slice(from).join("_");
    const hasStart = from === 0 || start === "" || new RegExp(`${start}_?["\`$]`).test(sources);
    if (hasStart && new RegExp(`["\`.}_]${end}["\`]`).test(sources)) return true;
  }
  return false;
}
