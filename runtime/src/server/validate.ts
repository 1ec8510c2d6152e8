// --mode validate: reads the configuration, its files and its modules, and says everything that is
// wrong. Opens no socket.
import { ConfigErrors, describeProblem } from "../config/config-error.ts";
import { loadConfig, problemAt } from "./config-loading.ts";
import type { ServerOptions } from "./options.ts";
import { Clock } from "../core/clock.ts";
import { SystemRandom } from "../core/random.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { StatsStore } from "../stats/store.ts";
import { PluginModuleLoader } from "./plugin-modules.ts";
import type { PluginModules, PluginProblem } from "./plugin-modules.ts";
import { ProcessLog } from "./process-log.ts";
import { loadWasiProvider, wantsFiles } from "./wasi-library.ts";

/** Exit code: 0 when all is well. */
export async function validate(options: ServerOptions): Promise<number> {
  const log = new ProcessLog({
    level: options.logLevel,
    componentLevels: options.componentLevels,
    format: options.logFormat,
    path: options.logPath,
  });
  const name = options.configPath || "--config-yaml";
  try {
    const config = await loadConfig(options, 1);
    for (const warning of config.warnings) {
      process.stderr.write(`warning: ${describeProblem(warning)}\n`);
    }
    const loader = new PluginModuleLoader(log.logger("wasm"));
    const loaded = await loader.load(config.snapshot, config.wasmPolicies);
    const problems = [...loaded.problems, ...(await tryPlugins(loaded, log))];
    for (const problem of problems) {
      process.stderr.write(`${problemAt(config, problem.path, problem.message)}\n`);
    }
    if (problems.length > 0) return 1;
    process.stdout.write(`configuration '${name}' OK\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

/** Starts and configures each plugin once, as Envoy does: a guest that refuses is a mistake. */
async function tryPlugins(loaded: PluginModules, log: ProcessLog): Promise<PluginProblem[]> {
  if (loaded.modules.size === 0) return [];
  const { WasmHost } = await import("../wasm/wasm-host.ts");
  const { PluginError } = await import("../wasm/plugin.ts");
  const clock = new Clock();
  const timers = new TimerWheel(clock, (callback) => callback());
  const host = new WasmHost({
    clock,
    timers,
    random: new SystemRandom(),
    stats: new StatsStore(),
    logger: log,
    node: loaded.snapshot.node,
    workerIndex: 0,
    wasiProvider: wantsFiles(loaded.snapshot) ? await loadWasiProvider() : undefined,
  });
  const problems: PluginProblem[] = [];
  for (const plugin of loaded.snapshot.plugins) {
    const module = loaded.modules.get(plugin.moduleKey);
    if (module === undefined) continue;
    const made = host.preparePlugin(plugin, module);
    if (!(made instanceof PluginError)) continue;
    const message = `plugin ${plugin.name}: ${made.reasons.join("; ")}`;
    problems.push({ path: plugin.where, message });
  }
  host.close();
  timers.stop();
  return problems;
}
