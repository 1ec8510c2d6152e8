// What editors show: everything that authors can name says what it is.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const sdk = join(import.meta.dirname, "..");
const DECLARED = /^export (?:abstract )?(class|function|const|enum|interface|type) (\w+)/;
/** A method or a field that others may use, and that no base has told of. */
const MEMBER =
  /^ {2}(?!(?:private|protected|override|constructor|return|if|for|while)\b)(?:(?:static|abstract|readonly|get|set) )*\w+(?:<[^>]*>)?(?:\(.*\{$|\(.*;$|\($|: [^=]*;$)/;
/** Of what the proxy or the compiler calls. */
const INNER = new Set(["assembly/exports", "assembly/abi.ts"]);

function sourcesIn(folder: string): string[] {
  return readdirSync(join(sdk, folder))
    .map((name) => `${folder}/${name}`)
    .filter((path) => path.endsWith(".ts") && !INNER.has(path));
}

/** All that the doors name. */
function publicNames(): ReadonlySet<string> {
  const doors = ["index.ts", "assembly/index.ts", ...sourcesIn("kit")];
  const text = doors.map((path) => readFileSync(join(sdk, path), "utf8")).join("\n");
  return new Set(text.match(/\b[A-Za-z]\w+\b/g));
}

/** "path:line: text" of what has no comment above it. */
function bareIn(path: string, names: ReadonlySet<string>): string[] {
  const lines = readFileSync(join(sdk, path), "utf8").split("\n");
  const bare: string[] = [];
  let isInClass = false;
  for (const [at, line] of lines.entries()) {
    const [, kind, name = ""] = DECLARED.exec(line) ?? [];
    if (kind !== undefined) isInClass = kind === "class" && names.has(name);
    const isNamed = kind !== undefined ? names.has(name) : isInClass && MEMBER.test(line);
    if (isNamed && !isTold(lines, at)) bare.push(`${path}:${at + 1}: ${line.trim()}`);
    if (line === "}") isInClass = false;
  }
  return bare;
}

/** Decorators may stand between. */
function isTold(lines: readonly string[], at: number): boolean {
  const above = lines.slice(0, at).findLast((line) => !/^\s*(?:@\w+$|\/\/ @ts-ignore)/.test(line));
  return above?.trimEnd().endsWith("*/") === true;
}

test("everything that authors can name has a comment", () => {
  const names = publicNames();
  expect(names.size).toBeGreaterThan(100);
  const bare = [...sourcesIn("assembly"), ...sourcesIn("assembly/kit")].flatMap((path) =>
    bareIn(path, names),
  );
  expect(bare).toEqual([]);
});
