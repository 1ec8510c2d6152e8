// The overload manager: reads its monitors again and again, works out how far each action and load
// shed point is to go, and tells when a level changed. Main thread only; server/ tells the workers.
import type {
  LoadShedPoint,
  OverloadAction,
  OverloadConfig,
  OverloadTriggerConfig,
} from "../config/overload-config.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { Counter, Gauge, Histogram, StatsStore } from "../stats/store.ts";
import { createMonitor } from "./resource-monitors.ts";
import type { ResourceFacts, ResourceMonitor } from "./resource-monitors.ts";

/** 0 = nothing, 1 = always; what is not named stands at 0. */
export type OverloadLevels = Readonly<Partial<Record<OverloadAction | LoadShedPoint, number>>>;

export interface OverloadManagerOptions {
  readonly config: OverloadConfig;
  readonly facts: ResourceFacts;
  readonly stats: StatsStore;
  readonly logger: Logger;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly onLevels: (levels: OverloadLevels) => void;
  /** All threads shall give memory back: shrink_heap is active. */
  readonly onShrinkHeap: () => void;
}

/** As Envoy: memory is given back at most so often. */
const SHRINK_INTERVAL_MS = 10_000;

interface Watched {
  readonly monitor: ResourceMonitor;
  readonly pressure: Gauge;
  readonly failed: Counter;
  /** The same failure is logged once. */
  lastProblem: string;
}

interface Target {
  readonly key: OverloadAction | LoadShedPoint;
  readonly name: string;
  readonly triggers: readonly OverloadTriggerConfig[];
  /** Null for load shed points. */
  readonly active: Gauge | null;
  readonly scalePercent: Gauge;
  level: number;
}

export class OverloadManager {
  readonly #options: OverloadManagerOptions;
  readonly #watched: readonly Watched[];
  readonly #targets: readonly Target[];
  readonly #pressures: Map<string, number>;
  readonly #delay: Histogram;
  readonly #shrinks: Counter | null;
  #interval: NodeJS.Timeout | null = null;
  #refreshedMs: number = -1;
  #shrunkMs: number;

  constructor(options: OverloadManagerOptions) {
    const { config, stats } = options;
    this.#options = options;
    this.#watched = config.monitors.map((monitor) => {
      // The limit of connections is asked, never read: nothing of it is skipped.
      if (monitor.kind !== "connections") stats.counter(`overload.${monitor.name}.skipped_updates`);
      return watch(createMonitor(monitor, options.facts), stats);
    });
    this.#targets = [
      ...config.actions.map(({ action, triggers }) => actionTarget(action, triggers, stats)),
      ...config.shedPoints.map(({ point, triggers }) => shedTarget(point, triggers, stats)),
    ];
    this.#pressures = new Map();
    this.#delay = stats.histogram("overload.refresh_interval_delay");
    const shrinks = config.actions.some(({ action }) => action === "shrink_heap");
    this.#shrinks = shrinks
      ? stats.counter("overload.envoy.overload_actions.shrink_heap.shrink_count")
      : null;
    this.#shrunkMs = Number.NEGATIVE_INFINITY;
  }

  /** What the workers were told last; for one that comes later. */
  get levels(): OverloadLevels {
    return Object.fromEntries(this.#targets.map(({ key, level }) => [key, level]));
  }

  start(): void {
    if (this.#watched.length === 0) return;
    this.#interval = setInterval(() => this.refresh(), this.#options.config.refreshIntervalMs);
    this.#interval.unref();
  }

  close(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }

  /** Looks at every resource once. */
  refresh(): void {
    const nowMs = this.#options.nowMs();
    if (this.#refreshedMs >= 0) this.#delay.record(nowMs - this.#refreshedMs);
    this.#refreshedMs = nowMs;
    for (const watched of this.#watched) this.#read(watched);
    let hasChanged = false;
    for (const target of this.#targets) hasChanged = this.#update(target) || hasChanged;
    if (hasChanged) this.#options.onLevels(this.levels);
    this.#shrink(nowMs);
  }

  #read(watched: Watched): void {
    const { monitor, pressure, failed } = watched;
    try {
      const value = monitor.pressure();
      this.#pressures.set(monitor.name, value);
      pressure.set(Math.round(value * 100));
      watched.lastProblem = "";
    } catch (error) {
      // The last value holds, as in Envoy.
      const { message } = error as Error;
      failed.inc();
      if (watched.lastProblem === message) return;
      watched.lastProblem = message;
      this.#options.logger.log(LogLevel.Info, `failed to update ${monitor.name}: ${message}`);
    }
  }

  /** True when the level is another one. */
  #update(target: Target): boolean {
    let level = 0;
    for (const trigger of target.triggers) {
      const pressure = this.#pressures.get(trigger.monitor) ?? 0;
      level = Math.max(level, levelOf(trigger, pressure));
    }
    if (level === target.level) return false;
    const wasActive = target.level >= 1;
    const isActive = level >= 1;
    target.level = level;
    target.scalePercent.set(Math.trunc(level * 100));
    target.active?.set(isActive ? 1 : 0);
    if (wasActive !== isActive) {
      const word = isActive ? "active" : "inactive";
      this.#options.logger.log(LogLevel.Info, `overload action ${target.name} became ${word}`);
    }
    return true;
  }

  #shrink(nowMs: number): void {
    const shrinks = this.#shrinks;
    const target = this.#targets.find(({ key }) => key === "shrink_heap");
    if (shrinks === null || target === undefined || target.level < 1) return;
    if (nowMs - this.#shrunkMs < SHRINK_INTERVAL_MS) return;
    this.#shrunkMs = nowMs;
    shrinks.inc();
    this.#options.onShrinkHeap();
  }
}

function levelOf(trigger: OverloadTriggerConfig, pressure: number): number {
  const { scalingThreshold: from, saturationThreshold: to } = trigger;
  if (pressure >= to) return 1;
  return pressure <= from ? 0 : (pressure - from) / (to - from);
}

function watch(monitor: ResourceMonitor, stats: StatsStore): Watched {
  const scope = `overload.${monitor.name}.`;
  return {
    monitor,
    pressure: stats.gauge(`${scope}pressure`),
    failed: stats.counter(`${scope}failed_updates`),
    lastProblem: "",
  };
}

function actionTarget(
  action: OverloadAction,
  triggers: readonly OverloadTriggerConfig[],
  stats: StatsStore,
): Target {
  const name = `envoy.overload_actions.${action}`;
  return {
    key: action,
    name,
    triggers,
    active: stats.gauge(`overload.${name}.active`),
    scalePercent: stats.gauge(`overload.${name}.scale_percent`),
    level: 0,
  };
}

function shedTarget(
  point: LoadShedPoint,
  triggers: readonly OverloadTriggerConfig[],
  stats: StatsStore,
): Target {
  const name = `envoy.load_shed_points.${point}`;
  return {
    key: point,
    name,
    triggers,
    active: null,
    scalePercent: stats.gauge(`overload.${name}.scale_percent`),
    level: 0,
  };
}
