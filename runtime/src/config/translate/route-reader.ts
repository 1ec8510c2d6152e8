// Reads RouteConfiguration: tables, virtual hosts, routes, redirects and direct responses.
import type { ConfigNode } from "../config-node.ts";
import type {
  DirectResponseConfig,
  PerFilterConfig,
  RedirectConfig,
  RouteActionConfig,
  RouteConfig,
  RouteMatchConfig,
  TlsContextMatchConfig,
  RouteTableConfig,
  VirtualHostConfig,
} from "../snapshot.ts";
import { readDataSource } from "./data-source.ts";
import { readFormat, readHeaderMutations } from "./format-reader.ts";
import { guard } from "./guarded-fields.ts";
import type { FilterNames } from "./filter-reader.ts";
import type { FilterVariants } from "./filter-variants.ts";
import { readMetadata } from "./metadata-reader.ts";
import { type FilterLevels, noLevels, type PerFilter, readPerFilter } from "./per-filter-reader.ts";
import { readRouteAction } from "./route-action-reader.ts";
import {
  readFractionPpm,
  readHeaderMatch,
  readQueryMatch,
  readRegex,
  readRegexRewrite,
} from "./string-reader.ts";
import { toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";

/**
 * Names of the configured clusters; null when some of them could not be read, and so nothing can be
 * said about names that are not among the others.
 */
export type ClusterNames = ReadonlySet<string> | null;

/** What the table's readers need to know of the rest of the configuration. */
export interface RouteScope {
  readonly clusters: ClusterNames;
  /** The chain's HTTP filters, for typed_per_filter_config. */
  readonly filters: FilterNames;
  /** For the configuration of its filters. */
  readonly variants: FilterVariants;
  /** What holds when validate_clusters is not set. Default true. */
  readonly validatesClusters?: boolean;
}

const BODY_BYTES_DEFAULT = 4096;

export function readRouteTable(
  t: Translation,
  node: ConfigNode,
  scope: RouteScope,
): RouteTableConfig {
  guard(t, node);
  node.accept("metadata", "nothing reads it");
  const validateClusters = node.bool("validate_clusters", scope.validatesClusters ?? true);
  const bodyBytesMax = node.uint("max_direct_response_body_size_bytes", BODY_BYTES_DEFAULT);
  const clusters = validateClusters ? scope.clusters : null;
  const reader = new TableReader(t, scope, clusters, bodyBytesMax);
  const hosts = node.nodes("virtual_hosts");
  const { configs, levels } = reader.readPerFilter(node, noLevels);
  const virtualHosts = hosts
    .map((host) => reader.readVirtualHost(host, levels))
    .map((host) => ({ ...host, perFilter: moreSpecific(host.perFilter, configs) }));
  reader.checkDomains(hosts, virtualHosts);
  return {
    name: node.string("name", ""),
    virtualHosts,
    headers: readHeaderMutations(t, node),
    mostSpecificHeaderMutationsWins: node.bool("most_specific_header_mutations_wins", false),
    ignorePortInHostMatching: node.bool("ignore_port_in_host_matching", false),
    internalOnlyHeaders: node.strings("internal_only_headers").map((name) => name.toLowerCase()),
  };
}

/** What the table says about filters of which a virtual host says nothing. */
function readTlsContextMatch(node: ConfigNode | undefined): TlsContextMatchConfig | null {
  if (node === undefined) return null;
  return {
    presented: node.bool("presented") ?? null,
    validated: node.bool("validated") ?? null,
  };
}

function moreSpecific(
  ofHost: readonly PerFilterConfig[],
  ofTable: readonly PerFilterConfig[],
): PerFilterConfig[] {
  const names = new Set(ofHost.map((config) => config.filterName));
  return [...ofHost, ...ofTable.filter((config) => !names.has(config.filterName))];
}

const redirectStatus: Readonly<Record<string, number>> = {
  MOVED_PERMANENTLY: 301,
  FOUND: 302,
  SEE_OTHER: 303,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
};

/** What a route without a usable action would answer. */
const noAction: DirectResponseConfig = {
  kind: "direct_response",
  status: 500,
  body: null,
  bodyFormat: null,
};

class TableReader {
  readonly #t: Translation;
  readonly #scope: RouteScope;
  /** Null: names of clusters are not checked. */
  readonly #clusters: ClusterNames;
  readonly #bodyBytesMax: number;

  constructor(t: Translation, scope: RouteScope, clusters: ClusterNames, bodyBytesMax: number) {
    this.#t = t;
    this.#scope = scope;
    this.#clusters = clusters;
    this.#bodyBytesMax = bodyBytesMax;
  }

  readVirtualHost(node: ConfigNode, ofTable: FilterLevels): VirtualHostConfig {
    guard(this.#t, node);
    acceptBufferLimits(node);
    const { configs, levels } = this.readPerFilter(node, ofTable);
    const tls = { EXTERNAL_ONLY: "external_only", ALL: "all" } as const;
    return {
      name: node.string("name", ""),
      domains: node.strings("domains").map((domain) => toLatin1(domain.toLowerCase())),
      routes: node.nodes("routes").map((route) => this.#readRoute(route, levels)),
      requireTls: tls[node.enum("require_tls") as keyof typeof tls] ?? "none",
      headers: readHeaderMutations(this.#t, node),
      includeRequestAttemptCount: node.bool("include_request_attempt_count", false),
      includeAttemptCountInResponse: node.bool("include_attempt_count_in_response", false),
      perFilter: configs,
      metadata: readMetadata(node),
    };
  }

  /** Each domain stands once in a table. "*" inside of a domain is an ordinary character. */
  checkDomains(nodes: readonly ConfigNode[], hosts: readonly VirtualHostConfig[]): void {
    const owners = new Map<string, string>();
    for (const [index, host] of hosts.entries()) {
      for (const domain of host.domains) {
        const owner = owners.get(domain);
        owners.set(domain, host.name);
        if (owner === undefined) continue;
        const found = `found "${domain}" twice, first in virtual host "${owner}"`;
        const message = `${found}: only unique values for domains are permitted`;
        this.#t.wrong(nodes[index] as ConfigNode, message, "domains");
      }
    }
  }

  readPerFilter(node: ConfigNode, outer: FilterLevels): PerFilter {
    const { filters, variants } = this.#scope;
    return readPerFilter(this.#t, node, filters, variants, outer);
  }

  #readRoute(node: ConfigNode, ofHost: FilterLevels): RouteConfig {
    guard(this.#t, node);
    acceptBufferLimits(node);
    node.accept("decorator", "names spans, and there is no tracing");
    const { configs, levels } = this.readPerFilter(node, ofHost);
    const action = this.#readAction(node, levels);
    const { variants } = this.#scope;
    const isForwarded = action.kind === "route";
    return {
      name: node.string("name", ""),
      where: node.path,
      match: this.#readMatch(node.node("match")),
      action,
      headers: readHeaderMutations(this.#t, node),
      perFilter: isForwarded ? configs : variants.forNoForwarding(configs, levels, node),
      metadata: readMetadata(node),
    };
  }

  #readAction(node: ConfigNode, levels: FilterLevels): RouteConfig["action"] {
    const route = node.node("route");
    if (route !== undefined) {
      const readOwn = (n: ConfigNode) => this.readPerFilter(n, levels).configs;
      const action = readRouteAction(this.#t, route, readOwn);
      this.#checkClusters(route, action);
      return action;
    }
    const redirect = node.node("redirect");
    if (redirect !== undefined) return this.#readRedirect(redirect);
    const response = node.node("direct_response");
    // filter_action and non_forwarding_action stay unread and are reported by name.
    return response === undefined ? noAction : this.#readDirectResponse(response);
  }

  #checkClusters(node: ConfigNode, action: RouteActionConfig): void {
    const { cluster } = action;
    if (cluster.kind === "cluster") this.#checkCluster(node, cluster.name, "cluster");
    if (cluster.kind !== "weighted") return;
    for (const entry of cluster.clusters) {
      if (entry.cluster.kind !== "cluster") continue;
      this.#checkCluster(node, entry.cluster.name, "weighted_clusters");
    }
  }

  #checkCluster(node: ConfigNode, name: string, field: string): void {
    if (name === "" || this.#clusters === null || this.#clusters.has(name)) return;
    this.#t.wrong(node, `unknown cluster '${name}'`, field);
  }

  #readMatch(node: ConfigNode | undefined): RouteMatchConfig {
    guard(this.#t, node);
    node?.node("grpc");
    const fraction = node?.node("runtime_fraction");
    return {
      path: this.#readPath(node),
      caseSensitive: node?.bool("case_sensitive") ?? true,
      headers: node?.nodes("headers").map((header) => readHeaderMatch(this.#t, header)) ?? [],
      queryParameters:
        node?.nodes("query_parameters").map((query) => readQueryMatch(this.#t, query)) ?? [],
      runtimeFractionPpm: readFractionPpm(fraction?.node("default_value"), 1_000_000),
      runtimeKey: fraction?.string("runtime_key") ?? "",
      grpc: node?.has("grpc") ?? false,
      tlsContext: readTlsContextMatch(node?.node("tls_context")),
    };
  }

  /** Without a usable path: one that matches no request. */
  #readPath(node: ConfigNode | undefined): RouteMatchConfig["path"] {
    const kind = node?.oneof("path_specifier");
    switch (kind) {
      case "prefix":
      case "path":
      case "path_separated_prefix":
        return { kind, value: toLatin1(node?.string(kind) ?? "") };
      case "safe_regex":
        return { kind: "regex", regex: readRegex(this.#t, node?.node(kind)) };
      case "connect_matcher":
        node?.node(kind);
        return { kind: "connect" };
      default:
        return { kind: "path", value: "" };
    }
  }

  #readRedirect(node: ConfigNode): RedirectConfig {
    return {
      kind: "redirect",
      status: redirectStatus[node.enum("response_code")] ?? 301,
      scheme: toLatin1(node.string("scheme_redirect", "")),
      httpsRedirect: node.bool("https_redirect", false),
      host: toLatin1(node.string("host_redirect", "")),
      port: node.uint("port_redirect", 0),
      path: this.#readRedirectPath(node),
      stripQuery: node.bool("strip_query", false),
    };
  }

  #readRedirectPath(node: ConfigNode): RedirectConfig["path"] {
    const path = node.string("path_redirect", "");
    if (path !== "") return { kind: "path", path: toLatin1(path) };
    const prefix = node.string("prefix_rewrite", "");
    if (prefix !== "") return { kind: "prefix", prefix: toLatin1(prefix) };
    const rewrite = readRegexRewrite(this.#t, node.node("regex_rewrite"));
    return rewrite === null ? { kind: "keep" } : { kind: "regex", ...rewrite };
  }

  #readDirectResponse(node: ConfigNode): DirectResponseConfig {
    const bytes = readDataSource(this.#t, node.node("body"));
    if (bytes !== null && bytes.length > this.#bodyBytesMax) {
      const most = this.#bodyBytesMax;
      const message = `response body size is ${bytes.length} bytes; maximum is ${most}`;
      this.#t.wrong(node, message, "body");
    }
    const format = node.node("body_format");
    return {
      kind: "direct_response",
      status: node.uint("status", 200),
      body: bytes === null ? null : bytes.toString("latin1"),
      bodyFormat: format === undefined ? null : readFormat(this.#t, format),
    };
  }
}

/** They bound what a retry or a mirror keeps of a body; filters have the listener's limit. */
function acceptBufferLimits(node: ConfigNode): void {
  for (const field of ["per_request_buffer_limit_bytes", "request_body_buffer_limit"]) {
    node.accept(field, "no body is kept for retries or mirrors");
  }
}
