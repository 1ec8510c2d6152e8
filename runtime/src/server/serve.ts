// `headgate -c FILE`: starts a server, lives until a signal or /quitquitquit, drains, ends.
import { constants } from "node:os";
import { ConfigErrors } from "../config/config-error.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { ServerOptions } from "./options.ts";
import { ProcessLog } from "./process-log.ts";
import { Server, StartError } from "./server.ts";
import { VERSION } from "./version.ts";

/**
 * Exit code: 0 after a drain, 1 when the start failed. The caller ends the process then: threads
 * and look-ups of a start that was cut short may still be there.
 */
export async function serve(
  options: ServerOptions,
  withoutEffect: readonly string[],
): Promise<number> {
  const signals = new Signals();
  const log = openLog(options);
  if (log === null) return 1;
  const main = log.logger("main");
  main.log(LogLevel.Info, `initializing headgate ${VERSION} (base id=${options.takeover.baseId})`);
  for (const flag of withoutEffect) {
    main.log(LogLevel.Debug, `--${flag} is accepted for compatibility and has no effect`);
  }
  const server = await Promise.race([start(options, log, main), signals.ended]);
  if (server === null) return 1;
  if (typeof server === "string") {
    // Nothing is served yet: there is nothing to finish.
    main.log(LogLevel.Info, `caught ${server} before the start was complete: exiting`);
    return 0;
  }
  signals.onReopen = () => server.reopenLogs();
  signals.setReload(() => server.reload("caught SIGHUP"));
  if (options.mode === "init_only") {
    await server.terminate();
    return 0;
  }
  main.log(LogLevel.Info, "starting main dispatch loop");
  const reason = await Promise.race([signals.ended, server.quit]);
  main.log(LogLevel.Info, `caught ${reason}`);
  signals.endAtOnce();
  await server.stop();
  main.log(LogLevel.Info, "exiting");
  return 0;
}

/** Null when the start failed: the reasons are logged then. */
async function start(
  options: ServerOptions,
  log: ProcessLog,
  main: Logger,
): Promise<Server | null> {
  try {
    return await Server.start(options, log);
  } catch (error) {
    if (!(error instanceof ConfigErrors) && !(error instanceof StartError)) throw error;
    const name = options.configPath || "--config-yaml";
    main.log(LogLevel.Critical, `error initializing configuration '${name}':\n${error.message}`);
    main.log(LogLevel.Info, "exiting");
    return null;
  }
}

/** Null when the file of --log-path cannot be opened. */
function openLog(options: ServerOptions): ProcessLog | null {
  try {
    return new ProcessLog({
      level: options.logLevel,
      componentLevels: options.componentLevels,
      format: options.logFormat,
      path: options.logPath,
    });
  } catch (error) {
    process.stderr.write(`headgate: --log-path: ${(error as Error).message}\n`);
    return null;
  }
}

/** The signals of the process: SIGTERM or SIGINT drains, SIGUSR1 reopens logs, SIGHUP reloads. */
class Signals {
  readonly ended: Promise<string>;
  onReopen: () => void;
  #onReload: (() => void) | null = null;
  #isReloadAsked: boolean;
  readonly #handlers: Map<NodeJS.Signals, () => void>;

  constructor() {
    this.onReopen = (): void => {};
    this.#isReloadAsked = false;
    this.#handlers = new Map();
    this.ended = new Promise((resolve) => {
      for (const signal of ["SIGTERM", "SIGINT"] as const) {
        this.#add(signal, () => resolve(signal));
      }
    });
    this.#add("SIGUSR1", () => this.onReopen());
    this.#add("SIGHUP", () => {
      this.#isReloadAsked = true;
      this.#onReload?.();
    });
  }

  /** What SIGHUP does from now on; one that came during the start is heard now. */
  setReload(onReload: () => void): void {
    this.#onReload = onReload;
    if (this.#isReloadAsked) onReload();
  }

  /** From now on a signal ends the process as if nobody had asked for it. */
  endAtOnce(): void {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      const handler = this.#handlers.get(signal);
      if (handler !== undefined) process.off(signal, handler);
      // Process 1 of a container gets signals only if it has a handler, and does not die of its
      // own.
      this.#add(signal, () => {
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
        process.exit(128 + constants.signals[signal]);
      });
    }
  }

  #add(signal: NodeJS.Signals, handler: () => void): void {
    this.#handlers.set(signal, handler);
    process.on(signal, handler);
  }
}
