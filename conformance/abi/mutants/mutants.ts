// The ways in which hosts are broken here: what hosts have got wrong, or could.
import { Status } from "proxy-wasm-types";
import type { Guest, Mutant } from "./broken-host.ts";

type Change = (
  real: (...args: number[]) => unknown,
  guest: Guest,
) => (...args: number[]) => unknown;

/** Answers something else. */
function answers(status: number): Change {
  return () => () => status;
}

/** Answers something else instead of one status. */
function insteadOf(from: number, to: number): Change {
  return (real) =>
    (...args) => {
      const status = real(...args);
      return status === from ? to : status;
    };
}

/** Gets other arguments. */
function given(change: (args: number[]) => number[]): Change {
  return (real) =>
    (...args) =>
      real(...change(args));
}

/** One argument is something else. */
function at(index: number, change: (value: number) => number): Change {
  return given((args) => args.map((value, i) => (i === index ? change(value) : value)));
}

/** Changes 32 bits where the hostcall told them; `index` is the parameter with the address. */
function tells(index: number, change: (value: number) => number): Change {
  return (real, guest) =>
    (...args) => {
      const status = real(...args);
      const address = (args[index] ?? 0) >>> 0;
      const view = guest.view();
      if (status === Status.Ok && address !== 0 && address + 4 <= view.byteLength) {
        view.setUint32(address, change(view.getUint32(address, true)) >>> 0, true);
      }
      return status;
    };
}

const plusOne = (value: number): number => value + 1;
const minusOne = (value: number): number => value - 1;
const nothing = answers(Status.Ok);
/** 0 and 2 are the headers of requests and responses, 1 and 3 their trailers. */
const otherMap = (map: number): number => (map >= 0 && map < 4 ? map ^ 1 : map);
const otherDirection = (type: number): number => (type === 0 || type === 1 ? type ^ 1 : type);
const lenient = insteadOf(Status.InvalidMemoryAccess, Status.Ok);

function hostcall(name: string, what: string, change: Change): Mutant {
  return { name: `${name}: ${what}`, hostcalls: { [name]: change } };
}

function callback(name: string, what: string, change: Change | null): Mutant {
  return { name: `${name}: ${what}`, callbacks: { [name]: change } };
}

const brokenHostcalls: readonly Mutant[] = [
  hostcall("proxy_log", "any level is good", insteadOf(Status.BadArgument, Status.Ok)),
  hostcall("proxy_log", "a level too low", at(0, minusOne)),
  hostcall("proxy_log", "the text is lost", nothing),
  hostcall("proxy_get_log_level", "one too high", tells(0, plusOne)),
  hostcall("proxy_get_current_time_nanoseconds", "0", (real, guest) => (...args) => {
    const status = real(...args);
    if (status === Status.Ok) guest.view().setBigUint64((args[0] ?? 0) >>> 0, 1n, true);
    return status;
  }),
  hostcall("proxy_set_tick_period_milliseconds", "ignored", nothing),
  hostcall(
    "proxy_set_tick_period_milliseconds",
    "ticks never end",
    at(0, (ms) => (ms === 0 ? 5 : ms)),
  ),
  hostcall("proxy_set_effective_context", "ignored", nothing),
  hostcall(
    "proxy_set_effective_context",
    "unknown contexts are good",
    insteadOf(Status.BadArgument, Status.Ok),
  ),
  hostcall("proxy_done", "ignored", nothing),
  hostcall("proxy_done", "always waits", insteadOf(Status.NotFound, Status.Ok)),
  hostcall(
    "proxy_get_buffer_bytes",
    "the offset is ignored",
    at(1, () => 0),
  ),
  hostcall("proxy_get_buffer_bytes", "one byte short", tells(4, minusOne)),
  hostcall("proxy_get_buffer_bytes", "another buffer", at(0, otherDirection)),
  hostcall("proxy_get_buffer_status", "one byte too many", tells(1, plusOne)),
  hostcall(
    "proxy_get_buffer_status",
    "flags are set",
    tells(2, () => 1),
  ),
  hostcall("proxy_set_buffer_bytes", "ignored", nothing),
  hostcall(
    "proxy_set_buffer_bytes",
    "always prepends",
    given(([b = 0, , , p = 0, n = 0]) => [b, 0, 0, p, n]),
  ),
  hostcall(
    "proxy_set_buffer_bytes",
    "always replaces everything",
    given(([b = 0, , , p = 0, n = 0]) => [b, 0, -1, p, n]),
  ),
  hostcall("proxy_get_header_map_size", "one too many", tells(1, plusOne)),
  hostcall("proxy_get_header_map_pairs", "one byte short", tells(2, minusOne)),
  hostcall("proxy_get_header_map_pairs", "another map", at(0, otherMap)),
  hostcall("proxy_set_header_map_pairs", "ignored", nothing),
  hostcall(
    "proxy_get_header_map_value",
    "absent keys are empty, or not found",
    (real) =>
      (...args) => {
        const status = real(...args);
        return status === Status.NotFound ? Status.Ok : status;
      },
  ),
  hostcall("proxy_get_header_map_value", "trailers for headers", at(0, otherMap)),
  hostcall("proxy_get_header_map_value", "a byte short", tells(4, minusOne)),
  hostcall("proxy_add_header_map_value", "ignored", nothing),
  hostcall(
    "proxy_add_header_map_value",
    "the value is empty",
    at(4, () => 0),
  ),
  hostcall("proxy_replace_header_map_value", "ignored", nothing),
  hostcall("proxy_remove_header_map_value", "ignored", nothing),
  hostcall("proxy_continue_stream", "the other direction", at(0, otherDirection)),
  hostcall("proxy_continue_stream", "ignored", nothing),
  hostcall("proxy_close_stream", "ignored", nothing),
  hostcall("proxy_continue_request", "ignored", nothing),
  hostcall("proxy_continue_response", "ignored", nothing),
  hostcall("proxy_send_local_response", "another code", at(0, plusOne)),
  hostcall(
    "proxy_send_local_response",
    "without its body",
    at(4, () => 0),
  ),
  hostcall(
    "proxy_send_local_response",
    "without its headers",
    at(6, () => 0),
  ),
  hostcall(
    "proxy_send_local_response",
    "without its gRPC status",
    at(7, () => -1),
  ),
  hostcall(
    "proxy_http_call",
    "unknown clusters are good",
    insteadOf(Status.BadArgument, Status.Ok),
  ),
  hostcall(
    "proxy_http_call",
    "one token for all",
    tells(9, () => 4),
  ),
  hostcall(
    "proxy_grpc_call",
    "a failure is told as good",
    insteadOf(Status.InternalFailure, Status.Ok),
  ),
  hostcall("proxy_grpc_send", "messages are lost", nothing),
  hostcall(
    "proxy_grpc_send",
    "never ends",
    at(3, () => 0),
  ),
  hostcall("proxy_grpc_cancel", "ignored", nothing),
  hostcall("proxy_grpc_close", "ignored", nothing),
  hostcall(
    "proxy_get_status",
    "always good",
    tells(0, () => 0),
  ),
  hostcall("proxy_get_property", "the last byte of a path is lost", at(1, minusOne)),
  hostcall("proxy_get_property", "unknown ones are good", insteadOf(Status.NotFound, Status.Ok)),
  hostcall("proxy_set_property", "ignored", nothing),
  hostcall(
    "proxy_get_shared_data",
    "one number for all",
    tells(4, () => 1),
  ),
  hostcall(
    "proxy_set_shared_data",
    "the number is ignored",
    at(4, () => 0),
  ),
  hostcall(
    "proxy_register_shared_queue",
    "another token each time",
    tells(2, (token) => token * 7 + 1),
  ),
  hostcall(
    "proxy_resolve_shared_queue",
    "an unknown one is good",
    insteadOf(Status.NotFound, Status.Ok),
  ),
  hostcall("proxy_enqueue_shared_queue", "items are lost", nothing),
  hostcall("proxy_enqueue_shared_queue", "items are cut", at(2, minusOne)),
  hostcall(
    "proxy_dequeue_shared_queue",
    "an empty queue has an item",
    insteadOf(Status.Empty, Status.Ok),
  ),
  hostcall("proxy_define_metric", "any type is good", insteadOf(Status.BadArgument, Status.Ok)),
  hostcall(
    "proxy_define_metric",
    "always a counter",
    at(0, () => 0),
  ),
  hostcall("proxy_record_metric", "ignored", nothing),
  hostcall(
    "proxy_increment_metric",
    "counters go down, too",
    insteadOf(Status.BadArgument, Status.Ok),
  ),
  hostcall("proxy_increment_metric", "ignored", nothing),
  hostcall("proxy_get_metric", "one too many", tells(1, plusOne)),
  hostcall(
    "proxy_call_foreign_function",
    "unknown ones are good",
    insteadOf(Status.NotFound, Status.Ok),
  ),
  hostcall("proxy_get_configuration", "a byte short", tells(1, minusOne)),
  ...[
    "proxy_get_header_map_value",
    "proxy_log",
    "proxy_get_buffer_bytes",
    "proxy_set_shared_data",
  ].map((name) => hostcall(name, "pointers are not checked", lenient)),
];

const lost: readonly Mutant[] = [
  "proxy_on_context_create",
  "proxy_on_vm_start",
  "proxy_on_configure",
  "proxy_on_tick",
  "proxy_on_request_headers",
  "proxy_on_request_body",
  "proxy_on_request_trailers",
  "proxy_on_response_headers",
  "proxy_on_response_body",
  "proxy_on_response_trailers",
  "proxy_on_new_connection",
  "proxy_on_downstream_data",
  "proxy_on_downstream_connection_close",
  "proxy_on_upstream_data",
  "proxy_on_upstream_connection_close",
  "proxy_on_http_call_response",
  "proxy_on_grpc_receive_initial_metadata",
  "proxy_on_grpc_receive",
  "proxy_on_grpc_receive_trailing_metadata",
  "proxy_on_grpc_close",
  "proxy_on_queue_ready",
  "proxy_on_log",
  "proxy_on_done",
  "proxy_on_delete",
  "_initialize",
  "_start",
  "__main_void",
].map((name) => callback(name, "never comes", null));

const brokenCallbacks: readonly Mutant[] = [
  callback("proxy_on_request_headers", "one header too many", at(1, plusOne)),
  callback(
    "proxy_on_request_headers",
    "the end of the stream is lost",
    at(2, () => 0),
  ),
  callback("proxy_on_request_headers", "comes twice", twice),
  callback("proxy_on_request_headers", "Pause does not hold", ignoringAnswer(0)),
  callback(
    "proxy_on_request_body",
    "the end of the stream is lost",
    at(2, () => 0),
  ),
  callback("proxy_on_request_body", "one byte too many", at(1, plusOne)),
  callback("proxy_on_request_body", "Pause does not hold", ignoringAnswer(0)),
  callback("proxy_on_request_trailers", "one too few", at(1, minusOne)),
  callback("proxy_on_response_headers", "another context", at(0, plusOne)),
  callback("proxy_on_response_headers", "Pause does not hold", ignoringAnswer(0)),
  callback("proxy_on_response_body", "Pause does not hold", ignoringAnswer(0)),
  callback("proxy_on_response_trailers", "Pause does not hold", ignoringAnswer(0)),
  callback("proxy_on_vm_start", "false does not refuse", ignoringAnswer(1)),
  callback("proxy_on_configure", "false does not refuse", ignoringAnswer(1)),
  callback(
    "proxy_on_configure",
    "without the configuration's size",
    at(1, () => 0),
  ),
  callback("proxy_on_done", "false does not keep the root context", ignoringAnswer(1)),
  callback("proxy_on_delete", "comes twice", twice),
  callback(
    "proxy_on_context_create",
    "without a parent",
    at(1, () => 0),
  ),
  callback(
    "proxy_on_http_call_response",
    "the size of the body is lost",
    at(3, () => 0),
  ),
  callback(
    "proxy_on_grpc_close",
    "always good",
    at(2, () => 0),
  ),
  callback(
    "proxy_on_downstream_data",
    "the end is lost",
    at(2, () => 0),
  ),
  callback(
    "proxy_on_downstream_connection_close",
    "always by the peer",
    at(1, () => 2),
  ),
  callback("proxy_on_queue_ready", "on another context", at(0, plusOne)),
  callback("malloc", "gives no room", answers(0)),
];

function twice(real: (...args: number[]) => unknown): (...args: number[]) => unknown {
  return (...args) => {
    real(...args);
    return real(...args);
  };
}

function ignoringAnswer(answer: number): Change {
  return (real) =>
    (...args) => {
      real(...args);
      return answer;
    };
}

export const mutants: readonly Mutant[] = [...brokenHostcalls, ...lost, ...brokenCallbacks];
