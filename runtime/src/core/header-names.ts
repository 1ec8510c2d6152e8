// The header names that the data plane knows by number, and how bytes of a head become such a
// number.

/**
 * Ids of known names; 0 is "any other name". An object literal on purpose: built by a loop it would
 * be a dictionary, and every `HeaderId.x` in optimised code a slow load (bench/micro).
 * Ids below 31 have a bit in HeaderMap's masks, those of 31 to 61 in two further ones: of what may
 * come on several lines that are one list.
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
  Age: 33,
  Authorization: 34,
  CacheControl: 35,
  ContentEncoding: 36,
  Etag: 37,
  Expires: 38,
  IfModifiedSince: 39,
  IfNoneMatch: 40,
  LastModified: 41,
  Origin: 42,
  Pragma: 43,
  Referer: 44,
  Vary: 45,
  AccessControlRequestHeaders: 46,
  AccessControlRequestMethod: 47,
  AccessControlRequestPrivateNetwork: 48,
  Authentication: 49,
  IfMatch: 50,
  IfRange: 51,
  IfUnmodifiedSince: 52,
  GrpcAcceptEncoding: 53,
  AccessControlAllowCredentials: 54,
  AccessControlAllowHeaders: 55,
  AccessControlAllowMethods: 56,
  AccessControlAllowOrigin: 57,
  AccessControlAllowPrivateNetwork: 58,
  AccessControlExposeHeaders: 59,
  AccessControlMaxAge: 60,
  AcceptLanguage: 61,
  AcceptRanges: 62,
  Range: 63,
  Traceparent: 64,
  Tracestate: 65,
  XEnvoyOriginalPath: 66,
  XEnvoyOriginalHost: 67,
  XEnvoyOverloaded: 68,
  XEnvoyDecoratorOperation: 69,
  XEnvoyRetryOn: 70,
  XEnvoyMaxRetries: 71,
  XEnvoyForceTrace: 72,
  XClientTraceId: 73,
  XEnvoyDownstreamServiceCluster: 74,
  XEnvoyDownstreamServiceNode: 75,
  XEnvoyUpstreamRqPerTryTimeoutMs: 76,
  XEnvoyUpstreamRqTimeoutAltResponse: 77,
  XForwardedClientCert: 78,
  GrpcMessage: 79,
  GrpcTimeout: 80,
} as const;

/**
 * Names that Envoy keeps once in a message: another value is joined to the first by a comma. All
 * others get a line of their own. By where several lines become one as they arrive, too; not
 * those of framing, nor those without a bit in HeaderMap.
 */
export const joinedHeaders: Readonly<Record<JoinedOnArrival, readonly number[]>> = {
  always: [
    HeaderId.CacheControl,
    HeaderId.ContentEncoding,
    HeaderId.ContentType,
    HeaderId.Via,
    HeaderId.XEnvoyAttemptCount,
    HeaderId.XRequestId,
  ],
  inRequests: [
    HeaderId.Accept,
    HeaderId.AcceptEncoding,
    HeaderId.Authorization,
    HeaderId.IfModifiedSince,
    HeaderId.IfNoneMatch,
    HeaderId.Origin,
    HeaderId.Pragma,
    HeaderId.Referer,
    HeaderId.Connection,
    HeaderId.Expect,
    HeaderId.Te,
    HeaderId.Upgrade,
    HeaderId.UserAgent,
    HeaderId.XEnvoyExternalAddress,
    HeaderId.XForwardedFor,
    HeaderId.XForwardedHost,
    HeaderId.XForwardedPort,
    HeaderId.XForwardedProto,
    HeaderId.AccessControlRequestHeaders,
    HeaderId.AccessControlRequestMethod,
    HeaderId.AccessControlRequestPrivateNetwork,
    HeaderId.Authentication,
    HeaderId.IfMatch,
    HeaderId.IfRange,
    HeaderId.IfUnmodifiedSince,
    HeaderId.GrpcAcceptEncoding,
  ],
  inResponses: [
    HeaderId.Age,
    HeaderId.Etag,
    HeaderId.Expires,
    HeaderId.LastModified,
    HeaderId.Vary,
    HeaderId.Date,
    HeaderId.GrpcStatus,
    HeaderId.Location,
    HeaderId.Server,
    HeaderId.AccessControlAllowCredentials,
    HeaderId.AccessControlAllowHeaders,
    HeaderId.AccessControlAllowMethods,
    HeaderId.AccessControlAllowOrigin,
    HeaderId.AccessControlAllowPrivateNetwork,
    HeaderId.AccessControlExposeHeaders,
    HeaderId.AccessControlMaxAge,
  ],
  never: [
    HeaderId.GrpcMessage,
    HeaderId.GrpcTimeout,
    HeaderId.KeepAlive,
    HeaderId.ProxyConnection,
    HeaderId.TransferEncoding,
    HeaderId.XClientTraceId,
    HeaderId.XEnvoyDecoratorOperation,
    HeaderId.XEnvoyDownstreamServiceCluster,
    HeaderId.XEnvoyDownstreamServiceNode,
    HeaderId.XForwardedClientCert,
  ],
};

type JoinedOnArrival = "always" | "inRequests" | "inResponses" | "never";

const joined: ReadonlySet<number> = new Set(Object.values(joinedHeaders).flat());

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
  "referer",
  "vary",
  "access-control-request-headers",
  "access-control-request-method",
  "access-control-request-private-network",
  "authentication",
  "if-match",
  "if-range",
  "if-unmodified-since",
  "grpc-accept-encoding",
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-allow-private-network",
  "access-control-expose-headers",
  "access-control-max-age",
  "accept-language",
  "accept-ranges",
  "range",
  "traceparent",
  "tracestate",
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
