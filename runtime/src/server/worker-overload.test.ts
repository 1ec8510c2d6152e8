import { expect, test } from "vitest";
import type { OverloadConfig } from "../config/snapshot.ts";
import { OverloadState } from "../core/overload-state.ts";
import { SeededRandom } from "../core/random.ts";
import { StatsStore } from "../stats/store.ts";
import { applyOverload, configureOverload, shrinkHeap } from "./worker-overload.ts";

const config: OverloadConfig = {
  refreshIntervalMs: 1000,
  monitors: [{ name: "limit", kind: "connections", connectionsMax: 7 }],
  actions: [],
  shedPoints: [{ point: "tcp_listener_accept", triggers: [] }],
  timers: [{ timer: "stream_idle", minMs: 5, minScale: 0 }],
  connectionsMax: 7,
};

test("a configuration gives limits, floors and counters; without one there are none", () => {
  const stats = new StatsStore({ slotsMax: 20_000 });
  const state = new OverloadState(new SeededRandom(1));
  configureOverload(state, config, stats);
  expect(state.connectionsMax).toBe(7);
  expect(state.streamIdleFloor?.minMs).toBe(5);
  expect(state.connectionIdleFloor).toBe(null);
  state.shedAccept.level = 1;
  expect(state.shedAccept.occurs()).toBe(true);
  const shed = "overload.envoy.load_shed_points.tcp_listener_accept.shed_load_count";
  expect(stats.counter(shed).value).toBe(1);
  state.refusedConnections?.inc();
  expect(stats.counter("overload.limit.failed_updates").value).toBe(1);
  configureOverload(state, null, stats);
  expect(state.connectionsMax).toBe(Number.POSITIVE_INFINITY);
  expect(state.streamIdleFloor).toBe(null);
});

test("levels that are not named stand at 0", () => {
  const state = new OverloadState(new SeededRandom(1));
  applyOverload(state, { stop_accepting_requests: 1, reduce_timeouts: 0.5 });
  expect([state.stopRequests.level, state.reduceTimeouts.level]).toEqual([1, 0.5]);
  applyOverload(state, { tcp_listener_accept: 0.25 });
  expect([state.stopRequests.level, state.shedAccept.level]).toEqual([0, 0.25]);
});

test("garbage is collected", async () => {
  const reference = new WeakRef(new Uint8Array(1000));
  // A reference holds its object until the turn that made it is over.
  await new Promise((resolve) => setImmediate(resolve));
  shrinkHeap();
  expect(reference.deref()).toBe(undefined);
});
