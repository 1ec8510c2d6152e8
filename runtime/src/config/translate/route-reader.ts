// Reads RouteConfiguration: tables, virtual hosts, routes and their actions.
import type { ConfigNode } from "../config-node.ts";
import type {
  DirectResponseConfig,
  PerFilterConfig,
  RedirectConfig,
  RouteActionConfig,
  RouteConfig,
  RouteMatchConfig,
  RouteTableConfig,
  VirtualHostConfig,
} from "../snapshot.ts";
import { readFormat, readHeaderMutations } from "./format-reader.ts";
import { readRouteAction } from "./route-action-reader.ts";
import {
  readDataSource,
  readFractionPpm,
  readHeaderMatch,
  readQueryMatch,
  readRegex,
  readRegexRewrite,
} from "./string-reader.ts";
import type { Translation } from "./translation.ts";

/** What the table's readers need to know of the rest of the configuration. */
export interface RouteScope {
  /** Names of the configured clusters; routes to others are refused when validate_clusters holds. */
  readonly clusterNames: ReadonlySet<string>;
  /** Names of the chain's HTTP filters, for typed_per_filter_config. */
  readonly filterNames: ReadonlySet<string>;
}

const BODY_BYTES_DEFAULT = 4096;

export function readRouteTable(
  t: Translation,
  node: ConfigNode,
  scope: RouteScope,
): RouteTableConfig {
  const validateClusters = node.bool("validate_clusters", true);
  const bodyBytesMax = node.uint("max_direct_response_body_size_bytes", BODY_BYTES_DEFAULT);
  const reader = new TableReader(t, scope, validateClusters, bodyBytesMax);
  const hosts = node.nodes("virtual_hosts");
  const virtualHosts = hosts.map((host) => reader.readVirtualHost(host));
  reader.checkDomains(hosts, virtualHosts);
  node.accept("metadata", "nothing reads it");
  return {
    name: node.string("name", ""),
    virtualHosts,
    headers: readHeaderMutations(t, node),
    mostSpecificHeaderMutationsWins: node.bool("most_specific_header_mutations_wins", false),
    ignorePortInHostMatching: node.bool("ignore_port_in_host_matching", false),
    internalOnlyHeaders: node.strings("internal_only_headers").map((name) => name.toLowerCase()),
  };
}

class TableReader {
  readonly #t: Translation;
  readonly #scope: RouteScope;
  readonly #validateClusters: boolean;
  readonly #bodyBytesMax: number;

  constructor(t: Translation, scope: RouteScope, validateClusters: boolean, bodyBytesMax: number) {
    this.#t = t;
    this.#scope = scope;
    this.#validateClusters = validateClusters;
    this.#bodyBytesMax = bodyBytesMax;
  }

  readVirtualHost(node: ConfigNode): VirtualHostConfig {
    node.accept("metadata", "nothing reads it");
    const tls = { EXTERNAL_ONLY: "external_only", ALL: "all" } as const;
    return {
      name: node.string("name", ""),
      domains: node.strings("domains").map((domain) => domain.toLowerCase()),
      routes: node.nodes("routes").map((route) => this.#readRoute(route)),
      requireTls: tls[node.enum("require_tls") as keyof typeof tls] ?? "none",
      headers: readHeaderMutations(this.#t, node),
      includeRequestAttemptCount: node.bool("include_request_attempt_count", false),
      includeAttemptCountInResponse: node.bool("include_attempt_count_in_response", false),
      perFilter: this.#readPerFilter(node),
    };
  }

  /** Domains are unique in a table, and a wildcard stands at one end only. */
  checkDomains(nodes: readonly ConfigNode[], hosts: readonly VirtualHostConfig[]): void {
    const owners = new Map<string, string>();
    for (const [index, host] of hosts.entries()) {
      const node = nodes[index] as ConfigNode;
      for (const domain of host.domains) {
        const owner = owners.get(domain);
        if (owner !== undefined) {
          const message = `only unique values for domains are permitted, "${domain}" is also in ${owner}`;
          this.#t.wrong(node, message, "domains");
        }
        if (domain.length > 1 && domain.slice(1, -1).includes("*")) {
          this.#t.wrong(node, `found "${domain}", expected a wildcard at one end only`, "domains");
        }
        owners.set(domain, `virtual host "${host.name}"`);
      }
    }
  }

  #readRoute(node: ConfigNode): RouteConfig {
    const match = this.#readMatch(node.node("match") as ConfigNode);
    node.accept("metadata", "nothing reads it");
    node.accept("decorator", "names spans, and there is no tracing");
    return {
      name: node.string("name", ""),
      where: node.path,
      match,
      action: this.#readAction(node),
      headers: readHeaderMutations(this.#t, node),
      perFilter: this.#readPerFilter(node),
    };
  }

  #readAction(node: ConfigNode): RouteConfig["action"] {
    switch (node.oneof("action")) {
      case "route": {
        const action = node.node("route") as ConfigNode;
        const read = readRouteAction(this.#t, action, (n) => this.#readPerFilter(n));
        this.#checkClusters(action, read);
        return read;
      }
      case "redirect":
        return this.#readRedirect(node.node("redirect") as ConfigNode);
      case "direct_response":
        return this.#readDirectResponse(node.node("direct_response") as ConfigNode);
      default:
        if (node.oneof("action") === undefined) this.#t.wrong(node, "expected an action");
        return emptyResponse;
    }
  }

  #checkClusters(node: ConfigNode, action: RouteActionConfig): void {
    if (!this.#validateClusters) return;
    const cluster = action.cluster;
    if (cluster.kind === "cluster") this.#checkCluster(node, cluster.name, "cluster");
    if (cluster.kind !== "weighted") return;
    for (const entry of cluster.clusters) {
      if (entry.cluster.kind === "cluster") {
        this.#checkCluster(node, entry.cluster.name, "weighted_clusters");
      }
    }
  }

  #checkCluster(node: ConfigNode, name: string, field: string): void {
    if (name === "" || this.#scope.clusterNames.has(name)) return;
    this.#t.wrong(node, `route: unknown cluster '${name}'`, field);
  }

  #readMatch(node: ConfigNode): RouteMatchConfig {
    node.node("grpc")?.acceptRest("has no fields");
    const fraction = node.node("runtime_fraction");
    fraction?.accept("runtime_key", "without runtime layers the default holds");
    return {
      path: this.#readPath(node),
      caseSensitive: node.bool("case_sensitive", true),
      headers: node.nodes("headers").map((header) => readHeaderMatch(this.#t, header)),
      queryParameters: node
        .nodes("query_parameters")
        .map((query) => readQueryMatch(this.#t, query)),
      runtimeFractionPpm: readFractionPpm(fraction?.node("default_value"), 1_000_000),
      grpc: node.has("grpc"),
    };
  }

  #readPath(node: ConfigNode): RouteMatchConfig["path"] {
    const kind = node.oneof("path_specifier");
    switch (kind) {
      case "prefix":
      case "path":
      case "path_separated_prefix":
        return { kind, value: node.string(kind, "") };
      case "safe_regex":
        return { kind: "regex", regex: readRegex(this.#t, node.node(kind) as ConfigNode) };
      default:
        // connect_matcher and path_match_policy stay unread and are reported by name.
        return { kind: "path", value: "" };
    }
  }

  #readRedirect(node: ConfigNode): RedirectConfig {
    const codes: Readonly<Record<string, number>> = {
      MOVED_PERMANENTLY: 301,
      FOUND: 302,
      SEE_OTHER: 303,
      TEMPORARY_REDIRECT: 307,
      PERMANENT_REDIRECT: 308,
    };
    return {
      kind: "redirect",
      status: codes[node.enum("response_code")] ?? 301,
      scheme: node.string("scheme_redirect", ""),
      httpsRedirect: node.bool("https_redirect", false),
      host: node.string("host_redirect", ""),
      port: node.uint("port_redirect", 0),
      path: this.#readRedirectPath(node),
      stripQuery: node.bool("strip_query", false),
    };
  }

  #readRedirectPath(node: ConfigNode): RedirectConfig["path"] {
    switch (node.oneof("path_rewrite_specifier")) {
      case "path_redirect":
        return { kind: "path", path: node.string("path_redirect", "") };
      case "prefix_rewrite":
        return { kind: "prefix", prefix: node.string("prefix_rewrite", "") };
      case "regex_rewrite": {
        const rewrite = readRegexRewrite(this.#t, node.node("regex_rewrite") as ConfigNode);
        return rewrite === null ? { kind: "keep" } : { kind: "regex", ...rewrite };
      }
      default:
        return { kind: "keep" };
    }
  }

  #readDirectResponse(node: ConfigNode): DirectResponseConfig {
    const bodyNode = node.node("body");
    const bytes = bodyNode === undefined ? null : readDataSource(this.#t, bodyNode);
    if (bytes !== null && bytes.length > this.#bodyBytesMax) {
      const message = `response body size is ${bytes.length} bytes; maximum is ${this.#bodyBytesMax}`;
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

  /** `disabled: true` wrappers; configurations of filters that Headgate runs have no route part yet. */
  #readPerFilter(node: ConfigNode): PerFilterConfig[] {
    const configs: PerFilterConfig[] = [];
    for (const [filterName, typed] of node.map("typed_per_filter_config")) {
      if (typed.typeName !== "envoy.config.route.v3.FilterConfig") {
        typed.acceptRest("reported as a whole");
        this.#t.unsupported(typed, `per-route configuration of type ${typed.typeName}`);
        continue;
      }
      const isOptional = typed.bool("is_optional", false);
      if (!isOptional && !this.#scope.filterNames.has(filterName)) {
        this.#t.wrong(typed, `found a filter "${filterName}" that is not in http_filters`);
      }
      configs.push({ filterName, disabled: typed.bool("disabled", false) });
    }
    return configs;
  }
}

const emptyResponse: DirectResponseConfig = {
  kind: "direct_response",
  status: 500,
  body: null,
  bodyFormat: null,
};
