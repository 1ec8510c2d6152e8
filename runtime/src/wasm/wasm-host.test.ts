// The room's door: VMs of their own and shared ones, drains, guests of old versions of the ABI, many
// streams.
import { expect, test } from "vitest";
import { createFilterHost } from "../../test/harness.ts";
import { constant, op, WasmBuilder } from "../module/wasm-builder-for-test.ts";
import { scriptedHost } from "./guest-script-for-test.ts";
import { asPlugin, wasmHostRig } from "./wasm-host-for-test.ts";
import { PluginError } from "./plugin.ts";

test("without a vm_id each plugin has a VM of its own", async () => {
  const { prepare, stats, host } = await wasmHostRig("");
  const one = asPlugin(prepare({}));
  const two = asPlugin(prepare({ name: "two" }));
  expect(one.root?.vm).not.toBe(two.root?.vm);
  expect(stats.gauge("wasm.envoy.wasm.runtime.v8.active").value).toBe(2);
  expect(stats.gauge("wasm.wasm_vm_count").value).toBe(2);
  host.close();
  expect(stats.gauge("wasm.wasm_vm_count").value).toBe(0);
  expect(stats.gauge("wasm.envoy.wasm.runtime.v8.active").value).toBe(0);
});

test("an equal vm key is one VM with a root context for each plugin", async () => {
  const { prepare, stats, host, messages } = await wasmHostRig("");
  const one = asPlugin(prepare({ vmId: "shared" }));
  const two = asPlugin(prepare({ vmId: "shared", name: "two" }));
  expect(one.root?.vm).toBe(two.root?.vm);
  expect([one.root?.id, two.root?.id]).toEqual([1, 2]);
  expect(stats.counter("wasm.envoy.wasm.runtime.v8.created").value).toBe(1);
  // on_vm_start is told once for each plugin, on the VM that runs already.
  expect(messages()).toEqual([
    "root_create(1,0)",
    "vm_start(1,0)",
    "configure(1,0)",
    "root_create(2,0)",
    "vm_start(2,0)",
    "configure(2,0)",
  ]);
  host.close();
});

test("another id, configuration or environment is another VM", async () => {
  const { prepare, host } = await wasmHostRig("");
  const vms = [
    { vmId: "a" },
    { vmId: "b" },
    { vmId: "a", vmConfiguration: Buffer.from("x") },
    { vmId: "a", environment: [["k", "v"]] as const },
    { vmId: "a", allowedCapabilities: ["proxy_log"] },
  ].map((changes) => asPlugin(prepare(changes)).root?.vm);
  expect(new Set(vms).size).toBe(5);
  host.close();
});

test("a trap of one plugin is the failure of all on its VM", async () => {
  const { prepare, host } = await wasmHostRig("");
  const one = asPlugin(prepare({ vmId: "shared" }));
  const two = asPlugin(prepare({ vmId: "shared", name: "two", failurePolicy: "fail_open" }));
  const vm = one.root?.vm;
  if (vm === undefined || one.root === null) throw new Error("no vm");
  const trap = (): never => {
    throw new WebAssembly.RuntimeError("unreachable");
  };
  vm.call(one.root, trap, 0, 0, 0, 0, 0);
  expect(vm.failure?.reason).toBe("unreachable");
  expect(one.createHttpFilter()).not.toBe(null);
  expect(two.createHttpFilter()).toBe(null);
  host.close();
});

test("a drained plugin is over when its last stream is", async () => {
  const { host, prepare, stats, messages } = await wasmHostRig("");
  const plugin = asPlugin(prepare({}));
  const filter = plugin.createHttpFilter();
  plugin.drain();
  expect(messages().at(-1)).toBe("configure(1,0)");
  expect(host.pluginCount).toBe(1);
  filter?.onDestroy();
  // Nobody holds it any more: each change of a module leaves a plugin behind.
  expect(host.pluginCount).toBe(0);
  expect(messages().slice(-2)).toEqual(["done(1)", "delete(1)"]);
  expect(stats.gauge("wasm.envoy.wasm.runtime.v8.active").value).toBe(0);
});

test("a root context that is not done yet waits for proxy_done", async () => {
  const host = await scriptedHost([
    "configure set_tick_period 10",
    "done return 0",
    "done done",
    "tick#2 done",
    "tick#2 say still%20here",
    "delete done",
  ]);
  host.plugin.drain();
  host.tick(100);
  expect(host.logs.slice(-8).map((line) => line.message)).toEqual([
    "done(1)",
    "  done -> 1",
    "tick(1)",
    "tick(1)",
    "  done -> 0",
    "  still here",
    "delete(1)",
    "  done -> 1",
  ]);
  host.close();
});

test("a guest that is never done is waited for as long as its drain time is", async () => {
  const script = "configure set_tick_period 500\ndone return 0";
  const { prepare, host, messages, tick, stats } = await wasmHostRig(script);
  const plugin = asPlugin(prepare({}));
  plugin.drain();
  tick(1900);
  expect(host.pluginCount).toBe(1);
  tick(200);
  expect(host.pluginCount).toBe(0);
  expect(messages().filter((line) => line.startsWith("tick"))).toHaveLength(3);
  expect(messages().slice(-2)).toEqual([
    "wasm the drain time of plugin one, version , is over: its guest is not done",
    "delete(1)",
  ]);
  expect(stats.counter("wasm.one.drain_time_over").value).toBe(1);
  // Nothing is called any more, and no timer is left.
  tick(5000);
  expect(messages().at(-1)).toBe("delete(1)");
  expect(host.timerCount).toBe(0);
});

test("what is not in force yet has no ticks, and begins with them once", async () => {
  const { host, messages, tick, prepareForLater } = await wasmHostRig(
    "configure set_tick_period 100",
  );
  const plugin = asPlugin(prepareForLater({}));
  tick(1000);
  expect(messages().filter((line) => line.startsWith("tick"))).toEqual([]);
  plugin.begin();
  plugin.begin();
  tick(350);
  expect(messages().filter((line) => line.startsWith("tick"))).toHaveLength(3);
  host.close();
});

test("a plugin that refuses is not kept, and its VM goes", async () => {
  const { prepare, stats } = await wasmHostRig("configure return 0\nconfigure say no%20thanks");
  const refused = prepare({});
  expect(refused).toBeInstanceOf(PluginError);
  expect((refused as PluginError).reasons).toContain("  no thanks");
  expect(stats.gauge("wasm.envoy.wasm.runtime.v8.active").value).toBe(0);
});

/** A guest of ABI 0.1.0 that logs the status of a look-up of a header that is not there. */
function oldGuest(): Uint8Array {
  const builder = new WasmBuilder();
  const five = ["i32", "i32", "i32", "i32", "i32"];
  const get = builder.importFunction("env", "proxy_get_header_map_value", five, ["i32"]);
  const log = builder.importFunction("env", "proxy_log", ["i32", "i32", "i32"], ["i32"]);
  const resume = builder.importFunction("env", "proxy_continue_request", [], []);
  builder.func({ exportAs: "proxy_abi_version_0_1_0" });
  builder.memory(0, 1).export("memory", "memory", 0);
  builder.func({
    params: ["i32"],
    results: ["i32"],
    code: constant(1024),
    exportAs: "proxy_on_memory_allocate",
  });
  const status = [0, 0, 4, 2004, 2008].flatMap((value) => constant(value));
  builder.func({
    params: ["i32", "i32"],
    results: ["i32"],
    code: [
      ...constant(2000),
      ...status,
      op.call,
      get,
      ...constant(48),
      op.i32Add,
      op.i32Store,
      2,
      0,
      ...constant(2),
      ...constant(2000),
      ...constant(1),
      op.call,
      log,
      op.drop,
      op.call,
      resume,
      ...constant(1),
    ],
    exportAs: "proxy_on_request_headers",
  });
  builder.data(0, [...Buffer.from("nope")]);
  return builder.build();
}

test("a guest of ABI 0.1.0: an absent header is empty, streams resume by their old names", async () => {
  const host = await createFilterHost({ module: oldGuest() });
  const { messages, status } = host.request();
  expect(messages).toEqual(["0"]);
  expect(status).toBe(200);
  host.close();
});

test("ten thousand streams leave neither contexts nor memory behind", async () => {
  const builder = new WasmBuilder();
  const five = ["i32", "i32", "i32", "i32", "i32"];
  const get = builder.importFunction("env", "proxy_get_header_map_value", five, ["i32"]);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  builder.memory(0, 1).export("memory", "memory", 0);
  builder.func({ params: ["i32"], results: ["i32"], code: constant(1024), exportAs: "malloc" });
  const look = [0, 0, 5, 2004, 2008].flatMap((value) => constant(value));
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    code: [...look, op.call, get],
    exportAs: "proxy_on_request_headers",
  });
  builder.data(0, [...Buffer.from(":path")]);
  const host = await createFilterHost({ module: builder.build() });
  for (let i = 0; i < 10_000; i += 1) expect(host.request().status).toBe(200);
  expect(host.contexts).toBe(1);
  expect(host.guestMemoryBytes).toBe(65_536);
  expect(host.plugin.streams).toBe(0);
  expect(host.logs).toEqual([]);
  host.close();
});
