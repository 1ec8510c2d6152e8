import { expect, test } from "vitest";
import type { ResourceMonitorConfig } from "../config/overload-config.ts";
import { createMonitor, machineFacts } from "./resource-monitors.ts";
import type { ResourceMonitor } from "./resource-monitors.ts";

function monitor(config: ResourceMonitorConfig, files: Record<string, string>): ResourceMonitor {
  return createMonitor(config, {
    residentBytes: () => 500,
    connections: () => 30,
    read: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`${path}: ENOENT`);
      return text;
    },
  });
}

test("memory of the process, connections, a file's number", () => {
  expect(monitor({ name: "", kind: "fixed_heap", bytesMax: 2000 }, {}).pressure()).toBe(0.25);
  expect(monitor({ name: "", kind: "connections", connectionsMax: 40 }, {}).pressure()).toBe(0.75);
  const injected = { name: "", kind: "injected", path: "/p" } as const;
  expect(monitor(injected, { "/p": "0.5\n" }).pressure()).toBe(0.5);
  for (const text of ["", "x", "-1", "1.5"]) {
    expect(() => monitor(injected, { "/p": text }).pressure()).toThrow("expected a number");
  }
  expect(() => monitor(injected, {}).pressure()).toThrow("ENOENT");
});

test("memory of the control group, of version 2 and 1, with and without limits", () => {
  const v2 = { "/sys/fs/cgroup/memory.current": "300\n", "/sys/fs/cgroup/memory.max": "1000\n" };
  const v1 = {
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "300",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "600",
  };
  const group = (bytesMax: number): ResourceMonitorConfig => {
    return { name: "", kind: "cgroup_memory", bytesMax };
  };
  expect(monitor(group(0), v2).pressure()).toBe(0.3);
  expect(monitor(group(400), v2).pressure()).toBe(0.75);
  expect(monitor(group(4000), v2).pressure()).toBe(0.3);
  expect(monitor(group(0), { ...v2, "/sys/fs/cgroup/memory.max": "max\n" }).pressure()).toBe(0);
  expect(monitor(group(0), v1).pressure()).toBe(0.5);
  expect(() => monitor(group(0), {}).pressure()).toThrow("memory.current: ENOENT");
});

test("processors of the host and of a container, smoothed", () => {
  const files: Record<string, string> = { "/proc/stat": "cpu  10 0 10 80 0 0\ncpu0 1 1 1 1\n" };
  const host = monitor({ name: "", kind: "cpu_utilization", isContainer: false }, files);
  expect(host.pressure()).toBe(0);
  files["/proc/stat"] = "cpu  90 0 30 80 0 0\n";
  expect(host.pressure()).toBeCloseTo(0.05);
  const group: Record<string, string> = {
    "/sys/fs/cgroup/cpu.stat": "usage_usec 0\nuser_usec 0\n",
    "/sys/fs/cgroup/cpu.max": "50000 100000\n",
    "/proc/uptime": "100.0 3.0\n",
  };
  const container = monitor({ name: "", kind: "cpu_utilization", isContainer: true }, group);
  expect(container.pressure()).toBe(0);
  group["/sys/fs/cgroup/cpu.stat"] = "usage_usec 1000000\n";
  group["/proc/uptime"] = "104.0 3.0\n";
  expect(container.pressure()).toBeCloseTo(0.025);
});

test("this machine answers", () => {
  const facts = machineFacts(() => 1);
  expect(facts.residentBytes()).toBeGreaterThan(1_000_000);
  expect(
    createMonitor({ name: "", kind: "fixed_heap", bytesMax: 1 }, facts).pressure(),
  ).toBeGreaterThan(1);
});
