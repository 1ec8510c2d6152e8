// From the resources of one discovery response to what the workers' snapshot is assembled from.
// Called by server/ for each update; static resources go through the same readers.
import type { LoadedDiscovery } from "../discovery-loader.ts";
import { ProblemList } from "../problem-list.ts";
import type { ConfigProblem } from "../config-error.ts";
import type { LocalityConfig, RouteTableConfig, RouteVariantConfig } from "../snapshot.ts";
import type { ClusterResource, ListenerResource } from "./assemble-snapshot.ts";
import { readAssignment } from "./endpoint-reader.ts";
import { throwProblems } from "./found-problems.ts";
import type { RdsChain } from "./rds-chain.ts";
import { readClusters, readListeners } from "./resource-lists.ts";
import { readRouteTable } from "./route-reader.ts";
import type { ClusterNames } from "./route-reader.ts";
import type { SecretNeed, SecretRead } from "./secret-need.ts";
import { Translation } from "./translation.ts";
import type { TranslationOptions } from "./translation.ts";

/** What a response becomes. */
export interface Translated<T> {
  readonly value: T;
  /** Beside those of the response itself. */
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Throws ConfigErrors, as all functions here. `clusters`: inline route tables may name these; null
 * = any.
 */
export function translateListeners(
  discovery: LoadedDiscovery,
  options: TranslationOptions,
  clusters: ClusterNames,
): Translated<readonly ListenerResource[]> {
  return translate(discovery, options, (t) => readListeners(t, discovery.resources, clusters));
}

export function translateClusters(
  discovery: LoadedDiscovery,
  options: TranslationOptions,
): Translated<readonly ClusterResource[]> {
  return translate(discovery, options, (t) => readClusters(t, discovery.resources));
}

/** A table as one chain has it. */
export interface ReadTable {
  readonly table: RouteTableConfig;
  readonly variants: readonly RouteVariantConfig[];
}

/**
 * The one table of the response, once for each of `users`: what it says about filters is read by
 * the filters that they have.
 */
export function translateRouteTables(
  discovery: LoadedDiscovery,
  options: TranslationOptions,
  users: readonly RdsChain[],
  clusters: ClusterNames,
): Translated<ReadonlyMap<string, ReadTable>> {
  return translate(discovery, options, (t) => {
    const tables = new Map<string, ReadTable>();
    const [node] = discovery.resources;
    if (node === undefined) return tables;
    for (const user of users) {
      const own = t.ofResource();
      const variants = user.startVariants(own);
      const scope = { clusters, filters: user.names, variants, validatesClusters: false };
      const table = readRouteTable(own, node, scope);
      tables.set(user.key, { table, variants: user.variantsOf(own, variants) });
    }
    return tables;
  });
}

/** The one assignment of the response; [] when there is none. */
export function translateAssignment(
  discovery: LoadedDiscovery,
  options: TranslationOptions,
): Translated<readonly LocalityConfig[]> {
  return translate(discovery, options, (t) => {
    const [node] = discovery.resources;
    return node === undefined ? [] : readAssignment(t, node, "eds");
  });
}

function translate<T>(
  discovery: LoadedDiscovery,
  options: TranslationOptions,
  read: (t: Translation) => T,
): Translated<T> {
  const problems = new ProblemList();
  const value = read(new Translation(problems, options));
  const unread = discovery.unreadFields();
  const isIgnoring = options.ignoreUnsupported;
  throwProblems([discovery.errors, problems.errors()], isIgnoring ? [] : unread);
  return { value, warnings: [...problems.warnings(), ...unread] };
}

/** The one secret of the response, once for each of `needs`; those that it cannot serve throw. */
export function translateSecrets(
  discovery: LoadedDiscovery,
  options: TranslationOptions,
  needs: readonly SecretNeed[],
): Translated<ReadonlyMap<string, SecretRead>> {
  return translate(discovery, options, (t) => {
    const secrets = new Map<string, SecretRead>();
    const [node] = discovery.resources;
    if (node === undefined) return secrets;
    for (const { key, origin } of needs) {
      const read = origin.kind === "sds" ? origin.read(t, node) : null;
      if (read !== null) secrets.set(key, read);
    }
    return secrets;
  });
}

/** A secret of the configuration, read again because one of its files is another one. */
export function rereadSecret(
  need: SecretNeed,
  options: TranslationOptions,
): Translated<SecretRead | null> {
  const problems = new ProblemList();
  const { origin } = need;
  const value = origin.kind === "files" ? origin.read(new Translation(problems, options)) : null;
  throwProblems([problems.errors()], []);
  return { value, warnings: problems.warnings() };
}
