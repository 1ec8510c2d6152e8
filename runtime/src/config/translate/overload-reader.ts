// Reads overload_manager: which resources are watched and what happens when they run out.
import type { ConfigNode } from "../config-node.ts";
import { loadShedPoints, overloadActions } from "../overload-config.ts";
import type {
  LoadShedPointConfig,
  OverloadActionConfig,
  OverloadConfig,
  OverloadTriggerConfig,
  ResourceMonitorConfig,
  ScaledTimer,
  ScaledTimerConfig,
} from "../overload-config.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const MONITORS = "envoy.extensions.resource_monitors.";
const ACTIONS = "envoy.overload_actions.";
const SHED_POINTS = "envoy.load_shed_points.";
const SCALE_TIMERS = "envoy.config.overload.v3.ScaleTimersOverloadActionConfig";

/** Actions that Envoy has and Headgate has not. */
const otherActions: readonly string[] = ["reset_high_memory_stream"];

export function readOverload(t: Translation, root: ConfigNode): OverloadConfig | null {
  const node = root.node("overload_manager");
  if (node === undefined) return null;
  node.accept("buffer_factory_config", "only for reset_high_memory_stream");
  const monitors = readMonitors(t, node.nodes("resource_monitors"));
  const names = new Set(monitors.map((monitor) => monitor.name));
  const timers: ScaledTimerConfig[] = [];
  const actions = readActions(t, node.nodes("actions"), names, timers);
  const shedPoints = readShedPoints(t, node.nodes("loadshed_points"), names);
  const limits = monitors.filter((monitor) => monitor.kind === "connections");
  return {
    refreshIntervalMs: durationOr(node, "refresh_interval", 1000),
    monitors,
    actions,
    shedPoints,
    timers,
    connectionsMax: limits[0]?.connectionsMax ?? Number.POSITIVE_INFINITY,
  };
}

function readMonitors(t: Translation, nodes: readonly ConfigNode[]): ResourceMonitorConfig[] {
  const monitors: ResourceMonitorConfig[] = [];
  for (const node of nodes) {
    const monitor = readMonitor(t, node);
    if (monitor === null) continue;
    if (monitors.some((other) => other.name === monitor.name)) {
      t.wrong(node, `duplicate resource monitor ${monitor.name}`, "name");
    }
    monitors.push(monitor);
  }
  return monitors;
}

function readMonitor(t: Translation, node: ConfigNode): ResourceMonitorConfig | null {
  const name = node.string("name", "");
  const typed = node.any("typed_config");
  if (typed === undefined) {
    t.missing(node, "typed_config");
    return null;
  }
  switch (typed.typeName) {
    case `${MONITORS}fixed_heap.v3.FixedHeapConfig`:
      return { name, kind: "fixed_heap", bytesMax: typed.uint("max_heap_size_bytes", 0) };
    case `${MONITORS}cgroup_memory.v3.CgroupMemoryConfig`:
      return { name, kind: "cgroup_memory", bytesMax: typed.uint("max_memory_bytes", 0) };
    case `${MONITORS}cpu_utilization.v3.CpuUtilizationConfig`:
      return { name, kind: "cpu_utilization", isContainer: typed.enum("mode") === "CONTAINER" };
    case `${MONITORS}injected_resource.v3.InjectedResourceConfig`:
      return { name, kind: "injected", path: typed.string("filename", "") };
    case `${MONITORS}downstream_connections.v3.DownstreamConnectionsConfig`: {
      const connectionsMax = typed.uint("max_active_downstream_connections", 0);
      return { name, kind: "connections", connectionsMax };
    }
    default:
      typed.acceptRest("reported as a whole");
      t.unsupported(node, `the resource monitor ${typed.typeName}`, "typed_config");
      return null;
  }
}

function readActions(
  t: Translation,
  nodes: readonly ConfigNode[],
  monitors: ReadonlySet<string>,
  timers: ScaledTimerConfig[],
): OverloadActionConfig[] {
  const actions: OverloadActionConfig[] = [];
  for (const node of nodes) {
    const name = node.string("name", "");
    const action = overloadActions.find((known) => name === ACTIONS + known);
    const triggers = readTriggers(t, node, monitors, `overload action ${name}`);
    if (action === undefined) {
      node.acceptRest("reported as a whole");
      const isEnvoys = otherActions.some((other) => name === ACTIONS + other);
      if (isEnvoys) t.unsupported(node, `the overload action ${name}`, "name");
      else
        t.wrong(node, `found ${name}, expected one of ${known(ACTIONS, overloadActions)}`, "name");
      continue;
    }
    if (actions.some((other) => other.action === action)) {
      t.wrong(node, `duplicate overload action ${name}`, "name");
    }
    if (action === "reduce_timeouts") timers.push(...readTimers(t, node));
    else if (node.has("typed_config")) {
      t.wrong(node, `overload action ${name} has no configuration of its own`, "typed_config");
    }
    actions.push({ action, triggers });
  }
  return actions;
}

function readShedPoints(
  t: Translation,
  nodes: readonly ConfigNode[],
  monitors: ReadonlySet<string>,
): LoadShedPointConfig[] {
  const points: LoadShedPointConfig[] = [];
  for (const node of nodes) {
    const name = node.string("name", "");
    const point = loadShedPoints.find((candidate) => name === SHED_POINTS + candidate);
    const triggers = readTriggers(t, node, monitors, `load shed point ${name}`);
    if (point === undefined) t.unsupported(node, `the load shed point ${name}`, "name");
    else if (points.some((other) => other.point === point)) {
      t.wrong(node, `duplicate load shed point ${name}`, "name");
    } else points.push({ point, triggers });
  }
  return points;
}

function readTriggers(
  t: Translation,
  node: ConfigNode,
  monitors: ReadonlySet<string>,
  what: string,
): OverloadTriggerConfig[] {
  const triggers: OverloadTriggerConfig[] = [];
  for (const trigger of node.nodes("triggers")) {
    const monitor = trigger.string("name", "");
    if (!monitors.has(monitor)) {
      t.wrong(trigger, `unknown trigger resource ${monitor} for ${what}`, "name");
    }
    if (triggers.some((other) => other.monitor === monitor)) {
      t.wrong(trigger, `duplicate trigger resource ${monitor} for ${what}`, "name");
    }
    const scaled = trigger.node("scaled");
    const threshold = trigger.node("threshold")?.double("value");
    const from = threshold ?? scaled?.double("scaling_threshold") ?? 0;
    const to = scaled?.double("saturation_threshold") ?? from;
    if (scaled !== undefined && from >= to) {
      t.wrong(scaled, "scaling_threshold must be less than saturation_threshold");
    }
    triggers.push({ monitor, scalingThreshold: from, saturationThreshold: to });
  }
  return triggers;
}

const timerNames: Readonly<Record<string, ScaledTimer>> = {
  HTTP_DOWNSTREAM_CONNECTION_IDLE: "connection_idle",
  HTTP_DOWNSTREAM_STREAM_IDLE: "stream_idle",
  HTTP_DOWNSTREAM_CONNECTION_MAX: "connection_max",
};

function readTimers(t: Translation, action: ConfigNode): ScaledTimerConfig[] {
  const typed = action.any("typed_config");
  if (typed === undefined) {
    t.missing(action, "typed_config");
    return [];
  }
  if (typed.typeName !== SCALE_TIMERS) {
    typed.acceptRest("reported as a whole");
    t.wrong(action, `found ${typed.typeName}, expected ${SCALE_TIMERS}`, "typed_config");
    return [];
  }
  const timers: ScaledTimerConfig[] = [];
  const seen = new Set<string>();
  for (const node of typed.nodes("timer_scale_factors")) {
    const name = node.enum("timer");
    if (seen.has(name)) t.wrong(node, `duplicate entry for timer type ${name}`, "timer");
    seen.add(name);
    const timer = timerNames[name];
    if (timer === undefined) {
      node.acceptRest("reported as a whole");
      if (name === "TRANSPORT_SOCKET_CONNECT") node.accept("timer", "plain text has no handshake");
      else t.unsupported(node, `reduce_timeouts of ${name}`, "timer");
      continue;
    }
    const minScale = (node.node("min_scale")?.double("value") ?? 0) / 100;
    timers.push({ timer, minMs: durationOr(node, "min_timeout", -1), minScale });
  }
  return timers;
}

function known(prefix: string, names: readonly string[]): string {
  return names.map((name) => prefix + name).join(", ");
}
