// The author's path as commands, in processes of their own: each template becomes a project that
// editors, the compiler, its own tests and the proxy accept, and mistakes are told with their place.
import { spawn, type ChildProcess } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { launcher, root } from "../../../test/launcher.ts";

const templates = join(root, "sdk-assemblyscript/templates");
const TEMPLATES = readdirSync(templates).filter((name) => !name.startsWith("_"));
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "headgate-new-")));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** As a shell would: nothing of the vitest around it. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|NODE_ENV$|TEST$|DEV$|PROD$)/.test(name),
  ),
);

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

function start(cwd: string, command: string, args: readonly string[]): ChildProcess {
  return spawn(command, args, { cwd, env: environment, stdio: ["ignore", "pipe", "pipe"] });
}

function run(cwd: string, command: string, ...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = start(cwd, command, args);
    let out = "";
    let error = "";
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (out += chunk));
    child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (error += chunk));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, error }));
  });
}

function filter(cwd: string, ...args: readonly string[]): Promise<Ended> {
  return run(cwd, launcher, "filter", ...args);
}

interface Following {
  /** Resolves when it has said that since it was last asked. */
  says(what: string | RegExp): Promise<void>;
  /** Resolves with the exit code. */
  end(): Promise<number | null>;
}

/** A command that goes on until it is ended. */
function follow(cwd: string, ...args: readonly string[]): Following {
  const child = start(cwd, launcher, ["filter", ...args]);
  const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
  let out = "";
  let look = (): void => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (chunk: string) => {
      out += chunk;
      look();
    });
  }
  void closed.then(() => look());
  return {
    says: (what) =>
      new Promise((resolve, reject) => {
        look = (): void => {
          const isEnded = child.exitCode !== null || child.signalCode !== null;
          const found = typeof what === "string" ? out.includes(what) : what.test(out);
          if (found) {
            out = "";
            resolve();
          } else if (isEnded) reject(new Error(`never said ${String(what)}:\n${out}`));
        };
        look();
      }),
    end: () => {
      child.kill("SIGTERM");
      return closed;
    },
  };
}

/** With the packages of the repository in place of what npm would install. */
async function project(name: string, ...args: readonly string[]): Promise<string> {
  expect(await filter(scratch, "new", name, ...args)).toMatchObject({ code: 0, error: "" });
  const folder = join(scratch, name);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}

test.each(TEMPLATES)("template %s: new, build, test", async (template) => {
  const name = `my-${template}`;
  const folder = await project(name, "--template", template);
  // The largest template optimised, to see what it weighs.
  const isLargest = template === "callout";
  const mode = isLargest ? [] : ["--debug"];
  const built = await filter(folder, "build", ...mode, "--json");
  expect(built).toMatchObject({ code: 0, error: "" });
  const told = JSON.parse(built.out) as { wasm: string; size: { stripped: number } };
  expect(told).toMatchObject({ name, isCached: false, warnings: [] });
  expect(told.size.stripped).toBeLessThanOrEqual(isLargest ? 40 * 1024 : 400 * 1024);
  const tested = await filter(folder, "test", "--json");
  expect(tested).toMatchObject({ code: 0 });
  const report = JSON.parse(tested.out) as { numPassedTests: number; numTotalTests: number };
  expect(report.numPassedTests).toBeGreaterThanOrEqual(3);
  expect(report.numPassedTests).toBe(report.numTotalTests);
  // What an editor says of the filter, and of its tests.
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  for (const part of ["assembly", "."]) {
    const said = await run(folder, process.execPath, tsc, "-p", part, "--pretty", "false");
    expect(said).toEqual({ code: 0, out: "", error: "" });
  }
  const config = readFileSync(join(folder, "envoy.yaml"), "utf8");
  expect(config).toContain(`filename: build/${name}.wasm`);
  writeFileSync(join(folder, "built.yaml"), config.replace(`build/${name}.wasm`, told.wasm));
  const proxy = await run(folder, launcher, "--mode", "validate", "-c", "built.yaml");
  expect(proxy).toMatchObject({ code: 0 });
});

test("a project has its name everywhere, and links to the packages", async () => {
  const made = await filter(scratch, "new", "deep/down/key-check", "--template", "auth", "--json");
  const { files, folder } = JSON.parse(made.out) as { files: string[]; folder: string };
  expect(folder).toBe(join(scratch, "deep/down/key-check"));
  expect(files).toContain(".github/workflows/filter.yml");
  const text = files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
  expect(text).not.toMatch(/my[-_]filter/);
  expect(text).toContain('counters("key_check_requests"');
  expect(readFileSync(join(folder, "README.md"), "utf8").trim().split("\n").length).toBe(10);
  const { devDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  const link = devDependencies["@headgate/runtime"] as string;
  expect(realpathSync(join(folder, link.replace("file:", "")))).toBe(
    realpathSync(join(root, "runtime")),
  );
});

test("a project pins what the repository pins", () => {
  const read = (path: string): Record<string, Record<string, string>> =>
    JSON.parse(readFileSync(join(root, path), "utf8")) as Record<string, Record<string, string>>;
  const own = read("package.json");
  const template = read("sdk-assemblyscript/templates/_common/package.json");
  expect(template["optionalDependencies"]).toEqual(own["optionalDependencies"]);
  const {
    "@headgate/runtime": _,
    "@headgate/sdk-assemblyscript": __,
    ...rest
  } = template["devDependencies"] as Record<string, string>;
  expect(own["devDependencies"]).toMatchObject(rest);
});

test.each([
  [["Bad_Name"], 'found "Bad_Name" as the name, expected lower-case letters'],
  [["a--b"], 'found "a--b" as the name'],
  [["x".repeat(65)], "at most 64 characters"],
  [["fine", "--template", "none"], "--template: found none, expected one of auth, body, callout"],
  [["fine", "--repository", "nowhere"], "--repository nowhere: found no runtime/package.json"],
  [
    ["fine", "--packages", "nowhere"],
    "--packages nowhere: found no such packages, expected headgate",
  ],
  [["fine", "--packages", "a", "--repository", "b"], "--packages: expected no --repository"],
  [["vitest"], 'found "vitest" as the name, expected none of a package that it needs'],
  [["\u00fcber"], 'found "\u00fcber" as the name, expected lower-case letters'],
  [["@mine/filter-"], 'found "filter-" as the name'],
  [["/"], 'found "" as the name'],
  [[""], 'expected a NAME, found ""'],
  [[], "expected one NAME, found 0"],
  [["fine", "--tmplate", "auth"], "Unknown option '--tmplate'"],
])("new %j is wrong use", async (args, message) => {
  const { code, error } = await filter(scratch, "new", ...args);
  expect(error).toContain(message);
  expect(code).toBe(2);
  expect(existsSync(join(scratch, "fine"))).toBe(false);
});

test("new leaves a folder with files alone", async () => {
  const folder = join(scratch, "full");
  mkdirSync(folder);
  writeFileSync(join(folder, "notes"), "mine");
  const { code, error } = await filter(scratch, "new", "full");
  expect({ code, error }).toEqual({
    code: 1,
    error: `headgate: ${folder} is not empty: it has notes, expected no files\n`,
  });
  expect(readdirSync(folder)).toEqual(["notes"]);
});

test.each([
  [`${"deep/".repeat(50)}name`, null],
  ["/proc/mine", "/proc/mine cannot be written: ENOENT: no such file or directory, mkdir"],
  ["/dev/null/mine", "/dev/null/mine cannot be written: ENOTDIR: not a directory, mkdir"],
  ["plain-file", "plain-file is a file, expected a folder or nothing"],
  [`${"x".repeat(300)}/mine`, "cannot be written: ENAMETOOLONG: name too long, mkdir"],
])("new into %s", async (target, message) => {
  writeFileSync(join(scratch, "plain-file"), "");
  const { code, error } = await filter(scratch, "new", target);
  expect(error).toContain(message ?? "");
  expect(code).toBe(message === null ? 0 : 1);
});

test("new leaves nothing behind when not all of it can be written", async () => {
  // So deep that package.json fits, and .github/workflows/filter.yml does not.
  const above = join(scratch, "long");
  const deep = join(above, ...Array.from({ length: 21 }, () => "d".repeat(200)));
  const folder = join(deep.slice(0, 4069), "mine");
  const { code, error } = await filter(scratch, "new", folder);
  expect(error).toContain("cannot be written: ENAMETOOLONG: name too long, ");
  expect(code).toBe(1);
  expect(existsSync(above)).toBe(false);
});

test("mistakes are told with their place, and check --watch sees them come and go", async () => {
  const folder = await project("wrong");
  const source = join(folder, "assembly/index.ts");
  const good = readFileSync(source, "utf8");
  expect(await filter(folder, "check")).toEqual({ code: 0, out: "", error: "" });
  writeFileSync(source, `${good}\nexport const wrong: i32 = "text";\n`);
  const line = good.split("\n").length + 1;
  const place = `wrong/assembly/index.ts(${line},27): error TS2322: Type `;
  const checked = await filter(scratch, "check", "wrong");
  expect(checked).toMatchObject({ code: 1, error: "" });
  expect(checked.out.slice(0, place.length)).toBe(place);
  expect(checked.out.trim().split("\n").length).toBe(1);
  const built = await filter(scratch, "build", "wrong");
  expect(built).toMatchObject({ code: 1, out: "" });
  expect(built.error).toContain(place);

  const watching = follow(folder, "check", "--watch");
  await watching.says("Found 1 error. Watching");
  writeFileSync(source, good);
  await watching.says("Found 0 errors. Watching for file changes.");
  expect(await watching.end()).toBe(0);
});

test("in watch mode tests run again with what was saved", async () => {
  const folder = await project("watched");
  const source = join(folder, "assembly/index.ts");
  const good = readFileSync(source, "utf8");
  const watching = follow(folder, "test", "--watch");
  await watching.says(/3 passed[^]*Waiting for file changes/);
  writeFileSync(source, good.replace('"x-filtered-by", "watched"', '"x-filtered-by", "saved"'));
  await watching.says(/RERUN[^]*assembly\/index\.ts[^]*"saved"[^]*1 failed[^]*Watching for file/);
  writeFileSync(source, `${good}\nexport const wrong: i32 = "text";\n`);
  await watching.says(/RERUN[^]*does not compile[^]*TS2322[^]*3 failed[^]*Watching for file/);
  writeFileSync(source, good);
  await watching.says(/RERUN[^]*3 passed[^]*Waiting for file changes/);
  expect(await watching.end()).not.toBeNull();
});

test.each(["build", "check", "test"])("%s says where there is no filter", async (command) => {
  const at = command === "test" ? ["--folder", "."] : ["."];
  const { code, error } = await filter(scratch, command, ...at);
  expect(code).toBe(2);
  expect(error).toContain(".: found no assembly/index.ts, expected the folder of a filter");
});

test("build says what cannot be written", async () => {
  const folder = await project("blocked");
  writeFileSync(join(folder, "build"), "not a folder");
  const { code, error } = await filter(folder, "build");
  expect(error).toMatch(/^headgate: \w+: [a-z ]+, mkdir '.*blocked\/build.*'\n$/);
  expect(code).toBe(1);
});

test("check says what is not installed", async () => {
  expect((await filter(scratch, "new", "bare")).code).toBe(0);
  const { code, error } = await filter(join(scratch, "bare"), "check");
  expect(code).toBe(2);
  expect(error).toContain("@headgate/sdk-assemblyscript is not installed");
  expect(error).toContain('run "npm install" there');
});
