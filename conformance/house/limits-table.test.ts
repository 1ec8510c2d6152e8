import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = new URL("../..", import.meta.url).pathname;

/** The rows below "## Limits" of runtime/README.md, cell by cell. */
function limitRows(): string[][] {
  const text = readFileSync(join(root, "runtime/README.md"), "utf8");
  const section = text.slice(text.indexOf("## Limits")).split("\n## ")[0] as string;
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows
    .slice(1)
    .map((row) => row.split(" | ").map((cell) => cell.replaceAll(/^\||\|$/g, "").trim()));
}

test("every limit of runtime/README.md names a test that is there", () => {
  const rows = limitRows();
  expect(rows.length).toBeGreaterThan(30);
  const problems: string[] = [];
  for (const cells of rows) {
    const test = /^`([^`]+)`: (.+)$/.exec(cells[4] ?? "");
    if (cells.length !== 5) problems.push(`${cells[0]}: ${cells.length} cells`);
    else if (test === null) {
      // Without a stat and a test only what is not ours to bound, or never grows.
      if (cells[4] !== "-" || !/kernel|none waits/.test(cells.join())) problems.push(cells.join());
    } else {
      const path = join(root, test[1] as string);
      const isThere = existsSync(path) && readFileSync(path, "utf8").includes(`"${test[2]}"`);
      if (!isThere) problems.push(`${cells[0]}: no test "${test[2]}" in ${test[1]}`);
    }
  }
  expect(problems).toEqual([]);
});
