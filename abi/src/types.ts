// The enumerations of the proxy-wasm ABI, used by hosts, and copied into SDKs by generate.ts.

/** What every hostcall answers. Values 5, 9 and 11 are known to C++ hosts and SDKs only. */
export const Status = {
  Ok: 0,
  NotFound: 1,
  BadArgument: 2,
  SerializationFailure: 3,
  ParseFailure: 4,
  BadExpression: 5,
  InvalidMemoryAccess: 6,
  Empty: 7,
  CasMismatch: 8,
  ResultMismatch: 9,
  InternalFailure: 10,
  BrokenConnection: 11,
  Unimplemented: 12,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Levels of proxy_log; proxy_get_log_level may also answer 6: nothing is logged. */
export const LogLevel = {
  Trace: 0,
  Debug: 1,
  Info: 2,
  Warn: 3,
  Error: 4,
  Critical: 5,
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/** What the specification lets stream callbacks answer; the C++ statuses below refine it. */
export const Action = {
  Continue: 0,
  Pause: 1,
} as const;
export type Action = (typeof Action)[keyof typeof Action];

/** Answers of the header callbacks, as C++ SDKs name them. */
export const FilterHeadersStatus = {
  Continue: 0,
  StopIteration: 1,
  ContinueAndEndStream: 2,
  StopAllIterationAndBuffer: 3,
  StopAllIterationAndWatermark: 4,
} as const;
export type FilterHeadersStatus = (typeof FilterHeadersStatus)[keyof typeof FilterHeadersStatus];

/** Answers of the body callbacks, as C++ SDKs name them. */
export const FilterDataStatus = {
  Continue: 0,
  StopIterationAndBuffer: 1,
  StopIterationAndWatermark: 2,
  StopIterationNoBuffer: 3,
} as const;
export type FilterDataStatus = (typeof FilterDataStatus)[keyof typeof FilterDataStatus];

/** Answers of the trailer callbacks. */
export const FilterTrailersStatus = {
  Continue: 0,
  StopIteration: 1,
} as const;
export type FilterTrailersStatus = (typeof FilterTrailersStatus)[keyof typeof FilterTrailersStatus];

/** Answers of the HTTP/2 METADATA callbacks: hosts act on Continue only. */
export const FilterMetadataStatus = {
  Continue: 0,
} as const;
export type FilterMetadataStatus = (typeof FilterMetadataStatus)[keyof typeof FilterMetadataStatus];

/** Answers of the TCP callbacks. */
export const FilterStatus = {
  Continue: 0,
  StopIteration: 1,
} as const;
export type FilterStatus = (typeof FilterStatus)[keyof typeof FilterStatus];

/** Byte buffers a guest may read or change. Values from 6 on exist since 0.2.0. */
export const BufferType = {
  HttpRequestBody: 0,
  HttpResponseBody: 1,
  DownstreamData: 2,
  UpstreamData: 3,
  HttpCallResponseBody: 4,
  GrpcCallMessage: 5,
  VmConfiguration: 6,
  PluginConfiguration: 7,
  ForeignFunctionArguments: 8,
} as const;
export type BufferType = (typeof BufferType)[keyof typeof BufferType];

/** Flags of proxy_get_buffer_status; no known host sets one. */
export const BufferFlag = {
  EndOfStream: 1,
} as const;
export type BufferFlag = (typeof BufferFlag)[keyof typeof BufferFlag];

/** Header maps a guest may read or change. */
export const MapType = {
  HttpRequestHeaders: 0,
  HttpRequestTrailers: 1,
  HttpResponseHeaders: 2,
  HttpResponseTrailers: 3,
  GrpcCallInitialMetadata: 4,
  GrpcCallTrailingMetadata: 5,
  HttpCallResponseHeaders: 6,
  HttpCallResponseTrailers: 7,
} as const;
export type MapType = (typeof MapType)[keyof typeof MapType];

/** What proxy_continue_stream and proxy_close_stream act on. */
export const StreamType = {
  HttpRequest: 0,
  HttpResponse: 1,
  Downstream: 2,
  Upstream: 3,
} as const;
export type StreamType = (typeof StreamType)[keyof typeof StreamType];

/** Who closed a TCP connection. */
export const PeerType = {
  Unknown: 0,
  Local: 1,
  Remote: 2,
} as const;
export type PeerType = (typeof PeerType)[keyof typeof PeerType];

/** Kinds of metrics a guest may define. */
export const MetricType = {
  Counter: 0,
  Gauge: 1,
  Histogram: 2,
} as const;
export type MetricType = (typeof MetricType)[keyof typeof MetricType];

/** Status codes of gRPC; 0xffffffff (-1) as an argument means "not set". */
export const GrpcStatus = {
  Ok: 0,
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const;
export type GrpcStatus = (typeof GrpcStatus)[keyof typeof GrpcStatus];

/** The errno values of WASI preview 1 that proxy-wasm hosts answer. */
export const WasiErrno = {
  Success: 0,
  BadF: 8,
  /** C++ hosts answer 20 to fd_readdir; WASI's own number for "not a directory" is 54. */
  NotDir: 20,
  Fault: 21,
  Inval: 28,
  MFile: 33,
  NoEnt: 44,
  NoSpc: 51,
  NoSys: 52,
  NotSup: 58,
  NotCapable: 76,
} as const;
export type WasiErrno = (typeof WasiErrno)[keyof typeof WasiErrno];

/** Names of the enumerations above that parameters of hostcalls and callbacks refer to. */
export type EnumName =
  | "BufferType"
  | "GrpcStatus"
  | "LogLevel"
  | "MapType"
  | "MetricType"
  | "PeerType"
  | "StreamType";
