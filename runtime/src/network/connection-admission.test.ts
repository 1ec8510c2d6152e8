import { expect, test } from "vitest";
import type { ListenerConfig } from "../config/snapshot.ts";
import { OverloadState } from "../core/overload-state.ts";
import { SeededRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { openSharedCounts, sharedCountsMemory } from "../core/shared-counts.ts";
import { StatsStore } from "../stats/store.ts";
import { ConnectionAdmission, connectionCells, totalConnections } from "./connection-admission.ts";
import { ListenerStats } from "./listener-stats.ts";

const cells = connectionCells(2);
const random = new SeededRandom(1);

class Place {
  readonly stats = new StatsStore({ slotsMax: 20_000 });
  readonly overload = new OverloadState(random);
  readonly runtime = new Runtime();
  readonly admission: ConnectionAdmission;

  constructor(memory: SharedArrayBuffer, thread: number, more: Partial<ListenerConfig> = {}) {
    const config = {
      name: "l",
      ignoresGlobalConnectionLimit: false,
      bypassesOverloadManager: false,
      sharedIndex: 0,
      ...more,
    } as ListenerConfig;
    const connectionCounts = openSharedCounts(memory, cells, thread);
    const stats = new ListenerStats(this.stats, "here", thread);
    this.admission = new ConnectionAdmission(config, stats, {
      overload: this.overload,
      runtime: this.runtime,
      connectionCounts,
    });
  }

  setLimit(key: string, number: number): void {
    const values = new Map([[key, { text: "", number, ppm: null }]]);
    this.runtime.setLayers([{ name: "s", kind: "static", values }]);
  }

  count(name: string): number {
    return this.stats.counter(`listener.here.downstream_${name}`).value;
  }
}

test("a listener's limit counts the connections of all workers", () => {
  const memory = sharedCountsMemory(2, cells);
  const a = new Place(memory, 0);
  const b = new Place(memory, 1);
  const key = "envoy.resource_limits.listener.l.connection_limit";
  for (const place of [a, b]) place.setLimit(key, 2);
  expect([a.admission.admit(), b.admission.admit(), a.admission.admit()]).toEqual([
    true,
    true,
    false,
  ]);
  expect(a.count("cx_overflow")).toBe(1);
  b.admission.release();
  expect(a.admission.admit()).toBe(true);
  expect(totalConnections(openSharedCounts(memory, cells, 1)).count).toBe(2);
});

test("the limit of all listeners holds for those that do not ignore it", () => {
  const memory = sharedCountsMemory(1, cells);
  const a = new Place(memory, 0);
  const other = new Place(memory, 0, { sharedIndex: 1 });
  const free = new Place(memory, 0, { ignoresGlobalConnectionLimit: true });
  let refused = 0;
  for (const place of [a, other, free]) {
    place.overload.connectionsMax = 1;
    place.overload.refusedConnections = { inc: () => void (refused += 1) };
  }
  expect(free.admission.admit()).toBe(true);
  expect(a.admission.admit()).toBe(true);
  expect(other.admission.admit()).toBe(false);
  expect(other.count("global_cx_overflow")).toBe(1);
  expect(refused).toBe(1);
  free.admission.release();
  expect(other.admission.admit()).toBe(false);
  a.admission.release();
  expect(other.admission.admit()).toBe(true);
});

test("the runtime limits all listeners where the overload manager does not", () => {
  const memory = sharedCountsMemory(1, cells);
  const a = new Place(memory, 0);
  a.setLimit("overload.global_downstream_max_connections", 1);
  expect([a.admission.admit(), a.admission.admit()]).toEqual([true, false]);
  expect(a.count("global_cx_overflow")).toBe(1);
  a.overload.connectionsMax = 2;
  expect([a.admission.admit(), a.admission.admit()]).toEqual([true, false]);
});

test.each(["rejectConnections", "shedAccept"] as const)("%s refuses, but not a bypass", (name) => {
  const memory = sharedCountsMemory(1, cells);
  const a = new Place(memory, 0);
  const bypass = new Place(memory, 0, { bypassesOverloadManager: true });
  for (const place of [a, bypass]) place.overload[name].level = 1;
  expect(a.admission.admit()).toBe(false);
  expect(a.count("cx_overload_reject")).toBe(1);
  expect(bypass.admission.admit()).toBe(true);
  expect(totalConnections(openSharedCounts(memory, cells, 0)).count).toBe(1);
});

test("stopping new connections pauses all but a bypass", () => {
  const memory = sharedCountsMemory(1, cells);
  const a = new Place(memory, 0);
  const bypass = new Place(memory, 0, { bypassesOverloadManager: true });
  for (const place of [a, bypass]) place.overload.stopConnections.level = 0.9;
  expect(a.admission.isPaused).toBe(false);
  for (const place of [a, bypass]) place.overload.stopConnections.level = 1;
  expect([a.admission.isPaused, bypass.admission.isPaused]).toEqual([true, false]);
});
