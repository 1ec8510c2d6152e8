// Every piece of code in the SDK's README compiles, and an editor has nothing to say about it.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compile } from "./compile-for-test.ts";

const sdk = join(import.meta.dirname, "..");
const root = join(sdk, "..");
const text = readFileSync(join(sdk, "README.md"), "utf8");
const blocks = Array.from(text.matchAll(/^```ts\n([^]*?)^```$/gm), ([, code = ""]) => code);
const isTest = (code: string): boolean => code.includes('from "vitest"');

let folder: string;

beforeAll(() => {
  const build = join(import.meta.dirname, "build");
  mkdirSync(build, { recursive: true });
  folder = mkdtempSync(join(build, "readme-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

/** What tsc prints about a file with the given configuration. */
function check(name: string, code: string, config: object): Promise<string> {
  const own = join(folder, name);
  mkdirSync(own);
  writeFileSync(join(own, "code.ts"), code);
  writeFileSync(join(own, "tsconfig.json"), JSON.stringify(config));
  return new Promise((resolve, reject) => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const child = spawn(process.execPath, [tsc, "-p", own, "--pretty", "false"]);
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", () => resolve(output));
  });
}

const filters = blocks.filter((code) => !isTest(code));
const tests = blocks.filter(isTest);

test("has filters, with decorators and without, and a test", () => {
  expect(filters.filter((code) => code.includes("@filter")).length).toBeGreaterThan(1);
  expect(filters.filter((code) => code.includes("registerFilter")).length).toBeGreaterThan(0);
  expect(tests.length).toBeGreaterThan(0);
});

test("has no other blocks than code and commands, and commands name what is there", () => {
  const fences = Array.from(text.matchAll(/^```(\S*)$/gm), ([, kind = ""]) => kind);
  const kinds = fences.filter((_, at) => at % 2 === 0);
  const shells = Array.from(text.matchAll(/^```sh\n([^]*?)^```$/gm), ([, code = ""]) => code);
  expect(kinds.toSorted()).toEqual([...shells.map(() => "sh"), ...blocks.map(() => "ts")]);
  const lines = shells.flatMap((code) => code.split("\n").filter((line) => line !== ""));
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: object;
  };
  const isReal = (line: string): boolean => {
    const [, script, path] = /npm run ([\w-]+)|npx vitest run (\S+)/.exec(line) ?? [];
    return script === undefined ? existsSync(join(root, path ?? "?")) : script in scripts;
  };
  expect(lines.length).toBeGreaterThan(3);
  expect(lines.filter((line) => !isReal(line))).toEqual([]);
});

test.each(filters.map((code, i) => [i, code] as const))(
  "the filter of piece %d is right",
  async (i, code) => {
    const { lines, wasm } = await compile({ "assembly/index.ts": code });
    expect(lines).toEqual([]);
    expect(wasm).not.toBeNull();
    const extended = join(sdk, "tsconfig.filter.json");
    const files = [join(sdk, "globals.d.ts"), "./code.ts"];
    expect(await check(`filter-${i}`, code, { extends: extended, files })).toBe("");
  },
);

test.each(tests.map((code, i) => [i, code] as const))(
  "what is tested in piece %d is right",
  async (i, code) => {
    const config = {
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        composite: false,
        incremental: false,
        emitDeclarationOnly: false,
        noEmit: true,
      },
      files: [join(root, "types", "webassembly.d.ts"), "./code.ts"],
    };
    expect(await check(`test-${i}`, code, config)).toBe("");
  },
);
