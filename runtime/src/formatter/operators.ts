// The %COMMANDS% of substitution formats by name: each row compiles a command's arguments into an
// operator. Source: Envoy's "Command Operators" page (configuration/observability/access_log).
import { isIpText } from "../core/ip-address.ts";
import type { BytesMeter, BytesSource } from "../core/bytes-meter.ts";
import { responseFlagNames, responseFlagsText } from "../core/response-flags.ts";
import { protocolText, remoteAddressOf, remoteIpOf, remotePortOf } from "../core/stream-info.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { FormatContext, FormatOperator, FormatValue } from "./format-context.ts";
import { costOperator, versionOperator } from "./cost-operator.ts";
import { filterState, upstreamFilterState } from "./filter-state-operators.ts";
import { headerOperators } from "./header-operators.ts";
import { grpcStatusOf, isGrpcRequest } from "./grpc-status.ts";
import { toLatin1 } from "./latin1.ts";
import { tlsOperators } from "./tls-operators.ts";
import { compileTimeFormat, isoTime } from "./time-format.ts";
import type { TimeFormatter } from "./time-format.ts";

/** Compiles `args` ("" = none), or says what is wrong with them after the command's name. */
export type OperatorFactory = (args: string) => FormatOperator | string;

/** A factory's word for arguments that Envoy takes and Headgate does not yet. */
export const NOT_IMPLEMENTED = "is not implemented by Headgate yet";

const METADATA_KINDS: ReadonlySet<string> = new Set([
  "CLUSTER",
  "LISTENER",
  "LISTENER_FILTER_CHAIN",
  "ROUTE",
  "UPSTREAM_HOST",
  "VIRTUAL_HOST",
]);

const NO_PARAMETERS = "does not take any parameters or length";

/** A number of milliseconds between two times of the stream; null when either did not happen. */
function between(from: number, to: number): FormatValue {
  return from < 0 || to < 0 ? null : Math.trunc(to - from);
}

function textOrNull(text: string): FormatValue {
  return text === "" ? null : text;
}

/** An operator without arguments over the stream info. */
function ofInfo(read: (info: StreamInfo) => FormatValue): OperatorFactory {
  const operator = (context: FormatContext): FormatValue => {
    const info = context.info;
    return info === null ? null : read(info);
  };
  return (args) => (args === "" ? operator : NO_PARAMETERS);
}

/** The same over the whole context. */
function ofContext(read: FormatOperator): OperatorFactory {
  return (args) => (args === "" ? read : NO_PARAMETERS);
}

/** One of several fields of the connection. */
function ofConnection(read: (connection: ConnectionInfo) => FormatValue): OperatorFactory {
  return ofInfo((info) => (info.connection === null ? null : read(info.connection)));
}

function withoutPort(address: string): FormatValue {
  if (address === "") return null;
  if (address.startsWith("[")) return address.slice(1, address.indexOf("]"));
  const colon = address.lastIndexOf(":");
  return colon < 0 ? address : address.slice(0, colon);
}

function portOf(address: string): FormatValue {
  const colon = address.lastIndexOf(":");
  if (colon < 0 || address.startsWith("/")) return null;
  return Number(address.slice(colon + 1));
}

function timeOperator(inLocalTime: boolean, read: (c: FormatContext) => number): OperatorFactory {
  return (args) => {
    const formatter = args === "" ? defaultTime(inLocalTime) : compileTimeFormat(args, inLocalTime);
    return (context) => {
      const epochMs = read(context);
      return epochMs < 0 ? null : formatter(epochMs);
    };
  };
}

function defaultTime(inLocalTime: boolean): TimeFormatter {
  return inLocalTime ? compileTimeFormat("%Y-%m-%dT%H:%M:%S.%3f%z", true) : isoTime();
}

function startEpoch(context: FormatContext): number {
  const info = context.info;
  return info === null || info.startMs < 0 ? -1 : context.clock.toEpochMs(info.startMs);
}

/** Points of %COMMON_DURATION(from:to:precision)%. */
const durationPoints: Readonly<Record<string, (info: StreamInfo) => number>> = {
  DS_RX_BEG: (i) => i.startMs,
  DS_RX_END: (i) => i.requestEndMs,
  US_CX_BEG: (i) => i.upstreamStartMs,
  US_TX_BEG: (i) => i.upstreamFirstTxMs,
  US_TX_END: (i) => i.upstreamLastTxMs,
  US_RX_BEG: (i) => i.upstreamFirstRxMs,
  US_RX_END: (i) => i.upstreamLastRxMs,
  DS_TX_BEG: (i) => i.downstreamFirstTxMs,
  DS_TX_END: (i) => i.downstreamLastTxMs,
};
const precisionFactors: Readonly<Record<string, number>> = { ms: 1, us: 1000, ns: 1_000_000 };

/** Time points that are not in the table were never recorded, so there is no value. */
const commonDuration: OperatorFactory = (args) => {
  if (args === "") return "requires parameters";
  const [from = "", to = "", precision = "ms"] = args.split(":");
  const factor = precisionFactors[precision];
  if (factor === undefined) return `has an invalid precision: ${precision}`;
  const read = durationPoints[from];
  const until = durationPoints[to];
  return (context) => {
    const info = context.info;
    if (info === null || read === undefined || until === undefined) return null;
    const start = read(info);
    const end = until(info);
    return start < 0 || end < 0 ? null : Math.trunc((end - start) * factor);
  };
};

const GRPC_SNAKE = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

function camelOf(snake: string): string {
  if (snake === "OK") return "OK";
  if (snake === "CANCELLED") return "Canceled";
  return snake
    .split("_")
    .map((word) => word.charAt(0) + word.slice(1).toLowerCase())
    .join("");
}

/** The gRPC status of a gRPC request's response; null for other requests and without a response. */
function grpcStatus(context: FormatContext): number | null {
  if (!isGrpcRequest(context.requestHeaders)) return null;
  return grpcStatusOf(context.info, context.responseHeaders, context.responseTrailers);
}

const grpcStatusOperator: OperatorFactory = (args) => {
  const form = args === "" ? "CAMEL_STRING" : args;
  if (form === "NUMBER") return grpcStatus;
  if (form !== "CAMEL_STRING" && form !== "SNAKE_STRING") {
    return `only supports CAMEL_STRING, SNAKE_STRING or NUMBER, got ${form}`;
  }
  return (context) => {
    const status = grpcStatus(context);
    if (status === null) return null;
    const name = GRPC_SNAKE[status];
    if (name === undefined) return String(status);
    return form === "SNAKE_STRING" ? name : camelOf(name);
  };
};

const flagsLong = ofInfo((info) => {
  if (info.responseFlags === 0) return "-";
  const names = responseFlagNames.filter((n) => (info.responseFlags & n.flag) !== 0);
  return names.map((n) => n.long).join(",");
});

/** "-" when the variable is not set, in JSON and with omit_empty_values too. */
const environment: OperatorFactory = (args) => {
  if (args === "") return "requires parameters";
  const value = toLatin1(process.env[args] ?? "-");
  return () => value;
};

const dynamicMetadata: OperatorFactory = (args) => {
  if (args === "") return "requires parameters";
  const [namespace = "", ...path] = args.split(":");
  return (context) => {
    const values = context.info?.dynamicMetadata?.get(namespace);
    if (values === undefined) return null;
    let value: unknown = path.length === 0 ? Object.fromEntries(values) : values.get(path[0] ?? "");
    for (const key of path.slice(1)) {
      if (typeof value !== "object" || value === null) return null;
      value = (value as Readonly<Record<string, unknown>>)[key];
    }
    if (value === undefined || value === null) return null;
    if (typeof value === "number" || typeof value === "boolean") return value;
    return toLatin1(typeof value === "string" ? value : JSON.stringify(value));
  };
};

/** %METADATA(TYPE:namespace:key)%, of which only DYNAMIC has data. */
const metadata: OperatorFactory = (args) => {
  const [kind = "", ...rest] = args.split(":");
  if (kind === "DYNAMIC") return dynamicMetadata(rest.join(":"));
  return METADATA_KINDS.has(kind) ? NOT_IMPLEMENTED : `has an unknown type ${kind}`;
};

/** Facts of QUIC connections, of which there are none. */
const none: OperatorFactory = ofInfo(() => 0);

const infoOperators: Readonly<Record<string, OperatorFactory>> = {
  PROTOCOL: ofInfo((i) => (i.protocol === 0 ? null : protocolText(i.protocol))),
  RESPONSE_CODE: ofInfo((i) => i.responseCode),
  RESPONSE_CODE_DETAILS: ofInfo((i) => i.responseCodeDetails),
  RESPONSE_FLAGS: ofInfo((i) => responseFlagsText(i.responseFlags)),
  RESPONSE_FLAGS_LONG: flagsLong,
  CONNECTION_TERMINATION_DETAILS: ofInfo((i) => textOrNull(i.connectionTerminationDetails)),
  BYTES_RECEIVED: ofInfo((i) => i.bytesReceived),
  BYTES_SENT: ofInfo((i) => i.bytesSent),
  DURATION: ofInfo((i) => between(i.startMs, i.endMs)),
  REQUEST_DURATION: ofInfo((i) => between(i.startMs, i.requestEndMs)),
  REQUEST_TX_DURATION: ofInfo((i) => between(i.startMs, i.upstreamLastTxMs)),
  RESPONSE_DURATION: ofInfo((i) => between(i.startMs, i.upstreamFirstRxMs)),
  RESPONSE_TX_DURATION: ofInfo((i) => between(i.upstreamFirstRxMs, i.downstreamLastTxMs)),
  UPSTREAM_CONNECTION_POOL_READY_DURATION: ofInfo((i) =>
    between(i.upstreamStartMs, i.upstreamFirstTxMs),
  ),
  COMMON_DURATION: commonDuration,
  START_TIME: timeOperator(false, startEpoch),
  START_TIME_LOCAL: timeOperator(true, startEpoch),
  EMIT_TIME: timeOperator(false, (c) => c.clock.epochMs()),
  EMIT_TIME_LOCAL: timeOperator(true, (c) => c.clock.epochMs()),
  ROUTE_NAME: ofInfo((i) => textOrNull(i.routeName)),
  VIRTUAL_CLUSTER_NAME: ofInfo(() => null),
  FILTER_CHAIN_NAME: ofInfo((i) => textOrNull(i.filterChainName)),
  CONNECTION_ID: ofConnection((c) => c.connectionId),
  STREAM_ID: ofContext((c) => c.requestHeaders?.get("x-request-id") ?? null),
  UNIQUE_ID: ofContext(() => crypto.randomUUID()),
  TRACE_ID: ofInfo(() => null),
  CUSTOM_FLAGS: ofInfo(() => ""),
  ACCESS_LOG_TYPE: ofInfo((i) => i.accessLogType),
  LOCAL_REPLY_BODY: ofContext((c) => c.localReplyBody),
  GRPC_STATUS: grpcStatusOperator,
  GRPC_STATUS_NUMBER: ofContext(grpcStatus),
  ENVIRONMENT: environment,
  DYNAMIC_METADATA: dynamicMetadata,
  METADATA: metadata,
  FILTER_STATE: filterState,
  UPSTREAM_FILTER_STATE: upstreamFilterState,
  LISTENER_NAME: ofConnection((c) => textOrNull(c.listenerName)),
  SPAN_ID: ofInfo(() => null),
  HEADGATE_WASM_COST: costOperator,
  HEADGATE_WASM_VERSION: versionOperator,
  ROUNDTRIP_DURATION: ofInfo(() => null),
  BYTES_RETRANSMITTED: none,
  PACKETS_RETRANSMITTED: none,
};

/** The host's address once a connection to it was there; a host that refused has none. */
function connectedHost(info: StreamInfo): string {
  return info.upstreamLocalAddress === "" ? "" : info.upstreamHost;
}

/** A count of a stream's bytes; 0 while nobody counts. */
function bytesOf(
  source: (info: StreamInfo) => BytesSource | null,
  read: (bytes: BytesMeter) => number,
): OperatorFactory {
  return ofInfo((info) => {
    const found = source(info);
    return found === null ? 0 : read(found.bytes);
  });
}

const downstreamBytes = (info: StreamInfo): BytesSource | null => info.downstreamBytes;
const upstreamBytes = (info: StreamInfo): BytesSource | null => info.upstreamBytes;

/** HTTP/1 compresses no headers. */
const byteOperators: Readonly<Record<string, OperatorFactory>> = {
  DOWNSTREAM_WIRE_BYTES_RECEIVED: bytesOf(downstreamBytes, (bytes) => bytes.received),
  DOWNSTREAM_WIRE_BYTES_SENT: bytesOf(downstreamBytes, (bytes) => bytes.sent),
  DOWNSTREAM_HEADER_BYTES_SENT: bytesOf(downstreamBytes, (bytes) => bytes.headersSent),
  DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: bytesOf(downstreamBytes, (b) => b.headersSent),
  UPSTREAM_WIRE_BYTES_RECEIVED: bytesOf(upstreamBytes, (bytes) => bytes.received),
  UPSTREAM_WIRE_BYTES_SENT: bytesOf(upstreamBytes, (bytes) => bytes.sent),
  UPSTREAM_HEADER_BYTES_SENT: bytesOf(upstreamBytes, (bytes) => bytes.headersSent),
  UPSTREAM_DECOMPRESSED_HEADER_BYTES_SENT: bytesOf(upstreamBytes, (b) => b.headersSent),
};

const upstreamOperators: Readonly<Record<string, OperatorFactory>> = {
  UPSTREAM_HOST: ofInfo((i) => textOrNull(i.upstreamHost)),
  UPSTREAM_HOST_NAME: ofInfo((i) => textOrNull(i.upstreamHostName || i.upstreamHost)),
  UPSTREAM_HOST_NAME_WITHOUT_PORT: ofInfo((i) =>
    i.upstreamHostName !== "" ? withoutPort(i.upstreamHostName) : withoutPort(i.upstreamHost),
  ),
  UPSTREAM_CLUSTER: ofInfo((i) => textOrNull(i.upstreamCluster)),
  UPSTREAM_CLUSTER_RAW: ofInfo((i) => textOrNull(i.upstreamCluster)),
  UPSTREAM_REMOTE_ADDRESS: ofInfo((i) => textOrNull(connectedHost(i))),
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ofInfo((i) => withoutPort(connectedHost(i))),
  UPSTREAM_REMOTE_PORT: ofInfo((i) => portOf(connectedHost(i))),
  UPSTREAM_LOCAL_ADDRESS: ofInfo((i) => textOrNull(i.upstreamLocalAddress)),
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ofInfo((i) => withoutPort(i.upstreamLocalAddress)),
  UPSTREAM_LOCAL_PORT: ofInfo((i) => portOf(i.upstreamLocalAddress)),
  UPSTREAM_PROTOCOL: ofInfo((i) =>
    i.upstreamProtocol === 0 ? null : protocolText(i.upstreamProtocol),
  ),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: ofInfo((i) => i.attemptCount),
  UPSTREAM_CONNECTION_ID: ofInfo((i) => i.upstreamConnectionId),
  UPSTREAM_TRANSPORT_FAILURE_REASON: ofInfo((i) => {
    const reason = i.upstreamTransportFailureReason;
    return reason === "" ? null : reason.replaceAll(" ", "_");
  }),
  UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID: ofInfo((i) => (connectedHost(i) === "" ? null : "")),
};

/** Unix sockets have no port, and Envoy writes nothing for it. */
function ipPort(ip: string, port: number): number | string {
  return isIpText(ip) ? port : "";
}

const downstreamOperators: Readonly<Record<string, OperatorFactory>> = {
  DOWNSTREAM_REMOTE_ADDRESS: ofInfo((i) => (i.connection === null ? null : remoteAddressOf(i))),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ofInfo((i) =>
    i.connection === null ? null : remoteIpOf(i),
  ),
  DOWNSTREAM_REMOTE_PORT: ofInfo((i) =>
    i.connection === null ? null : ipPort(remoteIpOf(i), remotePortOf(i)),
  ),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ofConnection((c) => c.directRemoteAddress),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: ofConnection((c) => c.directRemoteIp),
  DOWNSTREAM_DIRECT_REMOTE_PORT: ofConnection((c) => ipPort(c.directRemoteIp, c.directRemotePort)),
  DOWNSTREAM_LOCAL_ADDRESS: ofConnection((c) => c.localAddress),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ofConnection((c) => c.localIp),
  DOWNSTREAM_LOCAL_PORT: ofConnection((c) => ipPort(c.localIp, c.localPort)),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS: ofConnection((c) => c.directLocalAddress),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT: ofConnection((c) => c.directLocalIp),
  DOWNSTREAM_DIRECT_LOCAL_PORT: ofConnection((c) => ipPort(c.directLocalIp, c.directLocalPort)),
  DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID: ofConnection(() => ""),
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID: ofConnection(() => ""),
};

/** All operators by name. HOSTNAME is added by the compiler, which knows it. */
export const operators: ReadonlyMap<string, OperatorFactory> = new Map(
  Object.entries({
    ...infoOperators,
    ...byteOperators,
    ...upstreamOperators,
    ...downstreamOperators,
    ...tlsOperators,
    ...headerOperators,
  }),
);

/** Commands of Envoy 1.40 that need what Headgate does not have yet: refused by name. */
export const unimplementedOperators: readonly RegExp[] = [
  /_HEADER_BYTES_RECEIVED$/,
  /^(UPSTREAM|CLUSTER)_METADATA$/,
  /^(CEL|XFCC_VALUE|COALESCE|QUERY_PARAMS|REQ_WITHOUT_QUERY)$/,
  /^ROUTE_RESOLUTION_(COUNT|TIME_US)$/,
  /^DOWNSTREAM_CX_RTT$/,
  /_DETECTED_CLOSE_TYPE$/,
  /_LOCAL_CLOSE_REASON$/,
  /_ATTEMPTED(_WITHOUT_PORT)?$/,
];

/** Commands that may be cut: %REQ(X):8%. */
export const truncatableOperators: ReadonlySet<string> = new Set([
  "REQ",
  "REQUEST_HEADER",
  "RESP",
  "RESPONSE_HEADER",
  "TRAILER",
  "RESPONSE_TRAILER",
  "METADATA",
  "PATH",
  "QUERY_PARAM",
  "ENVIRONMENT",
  "DYNAMIC_METADATA",
  "FILTER_STATE",
  "GRPC_STATUS",
]);
