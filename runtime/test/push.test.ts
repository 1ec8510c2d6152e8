// Versions of a plugin that come by the admin interface and the command line, in a real process.
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { crashableMain } from "./headgate-process.ts";
import type { HeadgateProcess, StartOptions } from "./headgate-process.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";
import { VersionedModules, versionOf } from "./swaps/modules.ts";

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 2 });
let modules: VersionedModules;

beforeAll(async () => {
  modules = await VersionedModules.compile();
});

const moduleOf = (letter: string): Buffer => modules.of(letter);

interface Version {
  readonly name: string;
  readonly state: string;
  readonly stats: { readonly streams: number; readonly stopped_other: number };
}

interface Plugin {
  readonly versions: readonly Version[];
  readonly events: readonly { readonly version: string; readonly what: string }[];
}

async function start(
  policy = "",
  options: Pick<StartOptions, "command"> = {},
): Promise<HeadgateProcess> {
  const path = processes.scratch.path("guest.wasm");
  writeFileSync(path, moduleOf("A"));
  const flags: string[] = [];
  if (policy !== "") {
    writeFileSync(processes.scratch.path("policy.yaml"), policy);
    flags.push("--wasm-policy", processes.scratch.path("policy.yaml"));
  }
  const config = bootstrap({ upstreamPort: upstream.port, filters: [wasmFilter(path)] });
  return await processes.start(config, { flags, ...options });
}

interface Traps {
  readonly reports: readonly Readonly<Record<string, unknown>>[];
}

/** Of the guest's source. */
function lineOf(text: string): number {
  const source = new URL("guests/assembly/versioned.ts", import.meta.url);
  return (
    readFileSync(source, "utf8")
      .split("\n")
      .findIndex((line) => line.includes(text)) + 1
  );
}

async function pluginOf(headgate: HeadgateProcess): Promise<Plugin> {
  const page = JSON.parse(await headgate.admin("/wasm/plugins")) as { plugins: Plugin[] };
  return page.plugins[0] as Plugin;
}

async function post(
  headgate: HeadgateProcess,
  what: string,
  body: Uint8Array | null = null,
): Promise<{ status: number; json: Record<string, unknown> }> {
  const url = `http://${headgate.adminAddress}/wasm/plugins/guest/${what}`;
  const response = await fetch(url, { method: "POST", body: body && Buffer.from(body) });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

async function moduleSeen(target: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await fetch(`http://${target}/`, { headers });
  await answer.text();
  return answer.headers.get("x-module") ?? "";
}

/** How often each module answers. */
async function modulesSeen(target: string, count: number): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const module = await moduleSeen(target);
    seen[module] = (seen[module] ?? 0) + 1;
  }
  return seen;
}

test("a pushed module serves at once, and the one before comes back", async () => {
  const headgate = await start();
  const target = await headgate.listener();
  const [a, b] = [versionOf(moduleOf("A")), versionOf(moduleOf("B"))];
  const pushed = await post(headgate, "module", moduleOf("B"));
  expect(pushed).toMatchObject({
    status: 200,
    json: { version: b, state: "primary", replaced: a },
  });
  expect(pushed.json["findings"]).toMatchObject({ abi: "0.2.1", warnings: [] });
  expect(await modulesSeen(target, 10)).toEqual({ "module-B": 10 });
  expect((await post(headgate, "module", moduleOf("B"))).json["state"]).toBe("same");
  // A reload of the same configuration leaves what was pushed.
  headgate.kill("SIGHUP");
  await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) === 1);
  expect(await modulesSeen(target, 4)).toEqual({ "module-B": 4 });
  expect((await post(headgate, "rollback")).json).toEqual({
    plugin: "guest",
    version: a,
    state: "primary",
  });
  expect(await modulesSeen(target, 4)).toEqual({ "module-A": 4 });
  // Unlike the configured one, it does not outlive the process, and that is said.
  expect((await post(headgate, `rollback?version=${b}`)).json["note"]).toMatch(
    /^serves until the process ends .* put it into the configuration to keep it$/,
  );
  expect(await modulesSeen(target, 4)).toEqual({ "module-B": 4 });
  expect((await post(headgate, "rollback?version=nope")).json["problems"]).toEqual([
    "no version nope is there to go back to",
  ]);
  // Who changes the configured module has the last word.
  writeFileSync(processes.scratch.path("guest.wasm"), moduleOf("C"));
  headgate.kill("SIGHUP");
  await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) === 2);
  expect(await modulesSeen(target, 4)).toEqual({ "module-C": 4 });
  const { versions, events } = await pluginOf(headgate);
  expect(versions.map(({ state }) => state)).toEqual(["primary", "previous", "previous"]);
  expect(events.map(({ what }) => what)).toEqual([
    "rolled back: serves again",
    "rolled back: serves again",
    "pushed, serves",
  ]);
  expect(await headgate.stat("wasm.push_success")).toBe(1);
});

test("modules that are no good are refused with reasons, and nothing is felt", async () => {
  const headgate = await start("default: {start_time_ms: 5000, fuel: {configure: 100000000}}");
  const target = await headgate.listener();
  const load = new Load({ target, keepAlive: 8, body: "ok" });
  const reasons: Readonly<Record<string, RegExp>> = {
    truncated: /guest: .*(expected|ends|end)/,
    "of another ABI": /proxy_abi_version/,
    "trapping in its configure": /unreachable/,
    "looping in its start": /out of fuel/,
    "asking for 200 MB": /unreachable|memory/,
  };
  const bad: readonly (readonly [Buffer, RegExp])[] = [
    ...modules.broken.map(([kind, module]) => [module, reasons[kind] ?? /^never$/] as const),
    [moduleOf("X"), /proxy_on_configure answered false/],
    [Buffer.from("no module"), /expected/],
  ];
  for (const [module, reason] of bad) {
    const { status, json } = await post(headgate, "module", Buffer.from(module));
    expect([status, (json["problems"] as string[]).join("\n")]).toEqual([
      422,
      expect.stringMatching(reason),
    ]);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await modulesSeen(target, 4)).toEqual({ "module-A": 4 });
  expect((await pluginOf(headgate)).versions).toHaveLength(1);
  expect(await headgate.stat("wasm.push_rejected")).toBe(bad.length);
  expect(await headgate.stat("http.main.downstream_cx_drain_close")).toBe(0);
  const unknown = await fetch(`http://${headgate.adminAddress}/wasm/plugins/other/rollback`, {
    method: "POST",
  });
  expect([unknown.status, await unknown.json()]).toEqual([
    404,
    { plugin: "other", problems: ["no plugin has that name: there are guest"] },
  ]);
});

test("a canary gets its share, then all or nothing", async () => {
  const headgate = await start("plugins: {guest: {version_header: X-Served-By}}");
  const target = await headgate.listener();
  await post(headgate, "module?canary=50", moduleOf("B"));
  const seen = await modulesSeen(target, 200);
  expect(Object.keys(seen).sort()).toEqual(["module-A", "module-B"]);
  expect(seen["module-B"]).toBeGreaterThan(60);
  expect(seen["module-B"]).toBeLessThan(140);
  const { versions } = await pluginOf(headgate);
  const streams = versions.map(({ state, stats }) => [state, stats.streams]);
  expect(streams).toEqual([
    ["primary", seen["module-A"]],
    ["canary", seen["module-B"]],
  ]);
  // By a header only; the canary's module is the one that runs.
  await post(headgate, "module?canary_header=x-canary", moduleOf("B"));
  const { headers } = await fetch(`http://${target}/`, { headers: { "x-canary": "1" } });
  expect(headers.get("x-served-by")).toBe(`guest=${versionOf(moduleOf("B"))}`);
  expect(await modulesSeen(target, 10)).toEqual({ "module-A": 10 });
  expect(await moduleSeen(target, { "x-canary": "1" })).toBe("module-B");
  const made = await headgate.stat("wasm.envoy.wasm.runtime.v8.created");
  expect((await post(headgate, "promote")).json["state"]).toBe("primary");
  expect(await modulesSeen(target, 10)).toEqual({ "module-B": 10 });
  expect(await headgate.stat("wasm.envoy.wasm.runtime.v8.created")).toBe(made);
  expect((await post(headgate, "promote")).json["problems"]).toEqual([
    "no version is tried as a canary or in the shadow",
  ]);
  await post(headgate, "module?canary=100", moduleOf("C"));
  expect(await modulesSeen(target, 4)).toEqual({ "module-C": 4 });
  await post(headgate, "rollback");
  expect(await modulesSeen(target, 4)).toEqual({ "module-B": 4 });
});

test("workers that are replaced come back with what was pushed, and with the canary", async () => {
  const headgate = await start("", { command: crashableMain });
  const target = await headgate.listener();
  await post(headgate, "module", moduleOf("B"));
  await post(headgate, "module?canary_header=x-canary", moduleOf("C"));
  const before = (await pluginOf(headgate)).versions.map(({ name, state }) => [name, state]);
  // Both, one after the other; the file has the module that was configured.
  for (const deaths of [1, 2]) {
    headgate.kill("SIGUSR2");
    const died = (): boolean => headgate.output.split("; replacing it").length > deaths;
    await headgate.waitFor(died, "the death of a worker");
    const live = async (): Promise<boolean> =>
      (await headgate.stat("wasm.envoy.wasm.runtime.v8.active")) === 4;
    await headgate.waitFor(live, "the VMs of its successor");
  }
  for (let i = 0; i < 8; i += 1) {
    const connection = "close";
    expect(await moduleSeen(target, { connection })).toBe("module-B");
    expect(await moduleSeen(target, { connection, "x-canary": "1" })).toBe("module-C");
  }
  const { versions } = await pluginOf(headgate);
  expect(versions.map(({ name, state }) => [name, state])).toEqual(before);
});

test("shared data and metrics are there after a swap, and VMs are new", async () => {
  const script = [
    "configure define_metric 0 requests",
    "request_headers increment_metric 4 1",
    "request_headers#1 get_shared_data k",
    "request_headers#1 set_shared_data k kept 0",
  ].join("\n");
  const guest = await compileGuest("script");
  const path = processes.scratch.path("guest.wasm");
  writeFileSync(path, guest);
  const filters = [wasmFilter(path, "guest", script)];
  const config = bootstrap({ upstreamPort: upstream.port, filters });
  const headgate = await processes.start(config, { concurrency: 1 });
  const target = await headgate.listener();
  await moduleSeen(target);
  await moduleSeen(target);
  expect(headgate.output).toContain("get_shared_data k -> 1");
  const at = headgate.output.length;
  // The same code: a custom section makes another module of it.
  const other = Buffer.concat([guest, Buffer.from([0, 3, 1, 0x78, 1])]);
  expect((await post(headgate, "module", other)).status).toBe(200);
  await moduleSeen(target);
  await headgate.says(/get_shared_data k -> 0 .*kept/, at);
  expect(headgate.output.slice(at)).toContain("request_headers(");
  expect(await headgate.stat("wasmcustom.requests")).toBe(3);
});

/** Latency is noise in a window this short. */
const JUDGED = "default: {canary: {window_ms: 1500, streams_min: 60, latency_ratio: 1000}}";

test.each([
  ["t", /guest was stopped \d+ times/],
  ["s", /fuel each, expected at most/],
])("a canary %s that is worse is rolled back by itself", async (letter, reason) => {
  const headgate = await start(JUDGED);
  const load = new Load({ target: await headgate.listener(), keepAlive: 4, body: "ok" });
  await post(headgate, "module?canary=20&promote=auto", moduleOf(letter));
  await headgate.waitFor(
    async () => (await pluginOf(headgate)).versions.every(({ state }) => state !== "canary"),
    "the rollback",
  );
  await load.stop();
  const { versions, events } = await pluginOf(headgate);
  expect(versions[0]?.name).toBe(versionOf(moduleOf("A")));
  expect(events[0]?.what).toMatch(reason);
  expect(await headgate.stat("wasm.guest.canary_rolled_back")).toBe(1);
});

test("the command pushes a good canary and waits for its promotion", async () => {
  const headgate = await start(JUDGED);
  const target = await headgate.listener();
  const load = new Load({ target, keepAlive: 4, body: "ok" });
  const file = processes.scratch.path("next.wasm");
  writeFileSync(file, moduleOf("B"));
  const where = ["--admin", `http://${headgate.adminAddress}`, "--plugin", "guest"];
  const waits = ["--canary", "50%", "--promote", "--wait"];
  const pushed = await processes.run("filter", "push", file, ...where, ...waits);
  expect([(await pushed.exited).code, pushed.output]).toEqual([
    0,
    expect.stringMatching(/is tried beside [0-9a-f]{12}\n.* promoted by itself: 1\.5 s went well/),
  ]);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await modulesSeen(target, 4)).toEqual({ "module-B": 4 });
  const back = await processes.run("filter", "rollback", ...where);
  expect([(await back.exited).code, await moduleSeen(target)]).toEqual([0, "module-A"]);
  // The source map beside the file goes with it: a trap of the probe is told by its line.
  writeFileSync(file, moduleOf("c"));
  writeFileSync(`${file}.map`, modules.map);
  const refused = await processes.run("filter", "push", file, ...where);
  const version = versionOf(moduleOf("c"));
  expect([(await refused.exited).code, refused.output]).toEqual([
    1,
    expect.stringMatching(
      `^headgate: refused \\(422\\) version ${version}:\n.*unreachable \\[trap\\]`,
    ),
  ]);
  const place = `assembly/versioned.ts:${lineOf("if (letter() == 0x63)")}:`;
  expect(refused.output).toContain(`\n  at assembly/versioned/proxy_on_configure (${place}`);
  const traps = JSON.parse(await headgate.admin("/wasm/plugins/guest/traps")) as Traps;
  expect(traps.reports).toMatchObject([
    { version, callback: "proxy_on_configure", place: expect.stringContaining(place) },
  ]);
  expect(await headgate.stat("wasm.guest.stopped.trap")).toBe(0);
  const table = await processes.run("filter", "versions", ...where);
  expect(table.output).toMatch(/PLUGIN +VERSION.*\nguest +[0-9a-f]{12} +primary +100 %/);
  const nobody = await processes.run("filter", "versions", "--admin", "127.0.0.1:1");
  expect((await nobody.exited).code).toBe(3);
  const wrong = await processes.run("filter", "push", "--plugin", "guest");
  expect([(await wrong.exited).code, wrong.output]).toEqual([
    2,
    expect.stringContaining("expected FILE"),
  ]);
});
