// Standbys: VMs that wait, started and configured, to take over from one that fails.
import { expect, test } from "vitest";
import { createFilterHost, type FilterHost } from "../../test/harness.ts";
import type { FilterHostOptions } from "../../test/harness.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import type { StandbyPolicy, WasmPolicy } from "../config/wasm-policy.ts";
import { constant, guestBuilder, op } from "../module/wasm-builder-for-test.ts";
import type { StatsStore } from "../stats/store.ts";
import { scriptedHost } from "./guest-script-for-test.ts";
import { VmFailure } from "./vm-failure.ts";
import { asPlugin, wasmHostRig } from "./wasm-host-for-test.ts";

const RELOAD = { failurePolicy: "fail_reload" } as const;
/** Longer than standbys are waited for. */
const QUIET_MS = 300;

function policy(standby: StandbyPolicy): WasmPolicy {
  return { ...defaultWasmPolicy, standby };
}

/** Made, used, failed, waiting now. */
function standbys(stats: StatsStore, plugin = "filter"): number[] {
  const names = ["made", "used", "failed"];
  const counts = names.map((name) => stats.counter(`wasm.${plugin}.standby_${name}`).value);
  return [...counts, stats.gauge(`wasm.${plugin}.standby_ready`).value];
}

function said(host: FilterHost, message: string): number {
  return host.logs.filter((line) => line.message === message).length;
}

test("takes over in the turn of the trap: the next stream finds a VM that was started before", async () => {
  const host = await scriptedHost(["request_headers#2 trap"]);
  const { value: startFuel } = host.stats.counter("wasm.filter.fuel_used");
  host.tick(QUIET_MS);
  expect(standbys(host.stats)).toEqual([1, 0, 0, 1]);
  // Nobody hears of it before it serves.
  expect(said(host, "configure(1,0)")).toBe(1);
  expect(host.stats.counter("wasm.envoy.wasm.runtime.v8.created").value).toBe(1);
  host.request();
  const before = host.plugin.root?.vm;
  const { value: fuelUsed } = host.stats.counter("wasm.filter.fuel_used");

  expect(host.request().localReply?.details).toBe("wasm_fail_stream");
  expect(host.plugin.slot.isAlive).toBe(true);
  expect(host.plugin.root?.vm).not.toBe(before);
  // No start has run for that, only callbacks of the stream, one of them stopped.
  const used = host.stats.counter("wasm.filter.fuel_used").value - fuelUsed;
  expect(used).toBeLessThan(startFuel);
  expect(standbys(host.stats)).toEqual([1, 1, 0, 0]);
  expect(said(host, "configure(1,0)")).toBe(2);
  for (const name of ["vm_reload_success", "vm_reload_at_once"]) {
    expect(host.stats.counter(`wasm.filter.${name}`).value).toBe(1);
  }
  expect(host.request().status).toBe(200);
  host.tick(QUIET_MS);
  expect(standbys(host.stats)).toEqual([2, 1, 0, 1]);
  host.close();
  expect(standbys(host.stats)).toEqual([2, 1, 0, 0]);
});

test("streams that are on the failed VM end by its failure, not on the standby", async () => {
  const host = await scriptedHost(["request_headers#2 trap", "response_headers say late"], RELOAD);
  host.tick(QUIET_MS);
  const waiting = host.request({ upstream: "never" });
  host.request();
  expect(host.plugin.slot.isAlive).toBe(true);
  expect(host.plugin.streams).toBe(0);
  waiting.abort();
  expect(host.plugin.streams).toBe(0);
  expect(said(host, "  late")).toBe(0);
  host.close();
});

test("does not tick while it waits, and ticks once a period when it serves", async () => {
  const host = await scriptedHost(
    ["configure set_tick_period 100", "request_headers trap"],
    RELOAD,
  );
  host.tick(1000);
  expect(said(host, "tick(1)")).toBe(10);
  host.request();
  expect(standbys(host.stats)[1]).toBe(1);
  host.tick(1000);
  expect(said(host, "tick(1)")).toBe(20);
  host.close();
});

test("items of a queue go to the VM that serves", async () => {
  const host = await scriptedHost(
    ["configure register_shared_queue q", "request_headers enqueue_shared_queue 1 item"],
    RELOAD,
  );
  host.tick(QUIET_MS);
  const first = host.plugin.root?.vm;
  host.request();
  host.tick(10);
  expect(said(host, "queue_ready(1,1)")).toBe(1);
  if (first !== undefined) first.owner.onVmFailure(first, failed(first));
  expect(standbys(host.stats)[1]).toBe(1);
  host.request();
  host.tick(10);
  expect(said(host, "queue_ready(1,1)")).toBe(2);
  host.close();
});

function failed(vm: NonNullable<FilterHost["plugin"]["root"]>["vm"]): VmFailure {
  vm.failure = new VmFailure("by the test", "trap");
  return vm.failure;
}

const outwardCalls = [
  "http_call up :method=GET,:path=/,:authority=a ~ ~ 1000",
  "grpc_call up s m ~ 1000",
  "grpc_stream up s m ~",
  "get_shared_data k",
  "set_shared_data k v 0",
  "enqueue_shared_queue 1 x",
  "dequeue_shared_queue 1",
  "increment_metric 4 1",
  "record_metric 5 1",
  "get_metric 4",
];
const metrics = ["configure define_metric 0 starts", "configure define_metric 1 level"];

test.each(outwardCalls)("a guest whose start does what others see has none: %s", async (line) => {
  const script = [...metrics, "configure register_shared_queue q", `configure ${line}`];
  const clusters = { up: { status: 200 } };
  const host = await scriptedHost(script, { ...RELOAD, clusters });
  host.tick(20_000);
  expect(standbys(host.stats)).toEqual([0, 0, 0, 0]);
  const [name] = line.split(" ");
  expect(host.logs.some(({ message }) => message.includes(`its start calls proxy_${name}`))).toBe(
    true,
  );
  host.close();
  // Unless its policy says that it may: then what it does is done once more.
  const always = await scriptedHost(script, { ...RELOAD, clusters, policy: policy("always") });
  always.tick(QUIET_MS);
  expect(standbys(always.stats)).toEqual([1, 0, 0, 1]);
  expect(always.metrics.get("starts")).toBe(name === "increment_metric" ? 2 : 0);
  always.close();
});

test("what a guest does after its start is no reason", async () => {
  const host = await scriptedHost([...metrics, "request_headers increment_metric 4 1"], RELOAD);
  host.request();
  host.tick(QUIET_MS);
  expect(standbys(host.stats)).toEqual([1, 0, 0, 1]);
  expect(host.metrics.get("starts")).toBe(1);
  host.close();
});

const I64_LOAD = 0x29;
const I64_CONST = 0x42;
const I64_DIV = 0x80;
const WRAP = 0xa7;
const NOT_EQUAL = 0x47;
const IF = 0x04;
const VOID = 0x40;
const LOOP = 0x03;
const BR = 0x0c;

/** Its on_configure does `late`, unless it is the first tenth of a second of the test. */
async function punctualGuest(
  late: readonly number[],
  options: Partial<FilterHostOptions> = {},
): Promise<FilterHost> {
  const builder = guestBuilder((imports) => {
    imports.importFunction("env", "proxy_get_current_time_nanoseconds", ["i32"], ["i32"]);
    imports.importFunction("env", "proxy_define_metric", ["i32", "i32", "i32", "i32"], ["i32"]);
    imports.importFunction("env", "proxy_increment_metric", ["i32", "i64"], ["i32"]);
  });
  // A tenth of a second in nanoseconds; both sides are cut to 32 bits.
  const tenths = [I64_LOAD, 3, 0, I64_CONST, ...constant(100_000_000).slice(1), I64_DIV, WRAP];
  const time = [...constant(0), op.call, 0, op.drop, ...constant(0), ...tenths];
  const START_TENTHS = 17_672_256_010;
  const isLate = [...time, ...constant(START_TENTHS | 0), NOT_EQUAL];
  const define = [0, 16, 6, 32].flatMap((value) => constant(value));
  builder.data(16, [...Buffer.from("starts")]);
  builder.func({
    params: ["i32", "i32"],
    results: ["i32"],
    code: [...define, op.call, 1, op.drop, ...isLate, IF, VOID, ...late, op.end, ...constant(1)],
    exportAs: "proxy_on_configure",
  });
  return await createFilterHost({ ...RELOAD, module: builder.build(), ...options });
}

const increment = [...constant(4), I64_CONST, 1, op.call, 2, op.drop];

test("one whose start turns out to do what others see is stopped before it does", async () => {
  const host = await punctualGuest(increment);
  host.tick(20_000);
  expect(host.metrics.get("starts")).toBe(0);
  expect(standbys(host.stats)).toEqual([0, 0, 0, 0]);
  expect(host.request().status).toBe(200);
  host.close();
});

test.each([
  ["refuses", [...constant(0), op.return], "proxy_on_configure answered false"],
  ["traps", [op.unreachable], "unreachable [trap] in proxy_on_configure"],
  ["never ends", [LOOP, VOID, BR, 0, op.end], "out of fuel [fuel] in proxy_on_configure"],
])(
  "one that %s its start is tried again, later and later, and hurts nobody",
  async (_what, late, reason) => {
    const fuel = { callback: 1e5, configure: 1e5, start: 1e5 };
    const host = await punctualGuest(late, { policy: { ...policy("on"), fuel } });
    host.tick(30_000);
    const [made, used, failures, ready] = standbys(host.stats);
    expect([made, used, ready]).toEqual([0, 0, 0]);
    // At once, then after 1, 2, 4, 8 and 10 seconds, and up to a half more.
    expect(failures).toBeGreaterThan(3);
    expect(failures).toBeLessThan(8);
    const warning = host.logs.find(({ message }) => message.includes("could not be started"));
    expect(warning?.message).toBe(
      `wasm a standby of plugin filter could not be started: ${reason}`,
    );
    expect(host.stats.counter("wasm.envoy.wasm.runtime.v8.created").value).toBe(1);
    expect(host.request().status).toBe(200);
    host.close();
  },
);

test("the back-off decides when, with a standby or without", async () => {
  const seen = await Promise.all(
    (["on", "off"] as const).map(async (standby) => {
      const host = await scriptedHost(["request_headers trap"], {
        ...RELOAD,
        policy: policy(standby),
      });
      const outcomes: unknown[] = [];
      for (const waitMs of [500, 0, 400, 900, 300, 4000, 100, 9000]) {
        host.tick(waitMs);
        host.request();
        outcomes.push(host.plugin.slot.awaitsReload);
        for (const name of ["vm_reload_success", "vm_reload_failure", "vm_reload_backoff"]) {
          outcomes.push(host.stats.counter(`wasm.filter.${name}`).value);
        }
      }
      const { value: used } = host.stats.counter("wasm.filter.standby_used");
      host.close();
      return { used, outcomes };
    }),
  );
  const [on, off] = seen;
  expect(on?.used).toBeGreaterThan(2);
  expect(off?.used).toBe(0);
  const successes = (all: unknown[] | undefined): unknown => all?.at(-3);
  expect(successes(on?.outcomes)).toBe(successes(off?.outcomes));
});

test.each([
  ["fail_closed", {}],
  ["fail_open", {}],
  ["unspecified", { failOpenLegacy: true }],
  ["fail_reload", { policy: policy("off") }],
] as const)(
  "nothing waits where a dead VM stays dead, or none is wanted: %s",
  async (failurePolicy, more) => {
    const host = await scriptedHost([], { failurePolicy, ...more });
    host.tick(20_000);
    expect(standbys(host.stats)).toEqual([0, 0, 0, 0]);
    host.close();
  },
);

test("a connection through a network filter goes to the standby", async () => {
  const host = await scriptedHost(["downstream_data#1 trap"], RELOAD);
  host.tick(QUIET_MS);
  const first = host.connect();
  first.clientSends("x");
  expect(first.closed).toBe("after flush");
  expect(standbys(host.stats)[1]).toBe(1);
  expect(host.plugin.slot.isAlive).toBe(true);
  host.close();
});

test("plugins that share a VM share its standby, and it knows them all", async () => {
  const { prepare, host, stats, tick, messages } = await wasmHostRig(
    "configure set_tick_period 1000\ntick#2 trap",
  );
  const shared = { vmId: "shared", ...RELOAD };
  const one = asPlugin(prepare(shared));
  tick(QUIET_MS);
  expect(standbys(stats, "one")).toEqual([1, 0, 0, 1]);
  // One that comes later makes another standby necessary.
  const two = asPlugin(prepare({ ...shared, name: "two" }));
  expect(standbys(stats, "one")).toEqual([1, 0, 0, 0]);
  tick(QUIET_MS);
  expect(standbys(stats, "one")).toEqual([2, 0, 0, 1]);
  const before = one.root?.vm;
  tick(900);
  // The tick of the second one was the second one.
  expect(messages().some((line) => line.startsWith("wasm vm failed"))).toBe(true);
  expect(standbys(stats, "one")[1]).toBe(1);
  expect(one.root?.vm).not.toBe(before);
  expect(two.root?.vm).toBe(one.root?.vm);
  expect([one.root?.id, two.root?.id]).toEqual([1, 2]);
  host.close();
});

test("one at a time, so that the thread has time for others", async () => {
  const { prepare, host, stats, tick } = await wasmHostRig("");
  for (let i = 0; i < 5; i += 1) prepare({ name: `p${i}`, ...RELOAD });
  const ready = (): number => {
    let count = 0;
    for (let i = 0; i < 5; i += 1) count += standbys(stats, `p${i}`)[3] ?? 0;
    return count;
  };
  tick(150);
  expect(ready()).toBe(0);
  tick(60);
  expect(ready()).toBe(1);
  tick(20);
  expect(ready()).toBe(2);
  tick(100);
  expect(ready()).toBe(5);
  host.close();
  expect(ready()).toBe(0);
});

test("a plugin that drains has none, and its VM's failure ends it", async () => {
  const { prepare, host, stats, tick, messages } = await wasmHostRig(
    "configure set_tick_period 500\ntick trap",
  );
  const plugin = asPlugin(prepare(RELOAD));
  const filter = plugin.createHttpFilter();
  tick(QUIET_MS);
  expect(standbys(stats, "one")[3]).toBe(1);
  plugin.drain();
  expect(standbys(stats, "one")[3]).toBe(0);
  tick(300);
  expect(messages().some((line) => line.startsWith("wasm vm failed"))).toBe(true);
  expect(host.pluginCount).toBe(0);
  expect(stats.gauge("wasm.envoy.wasm.runtime.v8.active").value).toBe(0);
  filter?.onDestroy();
  tick(20_000);
  expect(stats.counter("wasm.envoy.wasm.runtime.v8.created").value).toBe(1);
  host.close();
});
