import { describe, expect, test } from "vitest";
import type { OverloadConfig } from "../overload-config.ts";
import { boot, type Fields, problems, translate, type, warnings } from "./bootstrap-for-test.ts";

const MONITORS = "envoy.extensions.resource_monitors";
const ACTION = "envoy.overload_actions";

function monitor(name: string, message: string, config: Fields = {}): Fields {
  return { name, typed_config: { ...type(`${MONITORS}.${message}`), ...config } };
}

const heap = monitor("heap", "fixed_heap.v3.FixedHeapConfig", { max_heap_size_bytes: 1000 });

function above(value: number, name = "heap"): Fields {
  return { name, threshold: { value } };
}

function manager(more: Fields): Fields {
  return boot({ bootstrap: { overload_manager: { resource_monitors: [heap], ...more } } });
}

async function overloadOf(config: Fields): Promise<OverloadConfig | null> {
  return (await translate(config)).snapshot.overload;
}

function action(name: string, ...triggers: readonly Fields[]): Fields {
  return { name: `${ACTION}.${name}`, triggers };
}

test("without a manager nothing is watched", async () => {
  expect(await overloadOf(boot())).toBe(null);
});

test("reads every monitor", async () => {
  const config = await overloadOf(
    manager({
      refresh_interval: "0.25s",
      resource_monitors: [
        heap,
        monitor("group", "cgroup_memory.v3.CgroupMemoryConfig", { max_memory_bytes: 7 }),
        monitor("cpu", "cpu_utilization.v3.CpuUtilizationConfig", { mode: "CONTAINER" }),
        monitor("file", "injected_resource.v3.InjectedResourceConfig", { filename: "/p" }),
        monitor("limit", "downstream_connections.v3.DownstreamConnectionsConfig", {
          max_active_downstream_connections: 9,
        }),
      ],
    }),
  );
  expect(config).toEqual({
    refreshIntervalMs: 250,
    monitors: [
      { name: "heap", kind: "fixed_heap", bytesMax: 1000 },
      { name: "group", kind: "cgroup_memory", bytesMax: 7 },
      { name: "cpu", kind: "cpu_utilization", isContainer: true },
      { name: "file", kind: "injected", path: "/p" },
      { name: "limit", kind: "connections", connectionsMax: 9 },
    ],
    actions: [],
    shedPoints: [],
    timers: [],
    connectionsMax: 9,
  });
});

test("reads actions, load shed points and scaled timeouts", async () => {
  const scaled = { name: "heap", scaled: { scaling_threshold: 0.5, saturation_threshold: 0.9 } };
  const config = await overloadOf(
    manager({
      actions: [
        action("stop_accepting_requests", above(0.9)),
        {
          ...action("reduce_timeouts", scaled),
          typed_config: {
            ...type("envoy.config.overload.v3.ScaleTimersOverloadActionConfig"),
            timer_scale_factors: [
              { timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE", min_timeout: "2s" },
              { timer: "HTTP_DOWNSTREAM_STREAM_IDLE", min_scale: { value: 10 } },
              { timer: "HTTP_DOWNSTREAM_CONNECTION_MAX", min_timeout: "0s" },
              { timer: "TRANSPORT_SOCKET_CONNECT", min_timeout: "1s" },
            ],
          },
        },
      ],
      loadshed_points: [
        { name: "envoy.load_shed_points.tcp_listener_accept", triggers: [above(0.95)] },
      ],
    }),
  );
  expect(config?.refreshIntervalMs).toBe(1000);
  expect(config?.actions).toEqual([
    {
      action: "stop_accepting_requests",
      triggers: [{ monitor: "heap", scalingThreshold: 0.9, saturationThreshold: 0.9 }],
    },
    {
      action: "reduce_timeouts",
      triggers: [{ monitor: "heap", scalingThreshold: 0.5, saturationThreshold: 0.9 }],
    },
  ]);
  expect(config?.shedPoints.map(({ point }) => point)).toEqual(["tcp_listener_accept"]);
  expect(config?.timers).toEqual([
    { timer: "connection_idle", minMs: 2000, minScale: 0 },
    { timer: "stream_idle", minMs: -1, minScale: 0.1 },
    { timer: "connection_max", minMs: 0, minScale: 0 },
  ]);
});

describe("refuses", () => {
  const stop = action("stop_accepting_requests", above(0.9));
  test.each([
    [
      "a trigger of nothing",
      { actions: [action("shrink_heap", above(0.5, "nope"))] },
      "unknown trigger resource nope",
    ],
    [
      "one trigger twice",
      { actions: [action("shrink_heap", above(0.5), above(0.6))] },
      "duplicate trigger resource heap",
    ],
    ["an action twice", { actions: [stop, stop] }, "duplicate overload action"],
    [
      "an unknown action",
      { actions: [action("bogus", above(1))] },
      "expected one of envoy.overload_actions.stop_accepting_requests",
    ],
    [
      "an action of Envoy's",
      { actions: [action("reset_high_memory_stream", above(1))] },
      "not implemented by Headgate",
    ],
    [
      "a load shed point of Envoy's",
      {
        loadshed_points: [
          { name: "envoy.load_shed_points.http2_server_go_away_on_dispatch", triggers: [above(1)] },
        ],
      },
      "not implemented by Headgate",
    ],
    ["a monitor twice", { resource_monitors: [heap, heap] }, "duplicate resource monitor heap"],
    [
      "thresholds the wrong way round",
      {
        actions: [
          action("shrink_heap", {
            name: "heap",
            scaled: { scaling_threshold: 0.9, saturation_threshold: 0.5 },
          }),
        ],
      },
      "scaling_threshold must be less",
    ],
    [
      "reduce_timeouts of nothing",
      { actions: [action("reduce_timeouts", above(0.5))] },
      "typed_config: not set",
    ],
    [
      "settings where there are none",
      { actions: [{ ...stop, typed_config: type("google.protobuf.Empty") }] },
      "no configuration of its own",
    ],
  ])("%s", async (_, more, words) => {
    expect((await problems(manager(more))).join("\n")).toContain(words);
  });
});

test("the runtime's limits for a listener that is not there are worth a warning", async () => {
  const limit = (name: string): Fields => {
    const key = `envoy.resource_limits.listener.${name}.connection_limit`;
    const layers = [{ name: "a", static_layer: { [key]: 1 } }];
    return boot({ bootstrap: { layered_runtime: { layers } } });
  };
  expect(await warnings(limit("main"))).toEqual([]);
  expect(await warnings(limit("other"))).toEqual([
    "static_resources.listeners: " +
      "the runtime limits connections of other, and no listener has that name",
  ]);
});

test("refuses more listeners or clusters than shared memory has room for", async () => {
  const address = { socket_address: { address: "127.0.0.1", port_value: 0 } };
  const listeners = Array.from({ length: 4097 }, () => ({ address, filter_chains: [{}] }));
  expect((await problems({ static_resources: { listeners } })).join("\n")).toContain(
    "found 4097 listeners, expected at most 4096",
  );
});
