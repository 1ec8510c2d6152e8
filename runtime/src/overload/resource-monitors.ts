// What the overload manager watches: each monitor answers how much of a resource is used, as a part
// of what there is. Main thread only.
import { readFileSync } from "node:fs";
import type { ResourceMonitorConfig } from "../config/overload-config.ts";

export interface ResourceMonitor {
  readonly name: string;
  /** 0 = idle, 1 = full, may be more. Throws when the resource cannot be read. */
  pressure(): number;
}

/** What monitors ask; tests answer for the machine. */
export interface ResourceFacts {
  /** Bytes of memory that the process has in RAM. */
  residentBytes(): number;
  /** Downstream connections of all workers. */
  connections(): number;
  /** The file's text; throws when there is none. */
  read(path: string): string;
}

export function machineFacts(connections: () => number): ResourceFacts {
  return {
    residentBytes: () => process.memoryUsage.rss(),
    connections,
    read: (path) => readFileSync(path, "latin1"),
  };
}

export function createMonitor(
  config: ResourceMonitorConfig,
  facts: ResourceFacts,
): ResourceMonitor {
  const { name } = config;
  switch (config.kind) {
    case "fixed_heap":
      return { name, pressure: () => facts.residentBytes() / config.bytesMax };
    case "cgroup_memory":
      return { name, pressure: () => cgroupPressure(facts, config.bytesMax) };
    case "cpu_utilization":
      return new CpuMonitor(name, facts, config.isContainer);
    case "injected":
      return { name, pressure: () => injectedPressure(facts, config.path) };
    case "connections":
      return { name, pressure: () => facts.connections() / config.connectionsMax };
  }
}

function injectedPressure(facts: ResourceFacts, path: string): number {
  const text = facts.read(path).trim();
  const value = Number(text);
  if (text === "" || !(value >= 0 && value <= 1)) {
    throw new Error(`${path}: found "${text.slice(0, 40)}", expected a number from 0 to 1`);
  }
  return value;
}

/** Version 2 of control groups, and version 1. */
const cgroupFiles = [
  ["/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.max"],
  ["/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"],
] as const;

/** `bytesMax` 0: what the group allows. Without any limit there is no pressure. */
function cgroupPressure(facts: ResourceFacts, bytesMax: number): number {
  let problem: unknown = null;
  for (const [usagePath, limitPath] of cgroupFiles) {
    try {
      const usage = numberIn(facts.read(usagePath), usagePath);
      const limitText = facts.read(limitPath).trim();
      const limit = limitText === "max" ? Number.POSITIVE_INFINITY : numberIn(limitText, limitPath);
      return usage / (bytesMax > 0 ? Math.min(bytesMax, limit) : limit);
    } catch (error) {
      problem ??= error;
    }
  }
  throw problem;
}

function numberIn(text: string, path: string): number {
  const value = Number(text.trim());
  if (text.trim() === "" || !(value >= 0)) {
    throw new Error(`${path}: found "${text.trim().slice(0, 40)}", expected a number`);
  }
  return value;
}

/** Envoy's smoothing: a new sample counts for so much. */
const CPU_SAMPLE_WEIGHT = 0.05;

/** Busy time over all time between two looks, smoothed as Envoy does. */
class CpuMonitor implements ResourceMonitor {
  readonly name: string;
  readonly #facts: ResourceFacts;
  readonly #isContainer: boolean;
  #busy: number = -1;
  #total: number = 0;
  #utilization: number = 0;

  constructor(name: string, facts: ResourceFacts, isContainer: boolean) {
    this.name = name;
    this.#facts = facts;
    this.#isContainer = isContainer;
  }

  pressure(): number {
    const { busy, total } = this.#isContainer
      ? containerTimes(this.#facts)
      : hostTimes(this.#facts);
    const passed = total - this.#total;
    if (this.#busy >= 0 && passed > 0) {
      const sample = Math.min(1, Math.max(0, (busy - this.#busy) / passed));
      this.#utilization += (sample - this.#utilization) * CPU_SAMPLE_WEIGHT;
    }
    this.#busy = busy;
    this.#total = total;
    return this.#utilization;
  }
}

interface CpuTimes {
  readonly busy: number;
  readonly total: number;
}

/** proc(5): "cpu user nice system idle iowait ...", in ticks. */
function hostTimes(facts: ResourceFacts): CpuTimes {
  const path = "/proc/stat";
  const line = /^cpu +(.*)$/m.exec(facts.read(path))?.[1];
  const ticks = (line ?? "").split(" ").map(Number);
  const total = ticks.reduce((sum, tick) => sum + tick, 0);
  if (ticks.length < 4 || !Number.isFinite(total)) throw new Error(`${path}: no line of "cpu"`);
  return { busy: total - (ticks[3] as number), total };
}

/** Microseconds of CPU the group took, over what its quota of processors could have given. */
function containerTimes(facts: ResourceFacts): CpuTimes {
  const path = "/sys/fs/cgroup/cpu.stat";
  const usage = /^usage_usec (\d+)$/m.exec(facts.read(path))?.[1];
  if (usage === undefined) throw new Error(`${path}: no usage_usec`);
  const [quota = "max", period = "100000"] = facts.read("/sys/fs/cgroup/cpu.max").trim().split(" ");
  const uptimeSeconds = Number(facts.read("/proc/uptime").split(" ")[0]);
  const processors = quota === "max" ? processorCount(facts) : Number(quota) / Number(period);
  return { busy: Number(usage), total: uptimeSeconds * 1_000_000 * processors };
}

function processorCount(facts: ResourceFacts): number {
  return facts.read("/proc/stat").match(/^cpu\d+ /gm)?.length ?? 1;
}
