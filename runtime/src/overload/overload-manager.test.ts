import { expect, test } from "vitest";
import type { OverloadConfig } from "../config/overload-config.ts";
import { StatsStore } from "../stats/store.ts";
import { OverloadManager } from "./overload-manager.ts";
import type { OverloadLevels } from "./overload-manager.ts";
import type { ResourceFacts } from "./resource-monitors.ts";

const heap = { name: "heap", kind: "fixed_heap", bytesMax: 1000 } as const;
const file = { name: "file", kind: "injected", path: "/p" } as const;

function at(monitor: string, from: number, to = from): OverloadConfig["actions"][0]["triggers"][0] {
  return { monitor, scalingThreshold: from, saturationThreshold: to };
}

const config: OverloadConfig = {
  refreshIntervalMs: 250,
  monitors: [heap, file],
  actions: [
    { action: "stop_accepting_requests", triggers: [at("heap", 0.9), at("file", 0.5)] },
    { action: "reduce_timeouts", triggers: [at("heap", 0.2, 0.6)] },
    { action: "shrink_heap", triggers: [at("heap", 0.95)] },
  ],
  shedPoints: [{ point: "tcp_listener_accept", triggers: [at("heap", 0.95)] }],
  timers: [],
  connectionsMax: Number.POSITIVE_INFINITY,
};

class World {
  readonly stats = new StatsStore({ slotsMax: 20_000 });
  readonly told: OverloadLevels[] = [];
  readonly logged: string[] = [];
  shrunk = 0;
  bytes = 0;
  text = "0";
  nowMs = 0;
  readonly manager: OverloadManager;

  constructor() {
    const facts: ResourceFacts = {
      residentBytes: () => this.bytes,
      connections: () => 0,
      read: () => this.text,
    };
    this.manager = new OverloadManager({
      config,
      facts,
      stats: this.stats,
      logger: {
        level: 0,
        log: (_level: number, text: string) => void this.logged.push(text),
      } as never,
      nowMs: () => this.nowMs,
      onLevels: (levels) => void this.told.push(levels),
      onShrinkHeap: () => void (this.shrunk += 1),
    });
  }

  refresh(bytes: number, text = "0"): void {
    this.bytes = bytes;
    this.text = text;
    this.nowMs += 250;
    this.manager.refresh();
  }

  gauge(name: string): number {
    return this.stats.gauge(`overload.${name}`).value;
  }
}

test("tells levels when they change: jumps at a threshold, grows between two", () => {
  const w = new World();
  w.refresh(100);
  expect(w.told).toEqual([]);
  w.refresh(310);
  w.refresh(310);
  expect(w.told.length).toBe(1);
  expect(w.told[0]?.reduce_timeouts).toBeCloseTo(0.275);
  expect(w.gauge("envoy.overload_actions.reduce_timeouts.scale_percent")).toBe(27);
  expect(w.gauge("envoy.overload_actions.reduce_timeouts.active")).toBe(0);
  w.refresh(600);
  expect(w.told[1]).toEqual({
    stop_accepting_requests: 0,
    reduce_timeouts: 1,
    shrink_heap: 0,
    tcp_listener_accept: 0,
  });
  expect(w.gauge("envoy.overload_actions.reduce_timeouts.active")).toBe(1);
  expect(w.gauge("heap.pressure")).toBe(60);
  w.refresh(0);
  expect(w.manager.levels.reduce_timeouts).toBe(0);
  expect(w.logged).toEqual([
    "overload action envoy.overload_actions.reduce_timeouts became active",
    "overload action envoy.overload_actions.reduce_timeouts became inactive",
  ]);
});

test("the highest trigger counts; a monitor that fails keeps its last value and is logged once", () => {
  const w = new World();
  w.refresh(0, "0.5");
  expect(w.manager.levels.stop_accepting_requests).toBe(1);
  w.refresh(0, "much");
  w.refresh(0, "much");
  expect(w.manager.levels.stop_accepting_requests).toBe(1);
  expect(w.stats.counter("overload.file.failed_updates").value).toBe(2);
  expect(w.logged.filter((line) => line.includes("failed"))).toEqual([
    'failed to update file: /p: found "much", expected a number from 0 to 1',
  ]);
  w.refresh(0, "0.4");
  expect(w.manager.levels.stop_accepting_requests).toBe(0);
});

test("heaps shrink at once and then every ten seconds while the action is active", () => {
  const w = new World();
  for (let i = 0; i < 41; i += 1) w.refresh(960);
  expect(w.shrunk).toBe(2);
  expect(w.gauge("envoy.load_shed_points.tcp_listener_accept.scale_percent")).toBe(100);
  expect(w.stats.counter("overload.envoy.overload_actions.shrink_heap.shrink_count").value).toBe(2);
  expect(w.stats.histogram("overload.refresh_interval_delay").count).toBe(40);
});
