// What the good call of each row answers in each callback of a stream, of a tick, of a callout. Rows
// in the order of the ABI's table. The reference is Envoy 1.40, asked in
// conformance/envoy/cases/guest-phases.ts; it ends by a crash where a stream is closed or answered in
// on_log.

export const phaseColumns: readonly string[] = [
  "proxy_on_vm_start",
  "proxy_on_configure",
  "proxy_on_tick",
  "proxy_on_http_call_response",
  "proxy_on_request_headers",
  "proxy_on_request_body",
  "proxy_on_request_trailers",
  "proxy_on_response_headers",
  "proxy_on_response_body",
  "proxy_on_response_trailers",
  "proxy_on_log",
  "proxy_on_done",
  "proxy_on_delete",
];

const ofStreams = phaseColumns.slice(4);

/** The same everywhere. */
function everywhere(status: string): string {
  return only([], "", status);
}

/** One status in these callbacks, another one in all others. */
function only(columns: readonly string[], status: string, elsewhere: string): string {
  return phaseColumns.map((name) => (columns.includes(name) ? status : elsewhere)).join(" ");
}

const requestHeaders = ["proxy_on_request_headers"];
const inRequestHeaders = only(requestHeaders, "Ok", "BadArgument");

export const phases: Readonly<Record<string, string>> = {
  proxy_log: everywhere("Ok"),
  proxy_get_log_level: everywhere("Ok"),
  proxy_get_current_time_nanoseconds: everywhere("Ok"),
  proxy_set_tick_period_milliseconds: everywhere("Ok"),
  proxy_set_effective_context: everywhere("Ok"),
  // Nobody waits for it here.
  proxy_done: everywhere("NotFound"),
  proxy_get_configuration: everywhere("Ok"),
  proxy_get_buffer_bytes: everywhere("Ok"),
  proxy_get_buffer_status: everywhere("Ok"),
  // Of the request body.
  proxy_set_buffer_bytes: only(["proxy_on_request_body"], "Ok", "BadArgument"),
  // Of request headers, which have gone on when the body comes.
  proxy_get_header_map_size: inRequestHeaders,
  proxy_get_header_map_pairs: everywhere("Ok"),
  proxy_set_header_map_pairs: inRequestHeaders,
  proxy_get_header_map_value: only([...requestHeaders, "proxy_on_log"], "Ok", "BadArgument"),
  proxy_add_header_map_value: inRequestHeaders,
  proxy_replace_header_map_value: inRequestHeaders,
  proxy_remove_header_map_value: inRequestHeaders,
  proxy_continue_stream: everywhere("Ok"),
  proxy_close_stream: everywhere("Ok"),
  proxy_continue_request: everywhere("Ok"),
  proxy_continue_response: everywhere("Ok"),
  proxy_clear_route_cache: everywhere("Ok"),
  proxy_send_local_response: everywhere("Ok"),
  proxy_http_call: everywhere("Ok"),
  proxy_grpc_call: everywhere("Ok"),
  proxy_grpc_stream: everywhere("Ok"),
  proxy_grpc_send: everywhere("Ok"),
  proxy_grpc_cancel: everywhere("Ok"),
  proxy_grpc_close: everywhere("Ok"),
  proxy_get_status: everywhere("Ok"),
  // Of the stream.
  proxy_get_property: only(ofStreams, "Ok", "NotFound"),
  proxy_set_property: only(ofStreams, "Ok", "NotFound"),
  proxy_get_shared_data: everywhere("Ok"),
  proxy_set_shared_data: everywhere("Ok"),
  proxy_register_shared_queue: everywhere("Ok"),
  proxy_resolve_shared_queue: everywhere("Ok"),
  proxy_enqueue_shared_queue: everywhere("Ok"),
  proxy_dequeue_shared_queue: everywhere("Ok"),
  proxy_define_metric: everywhere("Ok"),
  proxy_record_metric: everywhere("Ok"),
  proxy_increment_metric: everywhere("Ok"),
  proxy_get_metric: everywhere("Ok"),
  proxy_call_foreign_function: everywhere("Ok"),
};
