// Envoy's default tag extractors as data: which part of a flat stat name is a label in Prometheus.

export interface Tag {
  /** "envoy.cluster_name". */
  readonly name: string;
  readonly value: string;
}

export interface TaggedName {
  /** The name without the tags' parts: "cluster.upstream_rq_total". */
  readonly extracted: string;
  /** In the order of extraction. */
  readonly tags: readonly Tag[];
}

/** Group 1 of `pattern` is what leaves the name, group 2 the tag's value. */
interface Extractor {
  readonly tag: string;
  /** First token of the names it is for; "" = any. */
  readonly prefix: string;
  readonly pattern: RegExp;
}

const VALUE = "[^.]+";
const ADDRESS = "(?:\\d{1,3}(?:\\.\\d{1,3}){3}_\\d+|\\[[a-fA-F_\\d]+(?:\\.\\d{1,3}){0,3}\\]_\\d+)";
const LISTENER = `listener\\.(?:${ADDRESS}|${VALUE})`;
const CIPHER = "[\\w-]+";
/** Of a plugin: config/version-name.ts. */
const VERSION = "[0-9a-f]{12}(?:-[0-9a-f]{4})?";
const CONFIG_NAME = "[\\w.-]+";

function regex(tag: string, prefix: string, source: string): Extractor {
  return { tag: `envoy.${tag}`, prefix, pattern: new RegExp(source, "d") };
}

/** "cluster.$.**": `*` is a token, `$` the value (it leaves with its dot), `**` the rest. */
function tokens(tag: string, form: string): Extractor {
  const parts = form.split(".");
  let source = "^";
  for (const [i, part] of parts.entries()) {
    const dot = i === parts.length - 1 ? "" : "\\.";
    if (part === "$") source += `((${VALUE})${dot})`;
    else if (part === "**") source += `.+${dot}`;
    else source += (part === "*" ? VALUE : part) + dot;
  }
  const first = parts[0] ?? "";
  const prefix = /^\w+$/.test(first) ? first : "";
  return { tag: `envoy.${tag}`, prefix, pattern: new RegExp(`${source}$`, "d") };
}

/** Extractors without a prefix come first, as Envoy applies them. */
const extractors: readonly Extractor[] = [
  regex("response_code", "", "_rq(_(\\d{3}))$"),
  regex("response_code_class", "", "_rq_((\\d))xx$"),
  regex(
    "worker_id",
    "",
    `^(?:${LISTENER}|server|listener_manager|thread_local_cluster_manager)` +
      "\\.worker_((\\d+)\\.)",
  ),
  regex(
    "tls_certificate",
    "",
    `^(?:${LISTENER}|cluster\\.${VALUE})\\.ssl\\.certificate\\.((${VALUE})\\.).*$`,
  ),
  tokens("local_http_ratelimit_prefix", "$.http_local_rate_limit.**"),
  regex(
    "dynamo_partition_id",
    "http",
    `^http\\.${VALUE}\\.dynamodb\\.table\\.${VALUE}\\.capacity\\.${VALUE}` +
      "(\\.__partition_id=(\\w{7}))$",
  ),
  regex(
    "dynamo_operation",
    "http",
    `^http\\.${VALUE}\\.dynamodb.(?:operation|table\\.${VALUE}\\.capacity)(\\.(${VALUE}))(?:\\.|$)`,
  ),
  tokens("mongo_callsite", "mongo.*.collection.*.callsite.$.query.**"),
  regex("dynamo_table", "http", `^http\\.${VALUE}\\.dynamodb.(?:table|error)\\.((${VALUE})\\.)`),
  tokens("mongo_collection", "mongo.*.collection.$.**.query.*"),
  tokens("mongo_cmd", "mongo.*.cmd.$.**"),
  tokens("grpc_bridge_method", "cluster.*.grpc.*.$.**"),
  tokens("http_user_agent", "http.*.user_agent.$.**"),
  tokens("virtual_cluster", "vhost.*.vcluster.$.**"),
  tokens("fault_downstream_cluster", "http.*.fault.$.**"),
  regex("ssl_cipher", "listener", `^listener\\..*?\\.ssl\\.ciphers(\\.(${CIPHER}))$`),
  regex("ssl_cipher_suite", "cluster", `^cluster\\.${VALUE}\\.ssl\\.ciphers(\\.(${CIPHER}))$`),
  tokens("grpc_bridge_service", "cluster.*.grpc.$.**"),
  tokens("tcp_prefix", "tcp.$.**"),
  tokens("udp_prefix", "udp.$.**"),
  tokens("clientssl_prefix", "auth.clientssl.$.**"),
  tokens("ratelimit_prefix", "ratelimit.$.**"),
  tokens("cluster_name", "cluster.$.**"),
  tokens("ext_authz_prefix", "cluster.*.ext_authz.$.**"),
  tokens("ext_authz_prefix", "http.*.ext_authz.$.**"),
  regex("http_conn_manager_prefix", "listener", `^listener\\..*?\\.http\\.((${VALUE})\\.)`),
  tokens("http_conn_manager_prefix", "http.$.**"),
  regex("listener_address", "listener", `^listener\\.(?!admin\\.)((${ADDRESS}|${VALUE})\\.)`),
  tokens("virtual_host", "vhost.$.**"),
  tokens("mongo_prefix", "mongo.$.**"),
  regex("rds_route_config", "http", `^http\\.${VALUE}\\.rds\\.((${CONFIG_NAME})\\.)\\w+?$`),
  regex("scoped_rds_config", "http", `^http\\.${VALUE}\\.scoped_rds\\.((${CONFIG_NAME})\\.)\\w+?$`),
  tokens("route", "vhost.*.route.$.**"),
  tokens("thrift_prefix", "thrift.$.**"),
  tokens("redis_prefix", "redis.$.**"),
  tokens("local_network_ratelimit_prefix", "local_rate_limit.$.**"),
  tokens("local_listener_ratelimit_prefix", "listener_local_ratelimit.$.**"),
  tokens("dns_filter_prefix", "dns_filter.$.**"),
  tokens("connection_limit_prefix", "connection_limit.$.**"),
  regex(
    "rbac_policy_name",
    "http",
    `^http\\.${VALUE}\\.rbac\\.(?:${VALUE}\\.)?policy\\.((${VALUE})\\.)` +
      "(?:allowed|shadow_allowed|denied|shadow_denied)$",
  ),
  regex("rbac_http_prefix", "http", `^http\\.${VALUE}\\.rbac\\.(?!policy\\.)((${VALUE})\\.)`),
  regex(
    "proxy_protocol_version",
    "proxy_proto",
    `^proxy_proto\\.((?:${VALUE}\\.)?versions\\.v(\\d)\\.)\\w+$`,
  ),
  regex("proxy_protocol_prefix", "proxy_proto", `^proxy_proto\\.(?!versions\\.)((${VALUE})\\.).+$`),
  // Headgate's own.
  regex("wasm_plugin", "wasm_cost", `^wasm_cost\\.((.+)\\.)${VERSION}\\.(?:\\w+\\.)?\\w+$`),
  regex("wasm_version", "wasm_cost", `^wasm_cost\\..+\\.((${VERSION})\\.)(?:\\w+\\.)?\\w+$`),
  regex("wasm_callback", "wasm_cost", `^wasm_cost\\..+\\.${VERSION}\\.((\\w+)\\.)\\w+$`),
  regex("xds_resource_name", "sds", `^sds\\.((${VALUE})\\.).+`),
];

const anyPrefix = extractors.filter((extractor) => extractor.prefix === "");
const byPrefix: ReadonlyMap<string, readonly Extractor[]> = Map.groupBy(
  extractors.filter((extractor) => extractor.prefix !== ""),
  (extractor) => extractor.prefix,
);

/**
 * Splits a flat name. All patterns see the whole name; of two for one tag the first match counts.
 */
export function extractTags(name: string): TaggedName {
  const dot = name.indexOf(".");
  const ofPrefix = byPrefix.get(dot < 0 ? name : name.slice(0, dot)) ?? [];
  const tags: Tag[] = [];
  const removed: (readonly [number, number])[] = [];
  for (const { tag, pattern } of anyPrefix.concat(ofPrefix)) {
    if (tags.some((known) => known.name === tag)) continue;
    const match = pattern.exec(name);
    const value = match?.[2];
    const range = match?.indices?.[1];
    if (value === undefined || range === undefined) continue;
    tags.push({ name: tag, value });
    removed.push(range);
  }
  return { extracted: withoutRanges(name, removed), tags };
}

function withoutRanges(name: string, ranges: readonly (readonly [number, number])[]): string {
  let out = "";
  for (let i = 0; i < name.length; i += 1) {
    if (!ranges.some(([from, to]) => i >= from && i < to)) out += name[i];
  }
  return out;
}
