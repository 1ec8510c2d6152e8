// Reads HttpConnectionManager: limits, timeouts, addresses, identity, and what hangs on it.
import type { ConfigNode } from "../config-node.ts";
import type {
  CidrConfig,
  EscapedSlashesAction,
  ForwardClientCert,
  HcmConfig,
  LocalReplyConfig,
  LocalReplyMapperConfig,
  RdsConfig,
  RouteConfig,
  RouteTableConfig,
  ServerHeaderTransformation,
} from "../snapshot.ts";
import { readAccessLogFilter, readAccessLogs } from "./access-log-reader.ts";
import { readConfigSource } from "./config-source-reader.ts";
import { readDataSource } from "./data-source.ts";
import { FilterVariants } from "./filter-variants.ts";
import { readHttpFilters } from "./filter-reader.ts";
import type { HttpFilters } from "./filter-reader.ts";
import { noMutations, readFormat, readHeaderAdds } from "./format-reader.ts";
import { guard } from "./guarded-fields.ts";
import { readHttp1Options } from "./http1-reader.ts";
import { RdsChain, rdsKey } from "./rds-chain.ts";
import { readRouteTable } from "./route-reader.ts";
import type { ClusterNames } from "./route-reader.ts";
import { readCidr } from "./string-reader.ts";
import { durationOr, statText, toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";
import { readUpgrades } from "./upgrade-reader.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const HEAD_KIB = 60;

export function readHcm(t: Translation, node: ConfigNode, clusters: ClusterNames): HcmConfig {
  guard(t, node);
  acceptWhatDoesNotApply(node);
  const common = node.node("common_http_protocol_options");
  if (common?.hasEffect("max_response_headers_kb") === true) {
    const field = "max_response_headers_kb";
    t.wrong(common, `${field} cannot be set on a connection manager`, field);
    common.accept(field, "reported as wrong");
  }
  const filters = readHttpFilters(t, node);
  const variants = new FilterVariants(t, filters.filters);
  const headKib = node.uint("max_request_headers_kb", HEAD_KIB);
  return {
    statPrefix: statText(node.string("stat_prefix", "")),
    codecType: readCodecType(t, node),
    http1: readHttp1Options(t, node.node("http_protocol_options"), common, {
      headKib,
      isServer: true,
    }),
    httpFilters: filters.filters,
    router: filters.router ?? noRouter,
    upgrades: readUpgrades(t, node),
    routes: readRoutes(t, node, clusters, filters, variants),
    // Known when the routes are read.
    variants: variants.all(),
    rds: readRds(t, node, filters),
    accessLogs: readAccessLogs(t, node.nodes("access_log")),
    ...readIdentity(node),
    ...readAddresses(t, node),
    ...readClientCert(node),
    ...readPaths(t, node),
    ...readTimeouts(node, common),
    proxy100Continue: node.bool("proxy_100_continue", false),
    appendLocalOverload: node.bool("append_local_overload", false),
    streamErrorOnInvalidHttpMessage: readStreamError(node),
    maxRequestsPerConnection: common?.uint("max_requests_per_connection") ?? 0,
    localReply: readLocalReply(t, node),
    tracing: null,
  };
}

/** Set to what we do anyway, or about protocols that are not there. */
function acceptWhatDoesNotApply(node: ConfigNode): void {
  node.accept("http2_protocol_options", "only for HTTP/2 connections");
  node.accept("http3_protocol_options", "only for HTTP/3 connections");
}

function readCodecType(t: Translation, node: ConfigNode): HcmConfig["codecType"] {
  const type = node.enum("codec_type");
  if (type === "AUTO") return "auto";
  if (type !== "HTTP1") t.unsupported(node, `codec_type ${type}`, "codec_type");
  return "http1";
}

const noRouter: HcmConfig["router"] = {
  dynamicStats: true,
  suppressEnvoyHeaders: false,
  respectExpectedRqTimeout: false,
};

const noRoutes: RouteTableConfig = {
  name: "",
  virtualHosts: [],
  headers: noMutations,
  mostSpecificHeaderMutationsWins: false,
  ignorePortInHostMatching: false,
  internalOnlyHeaders: [],
};

function readRoutes(
  t: Translation,
  node: ConfigNode,
  clusters: ClusterNames,
  filters: HttpFilters,
  variants: FilterVariants,
): RouteTableConfig {
  const config = node.node("route_config");
  // scoped_routes stays unread and is reported by name.
  if (config === undefined) return noRoutes;
  const table = readRouteTable(t, config, { clusters, filters: filters.names, variants });
  if (filters.router !== null) return table;
  t.warn(node, "no http_filters: every request is answered with 500 (Envoy never answers)");
  return unanswered(table, config.path);
}

/** Without a source that we have, every request is answered with 404. */
function readRds(t: Translation, node: ConfigNode, filters: HttpFilters): RdsConfig | null {
  const rds = node.node("rds");
  if (rds === undefined) return null;
  if (!rds.has("config_source")) t.missing(rds, "config_source");
  const source = readConfigSource(t, rds, "config_source");
  const routeConfigName = rds.string("route_config_name", "");
  if (source === null) return null;
  const names = [...filters.names];
  const key = rdsKey(t, [source, routeConfigName, names], filters.filters);
  t.rdsChains.push(new RdsChain(t, key, filters.names, filters.filters));
  return { key, routeConfigName, source };
}

/** Without a terminal filter nothing answers: Envoy lets such streams hang, we end them. */
function unanswered(table: RouteTableConfig, where: string): RouteTableConfig {
  const route: RouteConfig = {
    name: "",
    where,
    match: {
      path: { kind: "prefix", value: "/" },
      caseSensitive: true,
      headers: [],
      queryParameters: [],
      runtimeFractionPpm: 1_000_000,
      runtimeKey: "",
      grpc: false,
      tlsContext: null,
    },
    action: { kind: "direct_response", status: 500, body: null, bodyFormat: null },
    headers: noMutations,
    perFilter: [],
  };
  const host = {
    name: "no_http_filters",
    domains: ["*"],
    routes: [route],
    requireTls: "none",
    headers: noMutations,
    includeRequestAttemptCount: false,
    includeAttemptCountInResponse: false,
    perFilter: [],
  } as const;
  return { ...noRoutes, name: table.name, virtualHosts: [host] };
}

const clientCertModes: Readonly<Record<string, ForwardClientCert>> = {
  FORWARD_ONLY: "forward_only",
  APPEND_FORWARD: "append_forward",
  SANITIZE_SET: "sanitize_set",
  ALWAYS_FORWARD_ONLY: "always_forward_only",
};

function readClientCert(
  node: ConfigNode,
): Pick<HcmConfig, "forwardClientCert" | "clientCertDetails"> {
  const details = node.node("set_current_client_cert_details");
  return {
    forwardClientCert: clientCertModes[node.enum("forward_client_cert_details")] ?? "sanitize",
    clientCertDetails: {
      subject: details?.bool("subject") ?? false,
      cert: details?.bool("cert") ?? false,
      chain: details?.bool("chain") ?? false,
      dns: details?.bool("dns") ?? false,
      uri: details?.bool("uri") ?? false,
    },
  };
}

type Identity = Pick<
  HcmConfig,
  | "via"
  | "serverName"
  | "serverHeaderTransformation"
  | "addUserAgent"
  | "generateRequestId"
  | "preserveExternalRequestId"
  | "alwaysSetRequestIdInResponse"
>;

function readIdentity(node: ConfigNode): Identity {
  const transformations: Readonly<Record<string, ServerHeaderTransformation>> = {
    OVERWRITE: "overwrite",
    APPEND_IF_ABSENT: "append_if_absent",
    PASS_THROUGH: "pass_through",
  };
  return {
    via: toLatin1(node.string("via", "")),
    serverName: toLatin1(node.string("server_name", "")) || "envoy",
    serverHeaderTransformation:
      transformations[node.enum("server_header_transformation")] ?? "overwrite",
    addUserAgent: node.bool("add_user_agent", false),
    generateRequestId: node.bool("generate_request_id", true),
    preserveExternalRequestId: node.bool("preserve_external_request_id", false),
    alwaysSetRequestIdInResponse: node.bool("always_set_request_id_in_response", false),
  };
}

type Addresses = Pick<
  HcmConfig,
  | "useRemoteAddress"
  | "xffNumTrustedHops"
  | "skipXffAppend"
  | "appendXForwardedPort"
  | "internalCidrs"
  | "internalUnixSockets"
  | "schemeToOverwrite"
  | "schemeMatchUpstream"
>;

function readAddresses(t: Translation, node: ConfigNode): Addresses {
  const internal = node.node("internal_address_config");
  const scheme = node.node("scheme_header_transformation");
  return {
    useRemoteAddress: node.bool("use_remote_address", false),
    xffNumTrustedHops: node.uint("xff_num_trusted_hops", 0),
    skipXffAppend: node.bool("skip_xff_append", false),
    appendXForwardedPort: node.bool("append_x_forwarded_port", false),
    internalCidrs: readCidrs(t, internal),
    internalUnixSockets: internal?.bool("unix_sockets") ?? false,
    schemeToOverwrite: scheme?.string("scheme_to_overwrite") ?? "",
    schemeMatchUpstream: scheme?.bool("match_upstream") ?? false,
  };
}

function readCidrs(t: Translation, node: ConfigNode | undefined): CidrConfig[] {
  const ranges = node?.nodes("cidr_ranges") ?? [];
  return ranges.map((range) => readCidr(t, range)).filter((range) => range !== null);
}

type Paths = Pick<
  HcmConfig,
  | "normalizePath"
  | "mergeSlashes"
  | "escapedSlashesAction"
  | "stripMatchingHostPort"
  | "stripAnyHostPort"
  | "stripTrailingHostDot"
>;

function readPaths(t: Translation, node: ConfigNode): Paths {
  const actions: Readonly<Record<string, EscapedSlashesAction>> = {
    REJECT_REQUEST: "reject_request",
    UNESCAPE_AND_REDIRECT: "unescape_and_redirect",
    UNESCAPE_AND_FORWARD: "unescape_and_forward",
  };
  const action = node.enum("path_with_escaped_slashes_action");
  const stripMatchingHostPort = node.bool("strip_matching_host_port", false);
  const stripAnyHostPort = node.bool("strip_any_host_port", false);
  if (stripMatchingHostPort && stripAnyHostPort) {
    const message = "only one of strip_matching_host_port and strip_any_host_port can be set";
    t.wrong(node, message, "strip_any_host_port");
  }
  return {
    normalizePath: node.bool("normalize_path", false),
    mergeSlashes: node.bool("merge_slashes", false),
    escapedSlashesAction: actions[action] ?? "keep_unchanged",
    stripMatchingHostPort,
    stripAnyHostPort,
    stripTrailingHostDot: node.bool("strip_trailing_host_dot", false),
  };
}

type Timeouts = Pick<
  HcmConfig,
  | "streamIdleTimeoutMs"
  | "requestTimeoutMs"
  | "requestHeadersTimeoutMs"
  | "idleTimeoutMs"
  | "maxConnectionDurationMs"
  | "maxConnectionDurationJitter"
  | "http1SafeMaxConnectionDuration"
  | "maxStreamDurationMs"
  | "drainTimeoutMs"
  | "delayedCloseTimeoutMs"
>;

function readTimeouts(node: ConfigNode, common: ConfigNode | undefined): Timeouts {
  return {
    streamIdleTimeoutMs: durationOr(node, "stream_idle_timeout", 5 * MINUTE_MS),
    requestTimeoutMs: durationOr(node, "request_timeout", 0),
    requestHeadersTimeoutMs: durationOr(node, "request_headers_timeout", 0),
    idleTimeoutMs: durationOr(common, "idle_timeout", HOUR_MS),
    maxConnectionDurationMs: durationOr(common, "max_connection_duration", 0),
    maxConnectionDurationJitter:
      (common?.node("max_connection_duration_jitter")?.double("value") ?? 0) / 100,
    http1SafeMaxConnectionDuration: node.bool("http1_safe_max_connection_duration", false),
    maxStreamDurationMs: durationOr(common, "max_stream_duration", 0),
    drainTimeoutMs: durationOr(node, "drain_timeout", 5000),
    delayedCloseTimeoutMs: durationOr(node, "delayed_close_timeout", 1000),
  };
}

/** The codec's own switch overrides the manager's. */
function readStreamError(node: ConfigNode): boolean {
  const ofManager = node.bool("stream_error_on_invalid_http_message", false);
  const options = node.node("http_protocol_options");
  return options?.bool("override_stream_error_on_invalid_http_message") ?? ofManager;
}

function readLocalReply(t: Translation, node: ConfigNode): LocalReplyConfig | null {
  const config = node.node("local_reply_config");
  if (config === undefined) return null;
  const bodyFormat = config.node("body_format");
  return {
    mappers: config
      .nodes("mappers")
      .map((mapper) => readMapper(t, mapper))
      .filter((mapper) => mapper !== null),
    bodyFormat: bodyFormat === undefined ? null : readFormat(t, bodyFormat),
  };
}

/** Null when its filter is not to be had: a mapper must not change more replies than it should. */
function readMapper(t: Translation, node: ConfigNode): LocalReplyMapperConfig | null {
  const filterNode = node.node("filter");
  const filter = filterNode === undefined ? null : readAccessLogFilter(t, filterNode);
  const bytes = readDataSource(t, node.node("body"));
  const override = node.node("body_format_override");
  const mapper = {
    statusCode: node.uint("status_code", 0),
    body: bytes === null ? null : bytes.toString("latin1"),
    bodyFormat: override === undefined ? null : readFormat(t, override),
    headersToAdd: readHeaderAdds(t, node, "headers_to_add"),
  };
  return filter === null ? null : { filter, ...mapper };
}
