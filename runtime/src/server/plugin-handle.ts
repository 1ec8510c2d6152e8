// A plugin as filter chains hold it: its versions may change while chains stay. New streams go to
// the versions of the day; one that was replaced ends with its last stream. Used by
// worker-version.ts.
import type { HeaderMap } from "../core/header-map.ts";
import { remoteIpOf } from "../core/stream-info.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import type { HttpFilter } from "../filter/http-filter.ts";
import type { PassingFilterCallbacks, PassingNetworkFilter } from "../filter/network-filter.ts";
import type { AbsentPlugin } from "../wasm/absent-plugin.ts";
import { Plugin } from "../wasm/plugin.ts";
import type { Shadow } from "../wasm/shadow/shadow.ts";
import type { VersionChoice } from "../wasm/version-choice.ts";

/** One version of the plugin, as it runs. */
export interface RunningVersion {
  /** plugin-key.ts. */
  readonly id: string;
  readonly plugin: Plugin | AbsentPlugin;
}

/** A version that some streams are tried on. */
export interface RunningCanary extends RunningVersion {
  readonly choice: VersionChoice;
}

/** A version that sees copies of some streams. */
export interface RunningShadow extends RunningVersion {
  readonly plugin: Plugin;
  readonly shadow: Shadow;
}

export interface RunningVersions {
  readonly primary: RunningVersion;
  readonly canaries: readonly RunningCanary[];
  /** Null = none. */
  readonly shadow: RunningShadow | null;
}

export class PluginHandle {
  readonly key: string;
  /** Null = no stream has one, which is what costs nothing. */
  shadow: Shadow | null;
  #versions: RunningVersions;
  #primary: Plugin | AbsentPlugin;
  /** Null = all streams are the primary's, which is what costs nothing. */
  #canaries: readonly RunningCanary[] | null;
  /** Of the loggers that were asked for. */
  readonly #loggers: Map<Plugin | AbsentPlugin, AccessLogger>;
  /** Chains that hold it. */
  #holders: number = 0;

  constructor(key: string, versions: RunningVersions) {
    this.key = key;
    this.shadow = versions.shadow?.shadow ?? null;
    this.#versions = versions;
    this.#primary = versions.primary.plugin;
    this.#canaries = versions.canaries.length === 0 ? null : versions.canaries;
    this.#loggers = new Map();
  }

  get versions(): RunningVersions {
    return this.#versions;
  }

  /** The filter of one stream; null = the stream goes without it. */
  createHttpFilter(info: StreamInfo, headers: HeaderMap | null): HttpFilter | null {
    return this.#ofStream(info, headers).createHttpFilter();
  }

  /** The same, with what a stream in the shadow has more; see `shadow`. */
  addHttpFilters(filters: HttpFilter[], info: StreamInfo, headers: HeaderMap | null): void {
    const { shadow } = this;
    const primary = this.#primary;
    if (shadow !== null && primary instanceof Plugin) {
      if (shadow.addFilters(filters, primary, info, headers)) return;
    }
    const filter = this.createHttpFilter(info, headers);
    if (filter !== null) filters.push(filter);
  }

  /** The filter of one connection; null = the connection goes without it. */
  createNetworkFilter(callbacks: PassingFilterCallbacks): PassingNetworkFilter | null {
    const { connectionId, remoteIp } = callbacks.info;
    return this.#choose(connectionId, remoteIp, null).createNetworkFilter(callbacks);
  }

  createAccessLogger(): AccessLogger {
    return new HandleLogger(this);
  }

  /** For the loggers: that of the stream's version. */
  loggerOf(info: StreamInfo, headers: HeaderMap | null): AccessLogger {
    const plugin = this.#ofStream(info, headers);
    const known = this.#loggers.get(plugin);
    if (known !== undefined) return known;
    const made = plugin.createAccessLogger();
    this.#loggers.set(plugin, made);
    return made;
  }

  #ofStream(info: StreamInfo, headers: HeaderMap | null): Plugin | AbsentPlugin {
    if (this.#canaries === null) return this.#primary;
    return this.#choose(info.streamId, remoteIpOf(info), headers);
  }

  #choose(id: number, clientIp: string, headers: HeaderMap | null): Plugin | AbsentPlugin {
    const canaries = this.#canaries;
    if (canaries === null) return this.#primary;
    for (let i = 0; i < canaries.length; i += 1) {
      const { choice, plugin } = canaries[i] as RunningCanary;
      if (choice.isCanarys(id, clientIp, headers)) return plugin;
    }
    return this.#primary;
  }

  /** New streams go to `next`; versions that are not in it end with their last streams. */
  replace(next: RunningVersions): void {
    const before = this.#versions;
    this.#versions = next;
    this.#primary = next.primary.plugin;
    this.#canaries = next.canaries.length === 0 ? null : next.canaries;
    this.#loggers.clear();
    const shadow = next.shadow?.shadow ?? null;
    if (this.shadow !== shadow) this.shadow?.close();
    this.shadow = shadow;
    const kept = new Set(pluginsOf(next));
    for (const plugin of pluginsOf(before)) if (!kept.has(plugin)) plugin.drain();
  }

  /** Its version of the configuration is in force: ticks and items of queues come from now on. */
  begin(): void {
    for (const plugin of pluginsOf(this.#versions)) plugin.begin();
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
    if (this.#holders > 0) return;
    for (const plugin of pluginsOf(this.#versions)) plugin.drain();
  }
}

export function pluginsOf({
  primary,
  canaries,
  shadow,
}: RunningVersions): (Plugin | AbsentPlugin)[] {
  const tried = shadow === null ? canaries : [...canaries, shadow];
  return [primary.plugin, ...tried.map(({ plugin }) => plugin)];
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
    const logger = this.#handle.loggerOf(info, requestHeaders);
    logger.log(info, requestHeaders, responseHeaders, responseTrailers);
  }
}
