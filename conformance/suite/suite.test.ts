// The suite over the network: some cases against Headgate, hosts that end or refuse, the packed command.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allCases } from "../abi/all-cases.ts";
import type { Case } from "../abi/case.ts";
import { call } from "../abi/guest.ts";
import { makeCase } from "../abi/make-case.ts";
import { REPORT_MARK } from "../abi/report-code.ts";
import type { Result } from "./batch.ts";
import { junitText } from "./junit.ts";
import { failureText, jsonText, tableText } from "./output.ts";
import { reportText } from "./report.ts";
import { isFlaky, runTarget } from "./run.ts";
import { byCommand, targetOf } from "./targets.ts";

const here = fileURLToPath(new URL(".", import.meta.url));

const row = {
  name: "own",
  chapter: "integration",
  doc: "The suite's own.",
  since: "0.1.0",
  until: null,
} as const;

function own(what: string, vmConfig: string): Case {
  return makeCase(row, "0.2.1", {
    what,
    callbacks: {},
    plugin: { vmConfig },
    exchange: { status: 200 },
  });
}

const nobody = (): void => undefined;

/** Where npm puts the packed suite. */
const PACKED = "node_modules/@headgate/conformance/dist";

test("some of each chapter hold over the network on Headgate", async () => {
  const chapters = new Set<string>();
  // The first of each, in each way of starting a host.
  const some = allCases().filter((one) => {
    const key = [one.chapter, one.scene.position, one.needs.join(), one.scene.isRefused].join();
    if (chapters.has(key)) return false;
    chapters.add(key);
    return true;
  });
  const { results, left } = await runTarget(targetOf("headgate"), some, { jobs: 2 }, nobody);
  const failed = results.filter((one) => one.problems.length > 0);
  expect(failed.map((one) => [one.case.id, one.problems])).toEqual([]);
  expect(results.length + left.length).toBe(some.length);
});

test("a case that fails on Headgate is shown with Headgate's own trace", async () => {
  const one = makeCase(row, "0.2.1", {
    what: "fails",
    callbacks: { proxy_on_configure: {} },
    calls: [[call("proxy_get_header_map_value", 0, "x-a"), "NotFound"]],
    plugin: { config: "abc" },
  });
  const options = { jobs: 1, patience: 1, trace: true };
  const { results } = await runTarget(targetOf("headgate"), [one], options, nobody);
  const text = failureText(results[0] as Result, true);
  expect(text).toContain("expected NotFound");
  expect(text).toMatch(
    /filter 1: proxy_on_configure\(plugin_context_id=1, plugin_configuration_size=3\)/,
  );
  expect(text).toMatch(/map_id=HttpRequestHeaders, key="x-a"\) -> Ok, value="1", \d+ us/);
  expect(text).toMatch(/filter 2: proxy_on_request_headers -> Continue, \d+ us/);
  expect(text).not.toContain(REPORT_MARK);
});

describe("a host of which nothing is known", () => {
  const fake = byCommand("fake", `'${process.execPath}' '${here}fake-host.mjs' {config}`);

  test("that ends costs the case that it ends in", async () => {
    const cases = [own("a", ""), own("b", "deadly"), own("c", ""), own("d", "")];
    const { results } = await runTarget(fake, cases, { jobs: 1 }, nobody);
    const told = results.map((one) => one.problems.map((text) => text.split("\n", 1)[0]));
    expect(told).toEqual([[], ["the host ended with code 3"], [], []]);
  });

  test("that holds in the second try only is told to be flaky", async () => {
    const folder = mkdtempSync(join(tmpdir(), "conformance-flaky-"));
    const cases = [own("u", `unsteady ${folder}/was-here`)];
    const run = await runTarget(fake, cases, { jobs: 1 }, nobody);
    rmSync(folder, { recursive: true });
    expect(run.results.map(isFlaky)).toEqual([true]);
    const first = "0.2.1/own/u: the host ended with code 3";
    expect(tableText(run)).toContain(`  flaky: 1, which held in the second try only\n    ${first}`);
    expect(JSON.parse(jsonText([run]))[0].cases[0]).toMatchObject({ holds: true, flaky: true });
    expect(junitText([run])).toContain('<flakyFailure message="failed in the first try">the host');
    expect(reportText([run], "today")).toContain("| fake |  | 1 | 1 | 1 | 0 |");
    expect(reportText([run], "today")).toContain(
      "- fake: 0.2.1/own/u: `the host ended with code 3`",
    );
  });

  test("that takes what it must refuse fails", async () => {
    const one = makeCase(row, "0.2.1", { what: "refused", callbacks: {}, isRefused: true });
    const { results } = await runTarget(fake, [one], { jobs: 1, patience: 1 }, nobody);
    expect(results[0]?.problems).toEqual(["the host takes a configuration that it must refuse"]);
  });

  test("that does not start says why", async () => {
    const refusing = byCommand("refusing", "echo no such flag: {config} >&2; exit 9");
    const { results } = await runTarget(refusing, [own("a", "")], { jobs: 1 }, nobody);
    expect(results[0]?.problems[0]).toMatch(/the host does not start: ended with code 9\nno such/);
  });

  test("needs a place for its configuration in its command", () => {
    expect(() => targetOf("mine=my-host --config")).toThrow("expected {config} where");
    expect(() => targetOf("mine")).toThrow("expected headgate, envoy, envoy=PATH or");
  });
});

describe("the packed command, outside of the repository", () => {
  let folder: string;
  let command: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "conformance-pack-"));
    const npm = (...args: string[]): void => {
      const run = spawnSync("npm", args, { cwd: join(here, ".."), encoding: "utf8" });
      if (run.status !== 0) throw new Error(`npm ${args.join(" ")}: ${run.stdout}${run.stderr}`);
    };
    npm("pack", "--pack-destination", folder, "--silent");
    const pack = join(folder, "headgate-conformance-0.1.0.tgz");
    npm("install", "--prefix", folder, "--offline", "--no-audit", "--no-fund", "--silent", pack);
    command = join(folder, "node_modules/.bin/proxy-wasm-conformance");
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function run(...args: string[]): { readonly status: number | null; readonly text: string } {
    const done = spawnSync(process.execPath, [command, ...args], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: process.env["PATH"] ?? "", HEADGATE_BIN: join(folder, "none") },
    });
    return { status: done.status, text: `${done.stdout}${done.stderr}` };
  }

  test("lists its cases", () => {
    const { status, text } = run("--list", "--only", "^0.2.1/proxy_log/");
    expect(status).toBe(0);
    expect(text).toContain("0.2.1/proxy_log/each-level-then-one-too-many  required");
  });

  test("plays them, those of toolchains too, and writes what came of them", () => {
    const target = `fake='${process.execPath}' '${here}fake-host.mjs' {config}`;
    const files = ["--json", "r.json", "--junit", "r.xml", "--report", "r.md"];
    const only = "guest-without-any|rust-header-edit/leaves";
    const { status, text } = run("--target", target, "--only", only, ...files);
    // It has no plugins, and so no upstream: every case fails.
    expect(text.trimEnd().split("\n").at(-1)).toBe("fake: 0 of 4");
    // The modules of toolchains are packed, too.
    expect(text).toContain("0.2.1/rust-header-edit/leaves-the-body");
    expect(status).toBe(1);
    const read = (name: string): string => readFileSync(join(folder, name), "utf8");
    const [first] = JSON.parse(read("r.json")) as [{ target: string; cases: unknown[] }];
    expect([first.target, first.cases.length]).toEqual(["fake", 4]);
    expect(read("r.xml")).toContain('<testsuite name="fake" tests="4" failures="4" skipped="0">');
    expect(read("r.md")).toContain("| fake |  | 0 | 4 | 0 | 0 |");
  });

  test("is a command that starts, and says what it needs", () => {
    const { status, stdout } = spawnSync(command, ["--help"], {
      encoding: "utf8",
      env: { PATH: dirname(process.execPath) },
    });
    expect([status, stdout.split("\n")[0]]).toEqual([0, expect.stringContaining("proxy-wasm")]);
    const text = readFileSync(join(folder, PACKED, "proxy-wasm-conformance.mjs"), "utf8");
    expect(text).toContain("needs Node.js ${NODE_MAJOR_MIN} or later, found ${node}");
    const page = readFileSync(join(folder, PACKED, "README.md"), "utf8");
    expect(page).toContain("    proxy-wasm-conformance --target");
    expect(page).not.toContain("npm run conformance");
  });

  test("says what is wrong with its flags", () => {
    expect(run("--jobs", "many")).toEqual({
      status: 2,
      text: "--jobs many: expected a number of processes, 1 or more\n",
    });
    expect(run("--only", "nothing-of-that-name")).toEqual({
      status: 2,
      text: "--only nothing-of-that-name: no case has such a name; --list shows all\n",
    });
    expect(run("--target", "nobody").text).toContain("--target nobody: expected headgate");
  });
});
