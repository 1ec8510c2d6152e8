// THE table of callbacks, the functions a guest exports: hosts, SDKs and docs follow it.
import { enumOf, flag, id, integer, size } from "./signature.ts";
import type { Chapter, Param, Support, VersionRange, WasmType } from "./signature.ts";
import { existsIn } from "./versions.ts";
import type { AbiVersion } from "./versions.ts";

/** What a host does when a module does not export the callback. */
export type WhenAbsent =
  /** Nothing: the event passes. */
  | "ignore"
  /** As if it had answered Continue. */
  | "continue"
  /** As if it had answered true. */
  | "true"
  /** The module is refused, unless it exports the row's alternative. */
  | "refuse";

export interface Callback extends VersionRange {
  readonly name: string;
  readonly chapter: Chapter;
  /** One sentence for documents. */
  readonly doc: string;
  /** Exact: a module that exports the name with another signature is refused. */
  readonly params: readonly Param[];
  readonly results: readonly WasmType[];
  readonly whenAbsent: WhenAbsent;
  readonly headgate: Support;
}

interface Row extends Partial<VersionRange> {
  readonly doc: string;
  readonly params: readonly Param[];
  readonly headgate?: Support;
}

/** The answer and the default belong together: an action continues, a truth is true. */
type Answer = "nothing" | "action" | "truth";

const whenAbsentByAnswer = { nothing: "ignore", action: "continue", truth: "true" } as const;

function row(name: string, chapter: Chapter, answer: Answer, cells: Row): Callback {
  return {
    name,
    chapter,
    doc: cells.doc,
    params: cells.params,
    results: answer === "nothing" ? [] : ["i32"],
    whenAbsent: whenAbsentByAnswer[answer],
    since: cells.since ?? "0.1.0",
    until: cells.until ?? null,
    headgate: cells.headgate ?? "no",
  };
}

const context: Param = id("context_id");
const root: Param = id("plugin_context_id");
const bodySize: Param = size("body_size");
const headers: Param = integer("num_headers");
const trailers: Param = integer("num_trailers");
const endOfStream: Param = flag("end_of_stream");

function allocator(name: string, doc: string): Callback {
  return {
    name,
    chapter: "memory-management",
    doc,
    params: [size("size")],
    results: ["i32"],
    whenAbsent: "refuse",
    since: "0.1.0",
    until: null,
    headgate: "yes",
  };
}

/** A name stands twice when its signature changed, with ranges that do not overlap. */
export const callbacks: readonly Callback[] = [
  row("_initialize", "integration", "nothing", {
    doc: "Prepares the module, once, after instantiation.",
    params: [],
    headgate: "yes",
  }),
  {
    name: "main",
    chapter: "integration",
    doc: "Called with (0, 0) right after _initialize, and only when that is exported.",
    params: [integer("argc"), integer("argv")],
    results: ["i32"],
    whenAbsent: "ignore",
    since: "0.1.0",
    until: null,
    headgate: "yes",
  },
  {
    name: "__main_void",
    chapter: "integration",
    doc: "Called instead of main when that is not exported.",
    params: [],
    results: ["i32"],
    whenAbsent: "ignore",
    since: "0.1.0",
    until: null,
    headgate: "yes",
  },
  row("_start", "integration", "nothing", {
    doc: "Called instead of _initialize when that is not exported.",
    params: [],
    headgate: "yes",
  }),
  allocator("malloc", "Gives room for bytes from the host; called before the next row's function."),
  allocator("proxy_on_memory_allocate", "Gives room for bytes when malloc is not exported."),
  row("proxy_on_context_create", "context-lifecycle", "nothing", {
    doc: "A context begins; parent 0 makes it a root context.",
    params: [context, id("parent_context_id")],
    headgate: "yes",
  }),
  row("proxy_on_vm_start", "context-lifecycle", "truth", {
    doc: "The VM starts; false refuses it.",
    params: [root, size("vm_configuration_size")],
    headgate: "yes",
  }),
  row("proxy_validate_configuration", "context-lifecycle", "truth", {
    doc: "Known to C++ hosts by name; Envoy 1.40 never calls it.",
    params: [root, size("plugin_configuration_size")],
    headgate: "yes",
  }),
  row("proxy_on_configure", "context-lifecycle", "truth", {
    doc: "The plugin gets its configuration; false refuses it.",
    params: [root, size("plugin_configuration_size")],
    headgate: "yes",
  }),
  row("proxy_on_done", "context-lifecycle", "truth", {
    doc: "The context is about to end; false keeps a root context until proxy_done.",
    params: [context],
    headgate: "yes",
  }),
  row("proxy_on_log", "context-lifecycle", "nothing", {
    doc: "The stream is over and may be logged.",
    params: [context],
    headgate: "yes",
  }),
  row("proxy_on_delete", "context-lifecycle", "nothing", {
    doc: "The context is gone; its id will not come again.",
    params: [context],
    headgate: "yes",
  }),
  row("proxy_on_tick", "clocks-and-timers", "nothing", {
    doc: "The tick period has passed.",
    params: [root],
    headgate: "yes",
  }),
  row("proxy_on_new_connection", "streams", "action", {
    doc: "A TCP connection was accepted.",
    params: [context],
    headgate: "yes",
  }),
  row("proxy_on_downstream_data", "streams", "action", {
    doc: "Bytes came from downstream.",
    params: [context, size("data_size"), endOfStream],
    headgate: "yes",
  }),
  row("proxy_on_downstream_connection_close", "streams", "nothing", {
    doc: "The downstream connection was closed.",
    params: [context, enumOf("peer_type", "PeerType")],
    headgate: "yes",
  }),
  row("proxy_on_upstream_data", "streams", "action", {
    doc: "Bytes came from upstream.",
    params: [context, size("data_size"), endOfStream],
    headgate: "yes",
  }),
  row("proxy_on_upstream_connection_close", "streams", "nothing", {
    doc: "The upstream connection was closed.",
    params: [context, enumOf("peer_type", "PeerType")],
    headgate: "yes",
  }),
  row("proxy_on_request_headers", "streams", "action", {
    doc: "Request headers came.",
    until: "0.1.0",
    params: [context, headers],
    headgate: "yes",
  }),
  row("proxy_on_request_headers", "streams", "action", {
    doc: "Request headers came.",
    since: "0.2.0",
    params: [context, headers, endOfStream],
    headgate: "yes",
  }),
  row("proxy_on_request_body", "streams", "action", {
    doc: "A part of the request body came; the size counts what is buffered too.",
    params: [context, bodySize, endOfStream],
    headgate: "yes",
  }),
  row("proxy_on_request_trailers", "streams", "action", {
    doc: "Request trailers came.",
    params: [context, trailers],
    headgate: "yes",
  }),
  row("proxy_on_request_metadata", "streams", "action", {
    doc: "HTTP/2 METADATA of the request came; the answer is not used.",
    params: [context, integer("num_elements")],
    headgate: "yes",
  }),
  row("proxy_on_response_headers", "streams", "action", {
    doc: "Response headers came.",
    until: "0.1.0",
    params: [context, headers],
    headgate: "yes",
  }),
  row("proxy_on_response_headers", "streams", "action", {
    doc: "Response headers came.",
    since: "0.2.0",
    params: [context, headers, endOfStream],
    headgate: "yes",
  }),
  row("proxy_on_response_body", "streams", "action", {
    doc: "A part of the response body came; the size counts what is buffered too.",
    params: [context, bodySize, endOfStream],
    headgate: "yes",
  }),
  row("proxy_on_response_trailers", "streams", "action", {
    doc: "Response trailers came.",
    params: [context, trailers],
    headgate: "yes",
  }),
  row("proxy_on_response_metadata", "streams", "action", {
    doc: "HTTP/2 METADATA of the response came; the answer is not used.",
    params: [context, integer("num_elements")],
    headgate: "yes",
  }),
  row("proxy_on_http_call_response", "http-calls", "nothing", {
    doc: "An HTTP call was answered; no headers mean that it failed.",
    params: [root, id("call_id"), headers, bodySize, trailers],
    headgate: "yes",
  }),
  row("proxy_on_grpc_receive_initial_metadata", "grpc-calls", "nothing", {
    doc: "Initial metadata of a gRPC stream came.",
    params: [root, id("call_id"), integer("num_elements")],
    headgate: "yes",
  }),
  row("proxy_on_grpc_receive", "grpc-calls", "nothing", {
    doc: "A gRPC message came.",
    params: [root, id("call_id"), size("message_size")],
    headgate: "yes",
  }),
  row("proxy_on_grpc_receive_trailing_metadata", "grpc-calls", "nothing", {
    doc: "Trailing metadata of a gRPC stream came.",
    params: [root, id("call_id"), integer("num_elements")],
    headgate: "yes",
  }),
  row("proxy_on_grpc_close", "grpc-calls", "nothing", {
    doc: "A gRPC call failed or a stream ended.",
    params: [root, id("call_id"), enumOf("status_code", "GrpcStatus")],
    headgate: "yes",
  }),
  row("proxy_on_queue_ready", "shared-kv-and-queues", "nothing", {
    doc: "A queue that this root context registered has an item.",
    params: [root, id("queue_id")],
    headgate: "yes",
  }),
  row("proxy_on_foreign_function", "foreign-functions", "nothing", {
    doc: "The host calls a function of the guest; its arguments are buffer 8.",
    since: "0.2.0",
    params: [context, id("function_id"), size("arguments_size")],
    headgate: "yes",
  }),
];

/** The row of a callback in a version; undefined when that version has none of this name. */
export function findCallback(name: string, version: AbiVersion): Callback | undefined {
  return callbacks.find((callback) => callback.name === name && existsIn(callback, version));
}
