// `npm create @headgate/filter` as a user has it: packed, installed without a network in a folder
// outside the repository, and called by npm.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "headgate-create-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const environment = {
  ...process.env,
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

test("npm create makes what headgate filter new makes, also from the packed package", () => {
  const packed = run(
    scratch,
    "npm",
    "pack",
    "--silent",
    join(root, "sdk-assemblyscript/create-filter"),
  );
  expect(packed.code).toBe(0);
  const tarball = packed.text.trim().split("\n").at(-1) as string;
  const folder = join(scratch, "empty");
  mkdirSync(folder);
  const offline = ["--offline", "--no-audit", "--no-fund"];
  expect(run(folder, "npm", "install", ...offline, join(scratch, tarball)).code).toBe(0);
  const create = (...args: string[]): { code: number; text: string } =>
    run(folder, "npm", "create", "--offline", "@headgate/filter", ...args);

  const repository = ["--repository", root];
  const made = create("made/key-check", "--", "--template", "auth", ...repository);
  expect(made.text).toContain("made/key-check: a filter of template auth, ");
  expect(made.code).toBe(0);
  const launcher = join(root, "runtime/bin/headgate");
  const own = ["filter", "new", "own/key-check", "--template", "auth"];
  expect(run(folder, launcher, ...own).code).toBe(0);
  expect(filesIn(join(folder, "made"))).toEqual(filesIn(join(folder, "own")));

  const unpublished = create("another");
  expect(unpublished.text).toContain("not published yet: expected --repository");
  expect(unpublished.code).toBe(2);
});

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
