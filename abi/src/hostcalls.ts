// THE table of hostcalls, the functions a guest imports from "env": hosts, SDKs, docs follow it.
import {
  bytes,
  enumOf,
  flag,
  id,
  integer,
  integer64,
  offset,
  outBytes,
  outU32,
  outU64,
  size,
  time,
} from "./signature.ts";
import type { Chapter, Param, Support, VersionRange, WasmType } from "./signature.ts";
import { Status } from "./types.ts";

/**
 * When a hostcall does its work. Elsewhere it answers one of its statuses without effect, except
 * that outside `initialize` and `allocate` rows a call made in those phases stops the guest.
 */
export type Phase =
  /** While the module's start function, _initialize or _start runs. */
  | "initialize"
  /** While the guest's allocator runs for the host. */
  | "allocate"
  /** Callbacks of the root context: start, configure, tick, queue, done. */
  | "root"
  /** Callbacks with an answer to a callout, which run on the root context. */
  | "callout"
  /** Request and response callbacks of an HTTP stream. */
  | "http"
  /** Callbacks of a TCP stream. */
  | "tcp"
  /** on_log, on_done and on_delete of a stream. */
  | "log";

export type HostcallName =
  | "proxy_log"
  | "proxy_get_log_level"
  | "proxy_get_current_time_nanoseconds"
  | "proxy_set_tick_period_milliseconds"
  | "proxy_set_effective_context"
  | "proxy_done"
  | "proxy_get_configuration"
  | "proxy_get_buffer_bytes"
  | "proxy_get_buffer_status"
  | "proxy_set_buffer_bytes"
  | "proxy_get_header_map_size"
  | "proxy_get_header_map_pairs"
  | "proxy_set_header_map_pairs"
  | "proxy_get_header_map_value"
  | "proxy_add_header_map_value"
  | "proxy_replace_header_map_value"
  | "proxy_remove_header_map_value"
  | "proxy_continue_stream"
  | "proxy_close_stream"
  | "proxy_continue_request"
  | "proxy_continue_response"
  | "proxy_clear_route_cache"
  | "proxy_send_local_response"
  | "proxy_http_call"
  | "proxy_grpc_call"
  | "proxy_grpc_stream"
  | "proxy_grpc_send"
  | "proxy_grpc_cancel"
  | "proxy_grpc_close"
  | "proxy_get_status"
  | "proxy_get_property"
  | "proxy_set_property"
  | "proxy_get_shared_data"
  | "proxy_set_shared_data"
  | "proxy_register_shared_queue"
  | "proxy_resolve_shared_queue"
  | "proxy_enqueue_shared_queue"
  | "proxy_dequeue_shared_queue"
  | "proxy_define_metric"
  | "proxy_record_metric"
  | "proxy_increment_metric"
  | "proxy_get_metric"
  | "proxy_call_foreign_function";

export interface Hostcall extends VersionRange {
  readonly name: HostcallName;
  readonly chapter: Chapter;
  /** One sentence for documents. */
  readonly doc: string;
  readonly params: readonly Param[];
  /** One i32, a Status. */
  readonly results: readonly WasmType[];
  /** The specification gives this one no result, Envoy gives it a status: a host takes both. */
  readonly mayOmitResult: boolean;
  readonly phases: readonly Phase[];
  /** Everything it may answer, in Envoy too. */
  readonly statuses: readonly Status[];
  readonly headgate: Support;
}

interface Row extends Partial<VersionRange> {
  readonly doc: string;
  readonly params: readonly Param[];
  readonly phases: readonly Phase[];
  readonly statuses: readonly Status[];
  readonly mayOmitResult?: boolean;
  readonly headgate?: Support;
}

/** A row with what most rows share: since 0.1.0, never removed, one status as result. */
function row(name: HostcallName, chapter: Chapter, cells: Row): Hostcall {
  return {
    name,
    chapter,
    doc: cells.doc,
    params: cells.params,
    results: ["i32"],
    mayOmitResult: cells.mayOmitResult ?? false,
    phases: cells.phases,
    statuses: cells.statuses,
    since: cells.since ?? "0.1.0",
    until: cells.until ?? null,
    headgate: cells.headgate ?? "no",
  };
}

const { Ok, NotFound, BadArgument, SerializationFailure, ParseFailure, Empty } = Status;
const { InvalidMemoryAccess, CasMismatch, InternalFailure, Unimplemented } = Status;
const everywhere: readonly Phase[] = ["root", "callout", "http", "tcp", "log"];
const streams: readonly Phase[] = ["callout", "http", "tcp"];
const maps: readonly Phase[] = ["callout", "http", "log"];
const http: readonly Phase[] = ["callout", "http"];

export const hostcalls: readonly Hostcall[] = [
  row("proxy_log", "logging", {
    doc: "Writes a message to the host's log.",
    params: [enumOf("log_level", "LogLevel"), ...bytes("message")],
    phases: ["initialize", "allocate", ...everywhere],
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_log_level", "logging", {
    doc: "Tells the lowest level that is logged, so that messages below it need not be made.",
    since: "0.2.1",
    params: [outU32("return_log_level")],
    phases: everywhere,
    statuses: [Ok, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_current_time_nanoseconds", "clocks-and-timers", {
    doc: "Tells the wall clock in nanoseconds since the Unix epoch.",
    params: [outU64("return_time")],
    phases: everywhere,
    statuses: [Ok, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_set_tick_period_milliseconds", "clocks-and-timers", {
    doc: "Sets the period of proxy_on_tick of the current root context; 0 stops it.",
    params: [time("tick_period")],
    phases: everywhere,
    statuses: [Ok],
    headgate: "yes",
  }),
  row("proxy_set_effective_context", "context-lifecycle", {
    doc: "Makes another context the one that hostcalls act on until the callback returns.",
    params: [id("context_id")],
    phases: everywhere,
    statuses: [Ok, BadArgument],
    headgate: "yes",
  }),
  row("proxy_done", "context-lifecycle", {
    doc: "Ends a context whose proxy_on_done answered false.",
    params: [],
    phases: everywhere,
    statuses: [Ok, NotFound],
    headgate: "yes",
  }),
  row("proxy_get_configuration", "context-lifecycle", {
    doc: "Reads the plugin's configuration in proxy_on_configure, elsewhere the VM's.",
    until: "0.1.0",
    params: outBytes("configuration"),
    phases: everywhere,
    statuses: [Ok, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_buffer_bytes", "buffers", {
    doc: "Copies a part of a buffer; offset and size are cut to what is there.",
    params: [
      enumOf("buffer_id", "BufferType"),
      offset("offset"),
      size("max_size"),
      ...outBytes("buffer"),
    ],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_buffer_status", "buffers", {
    doc: "Tells the size of a buffer; the flags are 0.",
    params: [enumOf("buffer_id", "BufferType"), outU32("return_size"), outU32("return_flags")],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_set_buffer_bytes", "buffers", {
    doc: "Replaces a part of a buffer: size 0 at offset 0 prepends, an offset at the end appends.",
    params: [enumOf("buffer_id", "BufferType"), offset("offset"), size("size"), ...bytes("value")],
    phases: streams,
    statuses: [Ok, NotFound, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_header_map_size", "http-fields", {
    doc: "Tells the size of a map: the bytes of its keys and values.",
    params: [enumOf("map_id", "MapType"), outU32("return_size")],
    phases: http,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_header_map_pairs", "http-fields", {
    doc: "Copies a whole map in its serialised form; no bytes when it is empty or not there.",
    params: [enumOf("map_id", "MapType"), ...outBytes("map")],
    phases: maps,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_set_header_map_pairs", "http-fields", {
    doc: "Replaces all entries of a map.",
    params: [enumOf("map_id", "MapType"), ...bytes("map")],
    phases: http,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_header_map_value", "http-fields", {
    doc: "Copies the first value of a key; an absent key is NotFound, in 0.1.0 an empty value.",
    params: [enumOf("map_id", "MapType"), ...bytes("key"), ...outBytes("value")],
    phases: maps,
    statuses: [Ok, NotFound, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_add_header_map_value", "http-fields", {
    doc: "Appends an entry, whether the key is there or not.",
    params: [enumOf("map_id", "MapType"), ...bytes("key"), ...bytes("value")],
    phases: http,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_replace_header_map_value", "http-fields", {
    doc: "Makes this the only entry of its key, at the end of the map.",
    params: [enumOf("map_id", "MapType"), ...bytes("key"), ...bytes("value")],
    phases: http,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_remove_header_map_value", "http-fields", {
    doc: "Removes all entries of a key; an absent key is no error.",
    params: [enumOf("map_id", "MapType"), ...bytes("key")],
    phases: http,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_continue_stream", "streams", {
    doc: "Resumes a paused direction of a stream after the callback has returned.",
    since: "0.2.0",
    params: [enumOf("stream_type", "StreamType")],
    phases: streams,
    statuses: [Ok, BadArgument, Unimplemented],
    headgate: "yes",
  }),
  row("proxy_close_stream", "streams", {
    doc: "Resets an HTTP stream or closes a TCP connection after the callback has returned.",
    since: "0.2.0",
    params: [enumOf("stream_type", "StreamType")],
    phases: streams,
    statuses: [Ok, BadArgument],
    headgate: "yes",
  }),
  row("proxy_continue_request", "streams", {
    doc: "Resumes a paused request after the callback has returned.",
    until: "0.1.0",
    params: [],
    mayOmitResult: true,
    phases: http,
    statuses: [Ok],
    headgate: "yes",
  }),
  row("proxy_continue_response", "streams", {
    doc: "Resumes a paused response after the callback has returned.",
    until: "0.1.0",
    params: [],
    mayOmitResult: true,
    phases: http,
    statuses: [Ok],
    headgate: "yes",
  }),
  row("proxy_clear_route_cache", "streams", {
    doc: "Has the route of the request chosen again.",
    until: "0.1.0",
    params: [],
    mayOmitResult: true,
    phases: http,
    statuses: [Ok],
    headgate: "yes",
  }),
  row("proxy_send_local_response", "streams", {
    doc: "Answers the request from here; grpc_status -1 means that it is derived from the code.",
    params: [
      integer("status_code"),
      ...bytes("details"),
      ...bytes("body"),
      ...bytes("headers"),
      enumOf("grpc_status", "GrpcStatus"),
    ],
    phases: http,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_http_call", "http-calls", {
    doc: "Sends an HTTP request to a cluster; timeout in milliseconds, 0 means none.",
    params: [
      ...bytes("upstream_name"),
      ...bytes("headers"),
      ...bytes("body"),
      ...bytes("trailers"),
      time("timeout"),
      outU32("return_call_id"),
    ],
    phases: everywhere,
    statuses: [Ok, BadArgument, InvalidMemoryAccess, InternalFailure],
    headgate: "yes",
  }),
  row("proxy_grpc_call", "grpc-calls", {
    doc: "Sends a unary gRPC call; the service is a serialised GrpcService or a cluster's name.",
    params: [
      ...bytes("grpc_service"),
      ...bytes("service_name"),
      ...bytes("method_name"),
      ...bytes("initial_metadata"),
      ...bytes("message"),
      time("timeout"),
      outU32("return_call_id"),
    ],
    phases: everywhere,
    statuses: [Ok, BadArgument, ParseFailure, InvalidMemoryAccess, InternalFailure],
    headgate: "yes",
  }),
  row("proxy_grpc_stream", "grpc-calls", {
    doc: "Opens a gRPC stream; the service is a serialised GrpcService or a cluster's name.",
    params: [
      ...bytes("grpc_service"),
      ...bytes("service_name"),
      ...bytes("method_name"),
      ...bytes("initial_metadata"),
      outU32("return_stream_id"),
    ],
    phases: everywhere,
    statuses: [Ok, BadArgument, ParseFailure, InvalidMemoryAccess, InternalFailure],
    headgate: "yes",
  }),
  row("proxy_grpc_send", "grpc-calls", {
    doc: "Sends a message on a gRPC stream.",
    params: [id("stream_id"), ...bytes("message"), flag("end_stream")],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_grpc_cancel", "grpc-calls", {
    doc: "Resets a gRPC call or stream; no callback follows.",
    params: [id("call_or_stream_id")],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument],
    headgate: "yes",
  }),
  row("proxy_grpc_close", "grpc-calls", {
    doc: "Ends our side of a gRPC stream, or cancels a call.",
    params: [id("call_or_stream_id")],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument],
    headgate: "yes",
  }),
  row("proxy_get_status", "grpc-calls", {
    doc: "Tells the status of the gRPC call that ended, or 11 and a reason for a failed HTTP call.",
    params: [outU32("return_status_code"), ...outBytes("message")],
    phases: ["callout"],
    statuses: [Ok, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_property", "properties", {
    doc: "Copies the value of a property; the path's segments are separated by NUL.",
    params: [...bytes("path"), ...outBytes("value")],
    phases: everywhere,
    statuses: [Ok, NotFound, SerializationFailure, InvalidMemoryAccess, InternalFailure],
    headgate: "yes",
  }),
  row("proxy_set_property", "properties", {
    doc: "Keeps a value for the rest of the stream, for this and later filters.",
    params: [...bytes("path"), ...bytes("value")],
    phases: ["callout", "http", "tcp", "log"],
    statuses: [Ok, NotFound, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_get_shared_data", "shared-kv-and-queues", {
    doc: "Copies a value that all VMs of the same vm_id share, with its CAS number.",
    params: [...bytes("key"), ...outBytes("value"), outU32("return_cas")],
    phases: everywhere,
    statuses: [Ok, NotFound, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_set_shared_data", "shared-kv-and-queues", {
    doc: "Sets a shared value; a CAS number other than 0 must be the stored one.",
    params: [...bytes("key"), ...bytes("value"), integer("cas")],
    phases: everywhere,
    statuses: [Ok, CasMismatch, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_register_shared_queue", "shared-kv-and-queues", {
    doc: "Creates a queue, or finds it, and makes this root context the one that is told of items.",
    params: [...bytes("queue_name"), outU32("return_queue_id")],
    phases: everywhere,
    statuses: [Ok, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_resolve_shared_queue", "shared-kv-and-queues", {
    doc: "Finds a queue; an empty vm_id means the guest's own.",
    params: [...bytes("vm_id"), ...bytes("queue_name"), outU32("return_queue_id")],
    phases: everywhere,
    statuses: [Ok, NotFound, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_enqueue_shared_queue", "shared-kv-and-queues", {
    doc: "Appends an item to a queue.",
    params: [id("queue_id"), ...bytes("value")],
    phases: everywhere,
    statuses: [Ok, NotFound, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_dequeue_shared_queue", "shared-kv-and-queues", {
    doc: "Takes the first item of a queue.",
    params: [id("queue_id"), ...outBytes("value")],
    phases: everywhere,
    statuses: [Ok, NotFound, Empty, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_define_metric", "metrics", {
    doc: "Defines a metric; the same name again gives another id of the same metric.",
    params: [enumOf("metric_type", "MetricType"), ...bytes("name"), outU32("return_metric_id")],
    phases: everywhere,
    statuses: [Ok, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_record_metric", "metrics", {
    doc: "Sets a gauge, records into a histogram, adds to a counter.",
    params: [id("metric_id"), integer64("value")],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument],
    headgate: "yes",
  }),
  row("proxy_increment_metric", "metrics", {
    doc: "Adds to a counter or gauge; a counter takes only what is above 0.",
    params: [id("metric_id"), integer64("offset")],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument],
    headgate: "yes",
  }),
  row("proxy_get_metric", "metrics", {
    doc: "Tells the value of a counter or gauge.",
    params: [id("metric_id"), outU64("return_value")],
    phases: everywhere,
    statuses: [Ok, NotFound, BadArgument, InvalidMemoryAccess],
    headgate: "yes",
  }),
  row("proxy_call_foreign_function", "foreign-functions", {
    doc: "Calls a function of the host by name; both out pointers may be 0.",
    params: [...bytes("function_name"), ...bytes("arguments"), ...outBytes("results")],
    phases: everywhere,
    statuses: [
      Ok,
      NotFound,
      BadArgument,
      SerializationFailure,
      InvalidMemoryAccess,
      InternalFailure,
    ],
    headgate: "yes",
  }),
];

/** The row of a function of the module "env"; undefined when the ABI has none of this name. */
export function findHostcall(name: string): Hostcall | undefined {
  return hostcalls.find((hostcall) => hostcall.name === name);
}
