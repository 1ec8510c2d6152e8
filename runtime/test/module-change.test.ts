// Another .wasm file in the place of a plugin's module, in a real process: streams that began with the
// old one end with it, new ones get the new one, and a bad one changes nothing.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";
import { sha256Of, VersionedModules, versionOf } from "./swaps/modules.ts";

/** HEADGATE_RELOADS=50 for the figure of the acceptance; fewer here, so that tests stay short. */
const CHANGES = Number(process.env["HEADGATE_RELOADS"] ?? 4);

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 2 });
let modules: VersionedModules;

beforeAll(async () => {
  modules = await VersionedModules.compile();
});

const moduleOf = (letter: string): Buffer => modules.of(letter);

/** Moves a module into its place. */
function put(content: Uint8Array | string): void {
  writeFileSync(processes.scratch.path("next.wasm"), content);
  renameSync(processes.scratch.path("next.wasm"), processes.scratch.path("guest.wasm"));
}

/** What the connection manager needs to write there how streams ended. */
function accessLog(path: string): object {
  const format = {
    text_format_source: { inline_string: "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS%\n" },
  };
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const typed_config = { "@type": type, path, log_format: format };
  return { access_log: [{ name: "file", typed_config }] };
}

async function start(
  flags: readonly string[],
  local: object = {},
  hcm: object = {},
): Promise<HeadgateProcess> {
  put(moduleOf("A"));
  const filter = wasmFilter(processes.scratch.path("guest.wasm")) as {
    typed_config: { config: { vm_config: { code: { local: object } } } };
  };
  Object.assign(filter.typed_config.config.vm_config.code.local, local);
  const config = bootstrap({ upstreamPort: upstream.port, filters: [filter], hcm });
  return await processes.start(config, { flags: ["--drain-strategy", "immediate", ...flags] });
}

async function moduleSeen(target: string, path = "/"): Promise<string | null> {
  const answer = await fetch(`http://${target}${path}`);
  await answer.text();
  return answer.headers.get("x-module");
}

interface Version {
  readonly name: string;
  readonly sha256: string;
  readonly state: string;
  readonly stats: Readonly<Record<string, number>>;
}

/** Of the plugin "guest", as /wasm/plugins tells. */
async function versions(headgate: HeadgateProcess): Promise<readonly Version[]> {
  const page = JSON.parse(await headgate.admin("/wasm/plugins")) as {
    plugins: readonly { name: string; versions: readonly Version[] }[];
  };
  return page.plugins.find(({ name }) => name === "guest")?.versions ?? [];
}

/** Puts a module, and waits for what becomes of it. Answers where its output begins. */
async function change(
  headgate: HeadgateProcess,
  content: Uint8Array | string,
  outcome: "success" | "rejected" = "success",
): Promise<number> {
  const name = `wasm.module_update_${outcome}`;
  const before = await headgate.stat(name);
  const at = headgate.output.length;
  put(content);
  await headgate.waitFor(async () => (await headgate.stat(name)) > before, outcome);
  return at;
}

test("streams that began with the old module end with it; then it is told to end", async () => {
  const headgate = await start(["--watch-modules"]);
  const target = await headgate.listener();
  const old = moduleSeen(target, "/hold");
  await headgate.waitFor(() => upstream.held.length === 1, "the request");
  await change(headgate, moduleOf("B"));
  // Also on connections that were there: the listener has not changed.
  for (let i = 0; i < 20; i += 1) expect(await moduleSeen(target)).toBe("module-B");
  expect(await headgate.stat("listener_manager.listener_modified")).toBe(0);
  expect(await headgate.stat("http.main.downstream_cx_drain_close")).toBe(0);
  // The worker without streams has ended its old VM; the other one has not.
  const ended = (): number => headgate.output.split("deleted module-A").length - 1;
  await headgate.waitFor(() => ended() === 1, "the end of one VM");
  const [now, before] = await versions(headgate);
  expect(now).toMatchObject({ state: "primary", sha256: sha256Of(moduleOf("B")) });
  expect(now?.name).toBe(versionOf(moduleOf("B")));
  expect(now?.stats).toMatchObject({ streams: 20, streams_active: 0, responses_5xx: 0 });
  expect(before).toMatchObject({ state: "previous", sha256: sha256Of(moduleOf("A")) });
  expect(before?.stats).toMatchObject({ streams: 1, streams_active: 1, streams_done: 0 });
  upstream.held[0]?.end("late");
  expect(await old).toBe("module-A");
  await headgate.waitFor(() => ended() === 2, "the end of both VMs");
  expect(await headgate.stat("wasm.envoy.wasm.runtime.v8.active")).toBe(2);
  // Standbys are of the new module: those of the old one went with it.
  await headgate.waitFor(async () => (await headgate.stat("wasm.guest.standby_ready")) === 2);
  // The same bytes again are no change.
  const version = await headgate.stat("server.config_version");
  await headgate.says("it is the same", await change(headgate, moduleOf("B")));
  expect(await headgate.stat("server.config_version")).toBe(version);
});

test("a stream that is on the old module when the drain time is over meets its failure policy", async () => {
  const log = processes.scratch.path("access.log");
  const headgate = await start(["--watch-modules", "--drain-time-s", "1"], {}, accessLog(log));
  const target = await headgate.listener();
  const late = fetch(`http://${target}/hold`);
  await headgate.waitFor(() => upstream.held.length === 1, "the request");
  await change(headgate, moduleOf("B"));
  await headgate.says("the drain time of plugin guest, version ");
  expect(headgate.output).toContain(`${versionOf(moduleOf("A"))}, is over: 1 streams are left`);
  await headgate.waitFor(async () => (await headgate.stat("wasm.guest.drain_time_over")) === 1);
  await headgate.waitFor(
    async () => (await headgate.stat("wasm.envoy.wasm.runtime.v8.active")) === 2,
    "the end of the old VM",
  );
  upstream.held[0]?.end("late");
  expect((await late).status).toBe(503);
  headgate.kill("SIGUSR1");
  await headgate.waitFor(() => readFileSync(log, "utf8") === "503 wasm_fail_stream\n", "the line");
  expect(await moduleSeen(target)).toBe("module-B");
});

test(`${CHANGES} changes under load fail no request`, async () => {
  const headgate = await start(["--watch-modules"]);
  const target = await headgate.listener();
  const load = new Load({ target, keepAlive: 16, body: "ok" });
  for (let i = 1; i <= CHANGES; i += 1) {
    const seen = load.answered;
    const letter = "ABCDEFGH"[i % 8] as string;
    await change(headgate, moduleOf(letter));
    expect(await moduleSeen(target)).toBe(`module-${letter}`);
    await headgate.waitFor(() => load.answered > seen + 30, "traffic");
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  await headgate.waitFor(
    async () => (await headgate.stat("wasm.envoy.wasm.runtime.v8.active")) === 2,
    "the end of the old VMs",
  );
});

test("a bad module changes nothing and says why", async () => {
  const headgate = await start([], { watched_directory: { path: processes.scratch.folder } });
  const target = await headgate.listener();
  const cases: readonly (readonly [Uint8Array | string, RegExp])[] = [
    ["no module", /envoy\.yaml:\d+:\d+: static_resources.*guest\.wasm/],
    [moduleOf("B").subarray(0, 200), /envoy\.yaml:\d+:\d+: static_resources/],
    [moduleOf("X"), /envoy\.yaml:\d+:\d+: static_resources.*plugin guest: /],
  ];
  for (const [content, reason] of cases) {
    const at = await change(headgate, content, "rejected");
    await headgate.says(/module \S+guest\.wasm refused, nothing changed: /, at);
    await headgate.says(reason, at);
    expect(await moduleSeen(target)).toBe("module-A");
  }
  await change(headgate, moduleOf("C"));
  expect(await moduleSeen(target)).toBe("module-C");
});

test("nobody watches by default; SIGHUP loads the module of the day", async () => {
  const headgate = await start([]);
  const target = await headgate.listener();
  put(moduleOf("B"));
  expect(await moduleSeen(target)).toBe("module-A");
  headgate.kill("SIGHUP");
  await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) === 1);
  for (let i = 0; i < 10; i += 1) expect(await moduleSeen(target)).toBe("module-B");
  expect(await headgate.stat("wasm.module_update_attempt")).toBe(0);
});
