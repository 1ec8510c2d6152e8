// What guests may ask for by path: attributes of the stream, of its connection, of the plugin.
//
// Every fixed path is a row of one table, its segments joined by NUL as guests send them; paths
// with a name of somebody's choice (headers, metadata, filter state) differ in how they begin.
import { GrpcStatus, MapType } from "proxy-wasm-types";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { HeaderId } from "../core/header-names.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { ClusterInfo, UpstreamHostInfo } from "../core/upstream-info.ts";
import { protocolText, remoteAddressOf, type StreamInfo } from "../core/stream-info.ts";
import type { Context } from "./context.ts";
import { findMetadataField, findNodeField } from "./node-fields.ts";
import { localityMessage, metadataMessage } from "./metadata-message.ts";
import {
  booleanValue,
  integerValue,
  metadataValue,
  pairsValue,
  textValue,
  timeValue,
} from "./property-value.ts";

export const PropertyResult = { NotFound: 1, NoValue: 3 } as const;

/** latin1 text or bytes; a number = why there is no value. */
export type PropertyValue = string | Uint8Array | 1 | 3;

type Getter = (context: Context) => PropertyValue;

const { NotFound, NoValue } = PropertyResult;

/** `path` has no NUL at its end. */
export function findProperty(context: Context, path: string): PropertyValue {
  const row = table.get(path);
  if (row !== undefined) return row(context);
  const end = path.indexOf("\0");
  if (end > 0) {
    const rest = path.slice(end + 1);
    switch (path.slice(0, end)) {
      case "request":
        return mapEntry(context, MapType.HttpRequestHeaders, "headers", rest);
      case "response":
        return rest.startsWith("trailers\0")
          ? mapEntry(context, MapType.HttpResponseTrailers, "trailers", rest)
          : mapEntry(context, MapType.HttpResponseHeaders, "headers", rest);
      case "metadata":
        return dynamicMetadata(context, rest);
      case "filter_state":
        return filterState(context, rest);
      case "xds":
        return xdsField(context, rest);
      default:
        break;
    }
  }
  return oldField(context, path, end) ?? guestValue(context, path, end);
}

// ---- Sources of the rows.

/** A row that needs a stream. */
function ofStream(get: (info: StreamInfo) => PropertyValue): Getter {
  return (context) => {
    const info = context.streamInfo;
    return info === null ? NotFound : get(info);
  };
}

function ofConnection(get: (connection: ConnectionInfo) => PropertyValue): Getter {
  return ofStream((info) => (info.connection === null ? NotFound : get(info.connection)));
}

function ofRequest(get: (headers: HeaderMap) => PropertyValue): Getter {
  return (context) => {
    const headers = context.streamMap(MapType.HttpRequestHeaders);
    return headers === null ? NotFound : get(headers);
  };
}

function requestHeader(id: number): Getter {
  return ofRequest((headers) => headers.getById(id) ?? NotFound);
}

/** Of the route, which has a virtual host; its own name may be empty. */
function hasRoute(info: StreamInfo): boolean {
  return info.virtualHostName !== "" || info.isOwnCall;
}

function ofHost(get: (host: UpstreamHostInfo) => PropertyValue): Getter {
  return ofStream((info) => (info.hostInfo === null ? NotFound : get(info.hostInfo)));
}

/** Text that says by being empty that it is not there. */
function known(text: string): PropertyValue {
  return text === "" ? NotFound : textValue(text);
}

/** A guest's local reply has details that are empty rather than none. */
function responseDetails(info: StreamInfo): PropertyValue {
  return info.responseCodeDetails === null ? NotFound : textValue(info.responseCodeDetails);
}

/** A span of monotonic milliseconds; both ends must have happened. */
function span(fromMs: number, toMs: number): PropertyValue {
  return fromMs < 0 || toMs < 0 ? NotFound : timeValue(toMs - fromMs);
}

function wholeMap(mapType: number): Getter {
  return (context) => {
    if (context.streamInfo === null) return NotFound;
    const map = context.streamMap(mapType);
    const joined = new Map<string, string>();
    const onHeader = (name: string, value: string): void => {
      const before = joined.get(name);
      joined.set(name, before === undefined ? value : `${before},${value}`);
    };
    map?.visit({ onHeader });
    return pairsValue([...joined].flat());
  };
}

function urlPath(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? path : path.slice(0, query);
}

/** Without the fragment, which no request has. */
function queryOf(path: string): string {
  const query = path.indexOf("?");
  return query < 0 ? "" : path.slice(query + 1);
}

/** The port behind "ip:port" or "[ip]:port"; not found for paths of unix sockets. */
function portOf(address: string): PropertyValue {
  const port = /:(\d+)$/.exec(address)?.[1];
  return port === undefined ? NotFound : integerValue(Number(port));
}

function requestSize(context: Context): PropertyValue {
  const length = context.streamMap(MapType.HttpRequestHeaders)?.getById(HeaderId.ContentLength);
  if (length !== undefined && /^\d{1,15}$/.test(length)) return integerValue(Number(length));
  const info = context.streamInfo;
  return info === null ? NotFound : integerValue(info.bytesReceived);
}

function bytesOf(context: Context, mapType: number): number {
  return context.streamMap(mapType)?.byteSize ?? 0;
}

/** From trailers or headers, else derived from the response's code, once there is one. */
function grpcStatus(context: Context): PropertyValue {
  const trailers = context.streamMap(MapType.HttpResponseTrailers);
  const headers = context.streamMap(MapType.HttpResponseHeaders);
  const status = trailers?.getById(HeaderId.GrpcStatus) ?? headers?.getById(HeaderId.GrpcStatus);
  if (status !== undefined && /^\d{1,9}$/.test(status)) return integerValue(Number(status));
  const code = context.streamInfo?.responseCode ?? 0;
  return code === 0 ? NotFound : integerValue(grpcStatusOf(code));
}

/** The gRPC specification's mapping of HTTP codes. */
function grpcStatusOf(code: number): GrpcStatus {
  switch (code) {
    case 400:
      return GrpcStatus.Internal;
    case 401:
      return GrpcStatus.Unauthenticated;
    case 403:
      return GrpcStatus.PermissionDenied;
    case 404:
      return GrpcStatus.Unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.Unavailable;
    default:
      return GrpcStatus.Unknown;
  }
}

// ---- Paths with a free part.

/** `rest` is "headers" or "trailers", NUL and a name. Values of the same name are joined. */
function mapEntry(context: Context, mapType: number, kind: string, rest: string): PropertyValue {
  if (!rest.startsWith(`${kind}\0`)) return NotFound;
  const map = context.streamMap(mapType);
  if (map === null) return NotFound;
  const name = rest.slice(kind.length + 1).toLowerCase();
  const values = map.getAll(name);
  return values.length === 0 ? NotFound : values.join(",");
}

/** `rest` is "filter_metadata", NUL, a namespace, and keys into its value. */
function dynamicMetadata(context: Context, rest: string): PropertyValue {
  const [kind, namespace, ...keys] = rest.split("\0");
  if (kind !== "filter_metadata") return NotFound;
  const all = context.streamInfo?.dynamicMetadata;
  if (namespace === undefined) return metadataValue(all ?? new Map()) ?? NoValue;
  let value: unknown = all?.get(namespace);
  for (const key of keys) {
    if (value instanceof Map) value = value.get(key);
    else if (Array.isArray(value)) value = value[Number(key)];
    else if (typeof value === "object" && value !== null && Object.hasOwn(value, key)) {
      value = (value as Record<string, unknown>)[key];
    } else return NotFound;
  }
  if (value === undefined) return NotFound;
  return metadataValue(value) ?? NoValue;
}

function filterState(context: Context, key: string): PropertyValue {
  return context.filterState(key) ?? NotFound;
}

function found(value: string | null | undefined): PropertyValue {
  return value === null ? NoValue : (value ?? NotFound);
}

/** `path` begins with the message that is looked into: the node, or metadata of something. */
function xdsField(context: Context, path: string): PropertyValue {
  const end = path.indexOf("\0");
  const name = path.slice(0, end);
  if (end > 0 && name === "node") return nodeField(context, path.slice(end + 1));
  const source = end < 0 ? undefined : metadataSources[name];
  if (source === undefined) return NotFound;
  const metadata = source(context);
  if (typeof metadata === "number") return NotFound;
  return found(findMetadataField(metadata, path.slice(end + 1).split("\0")));
}

/** The same under a name of before Envoy 1.33; undefined = it is none. */
function oldField(context: Context, path: string, end: number): PropertyValue | undefined {
  const name = end < 0 ? path : path.slice(0, end);
  const isOld = name === "node" || oldMetadata.has(name);
  return isOld && end > 0 ? xdsField(context, path) : undefined;
}

type Metadata = Uint8Array | 1 | 3;

function metadataOf(get: (info: StreamInfo) => Metadata): (context: Context) => Metadata {
  return (context) => {
    const info = context.streamInfo;
    return info === null ? NotFound : get(info);
  };
}

/** Metadata that the configuration has; not found = there is nothing it could belong to. */
const metadataSources: Readonly<Record<string, (context: Context) => Metadata>> = {
  cluster_metadata: (context) => clusterOf(context)?.metadata ?? NotFound,
  listener_metadata: metadataOf(({ connection }) =>
    connection === null ? NotFound : (connection.listenerMetadata ?? NO_METADATA),
  ),
  route_metadata: metadataOf((info) =>
    hasRoute(info) ? (info.routeMetadata ?? NO_METADATA) : NotFound,
  ),
  virtual_host_metadata: metadataOf((info) =>
    info.virtualHostName === "" ? NotFound : (info.virtualHostMetadata ?? NO_METADATA),
  ),
  upstream_host_metadata: metadataOf(({ hostInfo }) =>
    hostInfo === null ? NotFound : (hostInfo.metadata ?? NoValue),
  ),
  upstream_host_locality_metadata: metadataOf(({ hostInfo }) =>
    hostInfo === null ? NotFound : (hostInfo.localityMetadata ?? NoValue),
  ),
};

/** Before the router has come to the stream it is the one that the route names. */
function clusterOf(context: Context): ClusterInfo | null {
  const info = context.streamInfo;
  if (info === null || info.clusterInfo !== null) return info?.clusterInfo ?? null;
  if (info.upstreamCluster === "") return null;
  return context.vm.services.callouts?.clusterInfo(info.upstreamCluster) ?? null;
}

const NO_METADATA: Uint8Array = new Uint8Array(0);

const oldMetadata: ReadonlySet<string> = new Set([
  "cluster_metadata",
  "listener_metadata",
  "route_metadata",
]);

function nodeField(context: Context, path: string): PropertyValue {
  return found(findNodeField(context.vm.services.node, path.split("\0")));
}

/**
 * What a guest kept by set_property: under its whole path, which Envoy cannot read again when it
 * has several segments, then under the first segment.
 */
function guestValue(context: Context, path: string, end: number): PropertyValue {
  if (context.streamInfo === null) return NotFound;
  const whole = context.filterState(`wasm.${path}`);
  if (whole !== undefined || end < 0) return whole ?? NotFound;
  return context.filterState(`wasm.${path.slice(0, end)}`) ?? NotFound;
}

/** What both sides' TLS has: of names the first, and nothing without TLS. */
function tlsRows(
  group: string,
  tlsOf: (info: StreamInfo) => TlsInfo | null,
): readonly (readonly [string, Getter])[] {
  const row = (name: string, read: (tls: TlsInfo) => PropertyValue): [string, Getter] => [
    `${group}.${name}`,
    ofStream((info) => {
      const tls = tlsOf(info);
      return tls === null ? NotFound : read(tls);
    }),
  ];
  // Certificates have their text as bytes already.
  const first = (names: readonly string[] | undefined): PropertyValue => names?.[0] ?? NotFound;
  return [
    row("tls_version", (tls) => known(tls.version)),
    row("subject_local_certificate", (tls) => tls.local?.subject ?? ""),
    row("subject_peer_certificate", (tls) => tls.peer?.subject ?? ""),
    row("dns_san_local_certificate", (tls) => first(tls.local?.dnsNames)),
    row("dns_san_peer_certificate", (tls) => first(tls.peer?.dnsNames)),
    row("uri_san_local_certificate", (tls) => first(tls.local?.uris)),
    row("uri_san_peer_certificate", (tls) => first(tls.peer?.uris)),
    row("sha256_peer_certificate_digest", (tls) => tls.peer?.sha256 ?? NotFound),
  ];
}

// ---- The table.

const rows: readonly (readonly [string, Getter])[] = [
  ["request.path", ofRequest((headers) => headers.path ?? NotFound)],
  ["request.url_path", ofRequest((h) => (h.path === null ? NotFound : urlPath(h.path)))],
  ["request.query", ofRequest((h) => (h.path === null ? NotFound : queryOf(h.path)))],
  ["request.host", ofRequest((headers) => headers.authority ?? NotFound)],
  ["request.scheme", ofRequest((headers) => headers.scheme ?? NotFound)],
  ["request.method", ofRequest((headers) => headers.method ?? NotFound)],
  ["request.headers", wholeMap(MapType.HttpRequestHeaders)],
  ["request.referer", requestHeader(HeaderId.Referer)],
  ["request.useragent", requestHeader(HeaderId.UserAgent)],
  ["request.id", requestHeader(HeaderId.XRequestId)],
  [
    "request.protocol",
    ofStream((info) => (info.protocol === 0 ? NotFound : protocolText(info.protocol))),
  ],
  [
    "request.time",
    (context): PropertyValue => {
      const info = context.streamInfo;
      if (info === null || info.startMs < 0) return NotFound;
      return timeValue(context.vm.services.clock.toEpochMs(info.startMs));
    },
  ],
  ["request.duration", ofStream((info) => span(info.startMs, info.endMs))],
  ["request.size", requestSize],
  [
    "request.total_size",
    (context): PropertyValue => {
      const info = context.streamInfo;
      if (info === null) return NotFound;
      return integerValue(info.bytesReceived + bytesOf(context, MapType.HttpRequestHeaders));
    },
  ],
  [
    "response.code",
    ofStream((info) => (info.responseCode === 0 ? NotFound : integerValue(info.responseCode))),
  ],
  ["response.code_details", ofStream(responseDetails)],
  ["response.flags", ofStream((info) => integerValue(info.responseFlags))],
  ["response.grpc_status", grpcStatus],
  ["response.headers", wholeMap(MapType.HttpResponseHeaders)],
  ["response.trailers", wholeMap(MapType.HttpResponseTrailers)],
  ["response.size", ofStream((info) => integerValue(info.bytesSent))],
  [
    "response.total_size",
    (context): PropertyValue => {
      const info = context.streamInfo;
      if (info === null) return NotFound;
      const maps =
        bytesOf(context, MapType.HttpResponseHeaders) +
        bytesOf(context, MapType.HttpResponseTrailers);
      return integerValue(info.bytesSent + maps);
    },
  ],
  [
    "response.backend_latency",
    ofStream((info) => span(info.upstreamFirstTxMs, info.upstreamLastRxMs)),
  ],
  ["source.address", ofStream((info) => known(remoteAddressOf(info)))],
  ["source.port", ofStream((info) => portOf(remoteAddressOf(info)))],
  ["destination.address", ofConnection((connection) => known(connection.localAddress))],
  ["destination.port", ofConnection((connection) => portOf(connection.localAddress))],
  ["connection.id", ofConnection((connection) => integerValue(connection.connectionId))],
  [
    "connection.mtls",
    ofConnection((connection) => booleanValue(connection.tls?.isPeerPresented ?? false)),
  ],
  [
    "connection.requested_server_name",
    ofConnection((connection) => textValue(connection.requestedServerName)),
  ],
  ...tlsRows("connection", (info) => info.connection?.tls ?? null),
  [
    "connection.termination_details",
    ofConnection((connection) => known(connection.terminationDetails)),
  ],
  [
    "connection.transport_failure_reason",
    ofConnection((connection) => known(connection.transportFailureReason)),
  ],
  ["upstream.address", ofStream((info) => known(info.upstreamHost))],
  ["upstream.port", ofStream((info) => portOf(info.upstreamHost))],
  ["upstream.local_address", ofStream((info) => known(info.upstreamLocalAddress))],
  ["upstream.local_port", ofStream((info) => portOf(info.upstreamLocalAddress))],
  ...tlsRows("upstream", (info) => info.upstreamTls),
  [
    "upstream.transport_failure_reason",
    ofStream((info) =>
      info.upstreamHost === "" && info.attemptCount === 0
        ? NotFound
        : textValue(info.upstreamTransportFailureReason),
    ),
  ],
  [
    "upstream.cx_pool_ready_duration",
    ofStream((info) => span(info.upstreamStartMs, info.upstreamFirstTxMs)),
  ],
  [
    "upstream.num_endpoints",
    (context): PropertyValue => {
      const cluster = clusterOf(context);
      return cluster === null ? NotFound : integerValue(cluster.hostCount);
    },
  ],
  ["upstream.locality", ofHost(localityMessage)],
  ["upstream.request_attempt_count", ofStream((info) => integerValue(info.attemptCount))],
  ["xds.cluster_name", ofStream((info) => known(info.upstreamCluster))],
  ["xds.route_name", ofStream((info) => (hasRoute(info) ? textValue(info.routeName) : NotFound))],
  ["xds.virtual_host_name", ofStream((info) => known(info.virtualHostName))],
  ["xds.filter_chain_name", ofStream((info) => textValue(info.filterChainName))],
  [
    "xds.listener_direction",
    ofConnection((connection) => integerValue(connection.listenerDirection)),
  ],
  ...Object.entries(metadataSources).map(([name, source]): readonly [string, Getter] => [
    `xds.${name}`,
    source,
  ]),
  ["xds.node", (context): PropertyValue => context.vm.services.node.serialized],
  ["metadata", ofStream((info) => metadataMessage(info.dynamicMetadata))],
  // Whole groups exist, but have no encoding.
  ...["request", "response", "connection", "source", "destination", "upstream", "xds"].map(
    (group): readonly [string, Getter] => [group, ofStream(() => NoValue)],
  ),
  ["filter_state", ofStream(() => NoValue)],
  ["upstream_filter_state", ofHost(() => NoValue)],
  ["plugin_name", (context): PropertyValue => textValue(context.plugin.name)],
  ["plugin_root_id", (context): PropertyValue => textValue(context.plugin.rootId)],
  ["plugin_vm_id", (context): PropertyValue => textValue(context.plugin.vmId)],
];

/** Names of before Envoy 1.33, which dropped them: modules in the field still ask for these. */
const aliases: readonly (readonly [string, string])[] = [
  ["connection_id", "connection.id"],
  ["cluster_name", "xds.cluster_name"],
  ["route_name", "xds.route_name"],
  ["listener_direction", "xds.listener_direction"],
  ["listener_metadata", "xds.listener_metadata"],
  ["cluster_metadata", "xds.cluster_metadata"],
  ["route_metadata", "xds.route_metadata"],
  ["node", "xds.node"],
];

const table: ReadonlyMap<string, Getter> = buildTable();

function buildTable(): Map<string, Getter> {
  const built = new Map<string, Getter>();
  for (const [path, getter] of rows) built.set(path.replaceAll(".", "\0"), getter);
  for (const [alias, path] of aliases) {
    const getter = built.get(path.replaceAll(".", "\0"));
    if (getter !== undefined) built.set(alias, getter);
  }
  return built;
}
