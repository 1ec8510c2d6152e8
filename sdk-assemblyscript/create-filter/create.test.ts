// `npm create @headgate/filter` as a user has it: packed, installed without a network in a folder
// outside the repository, and called by npm.
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HeadgateProcess } from "../../runtime/test/headgate-process.ts";

const root = join(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "headgate-create-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const environment = {
  // As a shell would: nothing of the vitest around it, nor of its compilers.
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(VITEST|HEADGATE_|NODE_ENV$|NODE_COMPILE_CACHE$|TEST$|DEV$|PROD$)/.test(name),
    ),
  ),
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
};

function run(cwd: string, command: string, ...args: string[]): { code: number; text: string } {
  const done = spawnSync(command, args, { cwd, env: environment, encoding: "utf8" });
  return { code: done.status ?? -1, text: done.stdout + done.stderr };
}

/** Paths of files below a folder -> their text. */
function filesIn(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  return Object.fromEntries(
    paths.toSorted().map((path) => [path.slice(folder.length), readFileSync(path, "utf8")]),
  );
}

const folder = join(scratch, "empty");

function npm(cwd: string, ...args: string[]): string {
  const { code, text } = run(cwd, "npm", ...args);
  if (code !== 0) throw new Error(`npm ${args.join(" ")} ended with ${code}: ${text}`);
  return text;
}

function create(...args: string[]): { code: number; text: string } {
  return run(folder, "npm", "create", "--offline", "@headgate/filter", ...args);
}

beforeAll(() => {
  const source = join(root, "sdk-assemblyscript/create-filter");
  const packed = npm(scratch, "pack", "--silent", source);
  const tarball = packed.trim().split("\n").at(-1) as string;
  mkdirSync(folder);
  const offline = ["--offline", "--no-audit", "--no-fund"];
  npm(folder, "install", ...offline, join(scratch, tarball));
});

test("npm create makes what headgate filter new makes, also from the packed package", () => {
  const repository = ["--repository", root];
  const made = create("made/key-check", "--", "--template", "auth", ...repository);
  expect(made.text).toContain("made/key-check: a filter of template auth, ");
  expect(made.code).toBe(0);
  const launcher = join(root, "runtime/bin/headgate");
  const own = ["filter", "new", "own/key-check", "--template", "auth"];
  expect(run(folder, launcher, ...own).code).toBe(0);
  expect(filesIn(join(folder, "made"))).toEqual(filesIn(join(folder, "own")));
});

/** What npm would install: our packages from the project, the others from where the repository has them. */
function install(project: string): void {
  const modules = join(project, "node_modules");
  for (const name of ["runtime", "sdk-assemblyscript"]) {
    const target = join(modules, "@headgate", name);
    mkdirSync(target, { recursive: true });
    const tarball = join(project, `packages/headgate-${name}-0.1.0.tgz`);
    const unpacked = run(target, "tar", "-xzf", tarball, "--strip-components=1");
    expect(unpacked).toEqual({ code: 0, text: "" });
  }
  for (const name of ["assemblyscript", "typescript", "vitest", "@types"]) {
    symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
  mkdirSync(join(modules, ".bin"));
  symlinkSync(process.execPath, join(modules, ".bin/node"));
}

test("a project of the packed package does all without the repository", async () => {
  const made = create("alone", "--", "--template", "headers");
  expect(made.text).toContain("alone: a filter of template headers, ");
  expect(made.code).toBe(0);
  const project = join(folder, "alone");
  const workflow = readFileSync(join(project, ".github/workflows/filter.yml"), "utf8");
  expect(workflow).toContain("- run: npm test\n");
  expect(workflow).not.toContain("HEADGATE_REPOSITORY");
  install(project);
  const headgate = join(project, "node_modules/@headgate/runtime/bin/headgate");
  const filter = (...args: string[]): { code: number; text: string } =>
    run(project, "sh", headgate, "filter", ...args);

  const tested = filter("test", "--json");
  expect(tested.code).toBe(0);
  expect(JSON.parse(tested.text)).toMatchObject({ numPassedTests: 3, numTotalTests: 3 });
  expect(filter("build", "--debug").text).toContain("build/alone.debug.wasm: ");
  expect(filter("inspect", "build/alone.debug.wasm").text).toContain("proxy_on_request_headers");
  expect(filter("pack", "build/alone.debug.wasm", "--output", "image").code).toBe(0);
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  for (const part of ["assembly", "."]) {
    expect(run(project, process.execPath, tsc, "-p", part)).toEqual({ code: 0, text: "" });
  }
  // Declarations are complete, and say no to what is not there.
  writeFileSync(join(project, "test/wrong.ts"), WRONG_TEST);
  const strict = run(
    project,
    process.execPath,
    tsc,
    "--skipLibCheck",
    "false",
    "--pretty",
    "false",
  );
  const lines = strict.text.split("\n").filter((line) => /headgate|^test/.test(line));
  expect(lines).toEqual([
    expect.stringMatching(/^test\/wrong\.ts\(5,\d+\): error TS2551: Property 'toHaveHeaders'/),
  ]);

  const serving = new HeadgateProcess([headgate, "filter", "run", "--port", "0"], {
    command: ["sh"],
    cwd: project,
    env: environment,
  });
  try {
    await serving.says(/alone serves on http:\/\/127\.0\.0\.1:\d+/);
    const [, target] = /serves on (http:\S+);/.exec(serving.output) as unknown as [string, string];
    const echoed = (await (await fetch(target)).json()) as { headers: Record<string, string> };
    expect(echoed.headers["x-filtered-by"]).toBe("alone");
  } finally {
    await serving.end();
  }
});

const WRONG_TEST = `import { loadFilter } from "@headgate/runtime/testing";
import { expect } from "vitest";
import "@headgate/runtime/testing/vitest";
const t = await loadFilter("assembly/index.ts", { config: {} });
expect((await t.request()).upstreamRequest).toHaveHeaders("x", "y");
`;

test("tells its help in npm's words, and which Node.js it needs", () => {
  const bin = join(root, "sdk-assemblyscript/create-filter/bin.mjs");
  const { code, text } = run(scratch, process.execPath, bin, "--help");
  expect(text).toMatch(/^usage: npm create @headgate\/filter NAME -- \[flags\]\n/);
  expect(text).toContain("npm create @headgate/filter filters/api-keys -- --template auth");
  expect(text).not.toContain("headgate filter new");
  expect(code).toBe(0);
  const old = join(scratch, "old.mjs");
  writeFileSync(old, 'Object.defineProperty(process, "versions", { value: { node: "18.9.0" } });');
  const refused = run(scratch, process.execPath, "--import", old, bin, "mine");
  expect(refused.text).toMatch(/^npm create @headgate\/filter needs Node\.js >= 20\.12, but /);
  expect(refused.code).toBe(78);
});
