// What pages tell a reader to type must run where only the system's Node.js is there, which may be
// too old for TypeScript: by npx, or by the path of the one that npm has installed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = new URL("../..", import.meta.url).pathname;
const LEFT_OUT = new Set(["node_modules", ".git", "dist"]);

function pages(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return LEFT_OUT.has(entry.name) ? [] : pages(path);
    return entry.name.endsWith(".md") ? [path] : [];
  });
}

test("commands of pages do not run TypeScript by the system's Node.js", () => {
  const all = pages(".");
  expect(all.length).toBeGreaterThan(10);
  const found = all.flatMap((page) =>
    readFileSync(join(root, page), "utf8")
      .split("\n")
      .filter((line) => /(?<!npx |[\w/.-])node (?:-e|[\w./-]+\.ts)/.test(line))
      .map((line) => `${page}: ${line}`),
  );
  expect(found).toEqual([]);
});
