// When a plugin of the next version is the one of the version before, whatever has become of its
// module. Main decides by it which files are read, workers which VMs stay.
import { createHash } from "node:crypto";
import { chainLogs } from "../config/chain-logs.ts";
import type {
  AccessLogConfig,
  FilterChainConfig,
  ListenerConfig,
  Snapshot,
  WasmPluginConfig,
} from "../config/snapshot.ts";
import { asVersion } from "../config/plugin-version.ts";
import { plainText } from "./fingerprint.ts";

/**
 * The key of each plugin by its index: the listener or cluster that has it, its configuration, and
 * its place among equals there. Where its code comes from is no part of it: another module takes
 * the place of the one before, and no connection notices.
 */
export function pluginKeys(snapshot: Snapshot): Map<number, string> {
  const keys = new Map<number, string>();
  const addAll = (owner: string, indexes: Iterable<number>): void => {
    const counts = new Map<string, number>();
    for (const index of indexes) {
      const config = snapshot.plugins[index];
      if (config === undefined) continue;
      const key = keyOf(owner, config);
      const count = counts.get(key) ?? 0;
      counts.set(key, count + 1);
      keys.set(index, `${key}#${count}`);
    }
  };
  for (const listener of snapshot.listeners) addAll(listener.name, pluginsOf(listener));
  // Behind the filters in whose place they stand.
  for (const { key, variants } of snapshot.routeTables) {
    addAll(
      `routes: ${key}`,
      variants.map(({ plugin }) => plugin),
    );
  }
  for (const { name, httpFilters } of snapshot.clusters) {
    addAll(`a cluster: ${name}`, httpFilters?.filters.map(({ plugin }) => plugin) ?? []);
  }
  for (const [place, { plugin }] of snapshot.services.entries()) {
    const config = snapshot.plugins[plugin];
    if (config !== undefined) keys.set(plugin, `${keyOf("a service", config)}#${place}`);
  }
  return keys;
}

/** A version of a plugin that runs. */
export interface RunnablePlugin {
  /** As it is to be started. */
  readonly config: WasmPluginConfig;
  /** The same as long as nothing of it is new. */
  readonly id: string;
}

/** By the plugins' indexes: its own version, then the candidates. */
export function runnablePlugins(snapshot: Snapshot): readonly (readonly RunnablePlugin[])[] {
  const keys = pluginKeys(snapshot);
  return snapshot.plugins.map((plugin, index) => {
    const key = keys.get(index) ?? "";
    const tried = plugin.candidates ?? [];
    const all = [asVersion(plugin), ...tried.map((one) => asVersion(plugin, one))];
    return all.map((config) => ({ config, id: `${key} ${versionIdOf(config)}` }));
  });
}

/** Of one plugin: another one for everything that needs another VM or root context. */
export function versionIdOf({ moduleKey, version }: WasmPluginConfig): string {
  return `${version?.name ?? ""} ${moduleKey} ${version?.space ?? ""}`;
}

/** Indexes of the plugins that its filters and access loggers name, each once. */
export function pluginsOf(listener: ListenerConfig): Set<number> {
  const plugins = new Set<number>();
  for (const chain of [...listener.filterChains, listener.defaultFilterChain]) {
    if (chain !== null) for (const plugin of chainPluginsOf(chain)) plugins.add(plugin);
  }
  for (const plugin of logPluginsOf(listener.accessLogs)) plugins.add(plugin);
  return plugins;
}

/** Those that are loggers. */
export function logPluginsOf(logs: readonly AccessLogConfig[]): number[] {
  return logs.flatMap(({ sink }) => (sink.kind === "wasm" ? [sink.plugin] : []));
}

/** The same of one filter chain. */
export function chainPluginsOf(chain: FilterChainConfig): Set<number> {
  const plugins = new Set<number>();
  for (const filter of chain.networkFilters) plugins.add(filter.plugin);
  for (const filter of chain.hcm?.httpFilters ?? []) plugins.add(filter.plugin);
  for (const filter of chain.hcm?.router.upstreamFilters ?? []) plugins.add(filter.plugin);
  // Behind the filters: they stand on their VMs.
  for (const variant of chain.hcm?.variants ?? []) plugins.add(variant.plugin);
  for (const plugin of logPluginsOf(chainLogs(chain))) plugins.add(plugin);
  return plugins;
}

function keyOf(owner: string, config: WasmPluginConfig): string {
  const { variantOf, ...all } = config;
  const own = { ...all, code: null, moduleKey: "", version: null, candidates: null };
  return plainText([owner, own, variantOf !== undefined]);
}

/** Where a plugin's module comes from, and what it has to be. */
export function codeKeyOf({ code }: WasmPluginConfig): string {
  const { filename, sha256, inlineBytes, remote } = code;
  const inline = inlineBytes === null ? "" : createHash("sha256").update(inlineBytes).digest("hex");
  return plainText([filename, sha256, inline, remote]);
}
