// The hooks of the SDK's classes, and the callbacks a module must export for each to be called. Read
// by the transform and by the build; hooks.test.ts compares it with the callbacks in assembly/exports.

/** Hooks of HttpFilter, NetworkFilter and Plugin by the file of `exports/` that has the callback. */
const HOOKS = {
  plugin: {
    onVmStart: "proxy_on_vm_start",
    onTick: "proxy_on_tick",
    onQueueReady: "proxy_on_queue_ready",
    onHttpCallResponse: "proxy_on_http_call_response",
    onGrpcReceiveInitialMetadata: "proxy_on_grpc_receive_initial_metadata",
    onGrpcReceive: "proxy_on_grpc_receive",
    onGrpcReceiveTrailingMetadata: "proxy_on_grpc_receive_trailing_metadata",
    onGrpcClose: "proxy_on_grpc_close",
    onForeignFunction: "proxy_on_foreign_function",
    onDone: "proxy_on_done",
    onLog: "proxy_on_log",
  },
  http: {
    onRequestHeaders: "proxy_on_request_headers",
    onRequestBody: "proxy_on_request_body",
    onRequestTrailers: "proxy_on_request_trailers",
    onResponseHeaders: "proxy_on_response_headers",
    onResponseBody: "proxy_on_response_body",
    onResponseTrailers: "proxy_on_response_trailers",
  },
  network: {
    onNewConnection: "proxy_on_new_connection",
    onDownstreamData: "proxy_on_downstream_data",
    onUpstreamData: "proxy_on_upstream_data",
    onDownstreamClose: "proxy_on_downstream_connection_close",
    onUpstreamClose: "proxy_on_upstream_connection_close",
  },
};

const requestCallbacks = [
  "proxy_on_request_headers",
  "proxy_on_request_body",
  "proxy_on_request_trailers",
];
const responseCallbacks = [
  "proxy_on_response_headers",
  "proxy_on_response_body",
  "proxy_on_response_trailers",
];

/** Hooks that get a whole body -> the callbacks that collect it, which are those of `exports/bodies`. */
export const COLLECTING = {
  onFullRequestBody: requestCallbacks,
  onFullResponseBody: responseCallbacks,
};

/** Hook -> callback. */
export const CALLBACK_OF_HOOK = {
  ...Object.assign({}, ...Object.values(HOOKS)),
  onFullRequestBody: "proxy_on_request_body",
  onFullResponseBody: "proxy_on_response_body",
};

/** Callback -> the file of `exports/` that has it. */
export const FILE_OF_CALLBACK = Object.fromEntries(
  Object.entries(HOOKS).flatMap(([file, hooks]) =>
    Object.values(hooks).map((callback) => [callback, file]),
  ),
);

/**
 * Hook -> the callback that serves a filter which has no other hook; `exports/brief` has it. Headgate
 * calls it in the place of three.
 */
export const BRIEF_OF_HOOK = {
  onRequestHeaders: "headgate_request_headers",
  onResponseHeaders: "headgate_response_headers",
};

/** Hostcall -> callbacks without which its answer, or part of it, is never heard. */
export const CALLBACKS_OF_CALL = {
  proxy_http_call: ["proxy_on_http_call_response"],
  proxy_grpc_call: ["proxy_on_grpc_receive", "proxy_on_grpc_close"],
  proxy_grpc_stream: [
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_trailing_metadata",
    "proxy_on_grpc_close",
  ],
};

/**
 * Hostcall -> callbacks that bring what it asks for. A module that makes the call needs them, whether or
 * not the author overrides a hook.
 */
export const ANSWERS_OF_HOSTCALL = {
  ...CALLBACKS_OF_CALL,
  proxy_register_shared_queue: ["proxy_on_queue_ready"],
  proxy_set_tick_period_milliseconds: ["proxy_on_tick"],
};

/** Hostcall -> the words without which no source leads to it. */
export const SIGN_OF_HOSTCALL = {
  proxy_http_call: /\b(call|proxy_http_call)\b/,
  proxy_grpc_call: /\b(grpc|proxy_grpc_call)\b/,
  proxy_grpc_stream: /\b(grpc|proxy_grpc_stream)\b/,
  proxy_register_shared_queue: /\b(queue|Queue|proxy_register_shared_queue)\b/,
  proxy_set_tick_period_milliseconds: /\b(setTick|proxy_set_tick_period_milliseconds)\b/,
};
