// The header names that the data plane knows by number, and how bytes of a head become such a
// number.

/**
 * Ids of known names; 0 is "any other name". An object literal on purpose: built by a loop it would
 * be a dictionary, and every `HeaderId.x` in optimised code a slow load (bench/micro).
 * Ids below 31 also have a bit in HeaderMap's masks.
 */
export const HeaderId = {
  Other: 0,
  Host: 1,
  Connection: 2,
  ContentLength: 3,
  TransferEncoding: 4,
  Te: 5,
  Upgrade: 6,
  KeepAlive: 7,
  ProxyConnection: 8,
  Expect: 9,
  Trailer: 10,
  XForwardedFor: 11,
  XForwardedProto: 12,
  XRequestId: 13,
  XEnvoyExpectedRqTimeoutMs: 14,
  UserAgent: 15,
  Server: 16,
  Date: 17,
  XEnvoyUpstreamServiceTime: 18,
  ContentType: 19,
  XEnvoyInternal: 20,
  XEnvoyExternalAddress: 21,
  XForwardedHost: 22,
  XForwardedPort: 23,
  Via: 24,
  XEnvoyUpstreamRqTimeoutMs: 25,
  XEnvoyAttemptCount: 26,
  GrpcStatus: 27,
  Location: 28,
  Cookie: 29,
  SetCookie: 30,
  Accept: 31,
  AcceptEncoding: 32,
  AcceptLanguage: 33,
  AcceptRanges: 34,
  Age: 35,
  Authorization: 36,
  CacheControl: 37,
  ContentEncoding: 38,
  Etag: 39,
  Expires: 40,
  IfModifiedSince: 41,
  IfNoneMatch: 42,
  LastModified: 43,
  Origin: 44,
  Pragma: 45,
  Range: 46,
  Referer: 47,
  Traceparent: 48,
  Tracestate: 49,
  Vary: 50,
  XEnvoyOriginalPath: 51,
  XEnvoyOriginalHost: 52,
  XEnvoyOverloaded: 53,
  XEnvoyDecoratorOperation: 54,
  XEnvoyRetryOn: 55,
  XEnvoyMaxRetries: 56,
  XEnvoyForceTrace: 57,
  XClientTraceId: 58,
  XEnvoyDownstreamServiceCluster: 59,
  XEnvoyDownstreamServiceNode: 60,
  XEnvoyUpstreamRqPerTryTimeoutMs: 61,
  XEnvoyUpstreamRqTimeoutAltResponse: 62,
  XForwardedClientCert: 63,
  GrpcMessage: 64,
  GrpcTimeout: 65,
} as const;

/**
 * Names that Envoy keeps once in a message: another value is joined to the first by a comma. All
 * others get a line of their own.
 */
const joined: ReadonlySet<number> = new Set<number>([
  HeaderId.Accept,
  HeaderId.AcceptEncoding,
  HeaderId.Age,
  HeaderId.Authorization,
  HeaderId.CacheControl,
  HeaderId.ContentEncoding,
  HeaderId.Etag,
  HeaderId.Expires,
  HeaderId.IfModifiedSince,
  HeaderId.IfNoneMatch,
  HeaderId.LastModified,
  HeaderId.Origin,
  HeaderId.Pragma,
  HeaderId.Referer,
  HeaderId.Vary,
  HeaderId.Connection,
  HeaderId.ContentType,
  HeaderId.Date,
  HeaderId.Expect,
  HeaderId.GrpcMessage,
  HeaderId.GrpcStatus,
  HeaderId.GrpcTimeout,
  HeaderId.KeepAlive,
  HeaderId.Location,
  HeaderId.ProxyConnection,
  HeaderId.Server,
  HeaderId.Te,
  HeaderId.TransferEncoding,
  HeaderId.Upgrade,
  HeaderId.UserAgent,
  HeaderId.Via,
  HeaderId.XClientTraceId,
  HeaderId.XEnvoyAttemptCount,
  HeaderId.XEnvoyDecoratorOperation,
  HeaderId.XEnvoyDownstreamServiceCluster,
  HeaderId.XEnvoyDownstreamServiceNode,
  HeaderId.XEnvoyExternalAddress,
  HeaderId.XForwardedClientCert,
  HeaderId.XForwardedFor,
  HeaderId.XForwardedHost,
  HeaderId.XForwardedPort,
  HeaderId.XForwardedProto,
  HeaderId.XRequestId,
]);

/** A second value of the header joins the first. */
export function isJoinedHeader(id: number): boolean {
  return joined.has(id);
}

/** Name of each id; index = id. */
export const headerNames: readonly string[] = [
  "",
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "te",
  "upgrade",
  "keep-alive",
  "proxy-connection",
  "expect",
  "trailer",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-request-id",
  "x-envoy-expected-rq-timeout-ms",
  "user-agent",
  "server",
  "date",
  "x-envoy-upstream-service-time",
  "content-type",
  "x-envoy-internal",
  "x-envoy-external-address",
  "x-forwarded-host",
  "x-forwarded-port",
  "via",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-attempt-count",
  "grpc-status",
  "location",
  "cookie",
  "set-cookie",
  "accept",
  "accept-encoding",
  "accept-language",
  "accept-ranges",
  "age",
  "authorization",
  "cache-control",
  "content-encoding",
  "etag",
  "expires",
  "if-modified-since",
  "if-none-match",
  "last-modified",
  "origin",
  "pragma",
  "range",
  "referer",
  "traceparent",
  "tracestate",
  "vary",
  "x-envoy-original-path",
  "x-envoy-original-host",
  "x-envoy-overloaded",
  "x-envoy-decorator-operation",
  "x-envoy-retry-on",
  "x-envoy-max-retries",
  "x-envoy-force-trace",
  "x-client-trace-id",
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-forwarded-client-cert",
  "grpc-message",
  "grpc-timeout",
];

const idByName: ReadonlyMap<string, number> = new Map(
  headerNames.map((name, id): [string, number] => [name, id]).slice(1),
);

/** Id of a lower-case name; 0 when it is not known. */
export function headerIdOf(name: string): number {
  return idByName.get(name) ?? 0;
}

/** One step of the name hash; start with 0. The parser runs it over lower-case bytes. */
export function hashHeaderByte(hash: number, byte: number): number {
  return (Math.imul(hash, 31) + byte) & 0xffff;
}

const TABLE_SIZE = 1024;
/** All names one after the other; name `id` is at nameStarts[id] .. nameStarts[id + 1]. */
const nameBytes: Uint8Array = Uint8Array.from(Buffer.from(headerNames.join(""), "latin1"));
const nameStarts: Uint16Array = buildStarts();
const tableById: Uint8Array = buildTable();

function buildStarts(): Uint16Array {
  const starts = new Uint16Array(headerNames.length + 1);
  let at = 0;
  for (let id = 0; id < headerNames.length; id += 1) {
    starts[id] = at;
    at += (headerNames[id] as string).length;
  }
  starts[headerNames.length] = at;
  return starts;
}

function buildTable(): Uint8Array {
  const table = new Uint8Array(TABLE_SIZE);
  for (let id = 1; id < headerNames.length; id += 1) {
    let hash = 0;
    for (let i = nameStarts[id] as number; i < (nameStarts[id + 1] as number); i += 1) {
      hash = hashHeaderByte(hash, nameBytes[i] as number);
    }
    let slot = hash & (TABLE_SIZE - 1);
    while (table[slot] !== 0) slot = (slot + 1) & (TABLE_SIZE - 1);
    table[slot] = id;
  }
  return table;
}

/**
 * Id of the lower-case name at `buffer[from..to)`, or 0. `hash` is hashHeaderByte over those bytes.
 * All bytes are compared: a hash is never trusted.
 */
export function internHeaderName(
  buffer: Uint8Array,
  from: number,
  to: number,
  hash: number,
): number {
  let slot = hash & (TABLE_SIZE - 1);
  for (;;) {
    const id = tableById[slot] as number;
    if (id === 0) return 0;
    const start = nameStarts[id] as number;
    if ((nameStarts[id + 1] as number) - start === to - from) {
      let at = from;
      let known = start;
      while (at < to && nameBytes[known] === buffer[at]) {
        at += 1;
        known += 1;
      }
      if (at === to) return id;
    }
    slot = (slot + 1) & (TABLE_SIZE - 1);
  }
}
