// A plugin as filter chains hold it: its module may be replaced while chains stay. New streams go
// to the plugin of the day; the one before ends with its last stream. Used by worker-version.ts.
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type { HttpFilter } from "../filter/http-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../filter/network-filter.ts";
import type { AbsentPlugin } from "../wasm/absent-plugin.ts";
import type { Plugin } from "../wasm/plugin.ts";

export class PluginHandle {
  readonly key: string;
  #plugin: Plugin | AbsentPlugin;
  #logger: AccessLogger | null = null;
  /** Chains that hold it. */
  #holders: number = 0;

  constructor(key: string, plugin: Plugin | AbsentPlugin) {
    this.key = key;
    this.#plugin = plugin;
  }

  get plugin(): Plugin | AbsentPlugin {
    return this.#plugin;
  }

  get moduleKey(): string {
    return this.#plugin.config.moduleKey;
  }

  /** The filter of one stream; null = the stream goes without it. */
  createHttpFilter(): HttpFilter | null {
    return this.#plugin.createHttpFilter();
  }

  /** The filter of one connection; null = the connection goes without it. */
  createNetworkFilter(callbacks: PassingFilterCallbacks): PassingNetworkFilter | null {
    return this.#plugin.createNetworkFilter(callbacks);
  }

  createAccessLogger(): AccessLogger {
    return new HandleLogger(this);
  }

  /** For the loggers: the plugin of the day's own. */
  get logger(): AccessLogger {
    this.#logger ??= this.#plugin.createAccessLogger();
    return this.#logger;
  }

  /** New streams go to `plugin`; the one before ends with its last stream. */
  replace(plugin: Plugin | AbsentPlugin): void {
    const old = this.#plugin;
    this.#plugin = plugin;
    this.#logger = null;
    old.drain();
  }

  hold(): void {
    this.#holders += 1;
  }

  /** A chain is over; the last one ends the plugin. */
  release(): void {
    this.#holders -= 1;
    this.endIfUnheld();
  }

  endIfUnheld(): void {
    if (this.#holders === 0) this.#plugin.drain();
  }
}

class HandleLogger implements AccessLogger {
  readonly #handle: PluginHandle;

  constructor(handle: PluginHandle) {
    this.#handle = handle;
  }

  log(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    responseHeaders: HeaderMap | null,
    responseTrailers: HeaderMap | null,
  ): void {
    this.#handle.logger.log(info, requestHeaders, responseHeaders, responseTrailers);
  }
}
