// What the probe's thread runs: plugins one after the other, until they are configured or do what
// others would see. Called by probe-entry.ts; plugin-probe.ts has the other side.
import { Clock } from "../core/clock.ts";
import { LogLevel, type LoggerFactory } from "../core/logger.ts";
import { SystemRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { StatsStore } from "../stats/store.ts";
import { PluginError } from "../wasm/plugin.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import { WasmHost } from "../wasm/wasm-host.ts";
import { NativeFilterServices } from "./native-filters.ts";
import type { FromProbe, ProbeBirth } from "./plugin-probe.ts";
import { loadWasiProvider, wantsFiles } from "./wasi-library.ts";

export async function probePlugins(
  birth: ProbeBirth,
  tell: (message: FromProbe) => void,
): Promise<void> {
  const wasiProvider = wantsFiles(birth) ? await loadWasiProvider() : undefined;
  tell("ready");
  let lines: string[] = [];
  let outwardCall = "";
  let trap: GuestTrap | null = null;
  const clock = new Clock();
  const random = new SystemRandom();
  const host = new WasmHost({
    clock,
    timers: new TimerWheel(clock, (callback) => callback()),
    random,
    native: new NativeFilterServices(clock, random, new Runtime(), ""),
    stats: new StatsStore(),
    logger: hostLogger((line) => lines.push(line)),
    node: birth.node,
    workerIndex: 0,
    guestMark: birth.mark,
    wasiProvider,
    onTrap(one) {
      trap = one;
    },
    onOutwardCall(name) {
      outwardCall = name;
      return false;
    },
  });
  for (const plugin of birth.plugins) {
    const module = birth.modules.get(plugin.moduleKey);
    lines = [];
    outwardCall = "";
    trap = null;
    const sinceMs = clock.threadMs();
    const made = module === undefined ? null : host.preparePlugin(plugin, module);
    const isWhole = outwardCall === "";
    const start = { computedMs: clock.threadMs() - sinceMs, isWhole };
    const isRefused = made instanceof PluginError && isWhole;
    if (isRefused) tell({ reasons: made.reasons, lines, trap, start });
    else tell({ reasons: [], lines: [], trap: null, start });
  }
}

/** What guests say is among the reasons; the rest is the host's. */
function hostLogger(add: (line: string) => void): LoggerFactory {
  const logger = {
    enabled: (level: LogLevel): boolean => level >= LogLevel.Error,
    log(level: LogLevel, message: string): void {
      if (level >= LogLevel.Error && !message.startsWith("wasm log")) add(message);
    },
  };
  return { logger: () => logger };
}
