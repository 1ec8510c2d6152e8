// What shall be in force: the bootstrap and the resources that came since, each with the version it
// came with. Immutable; config-updates.ts makes the next one and keeps it once all workers agree.
import type { ClusterResource, ListenerResource } from "../config/translate/assemble-snapshot.ts";
import type { LoadedConfig } from "./config-loading.ts";
import { plainText } from "./fingerprint.ts";

/** A resource, and what /config_dump says about it. */
export interface Held<T> {
  readonly resource: T;
  /** Of its settings: a resource that comes again as it was is not an update. */
  readonly fingerprint: string;
  /** It came by xDS. */
  readonly isDynamic: boolean;
  /** Of the response that brought it; "" for static ones. */
  readonly versionInfo: string;
  /** ISO 8601. */
  readonly lastUpdated: string;
}

export interface DesiredState {
  readonly bootstrap: LoadedConfig;
  /** When the bootstrap was read, ISO 8601. */
  readonly bootstrapUpdated: string;
  /** Static ones first. */
  readonly listeners: readonly Held<ListenerResource>[];
  readonly clusters: readonly Held<ClusterResource>[];
  /** Of the last LDS and CDS response in force; "" when there was none. */
  readonly ldsVersion: string;
  readonly cdsVersion: string;
}

export function emptyState(bootstrap: LoadedConfig): DesiredState {
  return {
    bootstrap,
    bootstrapUpdated: "",
    listeners: [],
    clusters: [],
    ldsVersion: "",
    cdsVersion: "",
  };
}

/** The state with another bootstrap; what came by xDS stays. */
export function withBootstrap(state: DesiredState, bootstrap: LoadedConfig): DesiredState {
  const now = new Date().toISOString();
  const { listeners, clusters } = bootstrap;
  return {
    ...state,
    bootstrap,
    bootstrapUpdated: now,
    listeners: withStatic(state.listeners, hold(state.listeners, listeners, null, now)),
    clusters: withStatic(state.clusters, hold(state.clusters, clusters, null, now)),
  };
}

/** The state with these listeners as the ones that LDS gives; static ones of the same name win. */
export function withDynamicListeners(
  state: DesiredState,
  listeners: readonly ListenerResource[],
  version: string,
): DesiredState {
  const now = new Date().toISOString();
  const next = hold(state.listeners, listeners, version, now);
  return { ...state, ldsVersion: version, listeners: withDynamic(state.listeners, next) };
}

export function withDynamicClusters(
  state: DesiredState,
  clusters: readonly ClusterResource[],
  version: string,
): DesiredState {
  const now = new Date().toISOString();
  const next = hold(state.clusters, clusters, version, now);
  return { ...state, cdsVersion: version, clusters: withDynamic(state.clusters, next) };
}

interface Named {
  readonly config: { readonly name: string };
}

/** `version` null: static ones. One that comes again as it was keeps its version and its time. */
function hold<T extends Named>(
  before: readonly Held<T>[],
  resources: readonly T[],
  version: string | null,
  now: string,
): Held<T>[] {
  const known = new Map(before.map((held) => [held.resource.config.name, held]));
  return resources.map((resource) => {
    const fingerprint = fingerprintOf(resource);
    const isDynamic = version !== null;
    const old = known.get(resource.config.name);
    if (old !== undefined && old.fingerprint === fingerprint && old.isDynamic === isDynamic) {
      return { ...old, resource };
    }
    return { resource, fingerprint, isDynamic, versionInfo: version ?? "", lastUpdated: now };
  });
}

function fingerprintOf(resource: object): string {
  // Where secrets are read is not what they are used for: their keys stand in the settings.
  const { node: _message, secrets: _needs, ...settings } = resource as Record<string, unknown>;
  return plainText(settings);
}

function withStatic<T extends Named>(before: readonly Held<T>[], next: Held<T>[]): Held<T>[] {
  const names = new Set(next.map((held) => held.resource.config.name));
  return [...next, ...before.filter((h) => h.isDynamic && !names.has(h.resource.config.name))];
}

function withDynamic<T extends Named>(before: readonly Held<T>[], next: Held<T>[]): Held<T>[] {
  const fixed = before.filter((held) => !held.isDynamic);
  const names = new Set(fixed.map((held) => held.resource.config.name));
  return [...fixed, ...next.filter((held) => !names.has(held.resource.config.name))];
}
