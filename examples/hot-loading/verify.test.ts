// Hot loading as the README promises it: the filter is changed, built and pushed while it serves.
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildFilter } from "../../filters/build.mjs";
import { launcher } from "../../runtime/test/launcher.ts";
import { RunningExample } from "../running-example.ts";

const here = dirname(fileURLToPath(import.meta.url));

let headgate: RunningExample;
let url: string;
/** The module of the first push. */
let morning: string;

beforeAll(async () => {
  await buildFilter(here);
  headgate = await RunningExample.start(
    "hot-loading",
    [["port_value: 10000", "port_value: 0"]],
    ["--wasm-policy", join(here, "policy.yaml")],
  );
  url = `http://127.0.0.1:${await headgate.port("main")}/`;
});

afterAll(async () => {
  await headgate.stop();
});

/** The filter with other values of its constants, built beside it: the path of its module. */
async function changed(greeting: string, trapsEvery = 0): Promise<string> {
  const folder = join(here, "build", greeting.replaceAll(" ", "-"));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(here, "assembly"), join(folder, "assembly"), { recursive: true });
  const config = readFileSync(join(here, "asconfig.json"), "utf8");
  writeFileSync(join(folder, "asconfig.json"), config.replace('"../../', '"../../../../'));
  const file = join(folder, "assembly/index.ts");
  const source = readFileSync(file, "utf8")
    .replace('GREETING = "hello"', `GREETING = "${greeting}"`)
    .replace("TRAPS_EVERY: u32 = 0", `TRAPS_EVERY: u32 = ${trapsEvery}`);
  writeFileSync(file, source);
  return (await buildFilter(folder)).wasm;
}

/** `headgate filter COMMAND` on the plugin: its exit code, and what it said. */
function filter(...args: readonly string[]): Promise<{ code: number; output: string }> {
  const where = ["--admin", `http://${headgate.admin}`, "--plugin", "greeter"];
  return new Promise((resolve) => {
    execFile(launcher, ["filter", ...args, ...where], (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, output: stdout + stderr });
    });
  });
}

async function greeting(): Promise<string | null> {
  const answer = await fetch(url);
  await answer.text();
  return answer.headers.get("x-greeting");
}

test("a version is pushed, rolled back, and comes again", async () => {
  expect(await greeting()).toBe("hello");
  morning = await changed("good morning");
  const pushed = await filter("push", morning);
  expect(pushed.output).toMatch(
    /^plugin greeter: version (\w{12}) serves all new streams in place of/,
  );
  const answer = await fetch(url);
  expect(answer.headers.get("x-greeting")).toBe("good morning");
  const version = /version (\w{12})/.exec(pushed.output)?.[1];
  expect(answer.headers.get("x-served-by")).toBe(`greeter=${version}`);
  expect((await filter("rollback")).code).toBe(0);
  expect(await greeting()).toBe("hello");
  const { output } = await filter("versions");
  expect(output).toMatch(new RegExp(`greeter +${version} +previous +0 %`));
});

test("a canary gets its share, and is promoted", async () => {
  const module = await changed("good evening");
  expect((await filter("push", module, "--canary", "20%")).output).toContain("is tried beside");
  const seen = new Set<string | null>();
  for (let i = 0; i < 100; i += 1) seen.add(await greeting());
  expect(seen).toEqual(new Set(["hello", "good evening"]));
  expect((await filter("promote")).code).toBe(0);
  expect(await greeting()).toBe("good evening");
});

test("a shadow is compared, and answers nobody", async () => {
  expect((await filter("push", morning, "--shadow")).output).toContain("is in the shadow of");
  for (let i = 0; i < 20; i += 1) expect(await greeting()).toBe("good evening");
  const { code, output } = await filter("shadow");
  const [, ...lines] = output.trimEnd().split("\n");
  expect([code, lines.slice(0, 6)]).toEqual([
    0,
    [
      "20 streams compared, 0 the same, 20 differ",
      "  response_headers 20",
      "",
      "response_headers, GET /",
      "- x-greeting: good evening",
      "+ x-greeting: good morning",
    ],
  ]);
  expect((await filter("versions")).output).toMatch(/ shadow +100 % +\d+ /);
  expect((await filter("rollback")).output).toContain("is not tried any more");
  expect(await greeting()).toBe("good evening");
});

test("a canary that traps goes by itself, and what is no module never comes", async () => {
  const module = await changed("good night", 20);
  const canary = ["--canary", "50%", "--promote", "--wait"];
  let isOver = false;
  const pushed = filter("push", module, ...canary).finally(() => {
    isOver = true;
  });
  while (!isOver) await greeting();
  const { code, output } = await pushed;
  const why = /its guest was stopped \d+ times.*; it trapped at assembly\/index\.ts:\d+:\d+/;
  expect([code, output]).toEqual([1, expect.stringMatching(why)]);
  const traps = await (await fetch(`http://${headgate.admin}/wasm/plugins/greeter/traps`)).text();
  expect(traps).toContain("too much");
  expect(await greeting()).toBe("good evening");
  const refused = await filter("push", join(here, "README.md"));
  expect([refused.code, refused.output]).toEqual([1, expect.stringContaining("refused (422)")]);
  expect(await greeting()).toBe("good evening");
});
