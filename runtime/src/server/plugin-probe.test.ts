// The probe's thread from the outside: what comes of threads that end, and who is probed at all.
import { expect, test } from "vitest";
import type { Snapshot, WasmPluginConfig } from "../config/snapshot.ts";
import { plainPlugin } from "../config/wasm-plugin-for-test.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import { silentLogger } from "../core/logger.ts";
import type { CompiledModule } from "../wasm/compiled-module.ts";
import { PluginProbe } from "./plugin-probe.ts";
import type { PluginModules } from "./plugin-modules.ts";
import type { PlacedFrame } from "./trap-places.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";

const plugin: WasmPluginConfig = {
  ...plainPlugin,
  name: "a",
  code: { ...plainPlugin.code, filename: "a.wasm" },
  where: "path.a",
  moduleKey: "k",
};

function loaded(plugins: readonly WasmPluginConfig[]): PluginModules {
  const services = plugins.map((_, index) => ({ plugin: index, isSingleton: false }));
  const snapshot = {
    plugins,
    services,
    listeners: [],
    clusters: [],
    routeTables: [],
    node: {},
  } as unknown as Snapshot;
  const modules = new Map([["k", {} as CompiledModule]]);
  const nothing = { byPlugin: new Map(), problems: [], absent: new Set<string>(), missing: [] };
  return { snapshot, modules, ...nothing };
}

function probe(code: string): PluginProbe {
  const entry = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  return new PluginProbe(entry, silentLogger, noPlaces);
}

const noPlaces = (): Promise<readonly PlacedFrame[]> => Promise.resolve([]);

const ok = 'import { parentPort } from "node:worker_threads";';

test("who ends the thread is refused, and those behind it are probed in another one", async () => {
  const b = { ...plugin, name: "b", where: "path.b", code: { ...plugin.code, filename: "b.wasm" } };
  const reason = "it ended the thread that probes it: exit code 3, module";
  expect(await probe("process.exit(3)").run(loaded([plugin, b]), null)).toEqual([
    { path: "path.a", message: `plugin a: ${reason} a.wasm` },
    { path: "path.b", message: `plugin b: ${reason} b.wasm` },
  ]);
  expect(await probe('throw new Error("no memory")').run(loaded([plugin]), null)).toEqual([
    {
      path: "path.a",
      message: "plugin a: it ended the thread that probes it: no memory, module a.wasm",
    },
  ]);
});

test("a thread that says nothing is ended when the time is over", async () => {
  const hanging = { ...plugin, policy: { ...defaultWasmPolicy, startTimeMs: 50 } };
  const code = `${ok} parentPort.on("message", () => {}); parentPort.postMessage("ready")`;
  const [problem] = await probe(code).run(loaded([hanging]), null);
  expect(problem?.message).toBe(
    "plugin a: its initialisation did not end in 50 ms (start_time_ms), module a.wasm",
  );
});

test("reasons come with the module and its sources, and lines go to the log", async () => {
  const lines: string[] = [];
  const trap = { plugin: "a", version: "of the thread" };
  const result = { reasons: ["unreachable", "its words"], lines: ["wasm vm failed: x"], trap };
  const code = `${ok} parentPort.postMessage(${JSON.stringify(result)})`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
  const logger = { enabled: () => true, log: (_level: number, line: string) => lines.push(line) };
  const reports: GuestTrap[] = [];
  const frame = { index: 1, offset: 2 };
  const withPlaces = new PluginProbe(url, logger, (report) => {
    reports.push(report);
    return Promise.resolve([
      { name: "on", place: "a.ts:3:5", ...frame },
      { name: "", place: "", ...frame },
    ]);
  });
  const version = { name: "v1", moduleKey: "k", configuration: null, counts: null };
  const pushed = { ...plugin, version } as unknown as WasmPluginConfig;
  const text = "plugin a: unreachable; its words, module a.wasm";
  expect(await withPlaces.run(loaded([pushed]), null)).toEqual([
    { path: "path.a", message: `${text}\n  at on (a.ts:3:5)\n  at ? (?)` },
  ]);
  expect(reports).toEqual([{ plugin: "a", version: "v1" }]);
  expect(await new PluginProbe(url, logger, noPlaces).run(loaded([plugin]), null)).toEqual([
    { path: "path.a", message: text },
  ]);
  expect(lines).toEqual(["wasm vm failed: x", "wasm vm failed: x"]);
});

test("plugins in force, without a module, or with start_time_ms off are not probed", async () => {
  const fatal = probe("process.exit(3)");
  expect(await fatal.run(loaded([plugin]), loaded([plugin]))).toEqual([]);
  expect(await fatal.run(loaded([{ ...plugin, moduleKey: "none" }]), null)).toEqual([]);
  const off = { ...plugin, policy: { ...defaultWasmPolicy, startTimeMs: null } };
  expect(await fatal.run(loaded([off]), null)).toEqual([]);
  const other = loaded([{ ...plugin, moduleKey: "other" }]);
  expect((await fatal.run(loaded([plugin]), other)).length).toBe(1);
});
