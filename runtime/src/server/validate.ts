// --mode validate: reads the configuration, its files and its modules, and says everything that is
// wrong. Opens no socket.
import { ConfigErrors, describeProblem } from "../config/config-error.ts";
import { loadConfig, problemAt } from "./config-loading.ts";
import type { ServerOptions } from "./options.ts";
import { PluginModuleLoader } from "./plugin-modules.ts";
import { PluginProbe } from "./plugin-probe.ts";
import type { TakeTrap } from "./plugin-probe.ts";
import { ProcessLog } from "./process-log.ts";
import { TrapPlaces } from "./trap-places.ts";

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
    const loader = new PluginModuleLoader(log.logger("wasm"), options.wasmLenientImports);
    const loaded = await loader.load(config.snapshot, config.wasmPolicies);
    // As Envoy does: a guest that refuses its start is a mistake.
    const places = new TrapPlaces(log.logger("wasm"), (key) => loader.find(key));
    const takeTrap: TakeTrap = (trap) => places.framesOf(trap);
    const probe = new PluginProbe(options.entries.probe, log.logger("wasm"), takeTrap);
    const problems = [...loaded.problems, ...(await probe.run(loaded, null))];
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
