// Reads HttpConnectionManager: limits, timeouts, addresses, identity, and what hangs on it.
import type { ConfigNode } from "../config-node.ts";
import type {
  EscapedSlashesAction,
  HcmConfig,
  LocalReplyConfig,
  LocalReplyMapperConfig,
  RouteTableConfig,
  ServerHeaderTransformation,
} from "../snapshot.ts";
import { readAccessLogFilter, readAccessLogs } from "./access-log-reader.ts";
import { readHttpFilters } from "./filter-reader.ts";
import { readFormat, readHeaderAdds, toLatin1 } from "./format-reader.ts";
import { readHttp1Options } from "./http1-reader.ts";
import { readRouteTable } from "./route-reader.ts";
import { readCidr, readDataSource } from "./string-reader.ts";
import { durationOr } from "./translation.ts";
import type { Translation } from "./translation.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

export function readHcm(
  t: Translation,
  node: ConfigNode,
  clusterNames: ReadonlySet<string>,
): HcmConfig {
  const common = node.node("common_http_protocol_options");
  const filters = readHttpFilters(t, node);
  acceptWhatDoesNotApply(t, node);
  return {
    statPrefix: node.string("stat_prefix", ""),
    codecType: readCodecType(t, node),
    http1: readHttp1Options(t, node.node("http_protocol_options"), common, {
      headKibDefault: node.uint("max_request_headers_kb", 60),
      isServer: true,
    }),
    httpFilters: filters.filters,
    router: filters.router,
    routes: readRoutes(t, node, clusterNames, filters.names),
    accessLogs: readAccessLogs(t, node.nodes("access_log")),
    ...readIdentity(node),
    ...readAddresses(node),
    ...readPaths(node),
    ...readTimeouts(node, common),
    proxy100Continue: node.bool("proxy_100_continue", false),
    streamErrorOnInvalidHttpMessage: readStreamError(node),
    maxRequestsPerConnection: common?.uint("max_requests_per_connection") ?? 0,
    localReply: readLocalReply(t, node),
    tracing: null,
  };
}

/** Set to what we do anyway, or about protocols that are not there. */
function acceptWhatDoesNotApply(t: Translation, node: ConfigNode): void {
  node.accept("http2_protocol_options", "only for HTTP/2 connections");
  node.accept("http3_protocol_options", "only for HTTP/3 connections");
  const details = node.enum("forward_client_cert_details");
  if (details !== "SANITIZE") {
    t.unsupported(node, `forward_client_cert_details: ${details}`, "forward_client_cert_details");
  }
}

function readCodecType(t: Translation, node: ConfigNode): HcmConfig["codecType"] {
  const type = node.enum("codec_type");
  if (type === "AUTO") return "auto";
  if (type !== "HTTP1") t.unsupported(node, `codec_type ${type}`, "codec_type");
  return "http1";
}

function readRoutes(
  t: Translation,
  node: ConfigNode,
  clusterNames: ReadonlySet<string>,
  filterNames: ReadonlySet<string>,
): RouteTableConfig {
  const config = node.node("route_config");
  if (config !== undefined) return readRouteTable(t, config, { clusterNames, filterNames });
  // rds and scoped_routes stay unread and are reported by name.
  const none = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };
  return {
    name: "",
    virtualHosts: [],
    headers: none,
    mostSpecificHeaderMutationsWins: false,
    ignorePortInHostMatching: false,
    internalOnlyHeaders: [],
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
    via: node.string("via", ""),
    serverName: node.string("server_name", "") || "envoy",
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

function readAddresses(node: ConfigNode): Addresses {
  const internal = node.node("internal_address_config");
  const scheme = node.node("scheme_header_transformation");
  return {
    useRemoteAddress: node.bool("use_remote_address", false),
    xffNumTrustedHops: node.uint("xff_num_trusted_hops", 0),
    skipXffAppend: node.bool("skip_xff_append", false),
    appendXForwardedPort: node.bool("append_x_forwarded_port", false),
    internalCidrs: (internal?.nodes("cidr_ranges") ?? []).map(readCidr),
    internalUnixSockets: internal?.bool("unix_sockets") ?? false,
    schemeToOverwrite: scheme?.string("scheme_to_overwrite") ?? "",
    schemeMatchUpstream: scheme?.bool("match_upstream") ?? false,
  };
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

function readPaths(node: ConfigNode): Paths {
  const actions: Readonly<Record<string, EscapedSlashesAction>> = {
    REJECT_REQUEST: "reject_request",
    UNESCAPE_AND_REDIRECT: "unescape_and_redirect",
    UNESCAPE_AND_FORWARD: "unescape_and_forward",
  };
  const action = node.enum("path_with_escaped_slashes_action");
  return {
    normalizePath: node.bool("normalize_path", false),
    mergeSlashes: node.bool("merge_slashes", false),
    escapedSlashesAction: actions[action] ?? "keep_unchanged",
    stripMatchingHostPort: node.bool("strip_matching_host_port", false),
    stripAnyHostPort: node.bool("strip_any_host_port", false),
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
  const mappers: LocalReplyMapperConfig[] = [];
  for (const mapper of config.nodes("mappers")) {
    const filterNode = mapper.node("filter");
    const filter = filterNode === undefined ? null : readAccessLogFilter(t, filterNode);
    const body = mapper.node("body");
    const override = mapper.node("body_format_override");
    if (filter === null) continue;
    const bytes = body === undefined ? null : readDataSource(t, body);
    mappers.push({
      filter,
      statusCode: mapper.uint("status_code", 0),
      body: bytes === null ? null : toLatin1(bytes.toString("utf8")),
      bodyFormat: override === undefined ? null : readFormat(t, override),
      headersToAdd: readHeaderAdds(t, mapper, "headers_to_add"),
    });
  }
  return { mappers, bodyFormat: bodyFormat === undefined ? null : readFormat(t, bodyFormat) };
}
