// An editor's TypeScript reads an author's files without a complaint, and complains where it should.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");

/** What tsc prints about a project; "" when it is content. */
function check(project: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tsc, "-p", project, "--pretty", "false"]);
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", () => resolve(output));
  });
}

test.each(["sdk-assemblyscript/test/guests/decorated/assembly", "examples/quickstart/assembly"])(
  "has nothing to say about %s",
  async (folder) => {
    expect(await check(join(root, folder))).toBe("");
  },
);

test("knows the decorators, and what goes into them", async () => {
  const build = join(import.meta.dirname, "build");
  mkdirSync(build, { recursive: true });
  const folder = mkdtempSync(join(build, "editor-"));
  const files = [join(root, "sdk-assemblyscript", "globals.d.ts"), "./wrong.ts"];
  const extended = join(root, "sdk-assemblyscript", "tsconfig.filter.json");
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ extends: extended, files }));
  writeFileSync(
    join(folder, "wrong.ts"),
    `
@config class A {
  @required @range(1) a: u32 = 1;
  @minLength("2") b: string = "";
  @oneOf(1, "a") c: string = "";
  @duration(5) d: u32 = 1;
  @reqired e: u32 = 1;
  @key() f: u32 = 1;
  good: string;
}
@filter(1) class B {}
export { A, B };
`,
  );
  const output = await check(folder);
  rmSync(folder, { recursive: true });
  const lines = Array.from(output.matchAll(/^.*wrong\.ts\((\d+),/gm), ([, line]) => Number(line));
  expect([...new Set(lines)]).toEqual([3, 4, 5, 6, 7, 8, 11]);
});
